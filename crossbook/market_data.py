"""Market data as a blocking consumer uses it: a `FeedFollower` and its two sockets."""

import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Final, Self

import zmq

from common import sockets
from common.codec import decode_feed_reply, decoded, encode
from common.depth import OrderDepth
from common.feed import Heartbeat, Ticker
from common.feed_follower import FeedFollower, Update
from common.feed_line import FeedCounters
from common.history import Candle
from common.instruments import Instrument
from common.local_book import LocalBook
from crossbook.errors import MarketDataError

DEFAULT_FEED: Final = "tcp://127.0.0.1:5570"
DEFAULT_SNAPSHOTS: Final = "tcp://127.0.0.1:5571"

_DRAIN_MAX: Final = 2_000
"""Most feed messages taken before the caller sees their updates."""

_TICK_MS: Final = 100
"""Longest wait between two looks at requests without an answer."""


class MarketData:
    """Books and trades of some instruments (all of them when `symbols` is empty), kept correct.

        with MarketData(symbols=["BTC-USDT"]) as market:
            market.wait_ready()
            for update in market.updates(timeout_s=10.0):
                print(update, market.book("BTC-USDT").best)

    Channels are "trade", "bbo", "l2", "l3", "candle" and "ticker". Nothing is read but inside the
    methods that wait; who waits too long between them is behind, and recovers. For use by one
    thread.
    """

    def __init__(
        self,
        feed: str = DEFAULT_FEED,
        snapshots: str = DEFAULT_SNAPSHOTS,
        symbols: Iterable[str] = (),
        channels: Iterable[str] = ("l2", "bbo", "trade"),
        context: "zmq.Context[zmq.Socket[bytes]] | None" = None,
    ) -> None:
        self.follower = FeedFollower(symbols, channels)
        self._owns_context = context is None
        self._context: zmq.Context[zmq.Socket[bytes]] = context or zmq.Context()
        self._sockets: list[zmq.Socket[bytes]] = []
        try:
            self._feed = sockets.feed_sub(self._context, feed)
            self._sockets.append(self._feed)
            self._requests = sockets.snapshots_dealer(self._context, snapshots)
            self._sockets.append(self._requests)
        except BaseException:
            self.close()
            raise
        for name in self.follower.topics():
            self._feed.setsockopt(zmq.SUBSCRIBE, name.encode())
        self._poller = zmq.Poller()
        for each in self._sockets:
            self._poller.register(each, zmq.POLLIN)
        self._step(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close both connections."""
        while self._sockets:
            self._sockets.pop().close()
        if self._owns_context:
            self._context.term()

    def wait_ready(self, timeout_s: float = 5.0) -> list[Update]:
        """Wait until every book is loaded; the updates up to then.

        Raises `MarketDataError` after `timeout_s`, or for a symbol the publisher does not know.
        """
        deadline = time.monotonic() + timeout_s
        updates: list[Update] = []
        while not self.follower.ready:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise MarketDataError(f"no market data in {timeout_s} s: is the publisher running?")
            updates += self.poll(left_s)
        return updates

    def poll(self, timeout_s: float = 0.0) -> list[Update]:
        """Updates that have come, in order, waiting up to `timeout_s` for the first.

        They are applied to the books already. Among them are heartbeats, and a `Snapshot`
        wherever one replaced a book. Raises `MarketDataError` for an unknown symbol.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            left_ms = max(0, int((deadline - time.monotonic()) * 1000 + 0.999))
            self._step(min(left_ms, _TICK_MS))
            if self.follower.unknown_symbols:
                names = ", ".join(self.follower.unknown_symbols)
                self.follower.unknown_symbols.clear()
                raise MarketDataError(f"the publisher does not know {names}")
            updates = self.follower.take_updates()
            if updates or time.monotonic() >= deadline:
                return updates

    def updates(self, timeout_s: float = 1.0) -> Iterator[Update]:
        """Updates one by one; ends when none has come for `timeout_s`."""
        while batch := self.poll(timeout_s):
            yield from batch

    def book(self, symbol: str) -> LocalBook:
        """The local book; raises `KeyError` for an instrument that is not followed."""
        return self.follower.book(symbol)

    def orders(self, symbol: str) -> OrderDepth:
        """Every resting order; needs channel "l3" (`ValueError` otherwise)."""
        orders = self.follower.book(symbol).order_depth
        if orders is None:
            raise ValueError('channels: orders need "l3"')
        return orders

    def ticker(self, symbol: str) -> Ticker | None:
        """The last 24 hours; None while the publisher does not know them.

        Needs channel "ticker" (`ValueError` otherwise).
        """
        return self.follower.ticker(symbol)

    def candles(self, symbol: str) -> dict[int, Candle]:
        """The latest candle by length in seconds (1, 60, 300, 900, 3600, 14400, 86400).

        Empty before the first trade and while the publisher does not know them. Every candle,
        the ended ones included, passes in `Candles` updates. Needs channel "candle"
        (`ValueError` otherwise).
        """
        return self.follower.candles(symbol)

    @property
    def instruments(self) -> dict[str, Instrument]:
        """The instruments the publisher named, by symbol; empty before `wait_ready`."""
        return self.follower.instruments

    @property
    def ready(self) -> bool:
        """Whether every book is loaded and nothing is known to be missing."""
        return self.follower.ready

    @property
    def stale(self) -> bool:
        """Whether the publisher, or the matcher behind it, has been silent too long.

        As of the last `poll`.
        """
        return self.follower.stale

    @property
    def heartbeat(self) -> Heartbeat | None:
        """The publisher's last heartbeat."""
        return self.follower.heartbeat

    @property
    def counters(self) -> FeedCounters:
        """Messages, gaps, resends, snapshots and other things counted since the start."""
        return self.follower.counters

    def _step(self, wait_ms: int) -> None:
        """Send what is due, wait, and take what has come."""
        follower = self.follower
        follower.on_time(time.monotonic_ns())
        self._send_requests()
        if wait_ms:
            self._poller.poll(wait_ms)
        follower.on_time(time.monotonic_ns())
        for payload in self._drain_replies():
            follower.on_reply(decoded(decode_feed_reply, payload))
        self._take_feed()
        self._send_requests()

    def _take_feed(self) -> None:
        receive, on_feed = self._feed.recv_multipart, self.follower.on_feed
        for _ in range(_DRAIN_MAX):
            try:
                topic, seq, payload = receive(zmq.NOBLOCK)
            except zmq.Again:
                return
            on_feed(topic, int.from_bytes(seq, "big"), payload)

    def _drain_replies(self) -> Iterator[bytes]:
        while True:
            try:
                yield self._requests.recv(zmq.NOBLOCK)
            except zmq.Again:
                return

    def _send_requests(self) -> None:
        for request in self.follower.take_requests():
            try:
                self._requests.send(encode(request), zmq.NOBLOCK)
            except zmq.Again:
                # Nobody takes it; it is asked again when it is due.
                return
