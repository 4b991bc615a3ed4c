"""Rules shift the time of answers and reports, and not that of the desk."""

from typing import Any

import pytest

from crossbook.common.faults.table import FaultTable
from crossbook.common.faults.venue import ClockShifted
from crossbook.common.messages.entry import Ack, New
from crossbook.gateway.faults.clock import ShiftedDesk
from crossbook.gateway.orders.session import SessionTable
from tests.worlds.desk_world import GATEWAY, INSTRUMENTS, DeskWorld


@pytest.mark.parametrize(("shift_ms", "time_ns"), [(2, 2_000_005), (-1, -999_995)])
def test_an_answer_has_the_shifted_time(shift_ms: int, time_ns: int) -> None:
    world, table = DeskWorld(), FaultTable("gateway")
    sessions = SessionTable(10, lambda: 1_001)
    world.desk = ShiftedDesk(INSTRUMENTS, GATEWAY, 100, sessions, table=table)
    world.desk.in_flight.begin(0)
    world.desk.begin(0)
    token = world.log_on(b"ann", 7)
    number = table.add(ClockShifted(shift_ms=shift_ms))

    def entered(request_seq: int) -> Any:
        order = New(
            request_seq=request_seq, symbol="BTC-USDT", side=1, quantity="0.1", price="40000.00"
        )
        world.send(b"ann", token, order)
        world.settle()
        return next(each for each in world.replies(b"ann") if isinstance(each, Ack))

    assert entered(2).time_ns == time_ns
    assert world.desk.times_ns == [5]
    assert table.applied["clock_shifted"] >= 1
    table.remove(number)
    assert entered(3).time_ns == 5
