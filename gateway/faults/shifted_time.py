"""The exchange's time over HTTP, shifted by fault rules."""

from typing import Any

from crossbook.common.faults.clock import shift_ns
from crossbook.common.faults.table import FaultTable
from crossbook.common.faults.venue import ClockFault
from crossbook.gateway.api.exchange_time import ExchangeTime


class ShiftedTime(ExchangeTime):
    """As `ExchangeTime`; the present time is shifted, and waiting is not."""

    def __init__(self, *arguments: Any, table: FaultTable) -> None:
        super().__init__(*arguments)
        self._table = table

    def now_ns(self) -> int:
        """The present time."""
        shift = shift_ns(self._table) if self._table.has(ClockFault) else 0
        return super().now_ns() + shift
