"""What will happen by itself at a time: orders expire, accounts fall silent, halts end.

Everything due is run in the order of (time, number of the command that set it), before the command
that carries a later time. `due_ns` is when the first of it is due, so that looking costs one
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
    """Everything that is to happen, by (time, number). O(log timers) for each change."""

    __slots__ = ("_due", "due_ns")

    def __init__(self) -> None:
        self._due: SortedDict[tuple[int, int], Owner] = SortedDict()
        self.due_ns = NEVER

    def __len__(self) -> int:
        return len(self._due)

    def add(self, due_ns: int, number: int, owner: Owner) -> None:
        """Something happens to `owner` at that time; adding it again changes nothing."""
        self._due[due_ns, number] = owner
        if due_ns < self.due_ns:
            self.due_ns = due_ns

    def discard(self, due_ns: int, number: int) -> None:
        """It will not happen."""
        self._due.pop((due_ns, number), None)
        self._look()

    def pop(self) -> Owner:
        """Take out what is due first."""
        owner: Owner = self._due.popitem(0)[1]
        self._look()
        return owner

    def keys(self) -> list[tuple[int, int]]:
        """(time, number) of everything, soonest first."""
        return list(self._due)

    def _look(self) -> None:
        self.due_ns = self._due.peekitem(0)[0][0] if self._due else NEVER
