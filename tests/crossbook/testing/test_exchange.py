"""An exchange for tests, used as its users do."""

import asyncio
import subprocess
import sys
from datetime import timedelta

import pytest

from crossbook.client.client import Client
from crossbook.client.market_data import MarketData
from crossbook.errors import AdvanceRefused
from crossbook.testing import Exchange, ExchangeError, Fill, Order

SYMBOL = "BTC-USDT"


def test_the_example_of_the_package_is_true() -> None:
    with Exchange() as exchange:
        exchange.book(SYMBOL, bids=[("49999.00", "1")], asks=[("50001.00", "1")])
        exchange.client(account=1).submit(SYMBOL, "buy", "0.5", "50001.00")
        assert exchange.fills(account=1) == [Fill(SYMBOL, "buy", "0.5", "50001.00")]


def test_every_address_answers(venue: Exchange) -> None:
    status, document = venue.request("GET", "/ready")
    assert (status, document["status"]) == (200, "ready")
    with Client(venue.orders_address) as client:
        assert set(client.list_instruments()) == set(venue.instruments)
    with MarketData(venue.feed_address, venue.snapshots_address, [SYMBOL]) as market:
        market.wait_ready()
    assert venue.settings["API_PORT"] in venue.http_url
    assert venue.websocket_url == venue.http_url.replace("http", "ws") + "/ws"
    assert venue.data_dir.is_dir()


def test_the_settings_lead_the_command_line_to_it(venue: Exchange) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "crossbook", "admin", "status", "--json"], env=venue.settings,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_reset_leaves_nothing_but_the_addresses() -> None:
    with Exchange() as exchange:
        before = exchange.settings
        exchange.book(SYMBOL, bids=[("49999.00", "1")])
        account = exchange.account(BTC="1")
        exchange.client(account).submit(SYMBOL, "sell", "0.5", "49999.00")
        assert len(exchange.trades(SYMBOL)) == 1
        exchange.reset()
        assert exchange.settings == before
        assert exchange.trades(SYMBOL) == []
        assert exchange.fills(account) == []
        assert exchange.orders(account) == []
        assert exchange.balances(account)["BTC"] == "10000"
        assert exchange.book_of(SYMBOL).bids == []
        assert exchange.request("GET", f"/api/v1/ticker/{SYMBOL}")[1]["last"] is None
        assert exchange.account(BTC="1") == account


def test_shards_are_one_exchange() -> None:
    with Exchange(shards=2) as exchange:
        for symbol in (SYMBOL, "ETH-USDT"):
            exchange.book(symbol, asks=[("1000.00", "1")])
            exchange.client(7).submit(symbol, "buy", "0.5", "1000.00")
        assert exchange.fills(7) == [
            Fill(SYMBOL, "buy", "0.5", 1000),
            Fill("ETH-USDT", "buy", "0.5", 1000),
        ]
        assert exchange.account(8, USDT="5") == 8
        exchange.restart("matcher-1")
        assert len(exchange.fills(7)) == 2


def test_an_exchange_without_a_recorder_has_no_past() -> None:
    with Exchange(recorder=False) as exchange:
        exchange.book(SYMBOL, asks=[("1000.00", "1")])
        assert exchange.book_of(SYMBOL).asks == [("1000", "1")]
        with pytest.raises(ExchangeError, match="no recorder: start it with recorder=True"):
            exchange.fills()


def test_outside_with_there_is_no_exchange() -> None:
    exchange = Exchange()
    with pytest.raises(ExchangeError, match="inside `with` only"):
        exchange.book(SYMBOL)


def test_an_event_loop_goes_on_while_the_exchange_starts() -> None:
    async def test() -> int:
        loop = asyncio.get_running_loop()
        turns = 0

        def count() -> None:
            nonlocal turns
            turns += 1
            loop.call_later(0.001, count)

        count()
        async with Exchange(recorder=False) as exchange:
            assert (await exchange.request("GET", "/health"))[0] == 200
        return turns

    assert asyncio.run(test()) > 10


def test_the_test_moves_the_time_and_everything_due_happens() -> None:
    with Exchange(clock="manual") as exchange:
        account = exchange.account(USDT="1000")
        before = exchange.now()
        client = exchange.client(account)
        client.submit(SYMBOL, "buy", "0.01", "1000.00", time_in_force="day")
        tomorrow = exchange.advance("1d")
        assert tomorrow - before == timedelta(days=1)
        assert exchange.now() == tomorrow
        assert exchange.orders(account) == [Order(SYMBOL, "buy", "0.01", 1000, status="EXPIRED")]
        assert exchange.advance(to=tomorrow + timedelta(hours=1)) == exchange.now()


def test_time_of_the_machine_cannot_be_moved(venue: Exchange) -> None:
    with pytest.raises(AdvanceRefused, match="CLOCK=manual lets time be moved"):
        venue.advance("1d")


def test_faults_are_an_attribute_of_the_exchange(venue: Exchange) -> None:
    with venue.faults.refuse(status=429, account=77, next=1) as fault:
        order = {"symbol": SYMBOL, "side": "buy", "order_type": "limit", "quantity": "0.01",
                 "price": "1000.00"}  # fmt: skip
        assert venue.request("POST", "/api/v1/orders", order, account=77)[0] == 429
        assert venue.request("POST", "/api/v1/orders", order, account=77)[0] == 201
        assert fault.applied == 1
    venue.client(77).mass_cancel()
