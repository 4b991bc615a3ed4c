"""The time that commands are stamped with: the machine's clock, unless it is too far ahead.

A stamp is journaled and never taken back: a clock that shows another year for one second would
expire orders and stop candles for years. The timekeeper computes the expected reading of the clock
from a second clock that cannot be set. A reading too far ahead of the expected one is refused:
stamps go on at the pace of the second clock, until the machine's clock comes back or an
administrator accepts it.
"""

from typing import Final, Protocol

BEND: Final = 1_000
"""The expected reading moves towards the actual one by at most a thousandth of the time that
passes: twice what NTP slews at most. Jumps that each stay within the limit are therefore refused
once their sum exceeds it."""


class Clocks(Protocol):
    """The clocks of a timekeeper: `crossbook.common.process.clock.Clock`; tests replace it."""

    is_manual: bool

    def now_ns(self) -> int:
        """Wall-clock nanoseconds since the Unix epoch."""

    def elapsed_ns(self) -> int:
        """Nanoseconds of a clock that cannot be set and that goes on while the machine sleeps."""


class Timekeeper:
    """Returns the times of stamps, in nanoseconds since the Unix epoch.

    `last_ns` is the last stamp of the journal, zero for an empty one. A clock more than
    `jump_max_ns` ahead of its expected reading is refused; at the start, and until it has reached
    `last_ns`, a clock more than `absence_max_ns` ahead of `last_ns`. A clock set back is followed:
    the sequencer never stamps an earlier time than before. `clock_ns` is the last reading,
    `refused` is true while it is refused, and `refusals` counts how often that began.

    >>> from crossbook.common.process.clock import FakeClock
    >>> clock = FakeClock(1_000)
    >>> keeper = Timekeeper(clock, 900, jump_max_ns=50, absence_max_ns=500)
    >>> clock.step_ns(51)
    >>> keeper.now_ns(), keeper.refused, keeper.clock_ns
    (1000, True, 1051)
    >>> keeper.accept()
    (1000, 1051)
    >>> keeper.now_ns(), keeper.refused
    (1051, False)
    """

    __slots__ = (
        "_absence_end_ns",
        "_clock",
        "_elapsed_ns",
        "_expected_ns",
        "_jump_max_ns",
        "_last_ns",
        "_stamp_ns",
        "_unbent_ns",
        "clock_ns",
        "refusals",
        "refused",
    )  # fmt: skip

    def __init__(self, clock: Clocks, last_ns: int, jump_max_ns: int, absence_max_ns: int) -> None:
        self._clock = clock
        self._jump_max_ns = jump_max_ns
        self._last_ns = last_ns
        self._elapsed_ns = clock.elapsed_ns()
        self.clock_ns = wall_ns = clock.now_ns()
        # The latest reading that is accepted, until the clock has reached the journal's time.
        self._absence_end_ns = last_ns + absence_max_ns if last_ns else 0
        self.refused = last_ns > 0 and wall_ns > self._absence_end_ns
        if not self.refused and wall_ns >= last_ns:
            self._absence_end_ns = 0
        self.refusals = int(self.refused)
        # The expected reading, and the last time returned.
        self._expected_ns = self._stamp_ns = last_ns if self.refused else wall_ns
        self._unbent_ns = 0

    @property
    def is_manual(self) -> bool:
        """Whether the clock moves only by an administrator's act."""
        return self._clock.is_manual

    def now_ns(self) -> int:
        """The time to stamp commands with now. O(1)."""
        elapsed_ns = self._clock.elapsed_ns()
        self.clock_ns = wall_ns = self._clock.now_ns()
        passed_ns = max(0, elapsed_ns - self._elapsed_ns)
        self._elapsed_ns = elapsed_ns
        self._expected_ns += passed_ns
        self._stamp_ns += passed_ns
        ahead_ns = wall_ns - self._expected_ns
        refused = ahead_ns > self._jump_max_ns and wall_ns > self._absence_end_ns
        self.refusals += refused and not self.refused
        self.refused = refused
        if not refused:
            self._follow_clock(wall_ns, ahead_ns, passed_ns)
        return self._stamp_ns

    def accept(self) -> tuple[int, int]:
        """Accept the clock's present reading; returns the time stamped so far, and the reading."""
        before_ns = self.now_ns()
        self._expected_ns = self._stamp_ns = self.clock_ns
        self._absence_end_ns = 0
        self.refused = False
        return before_ns, self.clock_ns

    def _follow_clock(self, wall_ns: int, ahead_ns: int, passed_ns: int) -> None:
        self._stamp_ns = wall_ns
        if self._absence_end_ns:
            self._expected_ns = wall_ns
            if wall_ns >= self._last_ns:
                self._absence_end_ns = 0
            return
        bend_ns, self._unbent_ns = divmod(self._unbent_ns + passed_ns, BEND)
        self._expected_ns += max(-bend_ns, min(ahead_ns, bend_ns))
