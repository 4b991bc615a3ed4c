"""Market data as a blocking consumer uses it."""

import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Final, Self

import zmq

from crossbook.client.connection import Addresses
from crossbook.client.followed_market import FollowedMarket
from crossbook.client.market_updates import MarketUpdate, market_update
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
    ) -> None:
        super().__init__(feed, snapshots, symbols, channels, context)
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
        instruments = self.group.instruments
        return [market_update(each, instruments) for each in self.receive(timeout_s)]

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
        """Updates one by one; ends after `timeout_s` without one."""
        while batch := self.poll(timeout_s):
            yield from batch

    def _step(self, wait_ms: int) -> None:
        """Send what is due, wait, and receive what has arrived."""
        self._begin_step(time.monotonic_ns())
        if wait_ms:
            self._poller.poll(wait_ms)
        self._end_step(time.monotonic_ns())
