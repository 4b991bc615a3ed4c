"""Market-data streams of the real processes: books that can be rebuilt, and silence that is
reported."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack

import websockets
from websockets.sync.client import ClientConnection, connect

from bench.load import LoadGenerator, LoadPlan
from crossbook.client.market_data import MarketData
from tests.system.exchange import Exchange
from tests.worlds.json_book import JsonBook, Rows

SYMBOL = "BTC-USDT"
SECONDS = 30.0


def url(exchange: Exchange, stream: str) -> str:
    return f"ws://127.0.0.1:{exchange.api_port}/ws/{stream}"


def opened(exchange: Exchange, stack: ExitStack, stream: str) -> ClientConnection:
    """A client, once the gateway has the instruments."""
    made: list[ClientConnection] = []

    def connected() -> bool:
        try:
            made.append(stack.enter_context(connect(url(exchange, stream), close_timeout=0.2)))
        except (OSError, websockets.InvalidStatus):
            return False
        return True

    exchange.wait_until(f"{stream} is open", connected, SECONDS)
    return made[0]


def follow(client: ClientConnection, book: JsonBook, until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not until():
        assert time.monotonic() < deadline, book.counts
        book.apply(json.loads(client.recv(SECONDS)))


def zeromq_rows(market: MarketData) -> tuple[Rows, Rows]:
    instrument = market.instruments[SYMBOL]
    bids, asks = (
        [(instrument.price_text(ticks), instrument.quantity_text(lots)) for ticks, lots in levels]
        for levels in (market.book(SYMBOL).bids(), market.book(SYMBOL).asks())
    )
    return bids, asks


def load(exchange: Exchange, seed: int) -> None:
    plan = LoadPlan(rate=1_000, duration_s=0.4, warm_s=0, instruments=1, seed=seed)
    with LoadGenerator(exchange.orders, plan) as generator:
        generator.log_on()
        generator.run()


def test_a_stream_sends_the_zeromq_book_and_goes_on_after_the_publisher_was_killed() -> None:
    with Exchange(GATEWAY_ROLES="orders,streams") as exchange, ExitStack() as stack:
        market = stack.enter_context(
            MarketData(exchange.feed, exchange.snapshots, [SYMBOL], ("l2", "trade"))
        )
        market.wait_ready(SECONDS)
        client, book = opened(exchange, stack, f"market-data/{SYMBOL}"), JsonBook()
        load(exchange, 1)
        exchange.wait_until("all quiet", lambda: not _changes(market), SECONDS)
        follow(client, book, lambda: book.rows() == zeromq_rows(market) != ([], []))

        exchange.kill("publisher")
        follow(client, book, lambda: not book.live)
        load(exchange, 2)
        late, late_book = opened(exchange, stack, f"market-data/{SYMBOL}"), JsonBook()
        follow(late, late_book, lambda: late_book.counts.get("status") == 1)
        exchange.start("publisher")
        market.wait_ready(SECONDS)
        load(exchange, 3)
        exchange.wait_until("all quiet", lambda: not _changes(market), SECONDS)
        for each, its_book in ((client, book), (late, late_book)):
            rows = zeromq_rows(market)
            follow(each, its_book, lambda b=its_book, r=rows: b.rows() == r)  # type: ignore[misc]
        assert "resync" not in book.counts

        trades = opened(exchange, stack, f"trades/{SYMBOL}")
        seen: list[int] = []
        load(exchange, 4)
        while len(seen) < 50:
            message = json.loads(trades.recv(SECONDS))
            if message["type"] == "trade":
                seen.append(message["trade_id"])
        assert seen == list(range(seen[0], seen[0] + 50))


def _changes(market: MarketData) -> bool:
    before = market.book(SYMBOL).seq
    deadline = time.monotonic() + 0.3
    while time.monotonic() < deadline:
        market.poll(0.1)
    return market.book(SYMBOL).seq != before
