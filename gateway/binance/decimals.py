"""Numbers of the Binance-spot face: decimal text with eight digits behind the point. No I/O.

A grid or an asset that is finer than that has as many digits as it needs, so nothing is rounded.
"""

from functools import lru_cache
from typing import Final

from crossbook.common.grid import Axis, power_of_ten, step_of
from crossbook.common.instruments import FEE_SCALE, Instrument

DECIMALS: Final = 8
"""Digits behind the point."""

ZERO: Final = "0.00000000"
"""No amount, and a price that an order does not have."""

_RATE_DIGITS: Final = len(str(FEE_SCALE)) - 1
_BASIS_POINTS: Final = 10_000
_KEPT_MAX: Final = 4_096


class FaceGrid:
    """The axes of one instrument in this face, for text: as those of `Grid`, with eight digits.

    `price` counts ticks, `quantity` lots; `base` and `quote` count the smallest units of the two
    assets. `Instrument.grid` reads such text: it takes zeros behind the last digit.

    >>> grid = FaceGrid("0.01", "0.00001", 8, 8)
    >>> grid.price.text(5000001), grid.quantity.text(50000), grid.quote.text(5)
    ('50000.01000000', '0.50000000', '0.00000005')
    """

    __slots__ = ("base", "price", "quantity", "quote")

    def __init__(
        self, tick_size: str, lot_size: str, base_decimals: int, quote_decimals: int
    ) -> None:
        self.price = _of_size(tick_size)
        self.quantity = _of_size(lot_size)
        self.base = asset_axis(base_decimals)
        self.quote = asset_axis(quote_decimals)


_kept_grid = lru_cache(_KEPT_MAX)(FaceGrid)


def grid_of(instrument: Instrument) -> FaceGrid:
    """The axes of an instrument, made once for each grid. O(1)."""
    return _kept_grid(
        instrument.tick_size,
        instrument.lot_size,
        instrument.base_decimals,
        instrument.quote_decimals,
    )


@lru_cache(_KEPT_MAX)
def asset_axis(decimals: int) -> Axis:
    """The axis of an asset with so many decimals.

    >>> asset_axis(6).text(1_500_000), asset_axis(18).text(1)
    ('1.50000000', '0.000000000000000001')
    """
    digits = max(DECIMALS, decimals)
    return Axis(digits, power_of_ten(digits - decimals))


def rate_text(rate: int) -> str:
    """A fee rate of millionths as a fraction.

    >>> rate_text(1000), rate_text(-50)
    ('0.00100000', '-0.00005000')
    """
    return asset_axis(_RATE_DIGITS).text(rate)


def basis_points(rate: int) -> int:
    """A fee rate of millionths in whole basis points, toward zero.

    >>> basis_points(1000), basis_points(-50)
    (10, 0)
    """
    points = abs(rate) * _BASIS_POINTS // FEE_SCALE
    return points if rate > 0 else -points


def _of_size(size: str) -> Axis:
    decimals, step = step_of(size)
    digits = max(DECIMALS, decimals)
    return Axis(digits, step * power_of_ten(digits - decimals))
