"""The market streams of the Binance-spot face with real processes: books kept by the published
procedure while the publisher is killed, and trades, klines and tickers as REST has them."""

import json
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.system.exchange import RECORDED, Exchange
from tests.system.test_streams import load
from tests.worlds.depth_clients import PublishedProcedure, StrictClient

SECONDS = 20.0
NAMES = ("btcusdt@depth@100ms", "btcusdt@trade", "btcusdt@kline_3m", "btcusdt@ticker")


def rest(exchange: Exchange, path: str) -> Any:
    with urllib.request.urlopen(f"{exchange.api}/api/v3/{path}", timeout=SECONDS) as answer:
        return json.load(answer)


class Follower:
    """A client of all streams, which keeps the book twice."""

    def __init__(self, exchange: Exchange, stack: ExitStack) -> None:
        self._exchange = exchange
        address = f"{exchange.api.replace('http', 'ws')}/stream?streams={'/'.join(NAMES)}"
        self._client: ClientConnection = stack.enter_context(connect(address))
        self.book = PublishedProcedure(self.snapshot)
        self.strict = StrictClient(self.snapshot)
        self.events: dict[str, list[dict[str, Any]]] = {name: [] for name in NAMES}

    def snapshot(self) -> Any:
        """`GET depth`."""
        return rest(self._exchange, "depth?symbol=BTCUSDT&limit=5000")

    def read(self, until_quiet_s: float = 0.5) -> None:
        """Read until nothing has come for so long."""
        while True:
            try:
                message = json.loads(self._client.recv(timeout=until_quiet_s))
            except TimeoutError:
                return
            self.events[message["stream"]].append(message["data"])
            if message["stream"] == NAMES[0]:
                self.book.receive(message["data"])
                self.strict.receive(message["data"])


def until(client: Follower, condition: Callable[[], bool]) -> None:
    """Read until a condition holds: streams of a pace follow the trades."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the stream does not show what REST does"
        client.read(0.2)


def has_last_price(exchange: Exchange, ticker: dict[str, Any]) -> bool:
    """Whether REST has the last price of a ticker event."""
    return bool(ticker["c"] == rest(exchange, "ticker/24hr?symbol=BTCUSDT")["lastPrice"])


def has_candle(exchange: Exchange, kline: dict[str, Any]) -> bool:
    """Whether REST has the candle of a kline event, which trades after the event have changed."""
    path = f"klines?symbol=BTCUSDT&interval=3m&startTime={kline['t']}&limit=1"
    row = rest(exchange, path)[0]
    begin = [kline["t"], kline["o"], kline["h"], kline["l"], kline["c"]]
    return [*row[:6], row[7], row[8]] == [*begin, kline["v"], kline["q"], kline["n"]]


def test_books_trades_klines_and_tickers_of_the_face() -> None:
    with (
        Exchange(order=RECORDED, GATEWAY_ROLES="orders,binance") as exchange,
        ExitStack() as stack,
    ):
        exchange.wait_http()
        load(exchange, 1)
        client = Follower(exchange, stack)
        load(exchange, 2)
        client.read(0.2)
        client.book.begin()
        client.strict.begin()
        load(exchange, 3)
        client.read()
        now = client.snapshot()
        rows = tuple([tuple(level) for level in now[side]] for side in ("bids", "asks"))
        assert client.book.rows() == client.strict.rows() == rows != ([], [])
        assert client.strict.snapshots == 1

        exchange.kill("publisher")
        load(exchange, 4)
        exchange.start("publisher")
        deadline = time.monotonic() + SECONDS
        while client.book.number == now["lastUpdateId"] and time.monotonic() < deadline:
            client.read()
        load(exchange, 5)
        client.read()
        now = client.snapshot()
        rows = tuple([tuple(level) for level in now[side]] for side in ("bids", "asks"))
        assert client.book.rows() == client.strict.rows() == rows

        trades = {each["id"]: each for each in rest(exchange, "trades?symbol=BTCUSDT&limit=1000")}
        seen = [each for each in client.events["btcusdt@trade"] if each["t"] in trades]
        assert len(seen) > 50
        for each in seen:
            trade = trades[each["t"]]
            assert (each["p"], each["q"], each["T"]) == (
                trade["price"], trade["qty"], trade["time"],
            )  # fmt: skip
        until(client, lambda: has_candle(exchange, client.events["btcusdt@kline_3m"][-1]["k"]))
        until(client, lambda: has_last_price(exchange, client.events["btcusdt@ticker"][-1]))
