"""The exchange's time as this gateway has it, and waiting until every part has reached a time.

With `CLOCK=manual` the time is the matcher's, taken from its batches and heartbeats. A test that
moved it waits here, and then finds every answer, stream and record as of that time.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

from crossbook.common.instruments import Instrument
from crossbook.common.messages.history_queries import TradesQuestion
from crossbook.common.process.clock import Clock
from crossbook.common.times import SECOND_NS, time_text
from crossbook.gateway.api.market_documents import TimeDocument
from crossbook.gateway.history.queries import HistoryQueries
from crossbook.gateway.operations.readiness import recorder_fault
from crossbook.gateway.orders.local_sessions import LocalSessions
from crossbook.gateway.problem import Problem

WAIT_S: Final = 2.0
"""Longest wait for order entry and market data, in seconds; the recorder waits as long."""

LOOK_S: Final = 0.001
"""Time between two checks while a request waits."""

WAITING_MAX: Final = 100
"""Most requests that wait; one more is refused at once."""


class TimedMarket(Protocol):
    """The public market data of this process."""

    def time_ns(self, shard: int) -> int:
        """The matcher's time up to which everything published was received; zero while something
        is missing."""


class ExchangeTime:
    """The present time of the exchange: that of `clock`, or of the matchers where it is manual."""

    def __init__(
        self,
        sessions: LocalSessions,
        market: TimedMarket,
        history: HistoryQueries,
        clock: Clock,
        instruments: Mapping[str, Instrument],
    ) -> None:
        self._sessions = sessions
        self._market = market
        self._history = history
        self._clock = clock
        self._instruments = instruments
        self._waiting = 0

    @property
    def is_manual(self) -> bool:
        """Whether the time moves only by an administrator's act."""
        return self._clock.is_manual

    def now_ns(self) -> int:
        """The present time; with several shards the latest one of a matcher."""
        if not self._clock.is_manual:
            return self._clock.now_ns()
        return max(self._clock.now_ns(), *self._sessions.times_ns)

    def document(self) -> TimeDocument:
        """The present time."""
        now_ns = self.now_ns()
        return TimeDocument(
            time_text(now_ns),
            now_ns // 1_000_000,
            "manual" if self.is_manual else "system",
            self._sessions.seq,
        )

    def one_of_each_shard(self) -> dict[int, int]:
        """The id of one instrument of each shard that has any."""
        found: dict[int, int] = {}
        for each in self._instruments.values():
            found.setdefault(self._sessions.home_of(each.symbol), each.id)
        return found

    async def wait_for(self, time_ns: int, *, with_record: bool = True) -> None:
        """Return once order entry, market data and, `with_record`, recorder of every shard have
        reached a time.

        Raises `Problem` 503, naming a part that has not, after some two seconds.
        """
        if not self.is_manual and time_ns > self.now_ns() + int(WAIT_S * SECOND_NS):
            raise _not_reached(time_ns, "the clock of the machine")
        if self._lagging(time_ns) and self._waiting >= WAITING_MAX:
            raise _not_reached(time_ns, f"{WAITING_MAX} requests wait, and this one")
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_S):
                while self._lagging(time_ns):
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise _not_reached(time_ns, self._lagging(time_ns) or "the gateway") from None
        finally:
            self._waiting -= 1
        shards = self.one_of_each_shard().items() if with_record else ()
        faults = await asyncio.gather(*(self._record(*each) for each in shards))
        if fault := next(filter(None, faults), ""):
            raise _not_reached(time_ns, f"the record ({fault})")

    def _lagging(self, time_ns: int) -> str:
        """The part of the gateway that has not reached a time; empty where both have."""
        if min(self._sessions.times_ns) < time_ns:
            return "order entry"
        shards = range(len(self._sessions.times_ns))
        if min(map(self._market.time_ns, shards)) < time_ns:
            return "market data"
        return ""

    async def _record(self, shard: int, instrument: int) -> str:
        """Wait for the recorder of a shard; the reason why it is behind, or empty."""
        seq = self._sessions.seqs[shard]
        answer = await self._history.send(
            shard, lambda request_id: TradesQuestion(request_id, seq, instrument, 0, 1)
        )
        return recorder_fault(answer, seq)


def _not_reached(time_ns: int, lagging: str) -> Problem:
    text = f"{lagging} has not reached {time_text(time_ns)} yet; try again"
    return Problem(503, "TIME_NOT_REACHED", text, "min_time_ns")
