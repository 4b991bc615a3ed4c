"""Values that compare the facts a trader names, and print as the expression that makes them."""

from decimal import Decimal
from typing import Any

import pytest

from crossbook.common.instruments import example
from crossbook.common.messages.history_queries import FillRecord, OrderRecord, TradeRecord
from crossbook.common.messages.matcher_queries import BookState, RestingOrder
from crossbook.common.types import Liquidity, OrderStatus, OrderType, Side
from crossbook.testing.values import (
    Balance,
    Book,
    Exact,
    Fill,
    Order,
    Trade,
    book_of,
    fill_of,
    order_of,
    trade_of,
)


@pytest.mark.parametrize("same", ["0.5", "0.50000", Decimal("0.5"), Exact("0.50")])
def test_an_exact_number_equals_its_text_and_its_decimal(same: object) -> None:
    assert Exact("0.5") == same
    assert (Exact("0.5") != same) is False


@pytest.mark.parametrize("other", ["0.51", "half", Decimal("0.6"), None])
def test_an_exact_number_differs_from_everything_else(other: object) -> None:
    assert Exact("0.5") != other


@pytest.mark.parametrize(("given", "text"), [("100", "100"), ("1E+3", "1000"), ("1.10", "1.1")])
def test_the_text_of_an_exact_number_has_no_exponent_and_no_idle_zeros(
    given: str, text: str
) -> None:
    assert str(Exact(given)) == text
    assert repr(Exact(given)) == repr(text)


@pytest.mark.parametrize("wrong", [0.5, True, None])
def test_an_inexact_number_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="is not exact"):
        Fill("BTC-USDT", "buy", wrong, "1")


def test_text_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="'half' is not decimal text"):
        Exact("half")


def test_ids_times_and_fees_are_attributes_that_no_comparison_reads() -> None:
    one = Fill("BTC-USDT", "buy", "0.5", "50001", fee="0.001", order_id="ORD-0000000001", seq=7)
    assert one == Fill("BTC-USDT", "buy", "0.50", "50001.00")
    assert one.fee == "0.001"
    assert (one.order_id, one.seq) == ("ORD-0000000001", 7)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fill("A", "sell", "1.0", 2), "Fill('A', 'sell', '1', '2')"),
        (Trade("A", "buy", "1.0", 2, trade_id=9), "Trade('A', 'buy', '1', '2')"),
        (Order("A", "buy", 1, 2), "Order('A', 'buy', '1', '2')"),
        (
            Order("A", "buy", 1, None, status="FILLED", filled=1),
            "Order('A', 'buy', '1', None, status='FILLED', filled='1')",
        ),
        (Book([("1", "2")]), "Book(bids=[('1', '2')], asks=[])"),
        (Balance("1.50"), "Balance('1.5')"),
    ],
)
def test_a_value_prints_as_the_expression_that_makes_it(value: object, text: str) -> None:
    assert repr(value) == text
    assert eval(text) == value


def test_a_book_is_equal_level_by_level() -> None:
    assert Book([("1", "2"), ("0.9", "1")], []) != Book([("0.9", "1"), ("1", "2")])
    assert Book() != "empty"
    assert Book([("1", "2")]).bids == [("1", "2")]


def test_records_become_values_in_decimals() -> None:
    instrument = example()
    fill = FillRecord(
        fill_id=1,
        seq=7,
        trade_id=3,
        instrument=instrument.id,
        order_id=5,
        client_order_id="mine",
        side=Side.SELL,
        price_ticks=5_000_001,
        quantity_lots=50_000,
        fee=-25,
        liquidity=Liquidity.MAKER,
        time_ns=99,
    )
    made = fill_of(instrument, fill)
    assert made == Fill(instrument.symbol, "sell", "0.5", "50000.01")
    assert made.fee == "-0.00000025"
    assert made.fee_asset == instrument.quote
    assert (made.liquidity, made.trade_id, made.time_ns) == ("maker", 3, 99)
    trade = trade_of(
        instrument,
        TradeRecord(
            trade_id=3,
            seq=7,
            price_ticks=5_000_001,
            quantity_lots=50_000,
            aggressor_side=Side.BUY,
            maker_order_id=4,
            taker_order_id=5,
            time_ns=99,
        ),
    )
    assert trade == Trade(instrument.symbol, "buy", "0.5", "50000.01")
    assert (trade.maker_order_id, trade.taker_order_id) == ("ORD-0000000004", "ORD-0000000005")


def test_an_order_without_a_limit_has_no_price() -> None:
    instrument = example()
    record = OrderRecord(
        order_id=5,
        client_order_id="mine",
        instrument=instrument.id,
        side=Side.BUY,
        order_type=OrderType.MARKET,
        time_in_force=2,
        price_ticks=0,
        quantity_lots=50_000,
        quote_amount=0,
        status=OrderStatus.FILLED,
        filled_lots=50_000,
        remaining_lots=0,
        filled_notional=1,
        reason=0,
        created_ns=98,
        updated_ns=99,
        updated_seq=7,
    )
    made = order_of(instrument, record)
    assert made == Order(instrument.symbol, "buy", "0.5", None, status="FILLED", filled="0.5")
    assert (made.order_type, made.is_open) == ("market", False)
    assert Order("A", "buy", 1, 2, status="PARTIALLY_FILLED").is_open


def test_orders_of_one_level_are_added_and_hidden_lots_left_out() -> None:
    instrument = example()
    bids = [
        RestingOrder(1, 200, 5),
        RestingOrder(order_id=2, price_ticks=200, shown_lots=5, display_lots=5, hidden_lots=90),
        RestingOrder(3, 100, 1),
    ]
    assert book_of(
        instrument,
        BookState(
            instrument=instrument.id, bids=bids, asks=[], last_trade_id=0, last_price_ticks=0
        ),
    ) == Book([("2.00", "0.0001"), ("1.00", "0.00001")])
