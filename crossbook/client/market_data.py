"""Market data as a blocking consumer uses it: a `FeedGroup` and the sockets of each publisher."""

import time
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Final, Self

import zmq

from crossbook.common.following.depth import OrderDepth
from crossbook.common.following.feed_follower import FeedFollower, Update
from crossbook.common.following.feed_group import FeedGroup
from crossbook.common.following.feed_topic import FeedCounters
from crossbook.common.following.local_book import LocalBook
from crossbook.common.instruments import Instrument
from crossbook.common.messages.codec import decode_feed_reply, decoded, encode
from crossbook.common.messages.feed import Heartbeat, MarketState, Ticker
from crossbook.common.messages.history_queries import Candle
from crossbook.common.process import sockets
from crossbook.errors import ClientClosed, MarketDataError

DEFAULT_FEED: Final = "tcp://127.0.0.1:5570"
DEFAULT_SNAPSHOTS: Final = "tcp://127.0.0.1:5571"

_DRAIN_MAX: Final = 2_000
"""Most feed messages read before their updates are returned."""

_TICK_MS: Final = 100
"""Longest wait between two checks of requests without an answer."""

_Line = tuple[FeedFollower, "zmq.Socket[bytes]", "zmq.Socket[bytes]"]
"""A publisher's follower, its feed and its request socket."""


class MarketData:
    """Books and trades of some instruments (all of them when `symbols` is empty), kept correct.

        with MarketData(symbols=["BTC-USDT"]) as market:
            market.wait_ready()
            for update in market.updates(timeout_s=10.0):
                print(update, market.book("BTC-USDT").best)

    An exchange of several shards has a publisher for each: give all addresses, feeds and snapshots
    in the same order, as lists or with commas between them.

    Channels are "trade", "bbo", "l2", "l3", "candle", "ticker" and "state". Sockets are read only
    inside the methods that wait: a caller that is away for too long falls behind, and the books
    recover. For use by one thread.
    """

    def __init__(
        self,
        feed: str | Sequence[str] = DEFAULT_FEED,
        snapshots: str | Sequence[str] = DEFAULT_SNAPSHOTS,
        symbols: Iterable[str] = (),
        channels: Iterable[str] = ("l2", "bbo", "trade", "state"),
        context: "zmq.Context[zmq.Socket[bytes]] | None" = None,
    ) -> None:
        feeds, askable = _listed(feed), _listed(snapshots)
        if len(feeds) != len(askable):
            raise ValueError(f"snapshots: {len(askable)} addresses for {len(feeds)} feeds")
        self.group = FeedGroup(len(feeds), symbols, channels)
        self._where = f"feed {', '.join(feeds)}, snapshots {', '.join(askable)}"
        self._closed = False
        self._owns_context = context is None
        self._context: zmq.Context[zmq.Socket[bytes]] = context or zmq.Context()
        self._sockets: list[zmq.Socket[bytes]] = []
        self._lines: list[_Line] = []
        try:
            places = zip(self.group.followers, feeds, askable, strict=True)
            for follower, feed_address, snapshots_address in places:
                self._connect(follower, feed_address, snapshots_address)
        except BaseException:
            self.close()
            raise
        self._poller = zmq.Poller()
        for each in self._sockets:
            self._poller.register(each, zmq.POLLIN)
        self._step(0)

    def __enter__(self) -> Self:
        self._check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. Books and counters stay as they were."""
        self._closed = True
        while self._sockets:
            self._sockets.pop().close()
        if self._owns_context:
            self._context.term()

    def _connect(self, follower: FeedFollower, feed: str, snapshots: str) -> None:
        self._sockets.append(sockets.feed_sub(self._context, feed))
        self._sockets.append(sockets.snapshots_dealer(self._context, snapshots))
        self._lines.append((follower, self._sockets[-2], self._sockets[-1]))
        for name in follower.topics():
            self._sockets[-2].setsockopt(zmq.SUBSCRIBE, name.encode())

    def wait_ready(self, timeout_s: float = 5.0) -> list[Update]:
        """Wait until every book is loaded; the updates up to then.

        Raises `MarketDataError` after `timeout_s`, or for a symbol the publisher does not have.
        """
        self._check_open()
        deadline = time.monotonic() + timeout_s
        updates: list[Update] = []
        while not self.group.ready:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise MarketDataError(
                    f"no market data in {timeout_s} s from {self._where}: is the publisher "
                    "running there?"
                )
            updates += self.poll(left_s)
        return updates

    def poll(self, timeout_s: float = 0.0) -> list[Update]:
        """Updates that have arrived, in order, waiting up to `timeout_s` for the first.

        They are already applied to the books. Among them are heartbeats, and a `Snapshot`
        wherever one replaced a book. Raises `MarketDataError` for an unknown symbol,
        `ClientClosed` after `close`.
        """
        self._check_open()
        deadline = time.monotonic() + timeout_s
        while True:
            left_ms = max(0, int((deadline - time.monotonic()) * 1000 + 0.999))
            self._step(min(left_ms, _TICK_MS))
            if self.group.unknown_symbols:
                names = ", ".join(self.group.unknown_symbols)
                self.group.unknown_symbols.clear()
                raise MarketDataError(f"the publisher does not have {names} ({self._where})")
            updates = self.group.drain_updates()
            if updates or time.monotonic() >= deadline:
                return updates

    def updates(self, timeout_s: float = 1.0) -> Iterator[Update]:
        """Updates one by one; ends after `timeout_s` without one."""
        while batch := self.poll(timeout_s):
            yield from batch

    def book(self, symbol: str) -> LocalBook:
        """The local book; raises `KeyError` for an instrument that is not followed."""
        return self.group.book(symbol)

    def orders(self, symbol: str) -> OrderDepth:
        """Every resting order; needs channel "l3" (`ValueError` otherwise)."""
        orders = self.group.book(symbol).order_depth
        if orders is None:
            raise ValueError('channels: orders need "l3"')
        return orders

    def ticker(self, symbol: str) -> Ticker | None:
        """The statistics of the last 24 hours; None while the publisher does not have them.

        Needs channel "ticker" (`ValueError` otherwise).
        """
        return self.group.ticker(symbol)

    def candles(self, symbol: str) -> dict[int, Candle]:
        """The latest candle by length in seconds (1, 60, 300, 900, 3600, 14400, 86400).

        Empty before the first trade and while the publisher does not have them. Every candle,
        the ended ones included, arrives in `Candles` updates. Needs channel "candle"
        (`ValueError` otherwise).
        """
        return self.group.candles(symbol)

    def state(self, symbol: str) -> MarketState | None:
        """Whether an instrument trades, is halted, gathers orders for an auction, and until when;
        in an auction the price, lots and surplus that its uncross would give now.

        Needs channel "state" (`ValueError` otherwise).
        """
        return self.group.state(symbol)

    @property
    def instruments(self) -> dict[str, Instrument]:
        """The instruments the publisher named, by symbol; empty before `wait_ready`."""
        return self.group.instruments

    @property
    def ready(self) -> bool:
        """Whether every book is loaded and nothing is known to be missing."""
        return self.group.ready

    @property
    def stale(self) -> bool:
        """Whether the publisher, or the matcher behind it, has been silent too long.

        As of the last `poll`.
        """
        return self.group.stale

    @property
    def heartbeat(self) -> Heartbeat | None:
        """The publisher's last heartbeat; that of the first shard where there are several."""
        return self.group.heartbeats[0]

    def shard_of(self, symbol: str) -> int:
        """Which of the publishers named has an instrument; the first one while none is known to."""
        return self.group.followers.index(self.group.of(symbol))

    def heartbeat_of(self, symbol: str) -> Heartbeat | None:
        """The last heartbeat of the publisher that has an instrument."""
        return self.group.of(symbol).heartbeat

    @property
    def heartbeats(self) -> list[Heartbeat | None]:
        """The last heartbeat of the publisher of every shard."""
        return self.group.heartbeats

    @property
    def counters(self) -> FeedCounters:
        """Counters since the start: messages, gaps, resends, snapshots and others."""
        return self.group.counters

    def _check_open(self) -> None:
        if self._closed:
            raise ClientClosed("market data", self._where)

    def _step(self, wait_ms: int) -> None:
        """Send what is due, wait, and receive what has arrived."""
        group = self.group
        group.on_time(time.monotonic_ns())
        self._send_requests()
        if wait_ms:
            self._poller.poll(wait_ms)
        group.on_time(time.monotonic_ns())
        for follower, feed, requests in self._lines:
            for payload in _drain(requests):
                group.on_reply(follower, decoded(decode_feed_reply, payload))
            _receive_feed(feed, follower)
        self._send_requests()

    def _send_requests(self) -> None:
        for follower, _, requests in self._lines:
            for request in follower.drain_requests():
                try:
                    requests.send(encode(request), zmq.NOBLOCK)
                except zmq.Again:
                    # The socket accepts no more; the follower requests it again when it is due.
                    break


def _listed(addresses: str | Sequence[str]) -> list[str]:
    """Addresses one by one; text may name several with commas."""
    if isinstance(addresses, str):
        return [address.strip() for address in addresses.split(",")]
    return list(addresses)


def _receive_feed(feed: "zmq.Socket[bytes]", follower: FeedFollower) -> None:
    receive, on_feed = feed.recv_multipart, follower.on_feed
    for _ in range(_DRAIN_MAX):
        try:
            topic, seq, payload = receive(zmq.NOBLOCK)
        except zmq.Again:
            return
        on_feed(topic, int.from_bytes(seq, "big"), payload)


def _drain(requests: "zmq.Socket[bytes]") -> Iterator[bytes]:
    while True:
        try:
            yield requests.recv(zmq.NOBLOCK)
        except zmq.Again:
            return
