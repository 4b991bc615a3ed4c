"""Instruments on which the rounding of a fee takes too much of a fill, by exact fractions."""

from fractions import Fraction
from math import ceil

import pytest
from msgspec.structs import replace

from crossbook.common.errors import ConfigError
from crossbook.common.instruments import FEE_SCALE, example
from crossbook.common.rounding import _rounds_away, check_rounding

RATES = [1, 100, 1_000, 2_000, 99_999, 100_000, 500_000, FEE_SCALE - 1, FEE_SCALE]


def loses(amount: int, rate: int) -> bool:
    """Whether rounding up raises the fee of this amount by more than a tenth of the amount."""
    fee = Fraction(amount * rate, FEE_SCALE)
    return ceil(fee) - fee > Fraction(amount, 10)


@pytest.mark.parametrize("least", [1, 2, 5, 9, 10])
@pytest.mark.parametrize("one", [1, 2, 3, 4, 7, 9, 10, 11])
def test_rounding_is_looked_at_for_every_fill_from_the_least_on(one: int, least: int) -> None:
    for rate in RATES:
        fills = [one * n for n in range(least, least + 20)]
        assert _rounds_away(one, least, rate) is any(loses(each, rate) for each in fills), rate


def test_an_instrument_recorded_with_the_fault_stays_and_a_new_one_is_refused() -> None:
    sound, coarse = example(), replace(example(), base_decimals=5)
    check_rounding(sound)
    check_rounding(sound, coarse)
    check_rounding(coarse, coarse)
    for known in (None, sound):
        with pytest.raises(ConfigError, match=r"one lot is 1 of .* BTC, .*lot_size"):
            check_rounding(coarse, known)
