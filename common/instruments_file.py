"""The instruments file: a TOML file with assets, instruments and rules, read and checked at start.

Every error is a `ConfigError` that names the entry, the field and the limit.
"""

from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from crossbook.common.errors import BAD_BYTES, ConfigError, DecimalError
from crossbook.common.grid import parse_decimal, step_of
from crossbook.common.instruments import (
    DECIMALS_MAX,
    FEE_RATE_MAX,
    MAX_NOTIONAL,
    Instrument,
    definition_fault,
    is_name,
)
from crossbook.common.rules import BALANCE_MAX, Rules
from crossbook.common.text import utf8_text
from crossbook.common.types import MAX_ASSET, MAX_INT, MAX_SYMBOL, RejectReason

MAX_OPEN_ORDERS: Final = 100_000
"""Open orders that an account may have, unless the instruments file has another number."""

MAX_LEVEL_ORDERS: Final = 100_000
"""Orders that may stand at one price, unless the instruments file has another number."""

MAX_FILLS: Final = 65_536
"""Makers that one incoming order may meet, unless the instruments file has fewer."""


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
    opening balance of every account. `max_open_orders` limits one account and `max_level_orders`
    one price; zero means no limit. `max_fills` limits one order, and may only be lowered."""

    assets: dict[str, int]
    instrument: list[InstrumentEntry]
    opening: dict[str, str] = {}
    max_open_orders: int = MAX_OPEN_ORDERS
    max_level_orders: int = MAX_LEVEL_ORDERS
    max_fills: int = MAX_FILLS


def load_instruments(path: Path) -> tuple[Instrument, ...]:
    """Read and check an instruments file; raises `ConfigError` naming entry and field."""
    document = read_file(path)
    instruments = tuple(instrument_of(entry, document.assets) for entry in document.instrument)
    for name in ("id", "symbol"):
        values = [getattr(instrument, name) for instrument in instruments]
        if len(set(values)) != len(values):
            raise ConfigError(f"instruments file {path}: {name} is used twice")
    return instruments


def load_rules(path: Path, accounts: bool) -> Rules:
    """The rules of an instruments file; raises `ConfigError`."""
    document = read_file(path)
    opening = []
    for asset, text in document.opening.items():
        where = f"instruments file {path}: opening: {asset}"
        if asset not in document.assets:
            raise ConfigError(f"{where} has no decimals under [assets]")
        try:
            amount = parse_decimal(text, document.assets[asset])
        except DecimalError as error:
            raise ConfigError(f"{where}: {error}") from error
        if amount > BALANCE_MAX:
            raise ConfigError(f"{where}: more than 2^62 of the smallest unit")
        opening.append((asset, amount))
    limits = document.max_open_orders, document.max_level_orders
    for name, limit in zip(("max_open_orders", "max_level_orders"), limits, strict=True):
        if limit < 0:
            raise ConfigError(f"instruments file {path}: {name} may not be negative, not {limit}")
    if not 1 <= document.max_fills <= MAX_FILLS:
        raise ConfigError(
            f"instruments file {path}: max_fills must be 1 to {MAX_FILLS}, not {document.max_fills}"
        )
    return Rules(accounts, tuple(opening), *limits, document.max_fills)


def load_assignment(path: Path, shards: int) -> dict[int, int]:
    """The shard of each instrument of a file, by id; raises `ConfigError` naming the entry."""
    assignment: dict[int, int] = {}
    for entry in read_file(path).instrument:
        assignment[entry.id] = shard_of_entry(entry, shards)
    return assignment


def shard_of_entry(entry: InstrumentEntry, shards: int) -> int:
    """The shard of an instrument's entry; raises `ConfigError` where there is no such shard.

    Entries without a shard get one by id in turn, so that one more instrument moves no other."""
    shard = (entry.id - 1) % shards if entry.shard is None else entry.shard
    if not 0 <= shard < shards:
        raise ConfigError(
            f"instrument {entry.symbol}: shard {shard} is not among the SHARDS={shards}, which "
            f"are 0 to {shards - 1}"
        )
    return shard


def read_file(path: Path) -> InstrumentsFile:
    """The decoded instruments file; raises `ConfigError`."""
    try:
        text = utf8_text(path.read_bytes(), f"instruments file {path}")
        document = _decoded(text)
    except OSError as error:
        raise ConfigError(f"instruments file {path}: {error.strerror}") from error
    except (*BAD_BYTES, ValueError) as error:
        raise ConfigError(f"instruments file {path}: {error}") from error
    if not document.instrument:
        raise ConfigError(f"instruments file {path}: no [[instrument]] entry")
    return document


@lru_cache(1)
def _decoded(text: str) -> InstrumentsFile:
    """The file's text decoded: a process reads it several times at its start."""
    return msgspec.toml.decode(text, type=InstrumentsFile)


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
        if not is_name(name, longest):
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
