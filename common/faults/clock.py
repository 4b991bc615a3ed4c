"""How far the time that clients receive is shifted. No I/O."""

from crossbook.common.faults.table import FaultTable
from crossbook.common.faults.venue import ClockFault, VenueFacts


def shift_ns(table: FaultTable) -> int:
    """How far ahead a message shows the time by the rules of a table, in nanoseconds. Each call
    counts one message.

    >>> from crossbook.common.faults.venue import ClockShifted
    >>> table = FaultTable("gateway")
    >>> table.add(ClockShifted(shift_ms=-2))
    1
    >>> shift_ns(table)
    -2000000
    """
    due = table.due(ClockFault, VenueFacts())
    return sum(int(each.rule.shift_ms * 1_000_000) for each in due)
