"""The face's market streams without sockets: a publisher, a follower, the streams and clients."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from crossbook.common.following.local_book import LocalBook
from crossbook.common.instruments import Instrument
from crossbook.common.messages.feed import Ticker
from crossbook.common.messages.history_queries import Candle
from crossbook.gateway.binance.market import documents
from crossbook.gateway.binance.market.intervals import Interval
from crossbook.gateway.binance.streams.route import StreamPaths
from crossbook.gateway.binance.streams.streams import FaceStreams
from crossbook.gateway.web.channel import HandshakeRefusal
from tests.worlds.feed_source import SYMBOL, FeedSource
from tests.worlds.json_book import Rows
from tests.worlds.stream_world import DrivenWorld, FakeConnection, messages

CHANNELS = ("l2", "bbo", "trade", "candle", "ticker", "state")


class FaceStreamWorld(DrivenWorld):
    """One instrument's streams behind a `FeedSource`; time passes in `advance`.

    `books` has the native book at every number that the follower has shown. `past` answers requests
    for earlier candles.
    """

    streams: FaceStreams

    def __init__(
        self, seed: int = 1, *, live: bool = True, source: FeedSource | None = None, **options: Any
    ) -> None:
        super().__init__(source or FeedSource(seed), CHANNELS)
        self.past: Callable[[Interval, int, int], list[Candle] | None] = lambda *_: []
        self.asked: list[tuple[str, int, int]] = []
        self.streams = FaceStreams(self, self._ask_past, **options)
        self.paths = StreamPaths(self.streams, lambda: self.follower.instruments)
        self.stale = False
        self.begin()
        if live:
            self.streams.set_live(SYMBOL, True, "")
            self.work()

    def book(self, symbol: str) -> LocalBook | None:
        """The book of the follower, while it is complete."""
        if self.stale or symbol not in self.follower.instruments:
            return None
        return self.follower.book(symbol) if self.follower.is_live(symbol) else None

    def ticker(self, symbol: str) -> Ticker | None:
        """The ticker of the follower."""
        return self.follower.ticker(symbol) if self.follower.follows(symbol) else None

    def candles(self, symbol: str) -> dict[int, Candle]:
        """The latest candles of the follower."""
        return self.follower.candles(symbol) if self.follower.follows(symbol) else {}

    def connect(self, path: str = "/ws/btcusdt@depth@100ms") -> FakeConnection:
        path, _, query = path.partition("?")
        client = self.paths.find(path, query)
        assert client is not None
        assert not isinstance(client, HandshakeRefusal), client
        return FakeConnection(client)

    def snapshot(self, limit: int = 5_000) -> dict[str, Any]:
        """The document of `GET depth`."""
        book = self.book(SYMBOL)
        assert book is not None
        number = self.streams.number_of(SYMBOL, book)
        made = documents.depth(self.instrument, book, number, limit)
        return {"lastUpdateId": made.last_update_id, "bids": made.bids, "asks": made.asks}

    def pump(self) -> None:
        """Answer the follower's requests and pass its updates on."""
        while requests := self.follower.drain_requests():
            for request in requests:
                self.follower.on_reply(self.source.answer(request))
        self.streams.describe(self.follower.instruments)
        updates = self.follower.drain_updates()
        if SYMBOL in self.follower.symbols():
            book = self.follower.book(SYMBOL)
            self.books[book.seq] = (self.rows(book.bids()), self.rows(book.asks()))
        self.streams.apply(updates)
        self.work()

    def beat(self) -> None:
        """The publisher's heartbeat, and a second of the streams."""
        self.follower.on_feed(*self.source.heartbeat())
        self.pump()
        self.streams.beat()

    def advance(self, milliseconds: int) -> None:
        """Let time pass, working whenever something is due, and once more then."""
        super().advance(milliseconds)
        self.work()

    def rows(self, levels: list[tuple[int, int]]) -> Rows:
        """Levels as text with eight decimals."""
        return [(f"{ticks / 100:.8f}", f"{lots / 100_000:.8f}") for ticks, lots in levels]

    def rows_now(self) -> tuple[Rows, Rows]:
        """The publisher's own book."""
        return self.rows(self.source.levels(1)), self.rows(self.source.levels(2))

    def _ask_past(
        self,
        instrument: Instrument,
        interval: Interval,
        begin_ns: int,
        end_ns: int,
        answered: Callable[[Sequence[Candle] | None], None],
    ) -> None:
        self.asked.append((interval.name, begin_ns, end_ns))
        found = self.past(interval, begin_ns, end_ns)
        if found is not None:
            answered(found)


def request(connection: FakeConnection, method: str, *params: Any, number: Any = 1) -> Any:
    """Send a request; return its answer, which is the next message."""
    assert not connection.writes, "messages wait before the answer"
    sent = {"method": method, "params": list(params), "id": number}
    connection.channel.received(connection, json.dumps(sent))
    first = connection.writes.pop(0)
    (answer,) = messages(first)
    return answer
