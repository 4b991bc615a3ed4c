"""Market-data streams without sockets: a publisher, a follower, the streams and fake clients."""

import json
from collections.abc import Iterator
from typing import Any

from crossbook.common.following.feed_follower import FeedFollower
from crossbook.common.instruments import Instrument, example
from crossbook.common.messages.feed import Snapshot
from crossbook.common.types import Side
from crossbook.gateway.streams.routes import Streams
from crossbook.gateway.streams.together import DrivenStreams
from crossbook.gateway.web.channel import Channel, HandshakeRefusal
from tests.worlds.feed_source import SYMBOL, FeedSource
from tests.worlds.json_book import JsonBook, Rows

MS = 1_000_000


def messages(data: bytes) -> Iterator[dict[str, Any]]:
    """The JSON messages of frames as a server writes them: whole, final, unmasked text."""
    at = 0
    while at < len(data):
        assert data[at] == 0x81, "not a final text frame"
        size, at = data[at + 1], at + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(data[at : at + width], "big"), at + width
        yield json.loads(data[at : at + size])
        at += size


class FakeConnection:
    """A client that is `full` when the test sets it; it keeps every message."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.full = False
        self.writes: list[bytes] = []
        self.ended: tuple[int, str] | None = None
        channel.opened(self)

    @property
    def buffered(self) -> int:
        return 0

    @property
    def peer(self) -> str:
        return "fake"

    def header(self, name: str) -> str | None:
        return None

    def send(self, frame: bytes) -> None:
        assert frame, "an empty write"
        if self.ended is None:
            self.writes.append(frame)

    def close(self, code: int, reason: str) -> None:
        self.ended = (code, reason)

    def abort(self) -> None:
        self.ended = (1006, "")

    def drain(self) -> None:
        """Make room again."""
        self.full = False
        self.channel.drained(self)

    def leave(self) -> None:
        self.channel.closed(self)

    def pop_messages(self) -> list[dict[str, Any]]:
        """The messages since the last call."""
        writes, self.writes = self.writes, []
        return list(messages(b"".join(writes)))


class DrivenWorld:
    """Streams of one instrument behind a `FeedSource`, driven by hand; time passes in `advance`."""

    streams: DrivenStreams

    def __init__(self, source: FeedSource, channels: tuple[str, ...]) -> None:
        self.source = source
        self.follower = FeedFollower((), channels)
        self.now_ns = 1_000 * MS
        self.cost_ns = 0
        self.slicing = False
        self.books: dict[int, tuple[Rows, Rows]] = {}

    @property
    def instrument(self) -> Instrument:
        return example()

    def begin(self) -> None:
        """Pass the first ten changes on."""
        self.follower.on_time(self.now_ns)
        for _ in range(10):
            self.source.step()
        self.pump()

    def pump(self) -> None:
        """Answer the requests of the follower, and give its updates to the streams."""
        raise NotImplementedError

    def step(self, count: int = 1) -> None:
        """Publish so many changes of the market, and work on each at once."""
        for _ in range(count):
            for frame in self.source.step():
                self.follower.on_feed(*frame)
            self.pump()

    def work(self) -> None:
        """Send due messages, which costs `cost_ns`. A crowd of more than one slice receives them
        slice by slice in the following calls."""
        if self.slicing:
            self.slicing = self.streams.send_slice()
            if not self.slicing:
                self.streams.written(self.cost_ns)
        if self.streams.work(self.now_ns) and not self.slicing:
            self.now_ns += self.cost_ns
            self.slicing = self.streams.sending
            if not self.slicing:
                self.streams.written(self.cost_ns)

    def advance(self, milliseconds: int) -> None:
        """Let time pass, working whenever something is due."""
        end_ns = self.now_ns + milliseconds * MS
        while True:
            due_ns = self.streams.due_ns()
            if self.slicing:
                self.work()
                continue
            if due_ns is None or due_ns > end_ns:
                break
            self.now_ns = max(self.now_ns, due_ns)
            self.work()
        self.now_ns = max(self.now_ns, end_ns)
        self.follower.on_time(self.now_ns)


class StreamWorld(DrivenWorld):
    """The native streams of one instrument."""

    streams: Streams

    def __init__(self, seed: int = 1, *, live: bool = True) -> None:
        super().__init__(FeedSource(seed), ("l2", "bbo", "trade", "state"))
        self.streams = Streams()
        self.begin()
        if live:
            self.streams.set_live(SYMBOL, True, "")

    def connect(self, path: str = f"/ws/market-data/{SYMBOL}") -> FakeConnection:
        path, _, query = path.partition("?")
        target = self.streams.route(path, query)
        assert not isinstance(target, HandshakeRefusal), target
        return FakeConnection(target)

    def refused(self, path: str) -> HandshakeRefusal:
        path, _, query = path.partition("?")
        target = self.streams.route(path, query)
        assert isinstance(target, HandshakeRefusal)
        return target

    def pump(self) -> None:
        """Answer the requests of the follower, and give its updates to the streams."""
        while requests := self.follower.drain_requests():
            for request in requests:
                self.follower.on_reply(self.source.answer(request))
        self.streams.describe(self.follower.instruments)
        updates = self.follower.drain_updates()
        book = self.follower.book(SYMBOL)
        self.books[book.seq] = (
            self._rows(book.bids()),
            self._rows(book.asks()),
        )
        self.streams.apply(updates)
        self.work()

    def check(self, connection: FakeConnection, book: JsonBook) -> None:
        """Apply the messages of a client to its book, which must equal the ZeroMQ book at every
        seq."""
        for message in connection.pop_messages():
            if book.apply(message):
                assert book.seq is not None
                assert book.rows() == self.books[book.seq], f"book at {book.seq}"

    def _rows(self, levels: list[tuple[int, int]]) -> Rows:
        instrument = self.instrument
        return [
            (instrument.price_text(ticks), instrument.quantity_text(lots)) for ticks, lots in levels
        ]

    def source_rows(self) -> tuple[Rows, Rows]:
        """The publisher's own book."""
        return self._rows(self.source.levels(Side.BUY)), self._rows(self.source.levels(Side.SELL))


def quiet_world() -> StreamWorld:
    """A live market without any trade, whose messages the test makes."""
    world = StreamWorld()
    world.streams = Streams()
    world.streams.describe(world.follower.instruments)
    world.streams.apply(
        [
            Snapshot(
                request_id=1, symbol=SYMBOL, seq=1, topics={}, bids=[], asks=[], checksum=0,
                time_ns=0, last_trade_id=0,
            )
        ]
    )  # fmt: skip
    world.streams.set_live(SYMBOL, True, "")
    return world
