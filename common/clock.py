"""Time as an argument: nothing but `SystemClock` reads the machine's clocks."""

import time
from typing import Protocol


class Clock(Protocol):
    """What a process needs to know of time."""

    def now_ns(self) -> int:
        """Wall-clock nanoseconds since the Unix epoch."""

    def monotonic_ns(self) -> int:
        """Nanoseconds of a clock that never steps back; for intervals only."""


class SystemClock:
    """The machine's clocks."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


class FakeClock:
    """A clock that moves only when told to.

    >>> clock = FakeClock(1_000)
    >>> clock.advance_ns(5)
    >>> clock.now_ns()
    1005
    """

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        return self._now_ns

    def monotonic_ns(self) -> int:
        return self._now_ns

    def advance_ns(self, nanoseconds: int) -> None:
        """Move both clocks forward."""
        self._now_ns += nanoseconds
