"""Rows of the tables of `crossbook.research.tables` from the numbers that are stored."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, Final

from crossbook.common.instruments import Instrument
from crossbook.common.messages.history_queries import INTERVALS_S, Candle
from crossbook.common.types import (
    Liquidity,
    OrderStatus,
    OrderType,
    Prevention,
    RejectReason,
    Side,
    TimeInForce,
)
from crossbook.recorder.digest import OrderRow
from crossbook.recorder.tables import PART
from crossbook.research.tables import Row


def _words(kinds: type[IntEnum]) -> Mapping[int, str]:
    return {int(each): each.name.lower() for each in kinds}


SIDES: Final = _words(Side)
_ORDER_TYPES: Final = _words(OrderType)
_TIMES_IN_FORCE: Final = _words(TimeInForce)
_PREVENTIONS: Final = _words(Prevention)
_LIQUIDITIES: Final = _words(Liquidity)
_STATUSES: Final = {int(each): each.name for each in OrderStatus}
_REASONS: Final = {int(each): each.name for each in RejectReason}
_INTERVALS: Final = {seconds: name for name, seconds in INTERVALS_S.items()}


def trade_row(
    instrument: Instrument,
    trade_id: int,
    seq: int,
    price_ticks: int,
    quantity_lots: int,
    aggressor_side: int,
    maker_order_id: int,
    taker_order_id: int,
    time_ns: int,
) -> Row:
    """A row of `TRADES`."""
    grid = instrument.grid
    return (
        instrument.symbol,
        trade_id,
        seq,
        time_ns,
        grid.price.text(price_ticks),
        grid.quantity.text(quantity_lots),
        grid.quote.text(price_ticks * quantity_lots * instrument.notional_per_tick_lot),
        SIDES[aggressor_side],
        maker_order_id,
        taker_order_id,
    )


def fill_row(
    instrument: Instrument,
    trade_id: int,
    seq: int,
    time_ns: int,
    account: int,
    order_id: int,
    client_order_id: str,
    side: int,
    price_ticks: int,
    quantity_lots: int,
    fee: int,
    liquidity: int,
) -> Row:
    """A row of `FILLS`."""
    grid = instrument.grid
    receives_base = side == Side.BUY
    return (
        instrument.symbol,
        trade_id,
        seq,
        time_ns,
        account,
        order_id,
        client_order_id or None,
        SIDES[side],
        grid.price.text(price_ticks),
        grid.quantity.text(quantity_lots),
        grid.quote.text(price_ticks * quantity_lots * instrument.notional_per_tick_lot),
        (grid.base if receives_base else grid.quote).text(fee),
        instrument.base if receives_base else instrument.quote,
        _LIQUIDITIES[liquidity],
    )


def candle_row(instrument: Instrument, candle: Candle) -> Row:
    """A row of `CANDLES`."""
    price, quantity = instrument.grid.price.text, instrument.grid.quantity.text
    return (
        instrument.symbol,
        _INTERVALS[candle.interval_s],
        candle.open_ns,
        price(candle.open_ticks),
        price(candle.high_ticks),
        price(candle.low_ticks),
        price(candle.close_ticks),
        quantity(candle.volume_lots),
        instrument.grid.quote.text(candle.quote_volume),
        candle.trades,
        candle.first_trade_id,
        candle.last_trade_id,
        candle.seq,
    )


def order_of_columns(columns: Sequence[Any]) -> OrderRow:
    """The order of a row of the recorder's table, whose last column is the higher part of its
    notional."""
    order = OrderRow(*columns[:-1])
    order.filled_notional += columns[-1] * PART
    return order


def order_row(instrument: Instrument, order: OrderRow) -> Row:
    """A row of `ORDERS`."""
    price, quantity, quote = instrument.grid.price, instrument.grid.quantity, instrument.grid.quote
    return (
        order.order_id,
        instrument.symbol,
        order.account,
        order.client_order_id or None,
        SIDES[order.side],
        _ORDER_TYPES[order.order_type],
        _TIMES_IN_FORCE[order.time_in_force],
        price.text_or_none(order.price_ticks),
        quantity.text_or_none(order.quantity_lots),
        quote.text_or_none(order.quote_amount),
        _STATUSES[order.status],
        quantity.text(order.filled_lots),
        quantity.text(order.remaining_lots),
        quote.text(order.filled_notional),
        _REASONS.get(order.reason),
        order.created_ns,
        order.updated_ns,
        order.updated_seq,
        price.text_or_none(order.trigger_ticks),
        quantity.text_or_none(order.display_lots),
        order.expire_ns or None,
        bool(order.post_only),
        _PREVENTIONS[order.prevention],
        bool(order.working),
    )
