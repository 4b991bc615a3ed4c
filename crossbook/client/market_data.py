"""Market data as a blocking consumer uses it."""

import time
from collections.abc import Iterable, Iterator
from inspect import iscoroutine
from types import TracebackType
from typing import Final, Self

import zmq

from crossbook.client.connection import Addresses, Keys
from crossbook.client.market.followed_market import FollowedMarket
from crossbook.client.market.gap_watch import Gap, MarketEvent
from crossbook.client.market.updates import MarketUpdate
from crossbook.common.following.feed_follower import Update

_TICK_MS: Final = 100
"""Longest wait between two checks of requests without an answer."""


class MarketData(FollowedMarket):
    """Books and trades of some instruments (all of them when `symbols` is empty), kept correct.

        with MarketData(symbols=["BTC-USDT"]) as market:
            market.wait_ready()
            for update in market.updates(timeout_s=10.0):
                print(update, market.book("BTC-USDT").best_bid)

    Without addresses they are those of the command line: `PUBLISHER_FEED` and
    `PUBLISHER_SNAPSHOTS`. An exchange of several shards has a publisher for each: give all
    addresses, feeds and snapshots in the same order, as lists or with commas between them.

    `keys` is the path of a key file, for a feed that is keyed; without addresses it is that of
    `CLIENT_KEY_FILE`.

    Channels are "trade", "bbo", "l2", "l3", "candle", "ticker" and "state". Sockets are read only
    inside the methods that wait: a caller that is away for too long falls behind, and the books
    recover. For use by one thread.
    """

    def __init__(
        self,
        feed: Addresses | None = None,
        snapshots: Addresses | None = None,
        symbols: Iterable[str] = (),
        channels: Iterable[str] = ("l2", "bbo", "trade", "state"),
        context: "zmq.Context[zmq.Socket[bytes]] | None" = None,
        keys: Keys | None = None,
    ) -> None:
        super().__init__(feed, snapshots, symbols, channels, context, keys)
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
        self._close_sockets()

    def wait_ready(self, timeout_s: float = 5.0) -> list[MarketUpdate]:
        """Wait until every book is loaded; the updates up to then.

        Raises `MarketDataError` after `timeout_s`, or for a symbol the publisher does not have.
        """
        self._check_open()
        deadline = time.monotonic() + timeout_s
        updates: list[MarketUpdate] = []
        while not self.group.ready:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise self._not_ready(timeout_s)
            updates += self.poll(left_s)
        return updates

    def poll(self, timeout_s: float = 0.0) -> list[MarketUpdate]:
        """Updates that have arrived, in order, waiting up to `timeout_s` for the first.

        They are already applied to the books. Among them are heartbeats, and a `Snapshot`
        wherever one replaced a book. Raises `MarketDataError` for an unknown symbol,
        `ClientClosed` after `close`.
        """
        return [each for each in self._watched(timeout_s) if not isinstance(each, Gap)]

    def receive(self, timeout_s: float = 0.0) -> list[Update]:
        """As `poll`, but the updates are as they travel, in ticks and lots: for load tools and
        replays."""
        self._check_open()
        deadline = time.monotonic() + timeout_s
        while True:
            left_ms = max(0, int((deadline - time.monotonic()) * 1000 + 0.999))
            self._step(min(left_ms, _TICK_MS))
            self._check_symbols()
            updates = self.group.drain_updates()
            if updates or time.monotonic() >= deadline:
                return updates

    def updates(self, timeout_s: float = 1.0) -> Iterator[MarketUpdate]:
        """Updates one by one; ends after `timeout_s` without one. Those left when the caller stops
        come with the next `poll` or `updates`."""
        while watched := self._watched(timeout_s):
            self._unread.extend(watched)
            while self._unread:
                update = self._unread.popleft()
                if not isinstance(update, Gap):
                    yield update

    def events(self, timeout_s: float | None = None) -> Iterator[MarketEvent]:
        """Updates one by one, a `Gap` before each that follows missed ones, and `FeedStale` and
        `FeedLive` around a silence; no heartbeats.

        It goes on when the publisher was restarted or could not be reached, and ends after
        `timeout_s` without an event. Those left when the caller stops come with the next `events`.
        """
        while True:
            deadline = None if timeout_s is None else time.monotonic() + timeout_s
            while not self._events:
                watched = self._watched(self._silence_s(deadline))
                self._events.extend(self._gaps.events(watched, self.stale))
                if not self._events and deadline is not None and time.monotonic() >= deadline:
                    return
            while self._events:
                yield self._events.popleft()

    def run(self, seconds: float | None = None) -> None:
        """Call the callbacks with what arrives, for so long, or until one calls `stop`.

        With zero seconds what has arrived is delivered. An exception of a callback is raised; the
        next `run` goes on behind that call.
        """
        self._stopping = False
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            while self._calls and not self._stopping:
                callback, argument = self._calls.popleft()
                if iscoroutine(result := callback(argument)):
                    result.close()
                    raise TypeError(f"callback: {callback!r} is asynchronous: use AsyncMarketData")
            if self._stopping:
                return
            watched = self._watched(self._silence_s(deadline))
            self._plan(self._gaps.events(watched, self.stale))
            if not self._calls and deadline is not None and time.monotonic() >= deadline:
                return

    def _watched(self, timeout_s: float) -> list[MarketUpdate | Gap]:
        return self._behind_unread(self.receive(0.0 if self._unread else timeout_s))

    def _step(self, wait_ms: int) -> None:
        """Send what is due, wait, and receive what has arrived."""
        self._begin_step(time.monotonic_ns())
        if wait_ms:
            self._poller.poll(wait_ms)
        self._end_step(time.monotonic_ns())
