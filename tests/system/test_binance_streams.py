"""The market streams of the Binance-spot face with real processes: books kept by the published
procedure while the publisher is killed, and trades, klines and tickers as REST has them."""

import json
import time
import urllib.request
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
        kline = client.events["btcusdt@kline_3m"][-1]["k"]
        begin = kline["t"]
        row = rest(exchange, f"klines?symbol=BTCUSDT&interval=3m&startTime={begin}&limit=1")[0]
        assert row[:5] == [begin, kline["o"], kline["h"], kline["l"], kline["c"]]
        assert (row[5], row[7], row[8]) == (kline["v"], kline["q"], kline["n"])
        day = rest(exchange, "ticker/24hr?symbol=BTCUSDT")
        assert client.events["btcusdt@ticker"][-1]["c"] == day["lastPrice"]
