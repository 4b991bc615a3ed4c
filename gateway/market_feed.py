"""Follows the public feeds of all publishers on the gateway's event loop.

ZeroMQ's file descriptors are edge-triggered. So an event of any of them drains all sockets, and a
timer drains them again in case an edge was missed.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import zmq

from crossbook.common.errors import BAD_BYTES
from crossbook.common.following.feed_follower import FeedFollower, Update
from crossbook.common.following.feed_group import FeedGroup
from crossbook.common.following.local_book import LocalBook
from crossbook.common.instruments import Instrument
from crossbook.common.messages.codec import decode_feed_reply, encode
from crossbook.common.messages.feed import DepthUpdate, MarketState, Snapshot, Ticker
from crossbook.common.messages.history_queries import Candle
from crossbook.common.process.clock import Clock
from crossbook.common.process.log import logger
from crossbook.common.process.sockets import has_more
from crossbook.gateway.book_waits import BookWaits

CHANNELS: Final = ("l2", "bbo", "trade", "candle", "ticker", "state")

DRAIN_MAX: Final = 2_000
"""Most feed messages received before their updates are passed on."""

TICK_S: Final = 0.1
HOLE_NS: Final = 1_000_000_000
"""How long a book may wait for a missing message before it counts as stale."""

_NOBLOCK: Final = int(zmq.NOBLOCK)

Publisher = tuple["zmq.Socket[bytes]", "zmq.Socket[bytes]"]
"""The sockets to one publisher: of its feed, and of requests to it."""


class MarketFeed:
    """The public market data of every instrument, from `start` to `stop`.

    There is one publisher for each shard, in the order of shards. `on_updates` is called with the
    updates that were applied, in order; `on_tick` some ten times a second.
    """

    def __init__(self, publishers: Sequence[Publisher], clock: Clock) -> None:
        self.group = FeedGroup(len(publishers), (), CHANNELS)
        self.on_updates: Callable[[list[Update]], None] = _ignore
        self.on_tick: Callable[[], None] = _nothing
        self._connections = [
            (follower, *sockets)
            for follower, sockets in zip(self.group.followers, publishers, strict=True)
        ]
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._again = False
        self._waits = BookWaits(self._has_reached)
        self._not_live_since: dict[str, int] = {}
        for follower, feed, _ in self._connections:
            for name in follower.topics():
                feed.setsockopt(zmq.SUBSCRIBE, name.encode())

    def start(self) -> None:
        """Follow the feeds."""
        for _, feed, requests in self._connections:
            self._loop.add_reader(feed.fileno(), self._on_ready)
            self._loop.add_reader(requests.fileno(), self._on_ready)
        self._tick()

    def stop(self) -> None:
        """Stop following the feeds; the caller closes the sockets."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            for _, feed, requests in self._connections:
                self._loop.remove_reader(feed.fileno())
                self._loop.remove_reader(requests.fileno())

    @property
    def instruments(self) -> dict[str, Instrument]:
        """The instruments of all publishers, by symbol; empty before one answers."""
        return self.group.instruments

    @property
    def ready(self) -> bool:
        """Whether every book has been loaded and no message is known to be missing."""
        return self.group.ready

    def seq_of(self, shard: int) -> int:
        """The last number received of a matcher."""
        follower = self.group.followers[shard]
        beat_seq = follower.heartbeat.seq if follower.heartbeat is not None else 0
        books = (follower.book(symbol).seq for symbol in follower.instruments)
        return max(beat_seq, *books, 0)

    def time_ns(self, shard: int) -> int:
        """The matcher's time up to which everything published was received; zero while something
        is missing."""
        follower = self.group.followers[shard]
        if follower.heartbeat is None or not follower.ready:
            return 0
        return follower.heartbeat.time_ns

    @property
    def stale(self) -> bool:
        """Whether a publisher, or the matcher behind it, has been silent too long."""
        return self.group.stale

    def book(self, symbol: str) -> LocalBook | None:
        """The book of an instrument; None while it is incomplete or old."""
        follower = self.group.of(symbol)
        if symbol in follower.instruments and follower.is_live(symbol) and not follower.stale:
            return follower.book(symbol)
        return None

    async def wait_for(self, symbol: str, seq: int) -> bool:
        """Wait for `WAIT_S` at most; return whether the book holds everything up to `seq`.

        The wait ends with a change of the book, or else with the publisher's next heartbeat.
        """
        return await self._waits.wait(symbol, seq)

    def _has_reached(self, symbol: str, seq: int) -> bool:
        book = self.book(symbol)
        if book is None or book.seq >= seq:
            return book is not None
        # Everything before a heartbeat was published before it, and the follower has found what
        # of that is lost.
        heartbeat = self.group.of(symbol).heartbeat
        return heartbeat is not None and heartbeat.seq >= seq

    def ticker(self, symbol: str) -> Ticker | None:
        """The last 24 hours of an instrument; None before the first ticker, or while it is old."""
        follower = self.group.of(symbol)
        if follower.stale or not follower.follows(symbol):
            return None
        return follower.ticker(symbol)

    def candles(self, symbol: str) -> dict[int, Candle]:
        """The latest candle of an instrument by length in seconds; empty before the first trade,
        and while the publisher has none."""
        follower = self.group.of(symbol)
        return follower.candles(symbol) if follower.follows(symbol) else {}

    def state(self, symbol: str) -> MarketState | None:
        """The state of an instrument; None before the first one, or while it is old."""
        follower = self.group.of(symbol)
        if follower.stale or not follower.follows(symbol):
            return None
        return follower.state(symbol)

    def stale_reason(self, symbol: str) -> str:
        """The reason why the data of an instrument is not that of now; empty when it is.

        A hole in the feed does not count within its first second.
        """
        follower = self.group.of(symbol)
        if follower.stale:
            return "the exchange is silent"
        if follower.is_live(symbol):
            self._not_live_since.pop(symbol, None)
            return ""
        now_ns = self._clock.monotonic_ns()
        since_ns = self._not_live_since.setdefault(symbol, now_ns)
        if follower.book(symbol).seq == 0:
            return "no market data yet"
        return "market data is missing" if now_ns - since_ns > HOLE_NS else ""

    def _on_ready(self) -> None:
        for follower, feed, requests in self._connections:
            try:
                self._receive_replies(follower, requests)
                _receive_feed(follower, feed)
            except BAD_BYTES as error:
                logger().error("malformed_feed_reply", reason=str(error))
            _send_requests(follower, requests)
        updates = self.group.drain_updates()
        if updates:
            self.on_updates(updates)
            if self._waits.waiting:
                books = {u.symbol for u in updates if isinstance(u, DepthUpdate | Snapshot)}
                self._waits.check(books)
        if not self._again and self._has_more():
            # The descriptor signals no edge for messages that are there already.
            self._again = True
            self._loop.call_soon(self._drain_again)

    def _has_more(self) -> bool:
        return any(has_more(feed) or has_more(requests) for _, feed, requests in self._connections)

    def _drain_again(self) -> None:
        self._again = False
        if self._timer is not None:
            self._on_ready()

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_S, self._tick)
        self.group.on_time(self._clock.monotonic_ns())
        self._on_ready()
        self._waits.check_all()
        self.on_tick()

    def _receive_replies(self, follower: FeedFollower, requests: "zmq.Socket[bytes]") -> None:
        while has_more(requests):
            self.group.on_reply(follower, decode_feed_reply(requests.recv(_NOBLOCK)))


def _receive_feed(follower: FeedFollower, feed: "zmq.Socket[bytes]") -> None:
    """Receive the feed messages that wait, up to `DRAIN_MAX`."""
    on_feed = follower.on_feed
    for _ in range(DRAIN_MAX):
        if not has_more(feed):
            return
        frames = feed.recv_multipart(_NOBLOCK)
        if len(frames) == 3:
            on_feed(frames[0], int.from_bytes(frames[1], "big"), frames[2])


def _send_requests(follower: FeedFollower, requests: "zmq.Socket[bytes]") -> None:
    for request in follower.drain_requests():
        try:
            requests.send(encode(request), _NOBLOCK)
        except zmq.Again:
            # The socket has no peer or is full; the follower repeats the request when it is due.
            return


def _ignore(updates: list[Update]) -> None:
    """No owner has set the callback."""


def _nothing() -> None:
    """No owner has set the callback."""
