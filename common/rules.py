"""Rules of the whole venue, and the configuration that a journal records with them.

The rules decide what commands do, so a replay needs those that were in force. They stand in the
head of every journal segment and in every snapshot.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from crossbook.common.instruments import Instrument

FEE_ACCOUNT: Final = 0
"""The venue's own account. No client can name it: accounts of clients begin at one."""

BALANCE_MAX: Final = 2**62
"""Highest balance of one asset, in its smallest unit, that an opening or a deposit may leave.
Trades may raise it further."""


ICEBERG_SLICES_MAX: Final = 100
"""Most slices of one iceberg: each costs a sweep as much as an order does."""

NO_LIMIT: Final = 2**62
"""The limit where a rule is zero."""

INSTRUMENTS_MAX: Final = 1_000
"""Most instruments of one matcher."""

CANCEL_AFTER_MAX_NS: Final = 24 * 60 * 60 * 1_000_000_000
"""Longest time of a dead-man timer."""

EDITION: Final = 3
"""The edition of the market's rules that new commands are applied by.

Under edition 2 market orders of a call phase that could not pay ended one by one, with a new price
after each. Edition 1 differs from that in five points. A market order by quote amount met own
orders before its rest was compared with the price of a lot. An auction without a last price rounded
the middle of two prices down. All accounts shared one window of retries. All accounts shared one
limit of opening money and deposits. Instruments and fees whose rounding costs most of a small fill
were accepted. A journal written under an edition is replayed under it."""


class Rules(Struct, array_like=True, frozen=True):
    """Rules for all instruments.

    With `accounts` every order needs the money it may cost. `opening` is the opening balance of
    every account, as (asset, smallest units). `max_open_orders` limits one account and
    `max_level_orders` the orders at one price. An incoming order meets at most `max_fills` makers;
    whatever else is that long goes on as the next number. Zero means no limit, as in rules
    recorded before a limit existed.
    """

    accounts: bool = False
    opening: tuple[tuple[str, int], ...] = ()
    max_open_orders: int = 0
    max_level_orders: int = 0
    max_fills: int = 0


NO_RULES: Final = Rules()
"""Neither accounts nor limits."""


class Configuration(Struct, array_like=True, tag=2, frozen=True):
    """The part of the configuration that decides what commands do. One recorded before rules had
    editions decodes as edition 1."""

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
