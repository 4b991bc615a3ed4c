"""What the blocking and the asyncio market data share: a `FeedGroup` and each publisher's sockets.

The sockets are read only by the methods that wait: a caller that is away for too long falls behind,
and the books recover.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

import zmq

from crossbook.client import connection
from crossbook.client.connection import Addresses, Keys
from crossbook.client.market import updates
from crossbook.client.market.callbacks import Callbacks
from crossbook.client.market.gap_watch import Gap, GapWatch, MarketEvent
from crossbook.client.market.updates import (
    Candle,
    MarketState,
    MarketUpdate,
    Ticker,
    market_update,
)
from crossbook.common.following.depth import OrderDepth
from crossbook.common.following.feed_follower import FeedFollower, Update
from crossbook.common.following.feed_group import FeedGroup
from crossbook.common.following.feed_topic import FeedCounters
from crossbook.common.following.local_book import LocalBook
from crossbook.common.instruments import Instrument
from crossbook.common.messages.codec import decode_feed_reply, decoded, encode
from crossbook.common.messages.feed import Heartbeat
from crossbook.common.process import sockets
from crossbook.common.process.keyring import Realm
from crossbook.errors import ClientClosed, MarketDataError

DRAIN_MAX: Final = 2_000
"""Most feed messages read before their updates are returned."""

SILENCE_S: Final = 0.5
"""Longest wait for updates before the state of the feed is looked at."""

_Line = tuple[FeedFollower, "zmq.Socket[bytes]", "zmq.Socket[bytes]"]
"""A publisher's follower, its feed and its request socket."""


class FollowedMarket(Callbacks):
    """Books and trades of some instruments, kept correct. A subclass waits and calls `_step`."""

    def __init__(
        self,
        feed: Addresses | None = None,
        snapshots: Addresses | None = None,
        symbols: Iterable[str] = (),
        channels: Iterable[str] = ("l2", "bbo", "trade", "state"),
        context: "zmq.Context[zmq.Socket[bytes]] | None" = None,
        keys: Keys | None = None,
    ) -> None:
        super().__init__()
        feeds, askable, self._keyring = connection.market_data(feed, snapshots, keys)
        self._snapshots = askable[0]
        self.group = FeedGroup(len(feeds), symbols, channels)
        self._gaps = GapWatch(self.group.followers[0].channels)
        self._where = f"feed {', '.join(feeds)}, snapshots {', '.join(askable)}"
        self._closed = False
        self._unread: deque[MarketUpdate | Gap] = deque()
        self._events: deque[MarketEvent] = deque()
        self._owns_context = context is None
        self._context: zmq.Context[zmq.Socket[bytes]] = context or zmq.Context()
        self._sockets: list[zmq.Socket[bytes]] = []
        self._lines: list[_Line] = []
        try:
            places = zip(self.group.followers, feeds, askable, strict=True)
            for follower, feed_address, snapshots_address in places:
                self._connect(follower, feed_address, snapshots_address)
        except BaseException:
            self._close_sockets()
            raise

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
        found = self.group.ticker(symbol)
        return None if found is None else updates.ticker(found, self._instrument(symbol))

    def candles(self, symbol: str) -> dict[int, Candle]:
        """The latest candle by length in seconds (1, 60, 300, 900, 3600, 14400, 86400).

        Empty before the first trade and while the publisher does not have them. Every candle,
        the ended ones included, arrives in `Candles` updates. Needs channel "candle"
        (`ValueError` otherwise).
        """
        instrument = self._instrument(symbol)
        return {
            seconds: updates.candle(each, symbol, instrument)
            for seconds, each in self.group.candles(symbol).items()
        }

    def state(self, symbol: str) -> MarketState | None:
        """Whether an instrument trades, is halted, gathers orders for an auction, and until when;
        in an auction the price, lots and surplus that its uncross would give now.

        Needs channel "state" (`ValueError` otherwise).
        """
        found = self.group.state(symbol)
        if found is None:
            return None
        return updates.market_state(found, self._instrument(symbol))

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

        As of the last time that something was waited for.
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

    def _instrument(self, symbol: str) -> Instrument | None:
        return self.group.instruments.get(symbol)

    def _connect(self, follower: FeedFollower, feed: str, snapshots: str) -> None:
        self._sockets.append(sockets.feed_sub(self._context, feed, self._keyring))
        self._sockets.append(sockets.snapshots_dealer(self._context, snapshots, self._keyring))
        self._lines.append((follower, self._sockets[-2], self._sockets[-1]))
        for name in follower.topics():
            self._sockets[-2].setsockopt(zmq.SUBSCRIBE, name.encode())

    def _close_sockets(self) -> None:
        self._closed = True
        while self._sockets:
            self._sockets.pop().close()
        if self._owns_context:
            self._context.term()

    def _check_open(self) -> None:
        if self._closed:
            raise ClientClosed("market data", self._where)

    def _begin_step(self, now_ns: int) -> None:
        """Send the requests that are due."""
        self.group.on_time(now_ns)
        self._send_requests()

    def _end_step(self, now_ns: int) -> bool:
        """Receive what has arrived, and send what that made due; whether more may have arrived."""
        self.group.on_time(now_ns)
        more = False
        for follower, feed, requests in self._lines:
            for payload in _drain(requests):
                self.group.on_reply(follower, decoded(decode_feed_reply, payload))
            more = _receive_feed(feed, follower) or more
        # Sending may use up the edge of a socket's descriptor.
        return self._send_requests() or more

    def _check_symbols(self) -> None:
        """Raise `MarketDataError` for symbols that no publisher has, once."""
        if self.group.unknown_symbols:
            names = ", ".join(self.group.unknown_symbols)
            self.group.unknown_symbols.clear()
            raise MarketDataError(
                f"the publisher does not have {names} ({self._where})", self._where
            )

    def _behind_unread(self, received: Iterable[Update]) -> list[MarketUpdate | Gap]:
        """The views of `received` and their gaps, behind those that an iterator was left with."""
        instruments = self.group.instruments
        views = (market_update(each, instruments) for each in received)
        self._unread.extend(self._gaps.watch(views))
        found = list(self._unread)
        self._unread.clear()
        return found

    def _silence_s(self, deadline: float | None) -> float:
        """How long to wait for updates before the state of the feed is looked at."""
        left_s = SILENCE_S if deadline is None else deadline - time.monotonic()
        return max(0.0, min(SILENCE_S, left_s))

    def _not_ready(self, timeout_s: float) -> MarketDataError:
        """The error after `timeout_s`; takes up to another second to learn the cause."""
        fault = sockets.handshake_fault(self._snapshots, Realm.FEED, self._keyring)
        if fault:
            return MarketDataError(f"the publisher at {self._snapshots}: {fault}", self._where)
        return MarketDataError(
            f"no market data in {timeout_s} s from {self._where}: is the publisher running there?",
            self._where,
        )

    def _send_requests(self) -> bool:
        """Send the requests of the followers; whether there were any."""
        sent = False
        for follower, _, requests in self._lines:
            for request in follower.drain_requests():
                try:
                    requests.send(encode(request), zmq.NOBLOCK)
                    sent = True
                except zmq.Again:
                    # The socket accepts no more; the follower requests it again when it is due.
                    break
        return sent


def _receive_feed(feed: "zmq.Socket[bytes]", follower: FeedFollower) -> bool:
    """Receive what has arrived, up to a limit; whether it was reached."""
    receive, on_feed = feed.recv_multipart, follower.on_feed
    for _ in range(DRAIN_MAX):
        try:
            topic, seq, payload = receive(zmq.NOBLOCK)
        except zmq.Again:
            return False
        on_feed(topic, int.from_bytes(seq, "big"), payload)
    return True


def _drain(requests: "zmq.Socket[bytes]") -> Iterator[bytes]:
    while True:
        try:
            yield requests.recv(zmq.NOBLOCK)
        except zmq.Again:
            return
