"""The command line without an exchange: help, usage, errors, the ladder."""

import json
from typing import Any

import msgspec
import pytest
from rich.console import Console
from typer.testing import CliRunner

from crossbook.cli import entry
from crossbook.cli.console import ExitStatus, error_facts
from crossbook.cli.ladder import ladder
from crossbook.cli.main import app
from crossbook.cli.rendering import outcome_facts, outcome_text
from crossbook.common.instruments import Instrument, example
from crossbook.common.messages.entry import Ack, Execution
from crossbook.common.types import ExecutionKind, Liquidity, OrderStatus, RejectReason
from crossbook.csv_file import RecordingError
from crossbook.replay.requests import symbol_of
from tests.system.exchange import free_ports

COMMANDS = (
    "buy", "sell", "cancel", "amend", "orders", "book", "trades", "replay", "status", "check",
    "verify", "journal",
)  # fmt: skip


def run(*words: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    result = CliRunner().invoke(app, list(words), env={"COLUMNS": "100"})
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def run_json(*words: str) -> tuple[int, dict[str, Any]]:
    status, out, _ = run(*words, "--json")
    facts: dict[str, Any] = json.loads(out)
    return status, facts


def nowhere() -> list[str]:
    """Options with ports where nothing listens."""
    port, other = free_ports(2)
    return [f"tcp://127.0.0.1:{port}", f"tcp://127.0.0.1:{other}"]


def test_help_lists_every_command_and_the_exit_statuses() -> None:
    status, out, _ = run("--help")

    assert status == 0
    for name in COMMANDS:
        assert f"\n  {name} " in out
    assert "Exit status" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_and_json(name: str) -> None:
    status, out, _ = run(name, "--help")

    assert status == 0
    assert f"Examples:\n    crossbook {name}" in out
    assert "--json" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["buy", "BTC-USDT"], "give QUANTITY, or --quote-amount"),
        (["buy", "BTC-USDT", "1"], "give PRICE, or --market"),
        (["sell", "BTC-USDT", "1", "2", "--market"], "a market order has no PRICE"),
        (["buy", "BTC-USDT", "1", "--quote-amount", "5"], "not both"),
        (["cancel", "BTC-USDT"], "one of ORDER_ID, --id and --all"),
        (["cancel", "BTC-USDT", "5", "--all"], "one of ORDER_ID, --id and --all"),
        (["cancel", "--id", "x"], "give SYMBOL"),
        (["cancel", "999999"], "give SYMBOL before the order id, as in BTC-USDT 999999"),
        (["amend", "999999", "-p", "5"], "give SYMBOL before the order id"),
        (["buy", "0.5", "60000"], "SYMBOL comes first, and 0.5 is none"),
        (["sell", "0.5"], "SYMBOL comes first, and 0.5 is none"),
        (["cancel", "", "--all"], "the word after 'cancel' is empty"),
        (["cancel", "--all", "--id", ""], "the word after '--id' is empty"),
        (["buy", "BTC-USDT", "1", "2", "--id="], "--id is empty"),
        (["buy", "BTC-USDT", "1", "2", "--show", " "], "the word after '--show' is empty"),
        (["buy", "BTC-USDT", "-0.1", "1"], "-0.1 is negative"),
        (["sell", "BTC-USDT", "0.1", "-1"], "-1 is negative"),
        (["admin", "deposit", "7", "USDT", "-.5"], "-.5 is negative"),
        (["admin", "fees", "BTC-USDT", "-0.01", "0.05"], "put -- before it"),
        (["buy", "BTC-USDT", "1", "2", "-0x"], "No such option"),
        (["admin", "cancel-all"], "--of ACCOUNT, --symbol SYMBOL or both, or else --all"),
        (["admin", "cancel-all", "--side", "buy"], "or else --all"),
        (["admin", "cancel-all", "--all", "--of", "7"], "or else --all"),
        (["admin", "cancel-all", "--of", "0"], "--of"),
        (["admin", "cancel-all", "--symbol", ""], "the word after '--symbol' is empty"),
        (["admin", "state", "BTC-USDT", "halted", "--for", "0"], "--for"),
        (["admin", "state", "BTC-USDT", "halted", "--for", "1e12"], "--for"),
        (["buy", "BTC-USDT", "1", "2", "--tif", "gtd", "--expire-in", "1e12"], "--expire-in"),
        (["replay", "no/such.cmd.csv"], "no/such.cmd.csv: no such file"),
        (["replay", "no/MSFT_message_10.csv"], "no/MSFT_message_10.csv: no such file"),
        (["replay", "tests"], "tests: holds no journal"),
        (["admin", "fees", "--of", "0", "BTC-USDT", "1", "1"], "--of"),
        (["admin", "fees", "--inherit", "BTC-USDT", "1", "1"], "--inherit needs --of"),
        (["admin", "fees", "BTC-USDT", "1", "20"], "20 percent is more than 10.0000"),
        (["admin", "fees", "BTC-USDT", "1", "1e1"], "'1e1' is not plain decimal text"),
        (["cancel", "BTC-USDT", "5", "--side", "buy"], "--side needs --all"),
        (["amend", "BTC-USDT", "5"], "give --quantity, --price or --stop"),
        (["amend", "BTC-USDT", "--price", "5"], "one of ORDER_ID and --id"),
        (["replay", "--speed", "fast"], "'fast' is none of max, realtime"),
        (["replay", "--speed", "0"], "'0' is none of max, realtime"),
        (["book", "BTC-USDT", "--feed", "localhost"], "not tcp://HOST:PORT"),
        (["buy", "BTC-USDT", "1", "2", "--tif", "year"], "'year' is not one of"),
        (["buy"], "Missing argument"),
        (["bye"], "No such command 'bye'"),
        (["orders", "--account", "0"], "--account"),
    ],
)
def test_wrong_usage_ends_with_status_2_in_text_and_in_json(words: list[str], message: str) -> None:
    status, out, err = run(*words)
    assert status == 2
    assert message in err
    assert out == ""

    status, facts = run_json(*words)
    assert status == 2
    assert message in facts["error"]["message"]
    assert facts["error"]["code"] in ("USAGE", "CONFIGURATION", "UNREADABLE_FILE")


def test_ctrl_c_during_the_imports_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(entry, "_run", interrupted)
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert ended.value.code == 130


def test_wrong_settings_end_with_status_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCOUNT", "many")

    status, _, err = run("orders")

    assert status == 2
    assert "ACCOUNT='many'" in err


def test_an_exchange_that_is_not_there_ends_with_status_3() -> None:
    gateway, _ = nowhere()

    status, facts = run_json("buy", "BTC-USDT", "1", "2", "--gateway", gateway, "--timeout", "0.2")

    assert status == 3
    assert facts["error"]["code"] == "UNREACHABLE"


def test_a_feed_that_is_not_there_ends_with_status_3() -> None:
    feed, snapshots = nowhere()
    words = ["book", "BTC-USDT", "--feed", feed, "--snapshots", snapshots, "--timeout", "0.2"]

    status, out, err = run(*words)

    assert status == 3
    assert out == ""
    assert f"from feed {feed}, snapshots {snapshots}: is the publisher running there?" in err


def test_status_names_missing_processes() -> None:
    gateway, feed = nowhere()
    words = ["--gateway", gateway, "--feed", feed, "--snapshots", feed, "--timeout", "0.2"]

    status, facts = run_json("status", *words)
    assert status == 3
    assert facts["reachable"] is False
    assert facts["gateway"]["reachable"] is False
    assert facts["publisher"]["reachable"] is False
    assert facts["matcher"]["reachable"] is None

    status, out, _ = run("status", *words)
    assert status == 3
    assert out.count("DOWN") == 2
    assert gateway in out


INSTRUMENTS: tuple[Instrument, ...] = tuple(
    msgspec.structs.replace(example(), symbol=symbol, base=symbol.partition("-")[0])
    for symbol in ("BTC-USDT", "BTC-USD", "ETH-USDT", "MSFT-USD")
)


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("bitstamp_BTCUSD.raw.cmd.csv.gz", "BTC-USD"),
        ("sample_BTC-USDT.cmd.csv.gz", "BTC-USDT"),
        ("lobster_MSFT50_first1000.cmd.csv.gz", "MSFT-USD"),
        ("MSFT_2012-06-21_34200000_57600000_message_10.csv", "MSFT-USD"),
        ("eth_day1.cmd.csv", "ETH-USDT"),
        ("BTC_day1.cmd.csv", ""),
        ("flow.cmd.csv", ""),
    ],
)
def test_the_instrument_is_read_from_the_name_of_a_file(name: str, symbol: str) -> None:
    assert symbol_of(name, INSTRUMENTS) == symbol


def drawn(bids: list[tuple[int, int]], asks: list[tuple[int, int]], rows: int = 3) -> list[str]:
    console = Console(width=80, color_system=None)
    with console.capture() as captured:
        console.print(ladder(example(), bids, asks, rows, seq=9, last=(100, 2), note="old"))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_the_ladder_has_asks_above_bids_and_sums_outwards() -> None:
    lines = drawn([(5_000_000, 100_000), (4_999_900, 50_000)], [(5_000_100, 25_000)])

    assert lines == [
        "                BTC-USDT  #9  last 1.00",
        "total BTC      BTC  price USDT",
        "",
        "",
        "  0.25000  0.25000    50001.00  ██████",
        "                    ──────────  spread 1.00 (0.20 bp)",
        "  1.00000  1.00000    50000.00  ████████████████████████",
        "  1.50000  0.50000    49999.00  ████████████",
        "",
        "                          old",
    ]


def test_the_ladder_keeps_its_height_with_empty_sides() -> None:
    empty, one_sided = drawn([], []), drawn([], [(5_000_100, 25_000)])

    assert len(empty) == len(one_sided) == 10
    assert "no orders" in empty[5]
    assert "no bids" in one_sided[5]


def test_an_orders_outcome_counts_its_own_fills_only() -> None:
    ack = Ack(
        request_seq=1, seq=40, order_id=40, status=OrderStatus.NEW, client_order_id="mine",
        remaining_lots=30, time_ns=0,
    )  # fmt: skip

    def fill(order_id: int, price: int, lots: int, remaining_lots: int) -> Execution:
        return Execution(
            request_seq=1, seq=40, symbol="BTC-USDT", order_id=order_id, client_order_id="",
            kind=ExecutionKind.FILL, status=OrderStatus.PARTIALLY_FILLED, side=1, price_ticks=price,
            quantity_lots=lots, filled_lots=30 - remaining_lots, remaining_lots=remaining_lots,
            time_ns=0, trade_id=5, liquidity=Liquidity.TAKER, fee_units=20,
        )  # fmt: skip

    expired = Execution(
        request_seq=1, seq=40, symbol="BTC-USDT", order_id=40, client_order_id="",
        kind=ExecutionKind.EXPIRED, status=OrderStatus.EXPIRED, side=1, price_ticks=0,
        quantity_lots=10, filled_lots=20, remaining_lots=0, time_ns=0,
        reason=RejectReason.IMMEDIATE_OR_CANCEL,
    )  # fmt: skip
    facts = outcome_facts(
        example(), ack, [fill(40, 100, 10, 20), fill(7, 90, 99, 0), fill(40, 101, 10, 10), expired]
    )

    assert facts["order_status"] == "EXPIRED"
    assert facts["reason"] == "IMMEDIATE_OR_CANCEL"
    assert facts["filled_quantity"] == "0.00020"
    assert facts["remaining_quantity"] == "0.00000"
    assert facts["average_price"] == "1.0050"
    assert [one["price"] for one in facts["fills"]] == ["1.00", "1.01"]
    assert facts["fills"][0]["fee"] == "0.00000020"
    assert facts["fills"][0]["fee_asset"] == "BTC"
    assert outcome_text(example(), facts, "accepted").splitlines()[:2] == [
        "order 40 (mine) accepted: EXPIRED, IMMEDIATE_OR_CANCEL",
        "  filled 0.00020 BTC at 1.0050 USDT on average",
    ]


def test_an_unreadable_recording_is_a_usage_error() -> None:
    assert error_facts(RecordingError("x.csv: line 2")) == (
        ExitStatus.USAGE,
        {"code": "UNREADABLE_FILE", "message": "x.csv: line 2", "field": ""},
    )
