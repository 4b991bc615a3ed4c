"""Open orders of an account, as reports of the face show them. No I/O.

An event of a matching engine has what changed. Clients want every term of the order in each report,
and sums over its trades: those are kept here while the order is open.
"""

from typing import Final

from msgspec import Struct

from crossbook.common.instruments import Instrument
from crossbook.common.messages.commands import Instructions
from crossbook.common.messages.entry import New
from crossbook.common.messages.events import OrderAccepted
from crossbook.common.messages.history_queries import OrderRecord
from crossbook.common.types import OrderStatus, Side

NO_ORDER: Final = -1
"""The id of an order that was refused, and has none."""

_PLAIN = Instructions()
_BUY = int(Side.BUY)
_NEW = int(OrderStatus.NEW)
_PARTIALLY_FILLED = int(OrderStatus.PARTIALLY_FILLED)


class ReportedOrder(Struct, gc=False):
    """The terms of an order and how far it got.

    `filled_units` is what it has traded, in units of the quote asset, `prevented_lots` what
    self-trade prevention took. `working_ns` is zero while it waits for its trigger. Changes up to
    `seen_seq` are in it already. `held_units` is what the owner has counted as held by it.
    """

    instrument: Instrument
    order_id: int
    client_order_id: str
    side: int
    order_type: int
    time_in_force: int
    price_ticks: int
    quantity_lots: int
    quote_amount: int
    trigger_ticks: int
    display_lots: int
    post_only: bool
    prevention: int
    created_ns: int
    working_ns: int
    seen_seq: int
    filled_lots: int = 0
    filled_units: int = 0
    prevented_lots: int = 0
    held_units: int = 0

    @property
    def status(self) -> int:
        """Its status while it is open."""
        return _PARTIALLY_FILLED if self.filled_lots else _NEW

    @property
    def hold_unit(self) -> int:
        """What each open lot holds: base of a seller; quote of a buyer, at its limit or trigger.
        The matching engine's rule: `crossbook.matcher.engine.funds`."""
        if self.quote_amount:
            return 0
        if self.side != _BUY:
            return self.instrument.base_units_per_lot
        return (self.price_ticks or self.trigger_ticks) * self.instrument.notional_per_tick_lot

    @property
    def is_opaque(self) -> bool:
        """Whether no event has what it holds while it is open: a market order of a buyer, which
        waits for the end of a call phase, holds money by a price of the past."""
        is_priced = self.price_ticks or self.trigger_ticks or self.quote_amount
        return self.side == _BUY and not is_priced


def accepted(event: OrderAccepted, instrument: Instrument, time_ns: int) -> ReportedOrder:
    """An order that was entered at this time."""
    terms = event.instructions or _PLAIN
    return ReportedOrder(
        instrument,
        event.seq,
        event.client_order_id,
        event.side,
        event.order_type,
        event.time_in_force,
        event.price_ticks,
        event.quantity_lots,
        event.quote_amount,
        terms.trigger_ticks,
        terms.display_lots,
        terms.post_only,
        event.prevention,
        time_ns,
        0 if terms.trigger_ticks else time_ns,
        event.seq - 1,
    )


def refused(order: New, instrument: Instrument, time_ns: int) -> ReportedOrder:
    """An order that was refused at this time, and has no id."""
    return ReportedOrder(
        instrument,
        NO_ORDER,
        order.client_order_id,
        order.side,
        order.order_type,
        order.time_in_force,
        int(order.price),
        int(order.quantity),
        int(order.quote_amount),
        int(order.stop_price),
        int(order.display_quantity),
        order.post_only,
        order.prevention,
        time_ns,
        0,
        0,
    )


def recorded(record: OrderRecord, instrument: Instrument) -> ReportedOrder:
    """An open order of the record."""
    working_ns = record.updated_ns if record.trigger_ticks else record.created_ns
    return ReportedOrder(
        instrument,
        record.order_id,
        record.client_order_id,
        record.side,
        record.order_type,
        record.time_in_force,
        record.price_ticks,
        record.quantity_lots,
        record.quote_amount,
        record.trigger_ticks,
        record.display_lots,
        bool(record.post_only),
        record.prevention,
        record.created_ns,
        working_ns if record.working else 0,
        record.updated_seq,
        record.filled_lots,
        record.filled_notional,
    )
