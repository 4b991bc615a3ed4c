"""Books as consumers keep them, and the checksum against a second way of computing it."""

import random
from zlib import crc32

import pytest
from hypothesis import strategies as st

from crossbook.common.following.depth import BookChecksum, Depth, OrderDepth
from crossbook.common.instruments import Instrument, example
from crossbook.common.messages.feed import OrderChange
from crossbook.common.types import Side
from tests.worlds.given import given

NICKEL = Instrument(
    id=1,
    symbol="A-B",
    base="A",
    quote="B",
    tick_size="0.05",
    lot_size="2.5",
    base_decimals=1,
    quote_decimals=8,
    max_price_ticks=10**9,
    min_quantity_lots=1,
    max_quantity_lots=10**9,
    min_notional=0,
    maker_fee_rate=0,
    taker_fee_rate=0,
)
SHARE = Instrument(
    id=5,
    symbol="MSFT-USD",
    base="MSFT",
    quote="USD",
    tick_size="0.01",
    lot_size="1",
    base_decimals=0,
    quote_decimals=10,
    max_price_ticks=10**9,
    min_quantity_lots=1,
    max_quantity_lots=10**9,
    min_notional=0,
    maker_fee_rate=0,
    taker_fee_rate=0,
)

BUY, SELL = int(Side.BUY), int(Side.SELL)
levels = st.dictionaries(st.integers(1, 10**9), st.integers(1, 10**9), max_size=14)


def checksum_from_text(instrument: Instrument, depth: Depth) -> int:
    """The checksum by the published recipe of Kraken, from the decimal text that a client
    receives."""
    text = ""
    for side in (SELL, BUY):
        for price, lots in depth.levels(side)[:10]:
            for number in (instrument.price_text(price), instrument.quantity_text(lots)):
                text += number.replace(".", "").lstrip("0")
    return crc32(text.encode("ascii"))


@given(levels, levels)
@pytest.mark.parametrize("instrument", [example(), NICKEL, SHARE])
def test_the_checksum_equals_the_one_made_from_text(
    instrument: Instrument, bids: dict[int, int], asks: dict[int, int]
) -> None:
    depth = Depth()
    depth.load(bids.items(), asks.items())
    assert BookChecksum(instrument).of(depth) == checksum_from_text(instrument, depth)


def test_the_checksum_equals_krakens_published_example() -> None:
    # docs.kraken.com, "Spot websocket (v2) book checksum": BTC/USD, prices to 0.1, BTC to 1e-8.
    btc_usd = Instrument(
        id=9,
        symbol="BTC/USD",
        base="BTC",
        quote="USD",
        tick_size="0.1",
        lot_size="0.00000001",
        base_decimals=8,
        quote_decimals=10,
        max_price_ticks=10**9,
        min_quantity_lots=1,
        max_quantity_lots=10**12,
        min_notional=0,
        maker_fee_rate=0,
        taker_fee_rate=0,
    )
    asks = [
        ("45285.2", "0.00100000"),
        ("45286.4", "1.54571953"),
        ("45286.6", "1.54571109"),
        ("45289.6", "1.54560911"),
        ("45290.2", "0.15890660"),
        ("45291.8", "1.54553491"),
        ("45294.7", "0.04454749"),
        ("45296.1", "0.35380000"),
        ("45297.5", "0.09945542"),
        ("45299.5", "0.18772827"),
    ]
    bids = [
        ("45283.5", "0.10000000"), ("45283.4", "1.54582015"), ("45282.1", "0.10000000"),
        ("45281.0", "0.10000000"), ("45280.3", "1.54592586"), ("45279.0", "0.07990000"),
        ("45277.6", "0.03310103"), ("45277.5", "0.30000000"), ("45277.3", "1.54602737"),
        ("45276.6", "0.15445238"),
    ]  # fmt: skip
    depth = Depth()
    for side, rows in ((SELL, asks), (BUY, bids)):
        for price, quantity in rows:
            ticks, lots = btc_usd.price_to_ticks(price), btc_usd.quantity_to_lots(quantity)
            depth.set_level(side, ticks, lots)
    assert BookChecksum(btc_usd).of(depth) == 3310070434


def test_only_ten_levels_a_side_count() -> None:
    depth = Depth()
    depth.load([(100 - n, 1) for n in range(10)], [(200 + n, 1) for n in range(10)])
    before = BookChecksum(example()).of(depth)
    depth.set_level(BUY, 90, 5)
    depth.set_level(SELL, 210, 5)
    assert BookChecksum(example()).of(depth) == before
    depth.set_level(SELL, 209, 2)
    assert BookChecksum(example()).of(depth) != before


def test_an_empty_book_has_a_checksum_and_no_best() -> None:
    depth = Depth()
    assert BookChecksum(example()).of(depth) == 0
    assert (depth.best(BUY), depth.best(SELL)) == ((0, 0), (0, 0))
    assert depth.levels(BUY) == []


def test_best_is_first_on_either_side() -> None:
    depth = Depth()
    for price in (5, 9, 7):
        depth.set_level(BUY, price, price)
        depth.set_level(SELL, price + 10, price)
    assert (depth.best(BUY), depth.best(SELL)) == ((9, 9), (15, 5))
    assert depth.levels(BUY, 2) == [(9, 9), (7, 7)]
    assert depth.levels(SELL, 2) == [(15, 5), (17, 7)]
    depth.set_level(BUY, 9, 0)
    depth.set_level(BUY, 8, 0)
    assert depth.levels(BUY) == [(7, 7), (5, 5)]
    assert (depth.lots_at(BUY, 7), depth.lots_at(BUY, 9)) == (7, 0)


def test_equality_looks_at_both_sides() -> None:
    one, other = Depth(), Depth()
    one.set_level(BUY, 1, 1)
    assert one != other
    other.load([(1, 1)], [])
    assert one == other
    other.set_level(SELL, 2, 1)
    assert one != other
    other.clear()
    one.clear()
    assert one == other


def test_orders_keep_arrival_order_within_a_price() -> None:
    book = OrderDepth()
    for order_id, price in ((1, 100), (2, 101), (3, 100)):
        book.set_order(order_id, BUY, price, 5)
    assert list(book.orders(BUY)) == [(2, 101, 5), (1, 100, 5), (3, 100, 5)]
    assert list(book.orders(SELL)) == []


def test_a_smaller_order_keeps_its_place_and_a_requeued_one_loses_it() -> None:
    book = OrderDepth()
    for order_id in (1, 2, 3):
        book.set_order(order_id, SELL, 100, 5)
    book.apply(OrderChange(seq=4, order_id=1, side=SELL, price_ticks=100, shown_lots=2))
    assert [order_id for order_id, _, _ in book.orders(SELL)] == [1, 2, 3]
    book.apply(
        OrderChange(seq=5, order_id=1, side=SELL, price_ticks=100, shown_lots=7, requeued=True)
    )
    assert list(book.orders(SELL)) == [(2, 100, 5), (3, 100, 5), (1, 100, 7)]
    book.apply(OrderChange(seq=6, order_id=2, side=SELL, price_ticks=99, shown_lots=5))
    assert list(book.orders(SELL)) == [(2, 99, 5), (3, 100, 5), (1, 100, 7)]
    assert book.depth.levels(SELL) == [(99, 5), (100, 12)]


def test_zero_lots_removes_and_an_unknown_removal_changes_nothing() -> None:
    book = OrderDepth()
    book.set_order(1, BUY, 100, 5)
    book.set_order(9, BUY, 100, 0)
    assert book.get(1) == (BUY, 100, 5)
    book.set_order(1, BUY, 100, 0)
    assert (book.get(1), len(book), book.depth.best(BUY)) == (None, 0, (0, 0))


@pytest.mark.parametrize("seed", range(5))
def test_the_book_equals_a_plain_list(seed: int) -> None:
    chance = random.Random(seed)
    book = OrderDepth()
    plain: list[tuple[int, int, int, int]] = []
    for _ in range(2_000):
        order_id = chance.randrange(1, 60)
        side = BUY if order_id % 2 else SELL
        price, lots = chance.randrange(100, 106), chance.randrange(0, 4)
        requeue = chance.random() < 0.2
        book.set_order(order_id, side, price, lots, requeue)
        row = (order_id, side, price, lots)
        places = [n for n, known in enumerate(plain) if known[0] == order_id]
        if places and lots and not requeue and plain[places[0]][2] == price:
            plain[places[0]] = row
        else:
            plain = [known for known in plain if known[0] != order_id] + ([row] if lots else [])
        for which in (BUY, SELL):
            rows = [(i, p, n) for i, s, p, n in plain if s == which]
            rows.sort(key=lambda r: -r[1] if which == BUY else r[1])
            assert list(book.orders(which)) == rows, f"seed {seed}"
            totals: dict[int, int] = {}
            for _, p, n in rows:
                totals[p] = totals.get(p, 0) + n
            assert book.depth.levels(which) == list(totals.items()), f"seed {seed}"
    assert len(book) == len(plain)
