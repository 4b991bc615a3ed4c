"""The reason that the obvious matcher refuses an order, check after check in the order of the
rules."""

from crossbook.common.instruments import MAX_NOTIONAL, Instrument
from crossbook.common.messages.commands import Instructions, NewOrder
from crossbook.common.types import InstrumentState, OrderType, RejectReason, Side, TimeInForce
from tests.model.orders import ModelOrder, Refusal

UNSUPPORTED = RejectReason.UNSUPPORTED_COMBINATION
SLICES = 100
LIMIT_KINDS = (OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT)
IMMEDIATE = (TimeInForce.IOC, TimeInForce.FOK)
CLOSED = (InstrumentState.HALTED, InstrumentState.CANCEL_ONLY)


def of_lots(instrument: Instrument, lots: int) -> Refusal | None:
    """The refusal of a quantity out of range."""
    if lots > instrument.max_quantity_lots:
        return RejectReason.EXCEEDS_LIMIT, "quantity"
    if lots < instrument.min_quantity_lots:
        return RejectReason.BAD_LOT, "quantity"
    return None


def of_price(instrument: Instrument, ticks: int, field: str) -> Refusal | None:
    """The refusal of a price out of range."""
    if ticks < instrument.min_price_ticks:
        return RejectReason.BAD_TICK, field
    if ticks > instrument.max_price_ticks:
        return RejectReason.EXCEEDS_LIMIT, field
    return None


def of_terms(instrument: Instrument, price_ticks: int, lots: int) -> Refusal | None:
    """The refusal of a limit order with these terms."""
    refusal = of_lots(instrument, lots) or of_price(instrument, price_ticks, "price")
    if refusal:
        return refusal
    notional = price_ticks * lots * instrument.notional_per_tick_lot
    if notional < instrument.min_notional:
        return RejectReason.MIN_NOTIONAL, "quantity"
    if notional > instrument.max_notional:
        return RejectReason.EXCEEDS_LIMIT, "quantity"
    return None


def of_quote_amount(instrument: Instrument, quote_amount: int) -> Refusal | None:
    """The refusal of a market order by quote amount."""
    if not 1 <= quote_amount <= min(MAX_NOTIONAL, instrument.max_notional):
        return RejectReason.EXCEEDS_LIMIT, "quote_amount"
    if quote_amount < instrument.min_notional:
        return RejectReason.MIN_NOTIONAL, "quote_amount"
    return None


def of_display(instrument: Instrument, display_lots: int, total_lots: int) -> Refusal | None:
    """The refusal of an iceberg that shows too little or too much."""
    if display_lots < instrument.min_quantity_lots:
        return RejectReason.BAD_LOT, "display_quantity"
    if display_lots > total_lots or -(-total_lots // display_lots) > SLICES:
        return RejectReason.EXCEEDS_LIMIT, "display_quantity"
    return None


def of_kind(command: NewOrder, instrument: Instrument, last: int) -> Refusal | None:
    """The refusal of the terms of an order alone, whatever the state of the market."""
    terms = command.instructions or Instructions()
    is_special = command.instructions is not None
    kind, tif = command.order_type, command.time_in_force
    if command.side not in (Side.BUY, Side.SELL):
        return UNSUPPORTED, "side"
    if kind not in list(OrderType) or (kind > OrderType.MARKET and not is_special):
        return UNSUPPORTED, "order_type"
    if tif not in list(TimeInForce) or (tif > TimeInForce.FOK and not is_special):
        return UNSUPPORTED, "time_in_force"
    if kind == OrderType.MARKET:
        if tif in (TimeInForce.GTD, TimeInForce.DAY):
            return UNSUPPORTED, "time_in_force"
        refusal = _of_market(command, instrument)
        if refusal is None and terms.trigger_ticks:
            refusal = (UNSUPPORTED, "stop_price")
        return refusal
    if command.quote_amount:
        return UNSUPPORTED, "quote_amount"
    if command.prevention not in range(5):
        return UNSUPPORTED, "self_trade_prevention"
    if kind in LIMIT_KINDS:
        refusal = of_terms(instrument, command.price_ticks, command.quantity_lots)
    elif command.price_ticks:
        refusal = (UNSUPPORTED, "price")
    elif tif in IMMEDIATE:
        refusal = (UNSUPPORTED, "time_in_force")
    else:
        refusal = of_lots(instrument, command.quantity_lots)
    if refusal:
        return refusal
    if kind == OrderType.LIMIT:
        return (UNSUPPORTED, "stop_price") if terms.trigger_ticks else None
    return of_trigger(instrument, command.side, kind, terms.trigger_ticks, last)


def of_trigger(
    instrument: Instrument, side: int, kind: int, trigger: int, last: int
) -> Refusal | None:
    """The refusal of a trigger that is out of range, or met already."""
    refusal = of_price(instrument, trigger, "stop_price")
    if refusal:
        return refusal
    waiting = ModelOrder(
        order_id=0, account=0, instrument=0, side=side, price_ticks=0, total_lots=0, filled_lots=0,
        client_order_id="", kind=kind, trigger_ticks=trigger,
    )  # fmt: skip
    if waiting.is_met(last):
        return RejectReason.STOP_WOULD_TRIGGER, "stop_price"
    return None


def _of_market(command: NewOrder, instrument: Instrument) -> Refusal | None:
    if command.price_ticks != 0:
        return UNSUPPORTED, "price"
    if command.time_in_force == TimeInForce.FOK:
        return UNSUPPORTED, "time_in_force"
    if (command.quantity_lots != 0) == (command.quote_amount != 0):
        return UNSUPPORTED, "quantity"
    if command.prevention not in (range(4) if command.quote_amount else range(5)):
        return UNSUPPORTED, "self_trade_prevention"
    if command.quote_amount:
        return of_quote_amount(instrument, command.quote_amount)
    return of_lots(instrument, command.quantity_lots)


def of_time_and_display(command: NewOrder, instrument: Instrument, time_ns: int) -> Refusal | None:
    """The refusal of an expiry that is past or missing, and of slices that do not fit."""
    terms = command.instructions or Instructions()
    if command.time_in_force == TimeInForce.GTD:
        if terms.expire_ns == 0:
            return UNSUPPORTED, "expire_time"
        if terms.expire_ns <= time_ns:
            return RejectReason.TOO_LATE, "expire_time"
    elif terms.expire_ns:
        return UNSUPPORTED, "expire_time"
    if terms.display_lots:
        if command.order_type not in LIMIT_KINDS or command.time_in_force in IMMEDIATE:
            return UNSUPPORTED, "display_quantity"
        return of_display(instrument, terms.display_lots, command.quantity_lots)
    return None


def of_state(command: NewOrder, state: int, would_take: bool) -> Refusal | None:
    """The refusal of an order that the instrument's state does not accept, and of a post-only order
    that would take."""
    terms = command.instructions or Instructions()
    plain_limit = command.order_type == OrderType.LIMIT
    immediate = command.time_in_force in IMMEDIATE
    if terms.post_only and (not plain_limit or immediate):
        return UNSUPPORTED, "post_only"
    if terms.trigger_ticks:
        return None
    if state == InstrumentState.AUCTION:
        if terms.post_only:
            return UNSUPPORTED, "post_only"
        if immediate:
            return UNSUPPORTED, "time_in_force"
        if command.quote_amount:
            return UNSUPPORTED, "quote_amount"
        return None
    if state == InstrumentState.POST_ONLY and (not plain_limit or immediate):
        return RejectReason.MARKET_HALTED, "instrument"
    if (terms.post_only or state == InstrumentState.POST_ONLY) and would_take:
        return RejectReason.POST_ONLY_WOULD_TAKE, "price"
    return None
