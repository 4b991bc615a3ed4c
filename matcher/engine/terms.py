"""The terms of an order: every reason to refuse them, before anything changes.

`terms_fault` is all that a plain limit order in an open instrument needs. `conditions_of` checks
any order in any state of its instrument: one that waits for a trigger, shows a slice, expires at a
time, or may only rest.
"""

from typing import Final

from crossbook.common.instruments import MAX_NOTIONAL, Instrument
from crossbook.common.messages.commands import Instructions, NewOrder
from crossbook.common.rules import ICEBERG_SLICES_MAX
from crossbook.common.types import (
    InstrumentState,
    OrderType,
    Prevention,
    RejectReason,
    Side,
    TimeInForce,
)
from crossbook.matcher.engine.answers import Fault
from crossbook.matcher.engine.book import OrderBook
from crossbook.matcher.engine.conditions import OrderConditions, Waits
from crossbook.matcher.engine.timers import end_of_day
from crossbook.matcher.engine.triggers import is_met

_BUY: Final = int(Side.BUY)

SIDES: Final[tuple[int, ...]] = (int(Side.BUY), int(Side.SELL))
MODES: Final[tuple[int, ...]] = tuple(int(mode) for mode in Prevention)
"""Of self-trade prevention."""

_LIMIT: Final = int(OrderType.LIMIT)
_MARKET: Final = int(OrderType.MARKET)
_LIMITS: Final = (
    int(OrderType.LIMIT), int(OrderType.STOP_LIMIT), int(OrderType.TAKE_PROFIT_LIMIT),
)  # fmt: skip
_FOK: Final = int(TimeInForce.FOK)
_IMMEDIATE: Final = (int(TimeInForce.IOC), _FOK)
_GTD: Final = int(TimeInForce.GTD)
_DAY: Final = int(TimeInForce.DAY)
_DECREMENT: Final = int(Prevention.DECREMENT)
_POST_ONLY: Final = int(InstrumentState.POST_ONLY)
_AUCTION: Final = int(InstrumentState.AUCTION)
_CLOSED: Final = (int(InstrumentState.HALTED), int(InstrumentState.CANCEL_ONLY))
_UNSUPPORTED: Final = RejectReason.UNSUPPORTED_COMBINATION
_NOTHING: Final = Instructions()

PLAIN_TIMES: Final[tuple[int, ...]] = (int(TimeInForce.GTC), *_IMMEDIATE)
"""Times in force of orders without instructions."""


def terms_fault(book: OrderBook, price_ticks: int, lots: int) -> Fault | None:
    """Why a limit order may not have this price and total quantity, or None."""
    if lots < book.min_lots:
        return (RejectReason.BAD_LOT, "quantity")
    if lots > book.max_lots:
        return (RejectReason.EXCEEDS_LIMIT, "quantity")
    if price_ticks < book.min_ticks:
        return (RejectReason.BAD_TICK, "price")
    if price_ticks > book.max_ticks:
        return (RejectReason.EXCEEDS_LIMIT, "price")
    tick_lots = price_ticks * lots
    if tick_lots < book.min_tick_lots:
        return (RejectReason.MIN_NOTIONAL, "quantity")
    if tick_lots > book.max_tick_lots:
        return (RejectReason.EXCEEDS_LIMIT, "quantity")
    return None


def room_fault(book: OrderBook, side: int, price_ticks: int) -> Fault | None:
    """Why no order may join the others at this price, or None. O(1)."""
    own = book.bids if side == _BUY else book.asks
    if own.count_at(price_ticks) >= book.max_level_orders:
        return (RejectReason.LEVEL_FULL, "price")
    return None


def market_fault(command: NewOrder, book: OrderBook) -> Fault | None:
    """Why a market order must be refused, or None."""
    if command.side not in SIDES:
        return (_UNSUPPORTED, "side")
    if command.order_type != _MARKET:
        return (_UNSUPPORTED, "order_type")
    if command.time_in_force not in PLAIN_TIMES:
        return (_UNSUPPORTED, "time_in_force")
    if command.price_ticks:
        return (_UNSUPPORTED, "price")
    if command.time_in_force == _FOK:
        return (_UNSUPPORTED, "time_in_force")
    lots = command.quantity_lots
    quote_amount = command.quote_amount
    if bool(lots) == bool(quote_amount):
        return (_UNSUPPORTED, "quantity")
    if not 0 <= command.prevention <= (_DECREMENT - 1 if quote_amount else _DECREMENT):
        return (_UNSUPPORTED, "self_trade_prevention")
    instrument = book.instrument
    if quote_amount:
        if not 0 < quote_amount <= min(MAX_NOTIONAL, instrument.max_notional):
            return (RejectReason.EXCEEDS_LIMIT, "quote_amount")
        if quote_amount < instrument.min_notional:
            return (RejectReason.MIN_NOTIONAL, "quote_amount")
        return None
    return lots_fault(instrument, lots)


def lots_fault(instrument: Instrument, lots: int) -> Fault | None:
    """Why an order without a price may not have this total quantity, or None."""
    if lots < instrument.min_quantity_lots:
        return (RejectReason.BAD_LOT, "quantity")
    if lots > instrument.max_quantity_lots:
        return (RejectReason.EXCEEDS_LIMIT, "quantity")
    return None


def conditions_of(
    command: NewOrder, book: OrderBook, time_ns: int
) -> tuple[Fault | None, OrderConditions | None]:
    """Why the order must be refused, or the conditions it has (None: it is plain)."""
    instructions = command.instructions or _NOTHING
    if book.state in _CLOSED:
        return (RejectReason.MARKET_HALTED, "instrument"), None
    fault = (
        _kind_fault(command, instructions, book)
        or _expiry_fault(command, instructions, time_ns)
        or _display_fault(command, instructions, book)
        or _state_fault(command, instructions, book)
    )
    if fault is not None:
        return fault, None
    expire_ns = instructions.expire_ns
    if command.time_in_force == _DAY:
        expire_ns = end_of_day(time_ns)
    waits = Waits.NOTHING
    if instructions.trigger_ticks:
        waits = Waits.TRIGGER
    elif command.order_type == _MARKET and book.state == _AUCTION:
        waits = Waits.UNCROSS
    if command.instructions is None and not expire_ns and not waits:
        return None, None
    conditions = OrderConditions(
        command.order_type,
        command.time_in_force,
        instructions.trigger_ticks,
        instructions.display_lots,
        0,
        expire_ns,
        instructions.post_only,
        waits,
    )
    return None, conditions


def as_accepted(command: NewOrder, conditions: OrderConditions) -> Instructions | None:
    """The instructions an accepted order has: those of a DAY order have its expiry."""
    if command.time_in_force != _DAY:
        return command.instructions
    return Instructions(
        conditions.trigger_ticks,
        conditions.display_lots,
        conditions.expire_ns,
        conditions.post_only,
    )


def display_fault(book: OrderBook, display_lots: int, total_lots: int) -> Fault | None:
    """Why an iceberg of so many lots may not show slices of this size, or None."""
    if display_lots < book.instrument.min_quantity_lots:
        return (RejectReason.BAD_LOT, "display_quantity")
    if display_lots > total_lots or display_lots * ICEBERG_SLICES_MAX < total_lots:
        return (RejectReason.EXCEEDS_LIMIT, "display_quantity")
    return None


def _kind_fault(command: NewOrder, instructions: Instructions, book: OrderBook) -> Fault | None:
    """Type, side, time in force, price, quantity, trigger."""
    if command.order_type == _MARKET:
        fault = market_fault(command, book)
        if fault is None and instructions.trigger_ticks:
            return (_UNSUPPORTED, "stop_price")
        return fault
    if command.side not in (int(Side.BUY), int(Side.SELL)):
        return (_UNSUPPORTED, "side")
    has_more = command.instructions is not None
    last_type = OrderType.TAKE_PROFIT_LIMIT if has_more else OrderType.MARKET
    if not _LIMIT <= command.order_type <= last_type:
        return (_UNSUPPORTED, "order_type")
    last_time = _DAY if has_more else TimeInForce.FOK
    if not TimeInForce.GTC <= command.time_in_force <= last_time:
        return (_UNSUPPORTED, "time_in_force")
    if command.quote_amount:
        return (_UNSUPPORTED, "quote_amount")
    if not 0 <= command.prevention <= Prevention.DECREMENT:
        return (_UNSUPPORTED, "self_trade_prevention")
    instrument = book.instrument
    if command.order_type in _LIMITS:
        fault = terms_fault(book, command.price_ticks, command.quantity_lots)
    elif command.price_ticks:
        return (_UNSUPPORTED, "price")
    elif command.time_in_force in _IMMEDIATE:
        # How long it waits; once elected it is immediate in any case.
        return (_UNSUPPORTED, "time_in_force")
    else:
        fault = lots_fault(instrument, command.quantity_lots)
    if fault is not None:
        return fault
    if command.order_type == _LIMIT:
        return (_UNSUPPORTED, "stop_price") if instructions.trigger_ticks else None
    return trigger_fault(book, command.side, command.order_type, instructions.trigger_ticks)


def trigger_fault(book: OrderBook, side: int, order_type: int, trigger_ticks: int) -> Fault | None:
    """Why an order may not wait for this price, or None."""
    if trigger_ticks < book.instrument.min_price_ticks:
        return (RejectReason.BAD_TICK, "stop_price")
    if trigger_ticks > book.instrument.max_price_ticks:
        return (RejectReason.EXCEEDS_LIMIT, "stop_price")
    if is_met(side, order_type, trigger_ticks, book.last_price_ticks):
        return (RejectReason.STOP_WOULD_TRIGGER, "stop_price")
    return None


def _expiry_fault(command: NewOrder, instructions: Instructions, time_ns: int) -> Fault | None:
    if command.time_in_force == _GTD:
        if not instructions.expire_ns:
            return (_UNSUPPORTED, "expire_time")
        return (RejectReason.TOO_LATE, "expire_time") if instructions.expire_ns <= time_ns else None
    return (_UNSUPPORTED, "expire_time") if instructions.expire_ns else None


def _display_fault(command: NewOrder, instructions: Instructions, book: OrderBook) -> Fault | None:
    if not instructions.display_lots:
        return None
    if command.order_type not in _LIMITS or command.time_in_force in _IMMEDIATE:
        return (_UNSUPPORTED, "display_quantity")
    return display_fault(book, instructions.display_lots, command.quantity_lots)


def _state_fault(command: NewOrder, instructions: Instructions, book: OrderBook) -> Fault | None:
    """Post-only orders, and what a post-only instrument and a call phase do not take."""
    is_limit = command.order_type == _LIMIT
    immediate = command.time_in_force in _IMMEDIATE
    if instructions.post_only and (not is_limit or immediate):
        return (_UNSUPPORTED, "post_only")
    if instructions.trigger_ticks:
        return None
    if book.state == _AUCTION:
        if instructions.post_only:
            return (_UNSUPPORTED, "post_only")
        if immediate:
            return (_UNSUPPORTED, "time_in_force")
        return (_UNSUPPORTED, "quote_amount") if command.quote_amount else None
    if book.state == _POST_ONLY and (not is_limit or immediate):
        return (RejectReason.MARKET_HALTED, "instrument")
    if (instructions.post_only or book.state == _POST_ONLY) and book.crosses(
        command.side, command.price_ticks
    ):
        return (RejectReason.POST_ONLY_WOULD_TAKE, "price")
    return None
