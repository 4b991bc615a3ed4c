"""Ending a call phase: one price for all (`crossbook.common.auction`), and the orders that trade at
it.

Market orders come first, then orders by price and arrival. An uncross has no takers: of the two
orders of a trade the one that arrived first is its maker. Icebergs count with all their lots, and
own orders trade with each other: one price for all leaves no room for prevention.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from crossbook.common import auction
from crossbook.common.auction import Price
from crossbook.common.messages.events import Event
from crossbook.common.types import Side
from crossbook.matcher.engine.answers import replenished
from crossbook.matcher.engine.book import OrderBook
from crossbook.matcher.engine.matching import execute
from crossbook.matcher.engine.order import BookSide, Order

_BUY: Final = int(Side.BUY)


def uncross_price(book: OrderBook) -> Price:
    """The price at which the book uncrosses as it stands. O(orders)."""
    return auction.uncross_price(
        _lots_at_prices(book.bids),
        _lots_at_prices(book.asks),
        sum(order.remaining_lots for order in _market(book, _BUY)),
        sum(order.remaining_lots for order in _market(book, 3 - _BUY)),
        book.last_price_ticks,
        book.edition,
    )


def _lots_at_prices(side: BookSide) -> dict[int, int]:
    lots: dict[int, int] = {}
    for order in side.orders():
        lots[order.price_ticks] = lots.get(order.price_ticks, 0) + order.remaining_lots
    return lots


def allocate(book: OrderBook, price_ticks: int, seq: int, events: list[Event], most: int) -> bool:
    """Trade everything that can at this price, until there are more than `most` events; whether
    some is left. O(orders filled)."""
    bound = price_ticks
    buyers = _queue(book, _BUY, book.bids, bound)
    sellers = _queue(book, 3 - _BUY, book.asks, -bound)
    buyer, seller = next(buyers, None), next(sellers, None)
    while buyer is not None and seller is not None:
        if len(events) > most:
            return True
        lots = min(buyer.remaining_lots, seller.remaining_lots)
        buyer.remaining_lots -= lots
        seller.remaining_lots -= lots
        maker, taker = sorted((buyer, seller), key=_arrival)
        execute(book, taker, maker, lots, price_ticks, seq, events)
        for order in (maker, taker):
            _after_trade(book, order, lots, seq, events)
        if not buyer.remaining_lots:
            buyer = next(buyers, None)
        if not seller.remaining_lots:
            seller = next(sellers, None)
    return False


def _arrival(order: Order) -> tuple[int, int]:
    """Which of two orders came first; of two under one number, the one entered first."""
    return order.arrived, order.order_id


def _after_trade(book: OrderBook, order: Order, lots: int, seq: int, events: list[Event]) -> None:
    """Take an order that is filled out; show an iceberg's next slice where it stands."""
    if not order.remaining_lots:
        if order.queue is not None:
            order.queue.remove(order)
        else:
            del book.uncrossing[order.order_id]
        book.end_filled(order)
        return
    conditions = order.conditions
    if conditions is not None and conditions.display_lots:
        conditions.shown_lots = max(conditions.shown_lots - lots, 0)
        if not conditions.shown_lots:
            conditions.shown_lots = min(conditions.display_lots, order.remaining_lots)
            events.append(replenished(order, seq, False))


def _queue(book: OrderBook, side: int, resting: BookSide, bound: int) -> Iterator[Order]:
    """The orders that may trade, in order. One that was yielded may be filled before the next."""
    yield from list(_market(book, side))
    while resting.best >= bound:
        yield resting.heads[resting.best]


def _market(book: OrderBook, side: int) -> Iterable[Order]:
    return (order for order in book.uncrossing.values() if order.side == side)
