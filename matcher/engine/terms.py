"""What an order may say: every reason to refuse its terms, before anything changes."""

from typing import Final

from crossbook.common.instruments import MAX_NOTIONAL, Instrument
from crossbook.common.messages.commands import NewOrder
from crossbook.common.types import OrderType, Prevention, RejectReason, Side, TimeInForce
from crossbook.matcher.engine.answers import Fault as Fault
from crossbook.matcher.engine.book import OrderBook

SIDES: Final[tuple[int, ...]] = (int(Side.BUY), int(Side.SELL))
MODES: Final[tuple[int, ...]] = tuple(int(mode) for mode in Prevention)
"""Of self-trade prevention."""

_MARKET: Final = int(OrderType.MARKET)
_FOK: Final = int(TimeInForce.FOK)
PLAIN_TIMES: Final[tuple[int, ...]] = (int(TimeInForce.GTC), int(TimeInForce.IOC), _FOK)
"""Times in force of orders without instructions."""

_DECREMENT: Final = int(Prevention.DECREMENT)


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


def market_fault(command: NewOrder, book: OrderBook) -> Fault | None:
    """Why a market order must be refused, or None."""
    if command.side not in SIDES:
        return (RejectReason.UNSUPPORTED_COMBINATION, "side")
    if command.order_type != _MARKET:
        return (RejectReason.UNSUPPORTED_COMBINATION, "order_type")
    if command.time_in_force not in PLAIN_TIMES:
        return (RejectReason.UNSUPPORTED_COMBINATION, "time_in_force")
    if command.price_ticks:
        return (RejectReason.UNSUPPORTED_COMBINATION, "price")
    if command.time_in_force == _FOK:
        return (RejectReason.UNSUPPORTED_COMBINATION, "time_in_force")
    lots = command.quantity_lots
    quote_amount = command.quote_amount
    if bool(lots) == bool(quote_amount):
        return (RejectReason.UNSUPPORTED_COMBINATION, "quantity")
    if not 0 <= command.prevention <= (_DECREMENT - 1 if quote_amount else _DECREMENT):
        return (RejectReason.UNSUPPORTED_COMBINATION, "self_trade_prevention")
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
