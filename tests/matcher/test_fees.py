"""Fees are whole units, rounded against the trader, whichever way the money goes."""

from fractions import Fraction
from random import Random

import pytest

from common.events import TradeExecuted
from common.instruments import FEE_SCALE
from common.types import Side
from matcher.fees import fee
from tests.matcher.venue import ALICE, BOB, BTC, BUY, ETH, SELL, limit, venue


@pytest.mark.parametrize(
    ("amount", "rate", "expected"),
    [
        (1_000_000, 1_000, 1_000),
        (1, 1, 1),
        (999, 1_000, 1),
        (1_000, 1_000, 1),
        (1_001, 1_000, 2),
        (0, 1_000, 0),
        (12_345, 0, 0),
    ],
)
def test_a_fee_rounds_up(amount: int, rate: int, expected: int) -> None:
    assert fee(amount, rate) == expected


@pytest.mark.parametrize(
    ("amount", "rate", "expected"),
    [(1_000_000, -250, -250), (1, -250, 0), (3_999, -250, 0), (4_000, -250, -1), (7_999, -250, -1)],
)
def test_a_rebate_rounds_towards_zero(amount: int, rate: int, expected: int) -> None:
    assert fee(amount, rate) == expected


def test_a_fee_is_the_smallest_whole_number_not_below_the_exact_one() -> None:
    random = Random(5)
    for _ in range(2_000):
        amount, rate = random.randint(0, 2**62), random.randint(-100_000, 100_000)
        exact = Fraction(amount * rate, FEE_SCALE)
        assert exact <= fee(amount, rate) < exact + 1


def test_large_amounts_lose_no_digit() -> None:
    assert fee(2**62, 100_000) == -(-(2**62) // 10)


@pytest.mark.parametrize(
    ("taker_side", "maker_fee", "taker_fee"),
    [
        # 7 lots at 333: 23,310 quote units to the seller, 7,000 base units to the buyer
        (BUY, 24, 14),
        (SELL, 7, 47),
    ],
)
def test_each_side_pays_in_what_it_receives(
    taker_side: Side, maker_fee: int, taker_fee: int
) -> None:
    engine = venue()
    engine.apply(limit(ALICE, Side(3 - taker_side), 333, 7))
    (_, trade) = engine.apply(limit(BOB, taker_side, 333, 7))
    assert isinstance(trade, TradeExecuted)
    assert (trade.maker_fee, trade.taker_fee) == (maker_fee, taker_fee)
    assert BTC.maker_fee_rate < BTC.taker_fee_rate


def test_a_maker_is_paid_where_the_rate_is_negative() -> None:
    engine = venue()
    engine.apply(limit(ALICE, SELL, 999, 50, instrument=ETH))
    (_, trade) = engine.apply(limit(BOB, BUY, 999, 50, instrument=ETH))
    assert isinstance(trade, TradeExecuted)
    # 49,950 units at -0.025 % is -12.4875; 50 lots at 0.05 % is 0.025
    assert (trade.maker_fee, trade.taker_fee) == (-12, 1)


def test_fees_are_charged_per_fill() -> None:
    engine = venue()
    for _ in range(3):
        engine.apply(limit(ALICE, SELL, 1, 1))
    events = engine.apply(limit(BOB, BUY, 1, 3))
    fees = [event.maker_fee for event in events if isinstance(event, TradeExecuted)]
    assert fees == [1, 1, 1]
