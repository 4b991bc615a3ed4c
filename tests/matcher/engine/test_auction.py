"""The price of an uncross, rule by rule: most lots, least left over, pressure, nearness."""

import pytest

from crossbook.common.types import Side
from crossbook.matcher.engine.auction import uncross_price
from crossbook.matcher.engine.book import OrderBook
from crossbook.matcher.engine.order import Account, Order
from tests.model import auction as model
from tests.model.orders import ModelOrder
from tests.worlds.venue import BTC, BUY, SELL

Row = tuple[Side, int, int]
"""Side, price in ticks, lots."""

FIRST = {
    "one price each way: both are as near to the middle, the higher is taken":
        ([(BUY, 101, 5), (SELL, 100, 5)], 101),
    "the same with an even sum": ([(BUY, 102, 5), (SELL, 100, 5)], 102),
    "a candidate in the middle": ([(BUY, 102, 5), (SELL, 100, 5), (BUY, 101, 5), (SELL, 101, 5)],
                                  101),
    "an inner candidate just below the middle is nearer than both ends":
        ([(BUY, 105, 5), (SELL, 100, 5), (SELL, 102, 5), (BUY, 102, 5)], 102),
    "two inner candidates, the middle halfway between them":
        ([(BUY, 103, 5), (SELL, 100, 5), (BUY, 102, 5), (SELL, 101, 5)], 102),
    "all surplus is of buyers: the highest": ([(BUY, 103, 9), (SELL, 100, 5)], 103),
    "all surplus is of sellers: the lowest": ([(BUY, 103, 5), (SELL, 100, 9)], 100),
    "surplus of both sides: the nearest to the middle, the higher":
        ([(BUY, 103, 5), (BUY, 102, 2), (SELL, 100, 5), (SELL, 101, 2), (BUY, 101, 1),
          (SELL, 102, 1)], 102),
    "most lots go before everything": ([(BUY, 103, 5), (BUY, 100, 1), (SELL, 100, 6)], 100),
    "nothing crosses": ([(BUY, 99, 5), (SELL, 100, 5)], 0),
    "prices at the end of the grid": ([(BUY, 10**9, 5), (SELL, 1, 5)], 10**9),
}  # fmt: skip

AFTER = {
    "the last price itself": ([(BUY, 105, 5), (SELL, 100, 5)], 103, 103),
    "just above what crosses: the nearest is the highest": ([(BUY, 105, 5), (SELL, 100, 5)], 106,
                                                            105),
    "just below what crosses: the nearest is the lowest": ([(BUY, 105, 5), (SELL, 100, 5)], 99,
                                                           100),
    "pressure goes before the last price": ([(BUY, 105, 9), (SELL, 100, 5)], 101, 105),
}  # fmt: skip


def _book(rows: list[Row], last: int = 0) -> OrderBook:
    book = OrderBook(BTC)
    book.last_price_ticks = last
    for number, (side, price, lots) in enumerate(rows, 1):
        order = Order(
            order_id=number,
            account=Account(number),
            instrument=BTC.id,
            side=side,
            price_ticks=price,
            quantity_lots=lots,
            remaining_lots=lots,
            client_order_id="",
            time_ns=0,
        )
        (book.bids if side == BUY else book.asks).add(order)
    return book


def _model(rows: list[Row], last: int = 0) -> int:
    orders = [
        ModelOrder(
            order_id=number,
            account=number,
            instrument=BTC.id,
            side=side,
            price_ticks=price,
            total_lots=lots,
            filled_lots=0,
            client_order_id="",
        )
        for number, (side, price, lots) in enumerate(rows, 1)
    ]
    return model.uncross_price(orders, last)[0]


@pytest.mark.parametrize(("rows", "price"), FIRST.values(), ids=FIRST.keys())
def test_a_first_auction_finds_the_price_nearest_the_middle_the_higher_of_two(
    rows: list[Row], price: int
) -> None:
    assert uncross_price(_book(rows)).price_ticks == price
    assert _model(rows) == price


@pytest.mark.parametrize(("rows", "last", "price"), AFTER.values(), ids=AFTER.keys())
def test_a_later_auction_finds_the_price_nearest_the_last(
    rows: list[Row], last: int, price: int
) -> None:
    assert uncross_price(_book(rows, last)).price_ticks == price
    assert _model(rows, last) == price


@pytest.mark.parametrize("high", [101, 102])
def test_the_first_edition_rounded_the_middle_down(high: int) -> None:
    rows: list[Row] = [(BUY, high, 5), (SELL, 100, 5)]
    book = _book(rows)
    book.edition = 1
    assert uncross_price(book).price_ticks == (100 if high == 101 else 102)
    assert uncross_price(_book(rows)).price_ticks == high
