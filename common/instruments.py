"""Instruments: their grids, limits and fees, and the file that lists them.

Instruments are read from a TOML file (`load_instruments`) and sent to clients unchanged. A
price on the grid is `ticks * tick_size`, a quantity `lots * lot_size`.
"""

import re
from functools import cached_property
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from crossbook.common.errors import BAD_BYTES, ConfigError, DecimalError
from crossbook.common.grid import Grid, parse_decimal, power_of_ten, step_of
from crossbook.common.text import utf8_text
from crossbook.common.types import MAX_ASSET, MAX_INT, MAX_SYMBOL, RejectReason

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
        1, "BTC-USDT", "BTC", "USDT", "0.01", "0.00001", 8, 8, 10**9, 1, 10**9, 0, 1000, 2000
    )


def load_instruments(path: Path) -> tuple[Instrument, ...]:
    """Read and check an instruments file; raises `ConfigError` naming entry and field."""
    document = read_file(path)
    instruments = tuple(instrument_of(entry, document.assets) for entry in document.instrument)
    for name in ("id", "symbol"):
        values = [getattr(instrument, name) for instrument in instruments]
        if len(set(values)) != len(values):
            raise ConfigError(f"instruments file {path}: {name} is used twice")
    return instruments


def load_assignment(path: Path, shards: int) -> dict[int, int]:
    """The shard of each instrument of a file, by id; raises `ConfigError` naming the entry."""
    assignment: dict[int, int] = {}
    for entry in read_file(path).instrument:
        assignment[entry.id] = shard_of_entry(entry, shards)
    return assignment


def shard_of_entry(entry: "InstrumentEntry", shards: int) -> int:
    """The shard of an instrument's entry; raises `ConfigError` where there is no such shard.

    Entries without a shard get one by id in turn, so that one more instrument moves no other."""
    shard = (entry.id - 1) % shards if entry.shard is None else entry.shard
    if not 0 <= shard < shards:
        raise ConfigError(
            f"instrument {entry.symbol}: shard {shard} is not among the SHARDS={shards}, which "
            f"are 0 to {shards - 1}"
        )
    return shard


def read_file(path: Path) -> "InstrumentsFile":
    """The decoded instruments file; raises `ConfigError`."""
    try:
        text = utf8_text(path.read_bytes(), f"instruments file {path}")
        document = msgspec.toml.decode(text, type=InstrumentsFile)
    except OSError as error:
        raise ConfigError(f"instruments file {path}: {error.strerror}") from error
    except (*BAD_BYTES, ValueError) as error:
        raise ConfigError(f"instruments file {path}: {error}") from error
    if not document.instrument:
        raise ConfigError(f"instruments file {path}: no [[instrument]] entry")
    return document


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


class InstrumentEntry(Struct, forbid_unknown_fields=True):
    """One [[instrument]] of the file."""

    id: int
    symbol: str
    base: str
    quote: str
    tick_size: str
    lot_size: str
    max_price: str
    min_quantity: str
    max_quantity: str
    min_notional: str = "0"
    maker_fee_percent: str = "0.10"
    taker_fee_percent: str = "0.20"
    min_price: str = ""
    max_notional: str = ""
    band_low: str = ""
    band_high: str = ""
    band_percent: str = "0"
    shard: int | None = None


class InstrumentsFile(Struct, forbid_unknown_fields=True):
    """The instruments file: decimals of each asset, then the instruments. `opening` is the
    opening balance of every account; `max_open_orders` limits one account, zero means no limit."""

    assets: dict[str, int]
    instrument: list[InstrumentEntry]
    opening: dict[str, str] = {}
    max_open_orders: int = 0


def instrument_of(entry: InstrumentEntry, assets: dict[str, int]) -> Instrument:
    """The instrument of an entry; raises `ConfigError` naming entry and field."""
    where = f"instrument {entry.symbol}"
    if not 1 <= entry.id <= 65535:
        raise ConfigError(f"{where}: id must be 1 to 65535")
    for field, name, longest in (
        ("symbol", entry.symbol, MAX_SYMBOL),
        ("base", entry.base, MAX_ASSET),
        ("quote", entry.quote, MAX_ASSET),
    ):
        if not _is_name(name, longest):
            raise ConfigError(
                f"instrument {entry.symbol!r}: {field} must be 1 to {longest} of A-Z, 0-9, '-' and "
                f"'_', begin with a letter or digit and have a letter, not {name!r}"
            )
    for asset in (entry.base, entry.quote):
        if not 0 <= assets.get(asset, -1) <= DECIMALS_MAX:
            raise ConfigError(f"{where}: asset {asset} needs 0 to 18 decimals under [assets]")
    field = "tick_size"
    try:
        grid = Instrument(
            entry.id, entry.symbol, entry.base, entry.quote, entry.tick_size, entry.lot_size,
            assets[entry.base], assets[entry.quote], 0, 0, 0, 0, 0, 0,
        )  # fmt: skip
        if not step_of(entry.tick_size)[1]:
            raise ConfigError(f"{where}: tick_size must be positive")
        field = "lot_size"
        if not grid.base_units_per_lot:
            raise ConfigError(f"{where}: lot_size must be positive")
        grid.notional_per_tick_lot  # noqa: B018 - raises when money would not be whole
        field = "max_price"
        max_price_ticks = grid.price_to_ticks(entry.max_price)
        field = "min_quantity"
        min_lots = grid.quantity_to_lots(entry.min_quantity)
        field = "max_quantity"
        max_lots = grid.quantity_to_lots(entry.max_quantity)
        field = "min_notional"
        min_notional = parse_decimal(entry.min_notional, grid.quote_decimals)
        field = "maker_fee_percent"
        maker_rate = _fee_rate(entry.maker_fee_percent)
        field = "taker_fee_percent"
        taker_rate = _fee_rate(entry.taker_fee_percent)
        made = msgspec.structs.replace(
            grid,
            max_price_ticks=max_price_ticks,
            min_quantity_lots=min_lots,
            max_quantity_lots=max_lots,
            min_notional=min_notional,
            maker_fee_rate=maker_rate,
            taker_fee_rate=taker_rate,
        )
    except DecimalError as error:
        raise ConfigError(f"{where}: {field}: {error}") from error
    if not max_price_ticks or not 1 <= min_lots <= max_lots:
        raise ConfigError(f"{where}: needs max_price > 0 and 0 < min_quantity <= max_quantity")
    if max_lots * grid.base_units_per_lot > MAX_INT:
        raise ConfigError(f"{where}: max_quantity is more {entry.base} than 64 bits can count")
    if maker_rate + taker_rate < 0:
        raise ConfigError(f"{where}: a maker rebate may not exceed the taker fee")
    return _protected(made, entry, where)


def _protected(grid: Instrument, entry: InstrumentEntry, where: str) -> Instrument:
    """The instrument with its further limits and price bands."""
    field = "min_price"
    try:
        min_price = grid.price_to_ticks(entry.min_price) if entry.min_price else 1
        field = "max_notional"
        max_notional = MAX_NOTIONAL
        if entry.max_notional:
            max_notional = parse_decimal(entry.max_notional, grid.quote_decimals)
        field = "band_low"
        low = grid.price_to_ticks(entry.band_low) if entry.band_low else 0
        field = "band_high"
        high = grid.price_to_ticks(entry.band_high) if entry.band_high else 0
        field = "band_percent"
        rate = parse_decimal(entry.band_percent, 4)
    except DecimalError as error:
        raise ConfigError(f"{where}: {field}: {error}") from error
    made = msgspec.structs.replace(
        grid,
        min_price_ticks=min_price,
        max_notional=max_notional,
        band_low_ticks=low,
        band_high_ticks=high,
        band_rate=rate,
    )
    field = definition_fault(made)
    if field:
        raise ConfigError(f"{where}: {field} is out of range")
    return made


def _fee_rate(percent: str) -> int:
    """Millionths of a rate in percent; a leading minus makes it a rebate."""
    rate = parse_decimal(percent.removeprefix("-"), 4)
    if rate > FEE_RATE_MAX:
        raise DecimalError("more than 10 percent", RejectReason.EXCEEDS_LIMIT)
    return -rate if percent.startswith("-") else rate


def name_fault(instrument: Instrument) -> str:
    """The field whose name is unfit for a topic, path, URL or command line; empty if all are fit.

    >>> name_fault(example())
    ''
    """
    names = (("symbol", MAX_SYMBOL), ("base", MAX_ASSET), ("quote", MAX_ASSET))
    return next((each for each, most in names if not _is_name(getattr(instrument, each), most)), "")


def _is_name(text: str, longest: int) -> bool:
    """A `/` would divide a path, a leading `-` begin an option, digits alone be an order id."""
    return len(text) <= longest and _NAME.fullmatch(text) is not None


def _plain_symbol(symbol: str) -> bool:
    """Whether the engine accepts a symbol; journals hold some that `name_fault` refuses."""
    return all(c.isascii() and (c.isdigit() or c.isupper() or c in "-_/") for c in symbol)
