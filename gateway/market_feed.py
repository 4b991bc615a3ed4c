"""The public feeds inside the gateway, on its event loop: books, best prices, trades, all of them.

The sockets are driven through their file descriptors, which are edge-triggered: whatever fires,
all are drained, and a tick looks again in case an edge was missed.
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
from crossbook.common.process.clock import Clock
from crossbook.common.process.log import logger
from crossbook.common.process.sockets import has_more
from crossbook.gateway.book_waits import BookWaits

CHANNELS: Final = ("l2", "bbo", "trade", "candle", "ticker", "state")

DRAIN_MAX: Final = 2_000
"""Most feed messages taken before their updates are handed on."""

TICK_S: Final = 0.1
HOLE_NS: Final = 1_000_000_000
"""How long a book may wait for something missing before it counts as stale."""

_NOBLOCK: Final = int(zmq.NOBLOCK)

Publisher = tuple["zmq.Socket[bytes]", "zmq.Socket[bytes]"]
"""The sockets to one publisher: its feed, and its requests."""


class MarketFeed:
    """Every instrument's public market data, kept correct; `start` and `stop` it.

    There is one publisher for each shard, in their order.

    `on_updates` gets what was applied, in order; `on_tick` is called some ten times a second,
    after time has passed for the follower.
    """

    def __init__(self, publishers: Sequence[Publisher], clock: Clock) -> None:
        self.group = FeedGroup(len(publishers), (), CHANNELS)
        self.on_updates: Callable[[list[Update]], None] = _ignore
        self.on_tick: Callable[[], None] = _nothing
        self._lines = [
            (follower, *sockets)
            for follower, sockets in zip(self.group.followers, publishers, strict=True)
        ]
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._again = False
        self._waits = BookWaits(self._has_come)
        self._not_live_since: dict[str, int] = {}
        for follower, feed, _ in self._lines:
            for name in follower.topics():
                feed.setsockopt(zmq.SUBSCRIBE, name.encode())

    def start(self) -> None:
        """Follow the feeds from now on."""
        for _, feed, requests in self._lines:
            self._loop.add_reader(feed.fileno(), self._on_ready)
            self._loop.add_reader(requests.fileno(), self._on_ready)
        self._tick()

    def stop(self) -> None:
        """Follow them no more; the sockets are the caller's."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            for _, feed, requests in self._lines:
                self._loop.remove_reader(feed.fileno())
                self._loop.remove_reader(requests.fileno())

    @property
    def instruments(self) -> dict[str, Instrument]:
        """What the publishers say is traded, by symbol; empty before one answers."""
        return self.group.instruments

    @property
    def ready(self) -> bool:
        """Whether every book has been loaded and nothing is known to be missing."""
        return self.group.ready

    def seq_of(self, shard: int) -> int:
        """The last number of a matcher's stream heard of."""
        follower = self.group.followers[shard]
        heard = follower.heartbeat.seq if follower.heartbeat is not None else 0
        books = (follower.book(symbol).seq for symbol in follower.instruments)
        return max(heard, *books, 0)

    @property
    def stale(self) -> bool:
        """Whether a publisher, or the matcher behind it, has been silent too long."""
        return self.group.stale

    def book(self, symbol: str) -> LocalBook | None:
        """The book of an instrument; None while there is none that is right, or it is old."""
        follower = self.group.of(symbol)
        if symbol in follower.instruments and follower.is_live(symbol) and not follower.stale:
            return follower.book(symbol)
        return None

    async def wait_for(self, symbol: str, seq: int) -> bool:
        """Whether the book of an instrument holds everything up to `seq`, after `WAIT_S` at most.

        A change of the book tells so at once, and otherwise the publisher's next heartbeat.
        """
        return await self._waits.wait(symbol, seq)

    def _has_come(self, symbol: str, seq: int) -> bool:
        book = self.book(symbol)
        if book is None or book.seq >= seq:
            return book is not None
        # A heartbeat follows everything published before it, and names what was lost of that.
        heartbeat = self.group.of(symbol).heartbeat
        return heartbeat is not None and heartbeat.seq >= seq

    def ticker(self, symbol: str) -> Ticker | None:
        """The last 24 hours of an instrument; None before they are known, or while it is old."""
        follower = self.group.of(symbol)
        if follower.stale or not follower.follows(symbol):
            return None
        return follower.ticker(symbol)

    def state(self, symbol: str) -> MarketState | None:
        """The state of an instrument; None before it is known, or while it is old."""
        follower = self.group.of(symbol)
        if follower.stale or not follower.follows(symbol):
            return None
        return follower.state(symbol)

    def stale_reason(self, symbol: str) -> str:
        """Why the market is not seen as it is now; empty when it is.

        A hole in the feed that is being mended does not count within its first second.
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
        for follower, feed, requests in self._lines:
            try:
                self._take_replies(follower, requests)
                _take_feed(follower, feed)
            except BAD_BYTES as error:
                logger().error("malformed_feed_reply", reason=str(error))
            _send_requests(follower, requests)
        updates = self.group.drain_updates()
        if updates:
            self.on_updates(updates)
            if self._waits.waiting:
                books = {u.symbol for u in updates if isinstance(u, DepthUpdate | Snapshot)}
                self._waits.look(books)
        if not self._again and self._has_more():
            # The descriptor tells of no edge for what is there already.
            self._again = True
            self._loop.call_soon(self._look_again)

    def _has_more(self) -> bool:
        return any(has_more(feed) or has_more(requests) for _, feed, requests in self._lines)

    def _look_again(self) -> None:
        self._again = False
        if self._timer is not None:
            self._on_ready()

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_S, self._tick)
        self.group.on_time(self._clock.monotonic_ns())
        self._on_ready()
        self._waits.look_at_all()
        self.on_tick()

    def _take_replies(self, follower: FeedFollower, requests: "zmq.Socket[bytes]") -> None:
        while has_more(requests):
            self.group.on_reply(follower, decode_feed_reply(requests.recv(_NOBLOCK)))


def _take_feed(follower: FeedFollower, feed: "zmq.Socket[bytes]") -> None:
    """Take what waits, up to `DRAIN_MAX`."""
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
            # Nobody takes it; it is asked again when it is due.
            return


def _ignore(updates: list[Update]) -> None:
    """Nobody listens yet."""


def _nothing() -> None:
    """Nobody listens yet."""
