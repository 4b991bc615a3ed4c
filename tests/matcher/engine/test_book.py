"""One instrument's queues and levels, without the engine around them."""

from itertools import permutations

import pytest

from crossbook.common.messages.events import Event
from crossbook.common.types import Side
from crossbook.matcher.engine.book import OrderBook
from crossbook.matcher.engine.matching import match, match_quote
from crossbook.matcher.engine.order import NOTHING, Account, BookSide, Order
from tests.worlds.venue import BTC, BUY, SELL


def order(order_id: int, side: Side, price_ticks: int, lots: int) -> Order:
    return Order(
        order_id=order_id,
        account=Account(1),
        instrument=BTC.id,
        side=side,
        price_ticks=price_ticks,
        quantity_lots=lots,
        remaining_lots=lots,
        client_order_id="",
        time_ns=0,
    )


def ids(side: BookSide) -> list[int]:
    return [resting.order_id for resting in side.orders()]


@pytest.mark.parametrize(("sign", "expected"), [(1, [3, 1, 2]), (-1, [2, 1, 3])])
def test_a_side_lists_the_best_price_first(sign: int, expected: list[int]) -> None:
    side = BookSide(sign)
    for order_id, price in ((1, 100), (2, 99), (3, 101)):
        side.add(order(order_id, BUY, price, 1))
    assert ids(side) == expected


def test_equal_prices_share_a_queue_in_arrival_order() -> None:
    side = BookSide(1)
    for order_id in (1, 2, 3):
        side.add(order(order_id, BUY, 100, order_id))
    assert ids(side) == [1, 2, 3]
    assert side.keys == [100]


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_remove_cuts_one_order_out_of_its_queue(gone: int) -> None:
    side = BookSide(1)
    orders = [order(n, BUY, 100, n) for n in (1, 2, 3)]
    for resting in orders:
        side.add(resting)
    side.remove(orders[gone])
    assert ids(side) == [n for n in (1, 2, 3) if n != gone + 1]
    assert (orders[gone].queue, orders[gone].before, orders[gone].after) == (None, None, None)
    side.add(orders[gone])
    assert ids(side) == [n for n in (1, 2, 3) if n != gone + 1] + [gone + 1]
    for resting in orders:
        side.remove(resting)
        assert (resting.queue, resting.before, resting.after) == (None, None, None)
    assert ids(side) == []


def test_a_price_without_orders_leaves_the_list_wherever_it_is() -> None:
    side = BookSide(-1)
    orders = [order(price, SELL, price, 1) for price in (100, 101, 102, 103)]
    for resting in orders:
        side.add(resting)
    for index, left in ((1, [100, 102, 103]), (0, [102, 103]), (3, [102]), (2, [])):
        side.remove(orders[index])
        assert ids(side) == left
        assert side.best == (-left[0] if left else NOTHING)
    assert not side.heads
    assert not side.keys


def test_orders_at_a_price_are_counted_wherever_one_leaves() -> None:
    for leaving in permutations(range(4)):
        side = BookSide(-1)
        orders = [order(number, SELL, 100, 1) for number in (1, 2, 3, 4)]
        assert side.count_at(100) == 0
        for resting in orders:
            side.add(resting)
        for left, place in zip((3, 2, 1, 0), leaving, strict=True):
            side.remove(orders[place])
            assert (side.count_at(100), orders[place].behind) == (left, 0)
        side.add(orders[0])
        assert (side.count_at(100), side.count_at(101)) == (1, 0)


@pytest.mark.parametrize(
    ("side", "price_ticks", "expected"),
    [(BUY, 102, True), (BUY, 101, False), (SELL, 100, True), (SELL, 101, False)],
)
def test_crosses_at_equal_and_better_prices_only(
    side: Side, price_ticks: int, expected: bool
) -> None:
    book = OrderBook(BTC)
    book.bids.add(order(1, BUY, 100, 1))
    book.asks.add(order(2, SELL, 102, 1))
    assert book.crosses(side, price_ticks) is expected


def test_an_empty_book_crosses_nothing_and_gives_nothing() -> None:
    book = OrderBook(BTC)
    assert not book.crosses(BUY, BTC.max_price_ticks)
    assert not book.crosses(SELL, 1)
    events: list[Event] = []
    taker = order(1, BUY, 100, 5)
    match(book, taker, -100, 1, events)
    assert match_quote(book, order(2, BUY, 0, 0), 1_000, -100, 2, events) == 1_000
    assert (events, taker.remaining_lots) == ([], 5)
