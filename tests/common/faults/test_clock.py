"""Shifts of the time that clients receive."""

from crossbook.common.faults.clock import shift_ns
from crossbook.common.faults.table import FaultTable
from crossbook.common.faults.venue import ClockShifted


def test_shifts_of_the_clock_add_up_and_are_counted() -> None:
    table = FaultTable("gateway")
    assert shift_ns(table) == 0
    table.add(ClockShifted(shift_ms=1_500))
    table.add(ClockShifted(shift_ms=-0.5))
    assert shift_ns(table) == 1_499_500_000
    assert table.applied["clock_shifted"] == 2
