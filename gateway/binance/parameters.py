"""Parameters of a request of the Binance-spot face. No I/O.

REST sends them in the query and in the body, both as `k=v&k=v`, whatever the method and whatever
the content type says. A parameter in both is the query's.
"""

import re
from collections.abc import Mapping
from typing import Final, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec

from crossbook.common.types import MAX_CLIENT_ORDER_ID
from crossbook.gateway.binance.decimals import DECIMALS
from crossbook.gateway.binance.problem import (
    BAD_COMBINATION,
    DUPLICATE_SYMBOLS,
    DUPLICATE_VALUES,
    ILLEGAL_CHARACTERS,
    PARAMETER_EMPTY,
    TOO_MANY_PARAMETERS,
    Refusal,
    illegal,
    missing,
    not_valid,
    too_precise,
)

PARAMETERS_MAX: Final = 100
"""Most parameters of one request."""

MS: Final = 1_000_000
"""Nanoseconds of the unit in which this face shows times."""

US: Final = 1_000
"""The same where a client asks for microseconds."""

MOMENT_MAX_NS: Final = 7_258_118_400_000_000_000
"""Times after 2200 are as good as that one."""

SYMBOL_RANGE: Final = "^[A-Z0-9-_.]{1,20}$"
NAME_RANGE: Final = r"^[a-zA-Z0-9-_\.:/]{1,36}$"
DECIMAL_RANGE: Final = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
INTEGER_RANGE: Final = "^[0-9]{1,20}$"
SYMBOLS_RANGE: Final = '^\\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}\\]$'
BOOLEAN_RANGE: Final = "^(true|false)$"

_SYMBOL: Final = re.compile(r"[A-Z0-9_.-]{1,20}", re.ASCII)
_NAME: Final = re.compile(r"[a-zA-Z0-9_.:/-]{1,36}", re.ASCII)
_DECIMAL: Final = re.compile(r"[0-9]{1,20}(?:\.([0-9]{1,20}))?", re.ASCII)
_INTEGER: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_MICROSECOND_DIGITS: Final = 16
"""From so many digits on a time is one in microseconds."""

_INTEGER_MAX: Final = 2**63 - 1
SYMBOLS_MAX: Final = 200
"""Most symbols of a list."""

_SYMBOLS: Final = re.compile(r'\["[A-Z0-9_.-]{1,20}"(?:,"[A-Z0-9_.-]{1,20}")*\]', re.ASCII)
_listed = msgspec.json.Decoder(list[str]).decode

V = TypeVar("V")


class Parameters:
    """The parameters of one request by name.

    `unit_ns` is the unit of the times in the answer. The methods raise `Refusal` for a value that
    is not of their kind, an empty one too; without a value they return None.

    >>> asked = Parameters({"symbol": "BTCUSDT", "limit": "5"})
    >>> asked.symbol(), asked.integer("limit", 1, 10), asked.integer("fromId")
    ('BTCUSDT', 5, None)
    """

    __slots__ = ("unit_ns", "values")

    def __init__(self, values: dict[str, str], unit_ns: int = MS) -> None:
        self.values = values
        self.unit_ns = unit_ns

    def time(self, time_ns: int) -> int:
        """A time as the answer shows it."""
        return time_ns // self.unit_ns

    def text(self, name: str) -> str | None:
        """A parameter as it came."""
        value = self.values.get(name)
        if value == "":
            raise Refusal(PARAMETER_EMPTY, f"Parameter '{name}' was empty.")
        return value

    def needed(self, name: str) -> str:
        """A parameter that must be there."""
        value = self.values.get(name)
        if not value:
            raise missing(name)
        return value

    def symbol(self) -> str:
        """The parameter `symbol`, which must be there."""
        value = self.needed("symbol")
        if _SYMBOL.fullmatch(value) is None:
            raise illegal("symbol", SYMBOL_RANGE)
        return value

    def symbols(self, most: int = SYMBOLS_MAX) -> list[str] | None:
        """The list of `symbols`, a JSON text; each of them once, at most `most`."""
        value = self.text("symbols")
        if value is None:
            return None
        if _SYMBOLS.fullmatch(value) is None:
            raise illegal("symbols", SYMBOLS_RANGE)
        found = _listed(value)
        if len(set(found)) < len(found):
            raise Refusal(DUPLICATE_SYMBOLS, "Symbol is present multiple times in the list.")
        if len(found) > most:
            raise not_valid("symbols")
        return found

    def symbol_or_symbols(self, most: int = SYMBOLS_MAX) -> str | list[str] | None:
        """`symbol`, or the list of `symbols`, of which a request has one; None for neither."""
        listed = self.symbols(most)
        if "symbol" not in self.values:
            return listed
        if listed is not None:
            raise Refusal(BAD_COMBINATION, "Combination of optional parameters invalid.")
        return self.symbol()

    def choice(self, name: str, choices: Mapping[str, V], default: str = "") -> V:
        """The value that a word of `choices` stands for; that of `default` where none is sent."""
        word = self.text(name) or default
        if not word:
            raise missing(name)
        if word not in choices:
            raise not_valid(name)
        return choices[word]

    def name(self, name: str) -> str | None:
        """A client order id."""
        value = self.text(name)
        if value is not None and _NAME.fullmatch(value) is None:
            raise illegal(name, NAME_RANGE)
        return value

    def old_name(self, name: str) -> str | None:
        """The client order id of an order that may have come over another interface, where every
        printable character is allowed."""
        value = self.text(name)
        if value is not None and not (
            len(value) <= MAX_CLIENT_ORDER_ID and value.isascii() and value.isprintable()
        ):
            raise illegal(name, NAME_RANGE)
        return value

    def decimal(self, name: str) -> str | None:
        """Decimal text that is not negative, with at most eight digits behind the point that are
        not zeros at its end."""
        value = self.text(name)
        if value is None:
            return None
        found = _DECIMAL.fullmatch(value)
        if found is None:
            raise illegal(name, DECIMAL_RANGE)
        fraction = found[1]
        if fraction and len(fraction) > DECIMALS and fraction[DECIMALS:].strip("0"):
            raise too_precise(name)
        return value

    def integer(self, name: str, least: int = 0, most: int = _INTEGER_MAX) -> int | None:
        """A whole number between two bounds."""
        value = self.text(name)
        if value is None:
            return None
        if _INTEGER.fullmatch(value) is None:
            raise illegal(name, INTEGER_RANGE)
        number = int(value)
        if not least <= number <= most:
            raise not_valid(name)
        return number

    def count(self, name: str, default: int, most: int) -> int:
        """How many rows the answer may have: `most` for a larger number."""
        number = self.integer(name, 1)
        return default if number is None else min(number, most)

    def moment_ns(self, name: str) -> int | None:
        """A time, sent in milliseconds or microseconds, in nanoseconds; at most `MOMENT_MAX_NS`."""
        number = self.integer(name, 0, _INTEGER_MAX)
        return None if number is None else min(number * self.unit_of(name), MOMENT_MAX_NS)

    def span_ns(self) -> tuple[int | None, int | None]:
        """`startTime`, and the last nanosecond of `endTime`, which belongs to the span. Raises
        `Refusal` where it ends before it begins."""
        start_ns, end_ns = self.moment_ns("startTime"), self.moment_ns("endTime")
        if end_ns is not None:
            end_ns += self.unit_of("endTime") - 1
            if start_ns is not None and end_ns < start_ns:
                raise Refusal(BAD_COMBINATION, "Start time is greater than end time.")
        return start_ns, end_ns

    def unit_of(self, name: str) -> int:
        """The unit in which a time was sent, in nanoseconds."""
        return US if len(self.values[name].lstrip("0")) >= _MICROSECOND_DIGITS else MS

    def boolean(self, name: str) -> bool | None:
        """True or false, in any case of letters."""
        value = self.text(name)
        if value is None:
            return None
        lowered = value.lower()
        if lowered not in ("true", "false"):
            raise illegal(name, BOOLEAN_RANGE)
        return lowered == "true"


def values_of(query: bytes, body: bytes) -> dict[str, str]:
    """The parameters of a query and a body, decoded; those of the query first. Raises `Refusal`
    for bytes that are no parameters, for too many, and for a name that is twice in one of both.

    >>> values_of(b"symbol=BTCUSDT&a=1", b"a=2&b=%2B")
    {'symbol': 'BTCUSDT', 'a': '1', 'b': '+'}
    """
    values: dict[str, str] = {}
    if query:
        _read(query, values)
    if body:
        more: dict[str, str] = {}
        _read(body, more)
        values = {**values, **{name: each for name, each in more.items() if name not in values}}
    return values


def payload_of(query: bytes, body: bytes) -> bytes:
    """The bytes that a request is signed over: query and body as received, without the parameter
    `signature` in either.

    >>> payload_of(b"symbol=BTCUSDT&signature=ab", b"side=BUY")
    b'symbol=BTCUSDTside=BUY'
    """
    return _unsigned(query) + _unsigned(body)


def _unsigned(raw: bytes) -> bytes:
    if b"signature=" not in raw:
        return raw
    head, mark, tail = raw.rpartition(b"&signature=")
    if mark and b"&" not in tail and b"signature=" not in head:
        return head
    return b"&".join(part for part in raw.split(b"&") if not part.startswith(b"signature="))


def _read(raw: bytes, values: dict[str, str]) -> None:
    """Add the parameters of one part of a request."""
    parts = raw.split(b"&")
    if len(parts) > PARAMETERS_MAX:
        text = f"Too many parameters; expected '{PARAMETERS_MAX}' and received '{len(parts)}'."
        raise Refusal(TOO_MANY_PARAMETERS, text)
    is_plain = b"%" not in raw and b"+" not in raw and raw.isascii()
    for part in parts:
        name, mark, value = part.partition(b"=")
        if not mark or not name:
            if part:
                raise _no_parameters()
            continue
        key = name.decode() if is_plain else _decoded(name)
        if key in values:
            raise Refusal(TOO_MANY_PARAMETERS, DUPLICATE_VALUES)
        values[key] = value.decode() if is_plain else _decoded(value)
    if _CONTROL.search("".join(values.values())):
        raise _no_parameters()


def _decoded(raw: bytes) -> str:
    if _BAD_ESCAPE.search(raw):
        raise _no_parameters()
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise _no_parameters() from None


def _no_parameters() -> Refusal:
    return Refusal(ILLEGAL_CHARACTERS, "Illegal characters found in a parameter.")
