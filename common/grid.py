"""Exact decimal text to whole steps and back: prices in ticks, quantities in lots, money in units.

A step is decimal text too, so nothing is ever rounded. An `Axis` splits the text of its step once;
a `Grid` holds the axes of one instrument and is made once (`Instrument.grid`).
"""

from crossbook.common.errors import DecimalError
from crossbook.common.types import MAX_INT, RejectReason


class Axis:
    """Decimal text as multiples of one step.

    `decimals` is the fixed number of digits behind the point, `step` one step in units of the last
    of them: 5 for a step of 0.05.
    """

    __slots__ = ("_reason", "_size", "decimals", "step")

    def __init__(
        self,
        decimals: int,
        step: int = 1,
        size: str = "",
        reason: RejectReason = RejectReason.MALFORMED,
    ) -> None:
        self.decimals = decimals
        self.step = step
        self._size = size
        self._reason = reason

    def steps(self, text: str) -> int:
        """The steps of decimal text; raises `DecimalError` for text that is not a whole number of
        them.

        >>> Axis(2, step=5).steps("0.15")
        3
        """
        try:
            units = parse_decimal(text, self.decimals)
        except _TooFineError as error:
            if not self._size:
                raise
            raise self._off_grid() from error
        if self.step == 1:
            return units
        steps, rest = divmod(units, self.step)
        if rest:
            raise self._off_grid()
        return steps

    def text(self, steps: int) -> str:
        """Decimal text of so many steps, with exactly `decimals` digits behind the point.

        >>> Axis(2, step=5).text(3)
        '0.15'
        """
        return format_decimal(steps * self.step, self.decimals)

    def text_or_none(self, steps: int) -> str | None:
        """As `text`; None for zero, where zero stands for no number."""
        return format_decimal(steps * self.step, self.decimals) if steps else None

    def _off_grid(self) -> DecimalError:
        return DecimalError(f"not a multiple of {self._size}", self._reason)


class Grid:
    """The axes of one instrument.

    `price` counts ticks, `quantity` lots; `base` and `quote` count the smallest units of the two
    assets.

    >>> grid = Grid("0.01", "0.00001", 8, 8)
    >>> grid.price.steps("50000.01"), grid.quantity.steps("0.5")
    (5000001, 50000)
    >>> grid.price.text(5000001), grid.quantity.text(50000), grid.quote.text(-5)
    ('50000.01', '0.50000', '-0.00000005')
    """

    __slots__ = ("base", "price", "quantity", "quote")

    def __init__(
        self, tick_size: str, lot_size: str, base_decimals: int, quote_decimals: int
    ) -> None:
        self.price = Axis(*step_of(tick_size), tick_size, RejectReason.BAD_TICK)
        self.quantity = Axis(*step_of(lot_size), lot_size, RejectReason.BAD_LOT)
        self.base = Axis(base_decimals)
        self.quote = Axis(quote_decimals)


def step_of(size: str) -> tuple[int, int]:
    """Decimals of a step size, and the step in units of the last one; raises `DecimalError`.

    >>> step_of("0.05")
    (2, 5)
    """
    decimals = len(size.partition(".")[2])
    return decimals, parse_decimal(size, decimals)


def parse_decimal(text: str, decimals: int) -> int:
    """The exact value of plain decimal text in units of 10**-decimals.

    Only ASCII digits and one point are accepted: no sign, exponent, spaces or separators. Raises
    `DecimalError` for anything else, and for more digits after the point than `decimals` (unless
    they are zeros).

    >>> parse_decimal("1.50", 8)
    150000000
    """
    whole, point, fraction = text.partition(".")
    digits = whole + fraction
    if not whole or (point and not fraction) or not (digits.isascii() and digits.isdigit()):
        raise DecimalError("not plain decimal text such as 12.34", RejectReason.MALFORMED)
    missing = decimals - len(fraction)
    if missing < 0:
        if fraction[decimals:].strip("0"):
            raise _TooFineError(f"more than {decimals} decimals", RejectReason.MALFORMED)
        digits, missing = digits[:missing], 0
    value: int = int(digits) * 10**missing
    if value > MAX_INT:
        most = format_decimal(MAX_INT, decimals)
        raise DecimalError(f"more than {most}", RejectReason.EXCEEDS_LIMIT)
    return value


def format_decimal(value: int, decimals: int) -> str:
    """Decimal text of `value` units of 10**-decimals, with exactly that many decimals.

    >>> format_decimal(-5, 2)
    '-0.05'
    """
    if not decimals:
        return str(value)
    digits = str(value).zfill(decimals + (1 if value >= 0 else 2))
    return f"{digits[:-decimals]}.{digits[-decimals:]}"


def power_of_ten(exponent: int) -> int:
    """10**exponent for a non-negative exponent, as an integer to the type checker too."""
    return int(10**exponent)


class _TooFineError(DecimalError):
    """Plain decimal text with more digits behind the point than there can be."""
