"""Reads the parameters of market data; raises the refusal that names the one at fault. No I/O."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from crossbook.common.errors import BAD_BYTES
from crossbook.gateway.binance.parameters import MS, US
from crossbook.gateway.binance.problem import (
    BAD_COMBINATION,
    INVALID_INTERVAL,
    Refusal,
    illegal,
    missing,
    not_valid,
)

WHOLE: Final = "^[0-9]{1,20}$"
_IS_WHOLE: Final = re.compile(WHOLE)
TIME_MAX_NS: Final = 7_258_118_400_000_000_000
"""Times after 2200 are as good as that one."""

SYMBOLS: Final = '^\\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}\\]$'
SYMBOLS_MAX: Final = 200
_MICROSECONDS_FROM: Final = 10**15
"""A time with sixteen digits counts microseconds."""

Parameters = Mapping[str, str]

_decode = msgspec.json.Decoder(list[str]).decode


def whole(parameters: Parameters, name: str) -> int | None:
    """A whole number; None where the parameter is not given."""
    text = parameters.get(name)
    if text is None or text == "":
        return None
    if _IS_WHOLE.fullmatch(text) is None:
        raise illegal(name, WHOLE)
    return int(text)


def limit_of(parameters: Parameters, default: int, most: int) -> int:
    """The number of rows: at least one, and `most` where more are requested."""
    limit = whole(parameters, "limit")
    if limit is None:
        return default
    if not limit:
        raise not_valid("limit")
    return min(limit, most)


def time_of(parameters: Parameters, name: str) -> int | None:
    """A time in nanoseconds, given in milliseconds or microseconds; None where it is not given."""
    number = whole(parameters, name)
    if number is None:
        return None
    unit_ns = US if number >= _MICROSECONDS_FROM else MS
    return min(number * unit_ns, TIME_MAX_NS)


def span_of(parameters: Parameters) -> tuple[int | None, int | None]:
    """`startTime` and `endTime` in nanoseconds, each None where it is not given."""
    start_ns, end_ns = time_of(parameters, "startTime"), time_of(parameters, "endTime")
    if start_ns is not None and end_ns is not None and end_ns < start_ns:
        raise Refusal(BAD_COMBINATION, "Start time is greater than end time.")
    return start_ns, end_ns


def choice(parameters: Parameters, name: str, choices: Mapping[str, Any], default: str = "") -> Any:
    """The value that a word of `choices` stands for."""
    word = parameters.get(name) or default
    if not word:
        raise missing(name)
    if word not in choices:
        raise not_valid(name)
    return choices[word]


def interval_of(parameters: Parameters, intervals: Mapping[str, Any]) -> Any:
    """The interval that is named."""
    name = parameters.get("interval")
    if not name:
        raise missing("interval")
    if name not in intervals:
        raise Refusal(INVALID_INTERVAL, "Invalid interval.")
    return intervals[name]


def symbols_of(parameters: Parameters) -> list[str] | str | None:
    """The text of `symbol`, the list of `symbols`, or None where neither is given."""
    symbol, listed = parameters.get("symbol"), parameters.get("symbols")
    if not listed:
        return symbol or None
    if symbol:
        raise Refusal(BAD_COMBINATION, "Combination of optional parameters invalid.")
    try:
        names = _decode(listed)
    except BAD_BYTES:
        raise illegal("symbols", SYMBOLS) from None
    if not names:
        raise illegal("symbols", SYMBOLS)
    if len(names) > SYMBOLS_MAX:
        raise not_valid("symbols")
    return names
