"""Timers: orders expire, orders of an account are canceled at its deadline, halts end.

Everything due is run in the order of (time, number of the command that set it), before the command
that carries a later time. `due_ns` is when the first of it is due, so that a check costs one
comparison.
"""

from typing import Final, Generic, TypeVar

from sortedcontainers import SortedDict

Owner = TypeVar("Owner")

NEVER: Final = 2**63
"""Later than any time."""

DAY_NS: Final = 24 * 60 * 60 * 1_000_000_000


def end_of_day(time_ns: int) -> int:
    """When the UTC day of this time is over.

    >>> end_of_day(1) == end_of_day(DAY_NS - 1) == DAY_NS, end_of_day(DAY_NS) == 2 * DAY_NS
    (True, True)
    """
    return (time_ns // DAY_NS + 1) * DAY_NS


class Timers(Generic[Owner]):
    """Owners of timers by (time, number). O(log timers) for each change."""

    __slots__ = ("_due", "due_ns")

    def __init__(self) -> None:
        self._due: SortedDict[tuple[int, int], Owner] = SortedDict()
        self.due_ns = NEVER

    def __len__(self) -> int:
        return len(self._due)

    def add(self, due_ns: int, number: int, owner: Owner) -> None:
        """Start a timer of `owner`; adding it again changes nothing."""
        self._due[due_ns, number] = owner
        if due_ns < self.due_ns:
            self.due_ns = due_ns

    def discard(self, due_ns: int, number: int) -> None:
        """Stop a timer."""
        self._due.pop((due_ns, number), None)
        self._look()

    def pop(self) -> Owner:
        """Remove the timer that is due first; returns its owner."""
        owner: Owner = self._due.popitem(0)[1]
        self._look()
        return owner

    def first(self) -> Owner:
        """The owner of the timer that is due first."""
        owner: Owner = self._due.peekitem(0)[1]
        return owner

    def keys(self) -> list[tuple[int, int]]:
        """(time, number) of every timer, soonest first."""
        return list(self._due)

    def _look(self) -> None:
        self.due_ns = self._due.peekitem(0)[0][0] if self._due else NEVER
