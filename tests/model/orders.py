"""An order of the obvious matcher, and the small arithmetic of the rules."""

from dataclasses import dataclass
from typing import Final

from crossbook.common.instruments import FEE_SCALE, Instrument
from crossbook.common.types import OrderStatus, OrderType, RejectReason, Side

Refusal = tuple[RejectReason, str]

REQUESTS_IN_EPOCH: Final = 2**30
"""The factor of the epoch in a request number. The place within the epoch, from one, is added."""

DAY_NS: Final = 86_400 * 10**9


@dataclass(slots=True)
class ModelOrder:
    """An order. `total_lots` includes the filled part; `status` is the one in reports to its
    owner."""

    order_id: int
    account: int
    instrument: int
    side: int
    price_ticks: int
    total_lots: int
    filled_lots: int
    client_order_id: str
    kind: int = 1
    time_in_force: int = 1
    prevention: int = 0
    trigger_ticks: int = 0
    display_lots: int = 0
    expire_ns: int = 0
    post_only: bool = False
    waits_for: str = ""
    shown_lots: int = 0
    held_per_lot: int = 0
    arrival: int = 0
    status: OrderStatus = OrderStatus.NEW

    @property
    def remaining_lots(self) -> int:
        return self.total_lots - self.filled_lots

    @property
    def offered_lots(self) -> int:
        """The lots that a taker can trade with this order before the next order's turn."""
        return self.shown_lots if self.display_lots else self.remaining_lots

    def show_next_slice(self) -> None:
        self.shown_lots = min(self.display_lots, self.remaining_lots)

    def is_met(self, last: int) -> bool:
        """Whether a last price elects this order, by the text of the rules."""
        if not last:
            return False
        is_stop = self.kind in (OrderType.STOP, OrderType.STOP_LIMIT)
        if is_stop and self.side == Side.BUY:
            return last >= self.trigger_ticks
        if is_stop:
            return last <= self.trigger_ticks
        if self.side == Side.BUY:
            return last <= self.trigger_ticks
        return last >= self.trigger_ticks


def fee(received: int, rate: int) -> int:
    """The fee on `received`, rounded up to the next whole unit; the size of a rebate is rounded
    down."""
    whole, rest = divmod(abs(received * rate), FEE_SCALE)
    if rate < 0:
        return -whole
    return whole + 1 if rest else whole


def band(instrument: Instrument, last: int) -> tuple[int, int]:
    """Lowest and highest price at which a taker may trade; a high of zero is no bound."""
    lows, highs = [instrument.band_low_ticks], []
    if instrument.band_high_ticks:
        highs.append(instrument.band_high_ticks)
    if instrument.band_rate and last:
        away = last * instrument.band_rate // FEE_SCALE
        lows.append(last - away)
        highs.append(last + away)
    return max(lows), min(highs, default=0)


def follows(last: int, request: int) -> bool:
    """Whether a gateway's request comes right after `last`: the next one of the same epoch, or
    the first one of a later epoch."""
    epoch, place = divmod(request, REQUESTS_IN_EPOCH)
    last_epoch, last_place = divmod(last, REQUESTS_IN_EPOCH)
    if epoch == last_epoch:
        return place == last_place + 1
    return epoch > last_epoch and place == 1
