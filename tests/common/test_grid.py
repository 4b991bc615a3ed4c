"""Exact decimal text to ticks, lots and money, and back."""

import re
from decimal import Decimal

import pytest
from hypothesis import strategies as st

from crossbook.common.errors import DecimalError
from crossbook.common.grid import Axis, Grid, format_decimal, parse_decimal
from crossbook.common.types import MAX_INT, RejectReason
from tests.worlds.given import given

CENT = Grid("0.01", "0.00001", base_decimals=8, quote_decimals=8)
NICKEL = Grid("0.05", "2.5", base_decimals=1, quote_decimals=8)


@given(st.integers(-MAX_INT, MAX_INT), st.integers(0, 18))
def test_printed_numbers_parse_back(value: int, decimals: int) -> None:
    text = format_decimal(value, decimals)
    assert parse_decimal(text.removeprefix("-"), decimals) == abs(value)
    assert Decimal(text) == Decimal(value).scaleb(-decimals)
    assert len(text.partition(".")[2]) == decimals


@given(st.integers(1, 10**9))
def test_prices_and_quantities_round_trip(steps: int) -> None:
    for grid in (CENT, NICKEL):
        for axis in (grid.price, grid.quantity, grid.base, grid.quote):
            assert axis.steps(axis.text(steps)) == steps


@given(st.decimals(min_value=0, max_value=10**9, places=4, allow_nan=False))
def test_a_price_is_exact_or_refused(price: Decimal) -> None:
    if price % Decimal("0.05"):
        with pytest.raises(DecimalError) as caught:
            NICKEL.price.steps(f"{price:f}")
        assert caught.value.reason is RejectReason.BAD_TICK
    else:
        assert NICKEL.price.steps(f"{price:f}") * Decimal("0.05") == price


@given(st.text(max_size=8))
def test_only_plain_decimals_are_accepted(text: str) -> None:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        with pytest.raises(DecimalError):
            parse_decimal(text, 8)


@pytest.mark.parametrize(
    "text",
    ["", ".", "1.", ".5", "-1", "+1", "1e5", "1,5", " 1", "1 ", "1_000", "0x1", "nan", "inf",
     "1.2.3", "\u0661", "\u00b2", "1\n"],
)  # fmt: skip
def test_odd_text_is_malformed(text: str) -> None:
    with pytest.raises(DecimalError) as caught:
        CENT.price.steps(text)
    assert caught.value.reason is RejectReason.MALFORMED


def test_trailing_zeros_are_no_extra_precision() -> None:
    assert CENT.price.steps("1.5000000") == 150


def test_a_refusal_of_a_value_off_the_grid_names_the_grid() -> None:
    with pytest.raises(DecimalError, match=r"multiple of 0\.01") as price:
        CENT.price.steps("1.005")
    assert price.value.reason is RejectReason.BAD_TICK
    with pytest.raises(DecimalError, match=r"multiple of 2\.5") as quantity:
        NICKEL.quantity.steps("4.0")
    assert quantity.value.reason is RejectReason.BAD_LOT


@pytest.mark.parametrize("text", [str(MAX_INT), "9" * 40])
def test_beyond_64_bits_is_a_limit_and_not_a_wrap(text: str) -> None:
    with pytest.raises(DecimalError) as caught:
        CENT.price.steps(text)
    assert caught.value.reason is RejectReason.EXCEEDS_LIMIT


def test_money_is_refused_beyond_its_decimals() -> None:
    with pytest.raises(DecimalError, match=r"^more than 8 decimals$") as caught:
        CENT.quote.steps("0.000000001")
    assert caught.value.reason is RejectReason.MALFORMED


def test_zero_can_stand_for_no_number() -> None:
    assert (NICKEL.price.text(0), NICKEL.price.text_or_none(0)) == ("0.00", None)
    assert NICKEL.price.text_or_none(1) == "0.05"


def test_whole_steps_have_no_point() -> None:
    assert Axis(0, step=5).text(3) == "15"
