"""What an order may say: every reason to refuse its terms, before anything changes."""

from typing import Final

from common.commands import NewOrder
from common.instruments import MAX_NOTIONAL, Instrument
from common.types import OrderType, RejectReason, SelfTrade, Side, TimeInForce
from matcher.answers import Fault as Fault
from matcher.book import OrderBook

_SIDES: Final = (int(Side.BUY), int(Side.SELL))
_MARKET: Final = int(OrderType.MARKET)
_FOK: Final = int(TimeInForce.FOK)
_PLAIN_TIMES: Final = (int(TimeInForce.GTC), int(TimeInForce.IOC), _FOK)
_MODES: Final = tuple(int(mode) for mode in SelfTrade)
_DECREMENT: Final = int(SelfTrade.DECREMENT)


def limit_fault(command: NewOrder, book: OrderBook) -> Fault | None:
    """Why a plain limit order must be refused, or None."""
    if command.side not in _SIDES:
        return (RejectReason.UNSUPPORTED_COMBINATION, "side")
    if command.time_in_force not in _PLAIN_TIMES:
        return (RejectReason.UNSUPPORTED_COMBINATION, "time_in_force")
    if command.quote_amount:
        return (RejectReason.UNSUPPORTED_COMBINATION, "quote_amount")
    if command.self_trade not in _MODES:
        return (RejectReason.UNSUPPORTED_COMBINATION, "self_trade_prevention")
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
    if price_ticks < instrument.min_price_ticks:
        return (RejectReason.BAD_TICK, "price")
    if price_ticks > instrument.max_price_ticks:
        return (RejectReason.EXCEEDS_LIMIT, "price")
    notional = price_ticks * lots * notional_per_tick_lot
    if notional < instrument.min_notional:
        return (RejectReason.MIN_NOTIONAL, "quantity")
    if notional > instrument.max_notional:
        return (RejectReason.EXCEEDS_LIMIT, "quantity")
    return None


def market_fault(command: NewOrder, book: OrderBook) -> Fault | None:
    """Why a market order must be refused, or None."""
    if command.side not in _SIDES:
        return (RejectReason.UNSUPPORTED_COMBINATION, "side")
    if command.order_type != _MARKET:
        return (RejectReason.UNSUPPORTED_COMBINATION, "order_type")
    if command.time_in_force not in _PLAIN_TIMES:
        return (RejectReason.UNSUPPORTED_COMBINATION, "time_in_force")
    if command.price_ticks:
        return (RejectReason.UNSUPPORTED_COMBINATION, "price")
    if command.time_in_force == _FOK:
        return (RejectReason.UNSUPPORTED_COMBINATION, "time_in_force")
    lots = command.quantity_lots
    quote_amount = command.quote_amount
    if bool(lots) == bool(quote_amount):
        return (RejectReason.UNSUPPORTED_COMBINATION, "quantity")
    if not 0 <= command.self_trade <= (_DECREMENT - 1 if quote_amount else _DECREMENT):
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
