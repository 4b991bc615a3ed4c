"""The public feed inside the gateway, on its event loop: books, best prices, trades, all of them.

The sockets are driven through their file descriptors, which are edge-triggered: whatever fires,
both are drained, and a tick looks again in case an edge was missed.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import zmq
from msgspec import MsgspecError

from common.clock import Clock
from common.codec import decode_feed_reply, encode
from common.feed import Ticker
from common.feed_follower import FeedFollower, Update
from common.instruments import Instrument
from common.local_book import LocalBook
from common.log import logger
from common.sockets import has_more

CHANNELS: Final = ("l2", "bbo", "trade", "candle", "ticker")

DRAIN_MAX: Final = 2_000
"""Most feed messages taken before their updates are handed on."""

TICK_S: Final = 0.1
HOLE_NS: Final = 1_000_000_000
"""How long a book may wait for something missing before it counts as stale."""

_NOBLOCK: Final = int(zmq.NOBLOCK)


class MarketFeed:
    """Every instrument's public market data, kept correct; `start` and `stop` it.

    `on_updates` gets what was applied, in order; `on_tick` is called some ten times a second,
    after time has passed for the follower.
    """

    def __init__(
        self, feed: "zmq.Socket[bytes]", requests: "zmq.Socket[bytes]", clock: Clock
    ) -> None:
        self.follower = FeedFollower((), CHANNELS)
        self.on_updates: Callable[[list[Update]], None] = _ignore
        self.on_tick: Callable[[], None] = _nothing
        self._feed = feed
        self._requests = requests
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._again = False
        self._not_live_since: dict[str, int] = {}
        for name in self.follower.topics():
            feed.setsockopt(zmq.SUBSCRIBE, name.encode())

    def start(self) -> None:
        """Follow the feed from now on."""
        self._loop.add_reader(self._feed.fileno(), self._on_ready)
        self._loop.add_reader(self._requests.fileno(), self._on_ready)
        self._tick()

    def stop(self) -> None:
        """Follow it no more; the sockets are the caller's."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._loop.remove_reader(self._feed.fileno())
            self._loop.remove_reader(self._requests.fileno())

    @property
    def instruments(self) -> dict[str, Instrument]:
        """What the publisher says is traded, by symbol; empty before it answers."""
        return self.follower.instruments

    @property
    def ready(self) -> bool:
        """Whether every book has been loaded and nothing is known to be missing."""
        return self.follower.ready

    @property
    def seq(self) -> int:
        """The last number of the matcher's stream heard of."""
        heartbeat = self.follower.heartbeat
        heard = heartbeat.seq if heartbeat is not None else 0
        books = (self.follower.book(symbol).seq for symbol in self.follower.instruments)
        return max(heard, *books, 0)

    @property
    def stale(self) -> bool:
        """Whether the publisher, or the matcher behind it, has been silent too long."""
        return self.follower.stale

    def book(self, symbol: str) -> LocalBook | None:
        """The book of an instrument; None while there is none that is right."""
        if symbol in self.follower.instruments and self.follower.is_live(symbol):
            return self.follower.book(symbol)
        return None

    def ticker(self, symbol: str) -> Ticker | None:
        """The last 24 hours of an instrument; None before they are known."""
        return self.follower.ticker(symbol)

    def why_not_live(self, symbol: str) -> str:
        """Why the market is not seen as it is now; empty when it is.

        A hole in the feed that is being mended does not count within its first second.
        """
        follower = self.follower
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
        try:
            self._take_replies()
            more = self._take_feed()
        except MsgspecError as error:
            logger().error("malformed_feed_reply", reason=str(error))
            more = True
        self._send_requests()
        updates = self.follower.take_updates()
        if updates:
            self.on_updates(updates)
        if (more or has_more(self._feed) or has_more(self._requests)) and not self._again:
            # The descriptor tells of no edge for what is there already.
            self._again = True
            self._loop.call_soon(self._look_again)

    def _look_again(self) -> None:
        self._again = False
        if self._timer is not None:
            self._on_ready()

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_S, self._tick)
        self.follower.on_time(self._clock.monotonic_ns())
        self._on_ready()
        self.on_tick()

    def _take_feed(self) -> bool:
        """Take what waits; whether there may be more."""
        feed, on_feed = self._feed, self.follower.on_feed
        for _ in range(DRAIN_MAX):
            if not has_more(feed):
                return False
            frames = feed.recv_multipart(_NOBLOCK)
            if len(frames) == 3:
                on_feed(frames[0], int.from_bytes(frames[1], "big"), frames[2])
        return True

    def _take_replies(self) -> None:
        while has_more(self._requests):
            self.follower.on_reply(decode_feed_reply(self._requests.recv(_NOBLOCK)))

    def _send_requests(self) -> None:
        for request in self.follower.take_requests():
            try:
                self._requests.send(encode(request), _NOBLOCK)
            except zmq.Again:
                # Nobody takes it; it is asked again when it is due.
                return


def _ignore(updates: list[Update]) -> None:
    """Nobody listens yet."""


def _nothing() -> None:
    """Nobody listens yet."""
