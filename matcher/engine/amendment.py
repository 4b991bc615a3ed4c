"""Changing an open order: what is allowed, and what becomes of its priority.

Less quantity at the same price keeps the place, anything else loses it and enters the
order again. All is checked before anything changes, so a refused amend leaves the order where it
was.
"""

from typing import Final

from crossbook.common.messages.commands import AmendOrder
from crossbook.common.messages.events import Event
from crossbook.common.types import InstrumentState, OrderStatus, RejectReason, Side, TimeInForce
from crossbook.matcher.engine.answers import (
    Fault,
    amended,
    canceled,
    rejected,
    unknown_order,
)
from crossbook.matcher.engine.book import OrderBook
from crossbook.matcher.engine.conditions import Waits
from crossbook.matcher.engine.election import elect
from crossbook.matcher.engine.matching import enter_limit
from crossbook.matcher.engine.order import Order
from crossbook.matcher.engine.terms import (
    display_fault,
    lots_fault,
    room_fault,
    terms_fault,
    trigger_fault,
)
from crossbook.matcher.engine.venue import Venue

_BUY: Final = int(Side.BUY)
_GTC: Final = int(TimeInForce.GTC)
_OPEN: Final = int(InstrumentState.OPEN)
_AUCTION: Final = int(InstrumentState.AUCTION)
_CLOSED: Final = (int(InstrumentState.HALTED), int(InstrumentState.CANCEL_ONLY))
_CANCELED: Final = int(OrderStatus.CANCELED)


def amend_order(venue: Venue, command: AmendOrder, seq: int) -> list[Event]:
    """Give an open order new terms, or refuse them."""
    order = venue.find(command)
    if order is None:
        return [rejected(command, seq, unknown_order(command))]
    book = venue.books[order.instrument]
    if order.conditions is None and not order.hold_unit and book.state == _OPEN:
        return _amend_plain(book, order, command, seq)
    return _amend(book, order, command, seq)


def _amend_plain(book: OrderBook, order: Order, command: AmendOrder, seq: int) -> list[Event]:
    """`_amend` for a plain limit order that holds no money, in an open instrument: the same rules
    with fewer checks."""
    price_ticks = command.price_ticks or order.price_ticks
    total_lots = command.quantity_lots or order.quantity_lots
    if command.trigger_ticks or not (command.price_ticks or command.quantity_lots):
        fault = _fault(command, book, order, price_ticks, total_lots, 0)
    else:
        fault = terms_fault(book, price_ticks, total_lots)
    if fault is None and price_ticks != order.price_ticks:
        fault = room_fault(book, order.side, price_ticks)
    if fault is not None:
        return [rejected(command, seq, fault)]
    filled_lots = order.quantity_lots - order.remaining_lots
    if total_lots <= filled_lots:
        book.end(order, _CANCELED)
        return [canceled(order, seq, command.gateway, command.request_seq, True)]
    queue = order.queue
    assert queue is not None, "an open order is not resting"
    keeps = price_ticks == order.price_ticks and total_lots <= order.quantity_lots
    if not keeps:
        queue.remove(order)
        order.arrival = seq
    order.price_ticks = price_ticks
    order.quantity_lots = total_lots
    order.remaining_lots = total_lots - filled_lots
    events: list[Event] = [amended(order, seq, command, keeps)]
    if not keeps:
        enter_limit(book, order, _GTC, seq, events)
        if book.triggers is not None:
            elect(book, seq, events)
    return events


def _amend(book: OrderBook, order: Order, command: AmendOrder, seq: int) -> list[Event]:
    """Give an open order new terms; zero in the command leaves a term as it is."""
    conditions = order.conditions
    price_ticks = command.price_ticks or order.price_ticks
    total_lots = command.quantity_lots or order.quantity_lots
    waits = conditions.waits if conditions is not None else 0
    trigger_ticks = 0
    if conditions is not None and waits == Waits.TRIGGER:
        trigger_ticks = command.trigger_ticks or conditions.trigger_ticks
    fault = _fault(command, book, order, price_ticks, total_lots, trigger_ticks)
    filled_lots = order.quantity_lots - order.remaining_lots
    if fault is None and total_lots > filled_lots:
        fault = _late_fault(book, order, price_ticks, total_lots, trigger_ticks)
    if fault is not None:
        return [rejected(command, seq, fault)]
    if total_lots <= filled_lots:
        resting = book.end(order, _CANCELED)
        return [canceled(order, seq, command.gateway, command.request_seq, resting)]
    keeps = (
        price_ticks == order.price_ticks
        and total_lots <= order.quantity_lots
        and (not trigger_ticks or conditions is None or trigger_ticks == conditions.trigger_ticks)
    )
    if order.hold_unit and book.ledger is not None:
        book.ledger.hold(order, book.instrument, -order.remaining_lots)
        order.hold_unit = _new_hold_unit(book, order, price_ticks, trigger_ticks)
        book.ledger.hold(order, book.instrument, total_lots - filled_lots)
    if keeps:
        _reduce(order, total_lots)
    else:
        _leave(book, order, waits)
        order.price_ticks = price_ticks
        order.quantity_lots = total_lots
        order.remaining_lots = total_lots - filled_lots
        order.arrival = seq
        if conditions is not None:
            conditions.trigger_ticks = trigger_ticks or conditions.trigger_ticks
            conditions.shown_lots = min(conditions.display_lots, order.remaining_lots)
    events: list[Event] = [amended(order, seq, command, keeps)]
    if not keeps:
        _return(book, order, waits, seq, events)
    return events


def _fault(
    command: AmendOrder,
    book: OrderBook,
    order: Order,
    price_ticks: int,
    total_lots: int,
    trigger_ticks: int,
) -> Fault | None:
    """Why an order may not have these terms, or None."""
    if not command.price_ticks and not command.quantity_lots and not command.trigger_ticks:
        return (RejectReason.MALFORMED, "quantity")
    if book.state in _CLOSED:
        return (RejectReason.MARKET_HALTED, "instrument")
    conditions = order.conditions
    if command.trigger_ticks and not trigger_ticks:
        return (RejectReason.UNSUPPORTED_COMBINATION, "stop_price")
    if not order.price_ticks:
        if command.price_ticks:
            return (RejectReason.UNSUPPORTED_COMBINATION, "price")
        fault = lots_fault(book.instrument, total_lots)
    else:
        fault = terms_fault(book, price_ticks, total_lots)
    if fault is None and conditions is not None and command.trigger_ticks:
        fault = trigger_fault(book, order.side, conditions.order_type, trigger_ticks)
    if fault is None and conditions is not None and conditions.display_lots:
        slices_of = max(total_lots, conditions.display_lots)
        fault = display_fault(book, conditions.display_lots, slices_of)
    return fault


def _late_fault(
    book: OrderBook,
    order: Order,
    price_ticks: int,
    total_lots: int,
    trigger_ticks: int,
) -> Fault | None:
    """Why an order that stays open may not have these terms: it would trade, or lacks money."""
    conditions = order.conditions
    only_rests = book.state != _OPEN or (conditions is not None and conditions.post_only)
    if (
        only_rests
        and not trigger_ticks
        and price_ticks != order.price_ticks
        and book.state != _AUCTION
        and book.crosses(order.side, price_ticks)
    ):
        return (RejectReason.POST_ONLY_WOULD_TAKE, "price")
    fault = _level_fault(book, order, price_ticks)
    if fault is not None:
        return fault
    if not order.hold_unit or book.ledger is None:
        return None
    remaining_lots = total_lots - (order.quantity_lots - order.remaining_lots)
    need = remaining_lots * _new_hold_unit(book, order, price_ticks, trigger_ticks)
    more = need - order.remaining_lots * order.hold_unit
    asset = book.instrument.quote if order.side == _BUY else book.instrument.base
    field = "price" if total_lots <= order.quantity_lots else "quantity"
    return book.ledger.shortage(order.account, asset, more, field) if more > 0 else None


def _level_fault(book: OrderBook, order: Order, price_ticks: int) -> Fault | None:
    """Why a resting order may not move to this price, or None."""
    if order.queue is None or price_ticks == order.price_ticks:
        return None
    return room_fault(book, order.side, price_ticks)


def _new_hold_unit(book: OrderBook, order: Order, price_ticks: int, trigger_ticks: int) -> int:
    """The amount each lot holds at these terms: quote of a buyer, base of a seller."""
    if order.side != _BUY or not (price_ticks or trigger_ticks):
        return order.hold_unit
    return (price_ticks or trigger_ticks) * book.notional_per_tick_lot


def _reduce(order: Order, total_lots: int) -> None:
    """Fewer lots in the same place; of an iceberg the hidden ones go first."""
    less = order.quantity_lots - total_lots
    order.quantity_lots = total_lots
    order.remaining_lots -= less
    conditions = order.conditions
    if conditions is not None and conditions.display_lots:
        conditions.shown_lots = min(conditions.shown_lots, order.remaining_lots)


def _leave(book: OrderBook, order: Order, waits: int) -> None:
    """Remove the order from its place, before it enters again."""
    if waits == Waits.TRIGGER:
        assert book.triggers is not None, "nothing ever waited here"
        book.triggers.remove(order)
    elif waits == Waits.UNCROSS:
        del book.uncrossing[order.order_id]
    else:
        assert order.queue is not None, "an open order is not resting"
        order.queue.remove(order)


def _return(book: OrderBook, order: Order, waits: int, seq: int, events: list[Event]) -> None:
    """Enter the order again, as a waiting or as an incoming one."""
    if waits == Waits.TRIGGER:
        book.wait(order)
    elif waits == Waits.UNCROSS:
        book.uncrossing[order.order_id] = order
    else:
        enter_limit(book, order, _GTC, seq, events)
        if book.triggers is not None:
            elect(book, seq, events)
