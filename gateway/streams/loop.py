"""Drives the market-data streams on the event loop: feed in, frames out, timers in between."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from crossbook.common.following.feed_follower import Update
from crossbook.common.process.clock import Clock
from crossbook.common.process.scheduling import let_others_run
from crossbook.gateway.market_feed import MarketFeed
from crossbook.gateway.streams.together import DrivenStreams

SLICES: Final = 20
"""Slices of a crowd in one turn of the loop. Between slices other processes may run: under the
scheduling policy `SCHED_IDLE` alone they would wait some milliseconds now and then."""

BEAT_NS: Final = 1_000_000_000
_MS: Final = 1_000_000


class StreamLoop:
    """Connects a `MarketFeed` with streams; both work from then on until the feed stops.

    A crowd is written to slice by slice. The event loop writes what the kernel had no room for at
    the end of a round. So the cost of a sending is measured until the round after its last slice
    begins. It is processor time of this thread: the load of other processes has no relation to
    the number of clients.
    """

    def __init__(
        self,
        feed: MarketFeed,
        streams: DrivenStreams,
        clock: Clock,
        processor_ns: Callable[[], int] = time.thread_time_ns,
    ) -> None:
        self._feed = feed
        self._streams = streams
        self._clock = clock
        self._processor_ns = processor_ns
        self._begun_ns = 0
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._measuring = False
        self._beat_ns = clock.monotonic_ns() + BEAT_NS
        feed.on_updates = self._apply
        feed.on_tick = self._tick

    def _apply(self, updates: list[Update]) -> None:
        if self._feed.instruments:
            self._streams.describe(self._feed.instruments)
        self._streams.apply(updates)
        self._work()

    def _tick(self) -> None:
        for symbol in self._feed.instruments:
            reason = self._feed.stale_reason(symbol)
            self._streams.set_live(symbol, not reason, reason)
        now_ns = self._clock.monotonic_ns()
        if now_ns >= self._beat_ns:
            self._beat_ns = now_ns + BEAT_NS - (now_ns - self._beat_ns) % BEAT_NS
            self._streams.beat()
        self._work()

    def _work(self) -> None:
        now_ns = self._clock.monotonic_ns()
        if not self._measuring:
            self._begun_ns = self._processor_ns()
        if self._streams.work(now_ns) and not self._measuring:
            self._measuring = True
            self._loop.call_soon(self._written)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due_ns = self._streams.due_ns()
        if due_ns is not None and not self._measuring:
            # The loop counts milliseconds: a timer that ends early would have to be set again.
            wait_ms = max(1, -((now_ns - due_ns) // _MS))
            self._timer = self._loop.call_later(wait_ms / 1000, self._work)

    def _written(self) -> None:
        sending = self._streams.sending
        for _ in range(SLICES):
            if not sending:
                break
            let_others_run()
            sending = self._streams.send_slice()
        if sending:
            self._loop.call_soon(self._written)
            return
        self._measuring = False
        self._streams.written(self._processor_ns() - self._begun_ns)
        self._work()
