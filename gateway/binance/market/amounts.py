"""Averages and changes of prices as text, in whole numbers. No I/O."""

from typing import Final

from crossbook.common.grid import format_decimal
from crossbook.common.instruments import Instrument
from crossbook.gateway.binance.decimals import ZERO, grid_of

PERCENT_DECIMALS: Final = 3


def average_text(instrument: Instrument, quote_volume: int, volume_lots: int) -> str:
    """The volume-weighted average price, rounded to the digits of a price; zero without volume.

    >>> from crossbook.common.instruments import example
    >>> average_text(example(), 30 * 5_000_000 + 10 * 5_000_001, 4)
    '50000.00250000'
    """
    if not volume_lots:
        return ZERO
    axis = grid_of(instrument).price
    divisor = volume_lots * instrument.notional_per_tick_lot
    return format_decimal((2 * quote_volume * axis.step + divisor) // (2 * divisor), axis.decimals)


def percent_text(from_ticks: int, to_ticks: int) -> str:
    """The change of a price in percent, rounded away from zero at the half; zero without a price.

    >>> percent_text(300, 301), percent_text(301, 300), percent_text(0, 5)
    ('0.333', '-0.332', '0.000')
    """
    change = to_ticks - from_ticks
    parts = 0
    if from_ticks:
        scale = 100 * 10**PERCENT_DECIMALS
        parts = (2 * abs(change) * scale + from_ticks) // (2 * from_ticks)
    return format_decimal(parts if change >= 0 else -parts, PERCENT_DECIMALS)
