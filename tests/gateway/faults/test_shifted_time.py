"""Rules shift the time that the exchange returns over HTTP."""

from typing import Any, cast

from crossbook.common.faults.table import FaultTable
from crossbook.common.faults.venue import ClockShifted
from crossbook.common.process.clock import FakeClock
from crossbook.gateway.faults.shifted_time import ShiftedTime


def test_the_present_time_is_shifted_while_a_rule_is_there() -> None:
    table = FaultTable("gateway")
    nothing = cast(Any, None)
    time = ShiftedTime(nothing, nothing, nothing, FakeClock(5_000_000_000), {}, table=table)
    assert time.now_ns() == 5_000_000_000
    table.add(ClockShifted(shift_ms=-1_500))
    assert time.now_ns() == 3_500_000_000
    table.clear()
    assert time.now_ns() == 5_000_000_000
