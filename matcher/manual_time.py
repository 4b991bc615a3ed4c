"""The time of a matcher with `CLOCK=manual`: it stands still until an administrator moves it.

A move is exact. Every timer that falls due on the way runs at its own time, as if the clock had
come by there; the last batch carries the new time, so that a restart goes on from it.
"""

from collections.abc import Callable
from typing import Final, Protocol

from crossbook.common.messages.admin import AdminAdvance, AdminRefused, AdminTimeAdvanced
from crossbook.common.times import DAY_NS, LAST_NS, duration_text, time_text
from crossbook.matcher.sequencer import Sequencer

ADVANCE_MAX_NS: Final = 366 * DAY_NS
"""Longest way of one request."""

STEPS_MAX: Final = 10_000
"""Most points in time of one request at which something is due: bounds its answer to a second or
so."""


class MovableClock(Protocol):
    """The clock to move: `crossbook.common.process.clock.ManualClock`."""

    def now_ns(self) -> int:
        """The time it shows."""

    def move_to(self, time_ns: int) -> None:
        """Show this time from now on."""


class ManualTime:
    """Moves `clock` and everything that is due; with None every move is refused.

    `send` is called with each encoded batch, once it is as safe as the sync policy promises.
    """

    def __init__(
        self, sequencer: Sequencer, clock: MovableClock | None, send: Callable[[bytes], object]
    ) -> None:
        self._sequencer = sequencer
        self._clock = clock
        self._send = send

    @property
    def is_manual(self) -> bool:
        """Whether the clock can be moved."""
        return self._clock is not None

    def advance(self, request: AdminAdvance) -> AdminTimeAdvanced | AdminRefused:
        """Move to the time of the request, or as far as one request goes; a move to the present
        time changes nothing. Raises `JournalFailed`."""
        clock, sequencer, to_ns = self._clock, self._sequencer, request.to_ns
        if clock is None:
            text = "the matcher follows the clock of its machine; CLOCK=manual lets time be moved"
            return AdminRefused(request.request_id, "clock", text)
        before_ns = clock.now_ns()
        fault = _fault(before_ns, to_ns)
        if fault:
            return AdminRefused(request.request_id, "to", fault)
        batches = 0
        if to_ns > before_ns:
            for group in sequencer.advance(to_ns, STEPS_MAX):
                batches += len(group)
                for batch in group:
                    self._send(batch)
            clock.move_to(sequencer.time_ns)
        now_ns = clock.now_ns()
        return AdminTimeAdvanced(request.request_id, before_ns, now_ns, sequencer.seq, batches)


def _fault(before_ns: int, to_ns: int) -> str:
    """Why the clock cannot be moved to a time; empty where it can."""
    if not 0 <= to_ns < LAST_NS:
        return f"{to_ns} ns is not within the years up to 2199"
    if to_ns < before_ns:
        return f"{time_text(to_ns)} is before {time_text(before_ns)}, and time goes forward only"
    if to_ns - before_ns > ADVANCE_MAX_NS:
        way, most = duration_text(to_ns - before_ns), duration_text(ADVANCE_MAX_NS)
        return f"{time_text(to_ns)} is {way} ahead, and one advance goes {most} at most"
    return ""
