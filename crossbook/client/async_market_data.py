"""Market data on the running asyncio event loop.

The sockets are driven through their file descriptors, which are edge-triggered: every read drains
them.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from inspect import isawaitable
from types import TracebackType
from typing import Final, Self

from crossbook.client.market.followed_market import SILENCE_S, FollowedMarket
from crossbook.client.market.gap_watch import Gap, MarketEvent
from crossbook.client.market.updates import MarketUpdate
from crossbook.common.following.feed_follower import Update
from crossbook.errors import ClientClosed

_TICK_S: Final = 0.1
"""Longest wait between two checks of requests without an answer."""


class AsyncMarketData(FollowedMarket):
    """As `MarketData`, for one event loop.

        async with AsyncMarketData(symbols=["BTC-USDT"]) as market:
            async for event in market.events():
                print(event, market.book("BTC-USDT").best_bid)

    One task at a time waits for updates. What arrives while none does stays in the sockets; a
    consumer that is away for too long falls behind, and the books recover.
    """

    _loop: asyncio.AbstractEventLoop | None = None
    _waiter: "asyncio.Future[None] | None" = None

    async def __aenter__(self) -> Self:
        self._check_open()
        self._loop = asyncio.get_running_loop()
        for each in self._sockets:
            self._loop.add_reader(each.fileno(), self._wake)
        self._begin_step(time.monotonic_ns())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; `updates`, `events` and `run` end. Books stay as they were."""
        if self._closed:
            return
        if self._loop is not None:
            for each in self._sockets:
                self._loop.remove_reader(each.fileno())
        self._close_sockets()
        self._wake()

    async def wait_ready(self, timeout_s: float = 5.0) -> list[MarketUpdate]:
        """Wait until every book is loaded; the updates up to then. See `MarketData.wait_ready`."""
        deadline = time.monotonic() + timeout_s
        updates: list[MarketUpdate] = []
        while not self.group.ready:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise await asyncio.to_thread(self._not_ready, timeout_s)
            updates += await self.poll(left_s)
        return updates

    async def poll(self, timeout_s: float = 0.0) -> list[MarketUpdate]:
        """Updates that have arrived, in order, waiting up to `timeout_s` for the first. See
        `MarketData.poll`."""
        return [each for each in await self._watched(timeout_s) if not isinstance(each, Gap)]

    async def receive(self, timeout_s: float = 0.0) -> list[Update]:
        """As `poll`, but the updates are as they travel, in ticks and lots."""
        self._check_open()
        if self._loop is None:
            raise RuntimeError("use AsyncMarketData inside `async with`")
        deadline = time.monotonic() + timeout_s
        while True:
            waiter = self._waiter = self._loop.create_future()
            self._begin_step(time.monotonic_ns())
            more = self._end_step(time.monotonic_ns())
            self._check_symbols()
            updates = self.group.drain_updates()
            left_s = deadline - time.monotonic()
            if updates or left_s <= 0:
                return updates
            if not more:
                await asyncio.wait([waiter], timeout=min(left_s, _TICK_S))
            else:
                await asyncio.sleep(0)
            self._check_open()

    async def updates(self, timeout_s: float | None = None) -> AsyncIterator[MarketUpdate]:
        """Updates one by one; ends with `close`, or after `timeout_s` without one."""
        self._check_open()
        while not self._closed:
            watched = await self._watched_or_end(SILENCE_S if timeout_s is None else timeout_s)
            if not watched and timeout_s is not None:
                return
            self._unread.extend(watched)
            while self._unread:
                update = self._unread.popleft()
                if not isinstance(update, Gap):
                    yield update

    async def events(self, timeout_s: float | None = None) -> AsyncIterator[MarketEvent]:
        """Updates one by one, a `Gap` before each that follows missed ones, and `FeedStale` and
        `FeedLive` around a silence; no heartbeats.

        It goes on when the publisher was restarted or could not be reached, and ends with `close`,
        or after `timeout_s` without an event.
        """
        self._check_open()
        while not self._closed:
            deadline = None if timeout_s is None else time.monotonic() + timeout_s
            while not self._events and not self._closed:
                watched = await self._watched_or_end(self._silence_s(deadline))
                self._events.extend(self._gaps.events(watched, self.stale))
                if not self._events and deadline is not None and time.monotonic() >= deadline:
                    return
            while self._events:
                yield self._events.popleft()

    async def run(self, seconds: float | None = None) -> None:
        """Call the callbacks with what arrives, for so long, or until `stop` or `close`.

        Callbacks may be coroutine functions: each is awaited before the next is called. An
        exception of a callback is raised; the next `run` goes on behind that call.
        """
        self._check_open()
        self._stopping = False
        deadline = None if seconds is None else time.monotonic() + seconds
        while not self._closed:
            while self._calls and not self._stopping:
                callback, argument = self._calls.popleft()
                result = callback(argument)
                if isawaitable(result):
                    await result
            if self._stopping:
                return
            watched = await self._watched_or_end(self._silence_s(deadline))
            self._plan(self._gaps.events(watched, self.stale))
            if not self._calls and deadline is not None and time.monotonic() >= deadline:
                return

    async def _watched(self, timeout_s: float) -> list[MarketUpdate | Gap]:
        return self._behind_unread(await self.receive(0.0 if self._unread else timeout_s))

    async def _watched_or_end(self, timeout_s: float) -> list[MarketUpdate | Gap]:
        """As `_watched`; nothing where the market data was closed while waiting."""
        try:
            return await self._watched(timeout_s)
        except ClientClosed:
            return []

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
