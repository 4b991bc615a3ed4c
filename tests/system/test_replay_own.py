"""Replays on an exchange where others trade: on instruments of their own, with money of their
own."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crossbook.cli.main import app
from crossbook.client.client import Client
from crossbook.common.grid import format_decimal
from crossbook.replay.venue import REPLAY_ACCOUNT
from tests.system.exchange import Exchange
from tests.system.test_replay import replay
from tests.worlds.lobster_venue import LobsterVenue


@pytest.fixture(scope="module")
def venue() -> Iterator[Exchange]:
    with Exchange(ACCOUNTS="on") as running:
        yield running


def test_a_replay_on_its_own_instrument_meets_no_other_orders(venue: Exchange) -> None:
    """Others trade the recorded instrument on the exchange. Two replays leave nothing in a book."""
    gateway = venue.addresses["GATEWAY_ORDERS"]
    with Client(gateway, 5) as client:
        client.mass_cancel()
        resting = client.submit("BTC-USDT", "buy", "1", "60000.00")
        before = {each.asset: each for each in client.balances()}

        first, second = replay(venue), replay(venue)

        for status, [report] in (first, second):
            assert (status, report["equal"], report["cause"]) == (0, True, None)
            assert report["foreign_trades"] == 0
        assert first[1][0]["symbol"] == second[1][0]["symbol"]
        assert [order.order_id for order in client.open_orders()] == [resting.order_id]
        assert list(client.executions(0.2)) == []
        after = {each.asset: each for each in client.balances()}
        assert {asset: after[asset] for asset in before} == before
        client.mass_cancel()


def test_a_replay_uses_another_instrument_where_there_are_orders(venue: Exchange) -> None:
    status, [report] = replay(venue)
    taken = report["symbol"]
    gateway = venue.addresses["GATEWAY_ORDERS"]
    with Client(gateway, REPLAY_ACCOUNT) as stopped:
        stopped.submit(taken, "buy", quantity_lots=1, price_ticks=1)

        status, [report] = replay(venue)

        assert (status, report["equal"]) == (0, True)
        assert report["symbol"].startswith("REPLAY-")
        assert report["symbol"] != taken
        stopped.mass_cancel()


def test_a_ticker_that_is_not_traded_here_is_replayed_too(venue: Exchange, tmp_path: Path) -> None:
    recorded = LobsterVenue(12, levels=10)
    recorded.run(before=100, inside=300)

    status, [report] = replay(venue, str(recorded.write(tmp_path, "ZZZ")))

    assert (status, report["equal"]) == (0, True)


def test_without_an_administrator_the_instrument_is_guessed_or_required(
    venue: Exchange, tmp_path: Path
) -> None:
    nowhere = ["--admin", f"ipc://{tmp_path}/admin.sock"]
    with Client(venue.addresses["GATEWAY_ORDERS"], 1) as client:
        client.mass_cancel()

    status, [report] = replay(venue, *nowhere)
    assert (status, report["symbol"]) == (0, "BTC-USDT")

    recorded = LobsterVenue(12, levels=10)
    recorded.run(before=10, inside=30)
    status, [refusal] = replay(venue, str(recorded.write(tmp_path, "ZZZ")), *nowhere)
    assert status == 2
    assert "does not name its instrument" in refusal["error"]["message"]
    assert f"{tmp_path}/admin.sock does not exist" in refusal["error"]["message"]


def test_the_refusal_of_an_account_without_money_has_the_remedy(venue: Exchange) -> None:
    shared = ["--symbol", "BTC-USDT", "--account", "6", "--clear"]
    with Client(venue.addresses["GATEWAY_ORDERS"], 1) as client:
        client.mass_cancel()
    with Client(venue.addresses["GATEWAY_ORDERS"], 6) as client:
        client.cancel("BTC-USDT", client.submit("BTC-USDT", "buy", "1", "1.00").order_id)
        (usdt,) = [each for each in client.balances() if each.asset == "USDT"]
    units = format_decimal(usdt.total_units, 8)
    admin(venue, "withdraw", "6", "USDT", units)

    status, [refusal] = replay(venue, *shared)
    assert status == 1
    assert refusal["error"]["code"] == "INSUFFICIENT_BALANCE"
    remedy = re.search(r"crossbook admin (deposit 6 USDT [0-9.]+)", refusal["error"]["message"])
    assert remedy is not None

    admin(venue, *remedy[1].split())
    status, [report] = replay(venue, *shared)
    assert (status, report["equal"]) == (0, True)


def admin(venue: Exchange, *words: str) -> None:
    """Send an act of an administrator, which has to succeed."""
    result = CliRunner().invoke(app, ["admin", *words], env=venue.addresses)
    assert result.exit_code == 0, result.output
