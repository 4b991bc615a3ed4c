"""The time that a gateway sends to clients, shifted by fault rules.

Only what is sent is shifted: orders expire, candles close and the journal is written by the true
time.
"""

from typing import Any

from msgspec.structs import replace

from crossbook.common.faults.clock import shift_ns
from crossbook.common.faults.table import FaultTable
from crossbook.common.faults.venue import ClockFault
from crossbook.common.messages.events import EventBatch
from crossbook.gateway.orders.desk import OrderDesk


class ShiftedDesk(OrderDesk):
    """As `OrderDesk`; answers and execution reports have the shifted time."""

    def __init__(self, *arguments: Any, table: FaultTable) -> None:
        super().__init__(*arguments)
        self._table = table

    def apply(self, batch: EventBatch) -> None:
        """As `OrderDesk.apply`. The desk itself has the true time."""
        if not self._table.has(ClockFault):
            super().apply(batch)
            return
        super().apply(replace(batch, time_ns=batch.time_ns + shift_ns(self._table)))
        self.time_ns = batch.time_ns
