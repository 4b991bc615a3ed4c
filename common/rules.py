"""Rules of the whole venue, and the configuration that a journal records with them.

They decide what commands do, so a replay must find the ones that were in force: they stand in the
head of every journal segment and in every snapshot.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from crossbook.common.errors import ConfigError, DecimalError
from crossbook.common.instruments import Instrument, parse_decimal, read_file

FEE_ACCOUNT: Final = 0
"""The venue's own account. No client can name it: their accounts begin at one."""

BALANCE_MAX: Final = 2**62
"""Most of one asset, in its smallest unit, that an account opens with or has after a deposit.
Trades may bring it more."""


ICEBERG_SLICES_MAX: Final = 100
"""Most slices of one iceberg: each costs a sweep as much as an order does."""

INSTRUMENTS_MAX: Final = 1_000
"""Most instruments of one matcher."""

CANCEL_AFTER_MAX_NS: Final = 24 * 60 * 60 * 1_000_000_000
"""Longest time of a dead-man timer."""

EDITION: Final = 2
"""The edition of the market's rules that new commands are applied by.

Edition 1 let a market order by quote amount meet own orders before it looked at what was left of
it, rounded the middle of two prices down where an auction had no last price to be near to, and let
all accounts share one window of retries and one limit of opening money and deposits, and took
instruments and fees whose rounding costs most of a small fill. A journal written by it is replayed
by it."""


class Rules(Struct, array_like=True, frozen=True):
    """What holds for all instruments.

    With `accounts` every order needs the money it may cost. `opening` is what each account has
    when it is first seen, as (asset, smallest units). `max_open_orders` of one account, zero for
    any number.
    """

    accounts: bool = False
    opening: tuple[tuple[str, int], ...] = ()
    max_open_orders: int = 0


class Configuration(Struct, array_like=True, tag=2, frozen=True):
    """All that is configured and decides what commands do. Configurations recorded before rules
    had editions decode as edition 1."""

    instruments: list[Instrument]
    rules: Rules = Rules()
    edition: int = 1


_decode = msgspec.msgpack.Decoder(Configuration).decode
_decode_first_version = msgspec.msgpack.Decoder(list[Instrument]).decode
_encode = msgspec.msgpack.Encoder().encode


def encode_configuration(instruments: Sequence[Instrument], rules: Rules) -> bytes:
    """The configuration as a segment's head holds it, under the current edition of the rules."""
    return _encode(Configuration(list(instruments), rules, EDITION))


def decode_configuration(data: bytes) -> Configuration:
    """The configuration of a segment's head; the first format had a list of instruments only."""
    if len(data) > 1 and data[1] != Configuration.__struct_config__.tag:
        return Configuration(_decode_first_version(data))
    return _decode(data)


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
    if document.max_open_orders < 0:
        raise ConfigError(f"instruments file {path}: max_open_orders may not be negative")
    return Rules(accounts, tuple(opening), document.max_open_orders)
