"""What an order may say: every reason to refuse its terms, before anything changes."""

from typing import Final

from common.commands import NewOrder
from common.instruments import MAX_NOTIONAL, Instrument
from common.types import OrderType, RejectReason, Side, TimeInForce
from matcher.book import OrderBook

_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)
_MARKET: Final = int(OrderType.MARKET)
_GTC: Final = int(TimeInForce.GTC)
_IOC: Final = int(TimeInForce.IOC)
_FOK: Final = int(TimeInForce.FOK)

Fault = tuple[RejectReason, str]
"""Why, and which field."""


def limit_fault(command: NewOrder, book: OrderBook) -> Fault | None:
    """Why a limit order must be refused, or None."""
    if command.side not in (_BUY, _SELL):
        return (RejectReason.UNSUPPORTED_COMBINATION, "side")
    if command.time_in_force not in (_GTC, _IOC, _FOK):
        return (RejectReason.UNSUPPORTED_COMBINATION, "time_in_force")
    if command.quote_amount:
        return (RejectReason.UNSUPPORTED_COMBINATION, "quote_amount")
    return terms_fault(
        book.instrument, book.notional_per_tick_lot, command.price_ticks, command.quantity_lots
    )


def terms_fault(
    instrument: Instrument, notional_per_tick_lot: int, price_ticks: int, lots: int
) -> Fault | None:
    """Why a limit order may not have this price and total quantity, or None."""
    if lots < instrument.min_quantity_lots:
        return (RejectReason.BAD_LOT, "quantity")
    if lots > instrument.max_quantity_lots:
        return (RejectReason.EXCEEDS_LIMIT, "quantity")
    if price_ticks < 1:
        return (RejectReason.BAD_TICK, "price")
    if price_ticks > instrument.max_price_ticks:
        return (RejectReason.EXCEEDS_LIMIT, "price")
    notional = price_ticks * lots * notional_per_tick_lot
    if notional < instrument.min_notional:
        return (RejectReason.MIN_NOTIONAL, "quantity")
    if notional > MAX_NOTIONAL:
        return (RejectReason.EXCEEDS_LIMIT, "quantity")
    return None


def market_fault(command: NewOrder, book: OrderBook) -> Fault | None:
    """Why a market order must be refused, or None."""
    if command.side not in (_BUY, _SELL):
        return (RejectReason.UNSUPPORTED_COMBINATION, "side")
    if command.order_type != _MARKET:
        return (RejectReason.UNSUPPORTED_COMBINATION, "order_type")
    if command.time_in_force not in (_GTC, _IOC, _FOK):
        return (RejectReason.UNSUPPORTED_COMBINATION, "time_in_force")
    if command.price_ticks:
        return (RejectReason.UNSUPPORTED_COMBINATION, "price")
    if command.time_in_force == _FOK:
        return (RejectReason.UNSUPPORTED_COMBINATION, "time_in_force")
    lots = command.quantity_lots
    quote_amount = command.quote_amount
    if bool(lots) == bool(quote_amount):
        return (RejectReason.UNSUPPORTED_COMBINATION, "quantity")
    instrument = book.instrument
    if quote_amount:
        if not 0 < quote_amount <= MAX_NOTIONAL:
            return (RejectReason.EXCEEDS_LIMIT, "quote_amount")
        if quote_amount < instrument.min_notional:
            return (RejectReason.MIN_NOTIONAL, "quote_amount")
        return None
    if lots < instrument.min_quantity_lots:
        return (RejectReason.BAD_LOT, "quantity")
    if lots > instrument.max_quantity_lots:
        return (RejectReason.EXCEEDS_LIMIT, "quantity")
    return None
