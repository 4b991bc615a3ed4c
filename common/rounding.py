"""A check for instruments whose smallest fill loses too much to the rounding of a fee."""

from typing import Final

from crossbook.common.errors import ConfigError
from crossbook.common.instruments import FEE_SCALE, Instrument

ROUNDING_PERCENT_MAX: Final = 10
"""Largest part of a fill that rounding a fee up to a whole unit may take beside the fee itself."""


def rounding_fault(instrument: Instrument) -> str:
    """The field of the asset whose smallest fill loses too much to rounding; empty if none does.

    One lot is the smallest fill in base, one lot at the lowest price in quote.

    >>> from msgspec.structs import replace
    >>> from crossbook.common.instruments import example
    >>> coarse = replace(example(), base_decimals=5)
    >>> rounding_fault(example()), rounding_fault(coarse)
    ('', 'base')
    """
    rates = (instrument.maker_fee_rate, instrument.taker_fee_rate)
    unit = instrument.notional_per_tick_lot
    for asset, one, least in (
        ("base", instrument.base_units_per_lot, 1),
        ("quote", unit, instrument.min_price_ticks),
    ):
        if any(_rounds_away(one, least, rate) for rate in rates if rate > 0):
            return asset
    return ""


def _rounds_away(one: int, least: int, rate: int) -> bool:
    """Whether rounding takes too much of a fill of n times `one` units, n at least `least`.

    From ten units on one unit is at most a tenth, so the loop is short."""
    for amount in range(one * least, 100 // ROUNDING_PERCENT_MAX, one):
        rounded = -amount * rate % FEE_SCALE
        if rounded * 100 > amount * FEE_SCALE * ROUNDING_PERCENT_MAX:
            return True
    return False


def check_rounding(instrument: Instrument, known: Instrument | None = None) -> None:
    """Raise `ConfigError` if rounding a fee may take more than `ROUNDING_PERCENT_MAX` of a fill.

    An instrument that was recorded with this fault (`known`) stays as it is.
    """
    asset = rounding_fault(instrument)
    if not asset or (known is not None and rounding_fault(known)):
        return
    name = getattr(instrument, asset)
    if asset == "base":
        least, what, remedy = instrument.base_units_per_lot, "one lot", "lot_size"
    else:
        least = instrument.notional_per_tick_lot * instrument.min_price_ticks
        what, remedy = "one lot at the lowest price", "min_price"
    raise ConfigError(
        f"instrument {instrument.symbol}: {what} is {least} of the smallest unit of {name}, and "
        f"rounding a fee up to a whole unit may take more than {ROUNDING_PERCENT_MAX} % of such a "
        f"fill; give {name} more decimals under [assets], or a larger {remedy}, or no fees"
    )
