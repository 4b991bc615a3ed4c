"""Numbers of the Binance-spot face."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from crossbook.common.instruments import Instrument, example
from crossbook.gateway.binance.decimals import (
    ZERO,
    asset_axis,
    basis_points,
    grid_of,
    rate_text,
)

INSTRUMENTS = [
    example(),
    replace(example(), tick_size="0.05", lot_size="1", base_decimals=0, quote_decimals=6),
    replace(
        example(), tick_size="10", lot_size="0.0000000001", base_decimals=18, quote_decimals=18
    ),
]
GRIDS = [grid_of(instrument) for instrument in INSTRUMENTS]


@given(st.sampled_from(INSTRUMENTS), st.integers(0, 2**53))
def test_the_text_of_a_number_is_read_as_that_number(instrument: Instrument, number: int) -> None:
    grid = grid_of(instrument)
    price, quantity = grid.price.text(number), grid.quantity.text(number)
    assert instrument.price_to_ticks(price) == number
    assert instrument.quantity_to_lots(quantity) == number
    for text in (price, quantity, grid.base.text(number), grid.quote.text(number)):
        assert len(text.partition(".")[2]) >= 8


def test_numbers_have_eight_decimals_and_more_only_where_the_grid_is_finer() -> None:
    plain, coarse, fine = GRIDS
    assert plain.price.text(1) == "0.01000000"
    assert coarse.price.text(3) == "0.15000000"
    assert coarse.quote.text(1) == "0.00000100"
    assert coarse.base.text(1) == "1.00000000"
    assert fine.quantity.text(1) == "0.0000000001"
    assert fine.price.text(1) == "10.00000000"
    assert plain.price.text(0) == ZERO
    assert plain.quote.text(-1) == "-0.00000001"


def test_instruments_of_one_grid_share_its_axes() -> None:
    other = replace(example(), id=2, symbol="ETH-USDT", base="ETH")
    assert grid_of(example()) is grid_of(other)
    assert grid_of(replace(other, tick_size="0.1")) is not grid_of(other)
    assert asset_axis(2).text(1) == "0.01000000"


def test_fee_rates_are_fractions_and_basis_points() -> None:
    rates = (1000, 75, -50, 0)
    assert [rate_text(rate) for rate in rates] == [
        "0.00100000", "0.00007500", "-0.00005000", "0.00000000",
    ]  # fmt: skip
    assert [basis_points(rate) for rate in (2500, 1000, 150, -150, 0)] == [25, 10, 1, -1, 0]
