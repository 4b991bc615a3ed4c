"""Numbers of the Binance-spot face: decimal text with eight digits behind the point. No I/O.

Nothing is rounded: a number that has finer digits is shown with all digits of its grid or asset.
"""

from functools import lru_cache
from typing import Final

from crossbook.common.grid import format_decimal, power_of_ten, step_of
from crossbook.common.instruments import FEE_SCALE, Instrument

DECIMALS: Final = 8
"""Digits behind the point."""

ZERO: Final = "0.00000000"
"""No amount, and a price that an order does not have."""

_RATE_DIGITS: Final = len(str(FEE_SCALE)) - 1
_BASIS_POINTS: Final = 10_000
_KEPT_MAX: Final = 4_096


class FaceAxis:
    """Text of multiples of one step: `decimals` are its digits, eight or more, and `step` is one
    step in units of the last of them. It is made of those of an `Axis`.

    >>> FaceAxis(2, 5).text(3), FaceAxis(10).text(1500), FaceAxis(10).text(1501)
    ('0.15000000', '0.00000015', '0.0000001501')
    """

    __slots__ = ("_beyond", "decimals", "step")

    def __init__(self, decimals: int, step: int = 1) -> None:
        self.decimals = max(DECIMALS, decimals)
        self.step = step * power_of_ten(self.decimals - decimals)
        self._beyond = power_of_ten(self.decimals - DECIMALS)

    def text(self, steps: int) -> str:
        """Decimal text of so many steps."""
        units, beyond = steps * self.step, self._beyond
        if beyond == 1:
            return format_decimal(units, DECIMALS)
        if units % beyond:
            return format_decimal(units, self.decimals)
        return format_decimal(units // beyond, DECIMALS)


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
        self.price = FaceAxis(*step_of(tick_size))
        self.quantity = FaceAxis(*step_of(lot_size))
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
def asset_axis(decimals: int) -> FaceAxis:
    """The axis of an asset with so many decimals.

    >>> asset_axis(6).text(1_500_000), asset_axis(18).text(1)
    ('1.50000000', '0.000000000000000001')
    """
    return FaceAxis(decimals)


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
