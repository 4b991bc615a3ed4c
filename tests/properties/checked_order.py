"""An order as the checker of events keeps it."""

from dataclasses import dataclass

from crossbook.common.messages.events import OrderAccepted
from crossbook.common.types import OrderStatus


@dataclass(slots=True)
class CheckedOrder:
    """The state of an order after the events so far."""

    accepted: OrderAccepted
    price_ticks: int
    total_lots: int
    filled_lots: int = 0
    gone_lots: int = 0
    spent: int = 0
    shown_lots: int = 0
    waits: bool = False
    resting: bool = False
    ended: bool = False
    status: OrderStatus = OrderStatus.NEW

    @property
    def remaining_lots(self) -> int:
        return self.total_lots - self.filled_lots - self.gone_lots

    @property
    def display_lots(self) -> int:
        terms = self.accepted.instructions
        return terms.display_lots if terms is not None else 0

    @property
    def public_lots(self) -> int:
        remaining = self.remaining_lots
        return min(self.shown_lots, remaining) if self.display_lots else remaining
