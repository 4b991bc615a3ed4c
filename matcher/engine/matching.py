"""An incoming order: it trades, and its remaining lots rest or expire."""

from typing import Final

from crossbook.common.instruments import FEE_SCALE
from crossbook.common.messages.events import Event, OrderCompleted, TradeExecuted
from crossbook.common.types import (
    MAX_INT,
    InstrumentState,
    OrderStatus,
    RejectReason,
    Side,
    TimeInForce,
)
from crossbook.matcher.engine.answers import expired, replenished
from crossbook.matcher.engine.book import OrderBook
from crossbook.matcher.engine.conditions import OrderConditions
from crossbook.matcher.engine.dry_run import is_fillable
from crossbook.matcher.engine.order import BookSide, Order
from crossbook.matcher.engine.prevention import prevent

_BUY: Final = int(Side.BUY)
_GTC: Final = int(TimeInForce.GTC)
_IOC: Final = int(TimeInForce.IOC)
_FOK: Final = int(TimeInForce.FOK)
_OPEN: Final = int(InstrumentState.OPEN)
_EXPIRED: Final = int(OrderStatus.EXPIRED)


def enter_limit(
    book: OrderBook, order: Order, time_in_force: int, seq: int, events: list[Event]
) -> bool:
    """Match an incoming limit order; what is left rests or expires. Whether it rests.

    In a call phase and where only resting orders are taken nothing is matched.
    """
    price_ticks = order.price_ticks
    if order.side == _BUY:
        own, other, limit = book.bids, book.asks, -price_ticks
    else:
        own, other, limit = book.asks, book.bids, price_ticks
    if other.best >= limit and book.state == _OPEN:
        bound = limit
        if book.banded:
            bound = book.reach(order.side, limit)
        if time_in_force == _FOK and not is_fillable(book, order, bound):
            expire(book, order, seq, RejectReason.FILL_OR_KILL, events)
            return False
        match(book, order, bound, seq, events)
        if not order.remaining_lots or order.ended_as:
            if order.order_id != seq and not order.ended_as:
                book.end_filled(order)
            return False
        if other.best >= limit:
            expire(book, order, seq, _why_stopped(other, bound), events)
            return False
    if time_in_force == _GTC and order.conditions is None:
        own.add(order)
        return True
    if time_in_force == _IOC:
        expire(book, order, seq, RejectReason.IMMEDIATE_OR_CANCEL, events)
        return False
    if time_in_force == _FOK:
        expire(book, order, seq, RejectReason.FILL_OR_KILL, events)
        return False
    if own.count_at(price_ticks) >= book.max_level_orders:
        expire(book, order, seq, RejectReason.LEVEL_FULL, events)
        return False
    book.rest(order)
    return True


def enter_market(book: OrderBook, order: Order, seq: int, events: list[Event]) -> None:
    """Match an incoming market order; what is left expires."""
    bound = limit = -MAX_INT if order.side == _BUY else 0
    if book.banded:
        bound = book.reach(order.side, limit)
    match(book, order, bound, seq, events)
    if order.ended_as:
        return
    if order.remaining_lots:
        expire(book, order, seq, _why_unfilled(book, order.side, bound), events)
    elif order.order_id != seq:
        book.end_filled(order)


def enter_quote_market(
    book: OrderBook, order: Order, quote_amount: int, seq: int, events: list[Event]
) -> None:
    """Spend `quote_amount` as far as it goes and append the terminal event."""
    bound = -MAX_INT if order.side == _BUY else 0
    if book.banded:
        bound = book.reach(order.side, bound)
    left = match_quote(book, order, quote_amount, bound, seq, events)
    if order.ended_as:
        return
    side = book.asks if order.side == _BUY else book.bids
    if left and (side.best < bound or left >= abs(side.best) * book.notional_per_tick_lot):
        order.ended_as = _EXPIRED
        events.append(expired(order, seq, _why_unfilled(book, order.side, bound), left))
        return
    events.append(
        OrderCompleted(
            seq,
            order.account.account_id,
            order.instrument,
            order.order_id,
            order.side,
            order.quantity_lots,
            left,
            order.client_order_id,
        )
    )


def expire(
    book: OrderBook, order: Order, seq: int, reason: RejectReason, events: list[Event]
) -> None:
    """End an order without a request for it."""
    resting = book.end(order, _EXPIRED)
    events.append(expired(order, seq, reason, resting=resting))


def _why_unfilled(book: OrderBook, side: int, bound: int) -> RejectReason:
    """Why a market order was not filled: nothing is there, or not for this order."""
    other = book.asks if side == _BUY else book.bids
    return _why_stopped(other, bound) if other.keys else RejectReason.INSUFFICIENT_LIQUIDITY


def _why_stopped(other: BookSide, bound: int) -> RejectReason:
    """Why a match down to the key `bound` left lots of a side that the order crosses."""
    return RejectReason.PRICE_BAND if other.best < bound else RejectReason.TOO_MANY_FILLS


def match(book: OrderBook, taker: Order, bound: int, seq: int, events: list[Event]) -> None:
    """Fill `taker` against the other side down to the key `bound`, appending what happens.

    Every trade is at the maker's price, makers in priority order. Filled makers leave the
    book and their account's index; `taker.remaining_lots` is what is left, unless an own order
    ended it (`ended_as`). Stops after `max_fills` makers. O(makers met).
    """
    side = book.asks if taker.side == _BUY else book.bids
    remaining_lots = taker.remaining_lots
    owner = taker.account if taker.prevention else None
    for _ in range(book.max_fills):
        if not remaining_lots or side.best < bound:
            break
        maker = side.heads[side.best]
        if maker.account is owner:
            prevent(book, taker, maker, seq, events)
            remaining_lots = 0 if taker.ended_as else taker.remaining_lots
            continue
        conditions = maker.conditions
        offered = maker.remaining_lots
        if conditions is not None and conditions.display_lots:
            offered = conditions.shown_lots
        lots = offered if offered < remaining_lots else remaining_lots
        remaining_lots -= lots
        taker.remaining_lots = remaining_lots
        maker.remaining_lots -= lots
        execute(book, taker, maker, lots, maker.price_ticks, seq, events)
        if not maker.remaining_lots:
            book.forget(maker, side)
        elif conditions is not None and conditions.display_lots:
            _show_next_slice(book, maker, conditions, lots, side, seq, events)


def match_quote(
    book: OrderBook, taker: Order, quote_amount: int, bound: int, seq: int, events: list[Event]
) -> int:
    """Fill a market order that spends (or, selling, receives) `quote_amount`.

    Stops when the rest is worth less than one lot at the next maker's price, of any
    account, when nothing is left down to the key `bound`, when an own order ended it, or after
    `max_fills` makers; returns the rest. `taker.quantity_lots` becomes the lots filled.
    """
    own_first = book.edition == 1
    side = book.asks if taker.side == _BUY else book.bids
    owner = taker.account if taker.prevention else None
    for _ in range(book.max_fills):
        if side.best < bound:
            break
        maker = side.heads[side.best]
        is_own = maker.account is owner
        lot_price = maker.price_ticks * book.notional_per_tick_lot
        if quote_amount < lot_price and not (own_first and is_own):
            break
        if is_own:
            prevent(book, taker, maker, seq, events, quote_amount)
            if taker.ended_as:
                break
            continue
        lots = min(maker.shown_lots, quote_amount // lot_price)
        quote_amount -= lots * lot_price
        taker.quantity_lots += lots
        maker.remaining_lots -= lots
        execute(book, taker, maker, lots, maker.price_ticks, seq, events)
        if not maker.remaining_lots:
            book.forget(maker, side)
        elif maker.conditions is not None and maker.conditions.display_lots:
            _show_next_slice(book, maker, maker.conditions, lots, side, seq, events)
    return quote_amount


def _show_next_slice(
    book: OrderBook,
    maker: Order,
    conditions: OrderConditions,
    lots: int,
    side: BookSide,
    seq: int,
    events: list[Event],
) -> None:
    """An iceberg gave `lots` of what it shows: once that is gone the next slice queues."""
    conditions.shown_lots -= lots
    if conditions.shown_lots:
        return
    side.remove(maker)
    conditions.shown_lots = min(conditions.display_lots, maker.remaining_lots)
    maker.arrival = seq
    side.add(maker)
    events.append(replenished(maker, seq, True))


def execute(
    book: OrderBook,
    taker: Order,
    maker: Order,
    lots: int,
    price_ticks: int,
    seq: int,
    events: list[Event],
) -> None:
    """Charge and append a trade; both orders' open lots are what they are after it."""
    book.last_trade_id = trade_id = book.last_trade_id + 1
    book.last_price_ticks = price_ticks
    base = lots * book.base_units_per_lot
    quote = lots * price_ticks * book.notional_per_tick_lot
    maker_rate, taker_rate = book.maker_fee_rate, book.taker_fee_rate
    if book.own_fees:
        maker_rate, taker_rate = _own_rates(book, maker, taker)
    if taker.side == _BUY:
        maker_fee = fee(quote, maker_rate)
        taker_fee = fee(base, taker_rate)
    else:
        maker_fee = fee(base, maker_rate)
        taker_fee = fee(quote, taker_rate)
    if book.ledger is not None:
        book.ledger.settle(book.instrument, taker, maker, lots, base, quote, maker_fee, taker_fee)
    events.append(
        TradeExecuted(
            seq,
            trade_id,
            book.instrument_id,
            price_ticks,
            lots,
            taker.side,
            maker.order_id,
            taker.order_id,
            maker.account.account_id,
            taker.account.account_id,
            maker_fee,
            taker_fee,
            maker.quantity_lots - maker.remaining_lots,
            maker.remaining_lots,
            taker.quantity_lots - taker.remaining_lots,
            taker.remaining_lots,
            maker.client_order_id,
            taker.client_order_id,
        )
    )


def _own_rates(book: OrderBook, maker: Order, taker: Order) -> tuple[int, int]:
    own = book.own_fees
    maker_own = own.get(maker.account.account_id)
    taker_own = own.get(taker.account.account_id)
    return (
        book.maker_fee_rate if maker_own is None else maker_own[0],
        book.taker_fee_rate if taker_own is None else taker_own[1],
    )


def fee(amount: int, rate: int) -> int:
    """The fee on `amount` at `rate` millionths, both in the asset's smallest unit.

    Rounded against the trader: a fee up to the next unit, a rebate (negative) towards zero.

    >>> fee(1001, 1000), fee(1001, -1000)
    (2, -1)
    """
    return -(-amount * rate // FEE_SCALE)
