"""Self-trade prevention: what happens where a taker meets an order of its own account.

A prevented match is no trade: no fee, no last price, and so no stop is elected. The taker's mode
decides, maker by maker in queue order; what was filled before stands.
"""

from typing import Final

from crossbook.common.messages.events import Event, OrderReduced
from crossbook.common.types import OrderStatus, Prevention, RejectReason
from crossbook.matcher.engine.answers import expired
from crossbook.matcher.engine.book import OrderBook
from crossbook.matcher.engine.order import Order

_EXPIRE_TAKER: Final = int(Prevention.EXPIRE_TAKER)
_EXPIRE_MAKER: Final = int(Prevention.EXPIRE_MAKER)
_DECREMENT: Final = int(Prevention.DECREMENT)
_EXPIRED_IN_MATCH: Final = int(OrderStatus.EXPIRED_IN_MATCH)


def prevent(
    book: OrderBook,
    taker: Order,
    maker: Order,
    seq: int,
    events: list[Event],
    quote_left: int = 0,
) -> None:
    """Expire or reduce the orders that the taker's mode names, instead of a trade.

    An iceberg counts with all its lots. Of two equal orders both expire. `quote_left` is what a
    taker by quote amount has not spent.
    """
    mode = taker.prevention
    if mode == _DECREMENT:
        _decrement(book, taker, maker, seq, events)
        return
    if mode != _EXPIRE_TAKER:
        _expire(book, maker, seq, events)
    if mode != _EXPIRE_MAKER:
        _expire(book, taker, seq, events, quote_left)


def _decrement(book: OrderBook, taker: Order, maker: Order, seq: int, events: list[Event]) -> None:
    taker_lots, maker_lots = taker.remaining_lots, maker.remaining_lots
    if maker_lots <= taker_lots:
        _expire(book, maker, seq, events)
        if maker_lots < taker_lots:
            _reduce(book, taker, maker_lots, seq, events)
    if taker_lots <= maker_lots:
        _expire(book, taker, seq, events)
        if taker_lots < maker_lots:
            _reduce(book, maker, taker_lots, seq, events)


def _expire(
    book: OrderBook, order: Order, seq: int, events: list[Event], quote_left: int = 0
) -> None:
    resting = book.end(order, _EXPIRED_IN_MATCH)
    events.append(expired(order, seq, RejectReason.SELF_TRADE, quote_left, resting))


def _reduce(book: OrderBook, order: Order, lots: int, seq: int, events: list[Event]) -> None:
    """The larger order keeps its place with fewer lots; of an iceberg the hidden ones go first."""
    if order.hold_unit and book.ledger is not None:
        book.ledger.hold(order, book.instrument, -lots)
    order.quantity_lots -= lots
    order.remaining_lots -= lots
    conditions = order.conditions
    if conditions is not None and conditions.display_lots:
        conditions.shown_lots = min(conditions.shown_lots, order.remaining_lots)
    events.append(
        OrderReduced(
            seq,
            order.account.account_id,
            order.instrument,
            order.order_id,
            order.side,
            order.price_ticks,
            lots,
            order.quantity_lots,
            order.quantity_lots - order.remaining_lots,
            order.remaining_lots,
            order.queue is not None,
            order.shown_lots,
            order.client_order_id,
        )
    )
