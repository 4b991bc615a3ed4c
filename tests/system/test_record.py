"""`crossbook record` of a running market, and its replay: the same fills, rows and digests."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from crossbook.cli.main import app
from crossbook.client.admin_client import AdminClient
from crossbook.client.client import Client
from crossbook.common.messages.commands import SetInstrumentState
from crossbook.common.types import InstrumentState
from tests.system.exchange import Exchange
from tests.system.test_replay import replay

SYMBOL = "BTC-USDT"


@pytest.fixture(scope="module")
def market() -> Iterator[Exchange]:
    """An exchange on which a simulated market trades all the while."""
    with Exchange() as exchange:
        process = subprocess.Popen(
            [sys.executable, "-m", "crossbook", "simulate", "--wait", "30", "--symbols", SYMBOL,
             "--rate", "150", "--seed", "5", "--duration", "600"],
            cwd=exchange.directory, env=exchange.environment, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            with Client(exchange.orders, 1) as client:
                exchange.wait_until("it quotes", lambda: traded(exchange, client), 60.0)
            yield exchange
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def traded(exchange: Exchange, client: Client) -> bool:
    """Whether the simulated market has traded."""
    words = ["trades", "--journal", str(exchange.data), "--symbol", SYMBOL]
    client.ping()
    return CliRunner().invoke(app, ["export", *words]).stdout.count("\n") > 20


def record(exchange: Exchange, *words: str) -> dict[str, Any]:
    """The facts of a recording that succeeds."""
    result = CliRunner().invoke(app, ["record", "--json", *words], env=exchange.addresses)
    assert result.exit_code == 0, result.output
    facts: dict[str, Any] = json.loads(result.stdout)
    return facts


def test_a_recorded_market_replays_to_its_own_fills_and_books(
    market: Exchange, tmp_path: Path
) -> None:
    stem = tmp_path / f"live_{SYMBOL}"

    facts = record(market, "-s", SYMBOL.lower(), "--for", "5s", "-o", str(stem))

    assert facts["fills"] > 0
    assert facts["ended_by"] is None
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"{stem.name}.{kind}.csv" for kind in ("cmd", "expect", "book", "digest")}
    status, [report] = replay(market, facts["file"])
    assert (status, report["differences"]) == (0, [])
    assert report["commands"] == facts["commands"]
    assert report["recorded_fills"] == {"compared": facts["fills"], "equal": facts["fills"]}
    assert report["book_rows"]["compared"] > 0
    assert report["digests"]["compared"] > 0


def test_the_journal_of_a_running_market_is_recorded_likewise(
    market: Exchange, tmp_path: Path
) -> None:
    stem = tmp_path / f"journal_{SYMBOL}"

    facts = record(market, "-s", SYMBOL, "--journal", str(market.data), "-o", str(stem))

    assert facts["fills"] > 20
    status, [report] = replay(market, facts["file"])
    assert (status, report["differences"]) == (0, [])
    assert report["recorded_fills"] == {"compared": facts["fills"], "equal": facts["fills"]}


def test_ctrl_c_ends_a_recording_whole(market: Exchange, tmp_path: Path) -> None:
    stem = tmp_path / f"until_{SYMBOL}"
    process = subprocess.Popen(
        [sys.executable, "-m", "crossbook", "record", "-s", SYMBOL, "-o", str(stem), "--json"],
        cwd=tmp_path, env=market.environment, stdout=subprocess.PIPE,
    )  # fmt: skip
    part = tmp_path / f"{stem.name}.cmd.csv.part"
    market.wait_until("it records", lambda: part.is_file() and part.stat().st_size > 2_000, 30.0)

    process.send_signal(signal.SIGINT)

    out, _ = process.communicate(timeout=30)
    facts = json.loads(out)
    assert process.returncode == 0
    assert len(Path(facts["file"]).read_text().splitlines()) == facts["commands"] + 1
    assert not part.exists()


def test_a_call_phase_ends_a_recording(market: Exchange, tmp_path: Path) -> None:
    stem = tmp_path / "phase_ETH-USDT"
    with Client(market.orders, 77) as client:
        client.submit("ETH-USDT", "buy", "0.1", "1000.00")
        process = subprocess.Popen(
            [sys.executable, "-m", "crossbook", "record", "-s", "ETH-USDT", "-o", str(stem),
             "--json"],
            cwd=tmp_path, env=market.environment, stdout=subprocess.PIPE,
        )  # fmt: skip
        part = tmp_path / f"{stem.name}.cmd.csv.part"
        market.wait_until(
            "it has the order", lambda: part.is_file() and ",new," in part.read_text(), 30.0
        )
        instrument = client.instruments["ETH-USDT"]
        with AdminClient(market.addresses["MATCHER_ADMIN"]) as admin:
            client.submit("ETH-USDT", "buy", "0.1", "1001.00")
            act = SetInstrumentState(
                gateway=0,
                request_seq=0,
                account=0,
                instrument=instrument.id,
                state=int(InstrumentState.AUCTION),
            )
            admin.act(act)
            out, _ = process.communicate(timeout=30)
            admin.act(
                SetInstrumentState(
                    gateway=0,
                    request_seq=0,
                    account=0,
                    instrument=instrument.id,
                    state=int(InstrumentState.OPEN),
                )
            )
        client.mass_cancel()
    assert process.returncode == 0
    assert "entered a call phase" in json.loads(out)["ended_by"]


def test_a_journal_is_replayed_on_a_running_exchange(tmp_path: Path) -> None:
    """The flow of each instrument, one after the other, on instruments of their own."""
    with Exchange() as exchange, Client(exchange.orders, 4) as client:
        for symbol, price in (("BTC-USDT", "65000.00"), ("ETH-USDT", "3200.00")):
            client.submit(symbol, "sell", "0.02", price)
            client.submit(symbol, "buy", "0.01", price, prevention="none")
        status, reports = replay(exchange, str(exchange.data))
        assert status == 0, reports
        found = {report["recording"]: report["recorded_fills"] for report in reports}
        one = {"compared": 1, "equal": 1}
        assert (status, found) == (0, {"journal_BTC-USDT": one, "journal_ETH-USDT": one})
        assert all(report["symbol"].startswith("REPLAY-") for report in reports)
        client.mass_cancel()
        words = [str(exchange.data), "--symbol", "ETH-USDT", "--clear"]
        status, [report] = replay(exchange, *words)
        assert (status, report["symbol"], report["recorded_fills"]) == (0, "ETH-USDT", one)
