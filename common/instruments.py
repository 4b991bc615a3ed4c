"""Instruments: their grids, limits and fees.

Instruments are read from a TOML file (`instruments_file`) and sent to clients unchanged. A
price on the grid is `ticks * tick_size`, a quantity `lots * lot_size`.
"""

import re
from functools import cached_property
from typing import Final

from msgspec import Struct

from crossbook.common.errors import ConfigError, DecimalError
from crossbook.common.grid import Grid, parse_decimal, power_of_ten
from crossbook.common.types import MAX_ASSET, MAX_INT, MAX_SYMBOL

_NAME: Final = re.compile("(?=.*[A-Z])[A-Z0-9][A-Z0-9_-]*")

FEE_SCALE: Final = 1_000_000
"""A fee rate of 1 is one millionth (0.01 basis point) of the amount received."""

FEE_RATE_MAX: Final = FEE_SCALE // 10
"""Highest fee rate and highest rebate: a tenth of the amount."""

DECIMALS_MAX: Final = 18
"""Most decimals of an asset."""

MAX_NOTIONAL: Final = 2**62
"""Largest notional of one order in quote units: keeps all money of a fill within 64 bits."""


class Instrument(Struct, array_like=True, frozen=True, dict=True):
    """One traded pair.

    `*_decimals` give the asset's smallest unit (8: 1e-8). Fee rates are in millionths, negative
    is a rebate. Notionals are in the quote asset's smallest unit. No taker trades below
    `band_low_ticks`, above `band_high_ticks` (zero: no bound), or farther than `band_rate`
    millionths from the last price (zero: however far).
    """

    id: int
    symbol: str
    base: str
    quote: str
    tick_size: str
    lot_size: str
    base_decimals: int
    quote_decimals: int
    max_price_ticks: int
    min_quantity_lots: int
    max_quantity_lots: int
    min_notional: int
    maker_fee_rate: int
    taker_fee_rate: int
    min_price_ticks: int = 1
    max_notional: int = MAX_NOTIONAL
    band_low_ticks: int = 0
    band_high_ticks: int = 0
    band_rate: int = 0

    @cached_property
    def grid(self) -> Grid:
        """The axes of its prices, quantities and money."""
        return Grid(self.tick_size, self.lot_size, self.base_decimals, self.quote_decimals)

    @cached_property
    def base_units_per_lot(self) -> int:
        """One lot in the base asset's smallest unit."""
        return parse_decimal(self.lot_size, self.base_decimals)

    @cached_property
    def notional_per_tick_lot(self) -> int:
        """One lot at a price of one tick, in the quote asset's smallest unit."""
        price, quantity = self.grid.price, self.grid.quantity
        product = price.step * quantity.step * power_of_ten(self.quote_decimals)
        units, rest = divmod(product, power_of_ten(price.decimals + quantity.decimals))
        if rest or not units:
            raise ConfigError(
                f"instrument {self.symbol}: tick_size x lot_size is finer than {self.quote}, "
                f"which has {self.quote_decimals} decimals; give {self.quote} more decimals"
            )
        return units

    def price_to_ticks(self, text: str) -> int:
        """Ticks of an exact decimal price; raises `DecimalError` when it is off the grid.

        >>> example().price_to_ticks("50000.01")
        5000001
        """
        return self.grid.price.steps(text)

    def quantity_to_lots(self, text: str) -> int:
        """Lots of an exact decimal quantity; raises `DecimalError` when it is off the grid.

        >>> example().quantity_to_lots("0.5")
        50000
        """
        return self.grid.quantity.steps(text)

    def price_text(self, ticks: int) -> str:
        """Decimal text of a price at the instrument's fixed precision.

        >>> example().price_text(5000001)
        '50000.01'
        """
        return self.grid.price.text(ticks)

    def quantity_text(self, lots: int) -> str:
        """Decimal text of a quantity at the instrument's fixed precision.

        >>> example().quantity_text(50000)
        '0.50000'
        """
        return self.grid.quantity.text(lots)


def example() -> Instrument:
    """The BTC-USDT of the examples in these docstrings."""
    return Instrument(
        id=1, symbol="BTC-USDT", base="BTC", quote="USDT", tick_size="0.01", lot_size="0.00001",
        base_decimals=8, quote_decimals=8, max_price_ticks=10**9, min_quantity_lots=1,
        max_quantity_lots=10**9, min_notional=0, maker_fee_rate=1000, taker_fee_rate=2000,
    )  # fmt: skip


def check_change(known: Instrument, wanted: Instrument | None) -> None:
    """Raise `ConfigError` unless `known` may become `wanted` while its orders live.

    Limits and fees may change. An instrument may not be removed; its name, assets and grid stay.
    """
    if wanted is None:
        raise ConfigError(
            f"instrument {known.symbol} (id {known.id}) is in the recorded state but not in the "
            "instruments file, or on another shard there; put it back, or start with another "
            "DATA_DIR"
        )
    for field in (
        "symbol", "base", "quote", "tick_size", "lot_size", "base_decimals", "quote_decimals",
    ):  # fmt: skip
        before, after = getattr(known, field), getattr(wanted, field)
        if before != after:
            raise ConfigError(
                f"instrument {known.symbol} (id {known.id}): {field} was {before} when its orders "
                f"were recorded and may not become {after}; give it another id, or keep the "
                "instruments file it was recorded with"
            )


def definition_fault(instrument: Instrument) -> str:
    """The field at fault of an instrument from the administrator's socket; empty if it can trade.

    >>> definition_fault(example())
    ''
    """
    if not 1 <= instrument.id <= 65535:
        return "id"
    if not 1 <= len(instrument.symbol) <= MAX_SYMBOL or not _plain_symbol(instrument.symbol):
        return "symbol"
    for field in ("base", "quote"):
        asset = getattr(instrument, field)
        if not 1 <= len(asset) <= MAX_ASSET or not _plain_symbol(asset):
            return field
        if not 0 <= getattr(instrument, f"{field}_decimals") <= DECIMALS_MAX:
            return f"{field}_decimals"
    if instrument.base == instrument.quote:
        return "quote"
    for field, decimals in (("tick_size", DECIMALS_MAX), ("lot_size", instrument.base_decimals)):
        try:
            if not parse_decimal(getattr(instrument, field), decimals):
                return field
        except DecimalError:
            return field
    try:
        instrument.notional_per_tick_lot  # noqa: B018 - raises when money would not be whole
    except ConfigError:
        return "tick_size"
    return _limits_fault(instrument)


def _limits_fault(instrument: Instrument) -> str:
    low, high = instrument.band_low_ticks, instrument.band_high_ticks
    sound = (
        ("max_price_ticks", 1 <= instrument.max_price_ticks <= MAX_INT),
        ("min_price_ticks", 1 <= instrument.min_price_ticks <= instrument.max_price_ticks),
        ("min_quantity_lots", 1 <= instrument.min_quantity_lots <= instrument.max_quantity_lots),
        ("max_quantity_lots", instrument.max_quantity_lots * instrument.base_units_per_lot
         <= MAX_INT),
        ("max_notional", 1 <= instrument.max_notional <= MAX_NOTIONAL),
        ("min_notional", 0 <= instrument.min_notional <= instrument.max_notional),
        ("band_low_ticks", 0 <= low <= MAX_INT),
        ("band_high_ticks", 0 <= high <= MAX_INT and (not high or low <= high)),
        ("band_rate", 0 <= instrument.band_rate <= FEE_SCALE),
        ("maker_fee_rate", abs(instrument.maker_fee_rate) <= FEE_RATE_MAX),
        ("taker_fee_rate", abs(instrument.taker_fee_rate) <= FEE_RATE_MAX
         and instrument.maker_fee_rate + instrument.taker_fee_rate >= 0),
    )  # fmt: skip
    return next((field for field, holds in sound if not holds), "")


def name_fault(instrument: Instrument) -> str:
    """The field whose name is unfit for a topic, path, URL or command line; empty if all are fit.

    >>> name_fault(example())
    ''
    """
    names = (("symbol", MAX_SYMBOL), ("base", MAX_ASSET), ("quote", MAX_ASSET))
    return next((each for each, most in names if not is_name(getattr(instrument, each), most)), "")


def is_name(text: str, longest: int) -> bool:
    """A `/` would divide a path, a leading `-` begin an option, digits alone be an order id."""
    return len(text) <= longest and _NAME.fullmatch(text) is not None


def _plain_symbol(symbol: str) -> bool:
    """Whether the engine accepts a symbol; journals hold some that `name_fault` refuses."""
    return all(c.isascii() and (c.isdigit() or c.isupper() or c in "-_/") for c in symbol)
