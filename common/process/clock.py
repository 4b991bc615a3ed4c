"""Clocks as arguments: only `SystemClock` reads the machine's time of day.

`ManualClock` is that of an exchange with `CLOCK=manual`: its time of day stands still until it is
moved, and intervals stay the machine's.
"""

import time
from typing import Final, Protocol

_SLEEP_INCLUDED: Final = next(
    getattr(time, name)
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC_RAW", "CLOCK_MONOTONIC")
    if hasattr(time, name)
)
"""The clock that runs while the machine sleeps: `CLOCK_BOOTTIME` on Linux, on macOS
`CLOCK_MONOTONIC_RAW`, which does not count sleep on Linux."""


class Clock(Protocol):
    """The three clocks of a process. Where it `is_manual`, wall and elapsed time stand still
    (`CLOCK=manual`)."""

    is_manual: bool

    def now_ns(self) -> int:
        """Wall-clock nanoseconds since the Unix epoch."""

    def monotonic_ns(self) -> int:
        """Nanoseconds of a clock that never steps back; for intervals only."""

    def elapsed_ns(self) -> int:
        """Nanoseconds of a clock that cannot be set and that runs while the machine sleeps."""


class SystemClock:
    """The machine's clocks."""

    is_manual = False

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def elapsed_ns(self) -> int:
        return time.clock_gettime_ns(_SLEEP_INCLUDED)


class ManualClock(SystemClock):
    """Wall and elapsed time stand still except for `move_to`; intervals are the machine's.

    >>> clock = ManualClock(1_000)
    >>> clock.move_to(1_500)
    >>> clock.move_to(1_200)
    >>> clock.now_ns(), clock.elapsed_ns(), clock.monotonic_ns() > 1_500
    (1500, 1500, True)
    """

    is_manual = True

    def __init__(self, now_ns: int) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        return self._now_ns

    def elapsed_ns(self) -> int:
        return self._now_ns

    def move_to(self, time_ns: int) -> None:
        """Show this time from now on; an earlier one changes nothing."""
        self._now_ns = max(self._now_ns, time_ns)


def follower_clock(kind: str) -> SystemClock:
    """The clock of a process that follows the matcher, for the setting `CLOCK`.

    A manual one belongs to the matcher; that of a follower stands at zero, because it takes the
    time from the matcher's batches."""
    return ManualClock(0) if kind == "manual" else SystemClock()


class FakeClock:
    """A clock that moves only by its methods.

    >>> clock = FakeClock(1_000)
    >>> clock.advance_ns(5)
    >>> clock.step_ns(-1_000)
    >>> clock.now_ns(), clock.monotonic_ns()
    (5, 1005)
    """

    def __init__(self, now_ns: int = 0, *, is_manual: bool = False) -> None:
        self.is_manual = is_manual
        self._now_ns = now_ns
        self._step_ns = 0

    def now_ns(self) -> int:
        return self._now_ns + self._step_ns

    def monotonic_ns(self) -> int:
        return self._now_ns

    def elapsed_ns(self) -> int:
        return self._now_ns

    def advance_ns(self, nanoseconds: int) -> None:
        """Move all clocks forward."""
        self._now_ns += nanoseconds

    def step_ns(self, nanoseconds: int) -> None:
        """Set the wall clock forward or back; the other clocks stay."""
        self._step_ns += nanoseconds
