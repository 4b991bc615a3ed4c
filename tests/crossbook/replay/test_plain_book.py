"""The plain book: sweeps in price-time priority, and its digest."""

import hashlib

from crossbook.replay.plain_book import PlainBook
from crossbook.replay.recording import Op, RecordedCommand, RecordedFill


def command(op: Op, order_id: int, side: int = 0, price: int = 0, lots: int = 0) -> RecordedCommand:
    return RecordedCommand(
        seq=0, time_ns=0, op=op, order_id=order_id, side=side, price_ticks=price,
        quantity_lots=lots,
    )  # fmt: skip


def test_a_taker_sweeps_best_prices_first_and_early_orders_first() -> None:
    book = PlainBook()
    for order_id, price, lots in ((1, 101, 5), (2, 100, 3), (3, 100, 4), (4, 102, 9)):
        assert book.apply(command("new", order_id, 2, price, lots)) == []

    fills = book.apply(command("new", 5, 1, 101, 10))

    assert fills == [RecordedFill(2, 100, 3), RecordedFill(3, 100, 4), RecordedFill(1, 101, 3)]
    assert book.orders() == [(2, 101, 1, 2), (2, 102, 4, 9)]
    assert book.levels(2) == [(101, 2), (102, 9)]
    assert book.levels(2, 1) == [(101, 2)]
    assert len(book) == 2


def test_the_remainder_rests_unless_the_order_is_immediate() -> None:
    book = PlainBook()
    book.apply(command("new", 1, 1, 100, 5))

    assert book.apply(command("exec", 2, 2, 99, 7)) == [RecordedFill(1, 100, 5)]
    assert book.orders() == []
    assert book.apply(command("new", 3, 2, 99, 7)) == []
    assert book.apply(command("exec", 4, 1, 98, 7)) == []
    assert book.orders() == [(2, 99, 3, 7)]


def test_a_reduction_keeps_the_place_and_may_take_all() -> None:
    book = PlainBook()
    for order_id in (1, 2):
        book.apply(command("new", order_id, 1, 100, 5))

    book.apply(command("reduce", 1, lots=2))
    assert book.orders() == [(1, 100, 1, 3), (1, 100, 2, 5)]
    text = "B,100,1,3\nB,100,2,5\n"
    assert book.digest() == hashlib.sha256(text.encode()).hexdigest()

    book.apply(command("reduce", 1, lots=9))
    book.apply(command("cancel", 2))
    book.apply(command("cancel", 2))
    assert len(book) == 0
    assert book.levels(1) == []
