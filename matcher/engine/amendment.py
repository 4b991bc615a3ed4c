"""Changing an open order: what is allowed, and what becomes of its priority.

Less quantity at the same price keeps the place, anything else loses it and lets the order come in
again. All is checked before anything changes, so a refused amend leaves the order where it was.
"""

from typing import TYPE_CHECKING, Final

from crossbook.common.messages.commands import AmendOrder
from crossbook.common.messages.events import Event
from crossbook.common.types import InstrumentState, OrderStatus, RejectReason, Side, TimeInForce
from crossbook.matcher.engine.answers import Fault, amended, canceled, rejected
from crossbook.matcher.engine.book import OrderBook
from crossbook.matcher.engine.election import elect
from crossbook.matcher.engine.order import Order
from crossbook.matcher.engine.special import Waits
from crossbook.matcher.engine.special_terms import display_fault, trigger_fault
from crossbook.matcher.engine.terms import lots_fault, terms_fault

if TYPE_CHECKING:
    from crossbook.matcher.engine.engine import Engine

_BUY: Final = int(Side.BUY)
_GTC: Final = int(TimeInForce.GTC)
_OPEN: Final = int(InstrumentState.OPEN)
_AUCTION: Final = int(InstrumentState.AUCTION)
_CLOSED: Final = (int(InstrumentState.HALTED), int(InstrumentState.CANCEL_ONLY))
_CANCELED: Final = int(OrderStatus.CANCELED)


def amend_plain(
    engine: "Engine", order: Order, book: OrderBook, command: AmendOrder, seq: int
) -> list[Event]:
    """`amend` for a plain limit order without money in an open instrument: the same rules with
    less to look at."""
    price_ticks = command.price_ticks or order.price_ticks
    total_lots = command.quantity_lots or order.quantity_lots
    if command.trigger_ticks or not (command.price_ticks or command.quantity_lots):
        fault = _fault(command, order, book, price_ticks, total_lots, 0)
    else:
        fault = terms_fault(book, price_ticks, total_lots)
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
        engine.enter_limit(order, book, _GTC, seq, events)
        if book.triggers is not None:
            elect(engine, book, seq, events)
    return events


def amend(
    engine: "Engine", order: Order, book: OrderBook, command: AmendOrder, seq: int
) -> list[Event]:
    """Give an open order new terms; zero in the command leaves a term as it is."""
    special = order.special
    price_ticks = command.price_ticks or order.price_ticks
    total_lots = command.quantity_lots or order.quantity_lots
    waits = special.waits if special is not None else 0
    trigger_ticks = 0
    if special is not None and waits == Waits.TRIGGER:
        trigger_ticks = command.trigger_ticks or special.trigger_ticks
    fault = _fault(command, order, book, price_ticks, total_lots, trigger_ticks)
    filled_lots = order.quantity_lots - order.remaining_lots
    if fault is None and total_lots > filled_lots:
        fault = _late_fault(engine, order, book, price_ticks, total_lots, trigger_ticks)
    if fault is not None:
        return [rejected(command, seq, fault)]
    if total_lots <= filled_lots:
        resting = book.end(order, _CANCELED)
        return [canceled(order, seq, command.gateway, command.request_seq, resting)]
    keeps = (
        price_ticks == order.price_ticks
        and total_lots <= order.quantity_lots
        and (not trigger_ticks or special is None or trigger_ticks == special.trigger_ticks)
    )
    if order.hold_unit and engine.ledger is not None:
        engine.ledger.hold(order, book, -order.remaining_lots)
        order.hold_unit = _new_hold_unit(order, book, price_ticks, trigger_ticks)
        engine.ledger.hold(order, book, total_lots - filled_lots)
    if keeps:
        _reduce(order, total_lots)
    else:
        _leave(order, book, waits)
        order.price_ticks = price_ticks
        order.quantity_lots = total_lots
        order.remaining_lots = total_lots - filled_lots
        order.arrival = seq
        if special is not None:
            special.trigger_ticks = trigger_ticks or special.trigger_ticks
            special.shown_lots = min(special.display_lots, order.remaining_lots)
    events: list[Event] = [amended(order, seq, command, keeps)]
    if not keeps:
        _return(engine, order, book, waits, seq, events)
    return events


def _fault(
    command: AmendOrder,
    order: Order,
    book: OrderBook,
    price_ticks: int,
    total_lots: int,
    trigger_ticks: int,
) -> Fault | None:
    """Why an order may not have these terms, or None."""
    if not command.price_ticks and not command.quantity_lots and not command.trigger_ticks:
        return (RejectReason.MALFORMED, "quantity")
    if book.state in _CLOSED:
        return (RejectReason.MARKET_HALTED, "instrument")
    special = order.special
    if command.trigger_ticks and not trigger_ticks:
        return (RejectReason.UNSUPPORTED_COMBINATION, "stop_price")
    if not order.price_ticks:
        if command.price_ticks:
            return (RejectReason.UNSUPPORTED_COMBINATION, "price")
        fault = lots_fault(book.instrument, total_lots)
    else:
        fault = terms_fault(book, price_ticks, total_lots)
    if fault is None and special is not None and command.trigger_ticks:
        fault = trigger_fault(book, order.side, special.order_type, trigger_ticks)
    if fault is None and special is not None and special.display_lots:
        slices_of = max(total_lots, special.display_lots)
        fault = display_fault(book, special.display_lots, slices_of)
    return fault


def _late_fault(
    engine: "Engine",
    order: Order,
    book: OrderBook,
    price_ticks: int,
    total_lots: int,
    trigger_ticks: int,
) -> Fault | None:
    """Why an order that stays open may not have these terms: it would take, or lacks money."""
    special = order.special
    only_rests = book.state != _OPEN or (special is not None and special.post_only)
    if (
        only_rests
        and not trigger_ticks
        and price_ticks != order.price_ticks
        and book.state != _AUCTION
        and book.crosses(order.side, price_ticks)
    ):
        return (RejectReason.POST_ONLY_WOULD_TAKE, "price")
    if not order.hold_unit or engine.ledger is None:
        return None
    remaining_lots = total_lots - (order.quantity_lots - order.remaining_lots)
    need = remaining_lots * _new_hold_unit(order, book, price_ticks, trigger_ticks)
    more = need - order.remaining_lots * order.hold_unit
    asset = book.instrument.quote if order.side == _BUY else book.instrument.base
    field = "price" if total_lots <= order.quantity_lots else "quantity"
    return engine.ledger.shortage(order.account, asset, more, field) if more > 0 else None


def _new_hold_unit(order: Order, book: OrderBook, price_ticks: int, trigger_ticks: int) -> int:
    """What each lot holds at these terms: quote of a buyer, base of a seller."""
    if order.side != _BUY or not (price_ticks or trigger_ticks):
        return order.hold_unit
    return (price_ticks or trigger_ticks) * book.notional_per_tick_lot


def _reduce(order: Order, total_lots: int) -> None:
    """Fewer lots in the same place; of an iceberg the hidden ones go first."""
    less = order.quantity_lots - total_lots
    order.quantity_lots = total_lots
    order.remaining_lots -= less
    special = order.special
    if special is not None and special.display_lots:
        special.shown_lots = min(special.shown_lots, order.remaining_lots)


def _leave(order: Order, book: OrderBook, waits: int) -> None:
    """Out of its place, to come in again."""
    if waits == Waits.TRIGGER:
        assert book.triggers is not None, "nothing ever waited here"
        book.triggers.remove(order)
    elif waits == Waits.UNCROSS:
        del book.uncrossing[order.order_id]
    else:
        assert order.queue is not None, "an open order is not resting"
        order.queue.remove(order)


def _return(
    engine: "Engine", order: Order, book: OrderBook, waits: int, seq: int, events: list[Event]
) -> None:
    """Come in again, as a waiting or as an incoming order."""
    if waits == Waits.TRIGGER:
        book.wait(order)
    elif waits == Waits.UNCROSS:
        book.uncrossing[order.order_id] = order
    else:
        engine.enter_limit(order, book, _GTC, seq, events)
        if book.triggers is not None:
            elect(engine, book, seq, events)
