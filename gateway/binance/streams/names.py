"""Names of streams: `btcusdt@depth@100ms`, `btcusdt@kline_1m`, `!ticker@arr`. No I/O.

Source: WebSocket streams of the Binance Spot API documentation.
"""

import re
from typing import Final

from msgspec import Struct

from crossbook.gateway.binance.market.intervals import INTERVALS

NAME_MAX: Final = 64
"""Longest name of a stream, in characters; a longer one names none."""

_DEPTH: Final = re.compile("depth(5|10|20)?(?:@(100|1000)ms)?")
_EVERY: Final = re.compile("!(ticker|miniTicker)@arr(?:@1000ms)?")
_PLAIN: Final = ("trade", "aggTrade", "bookTicker", "ticker", "miniTicker")

SLOW_MS: Final = 1_000
"""Milliseconds between two events of a depth stream whose name gives no pace."""


class StreamName(Struct, frozen=True):
    """What a name means. `symbol` is empty for a stream of all symbols; `levels` is zero for all
    levels; `pace_ms` and `interval` are set for depth and klines only."""

    kind: str
    symbol: str = ""
    levels: int = 0
    pace_ms: int = 0
    interval: str = ""


def parse(name: str) -> StreamName | None:
    """The meaning of a name; None where no stream has it.

    >>> parse("btcusdt@depth5@100ms")
    StreamName(kind='depth', symbol='BTCUSDT', levels=5, pace_ms=100, interval='')
    >>> parse("btcusdt@nothing"), parse("0")
    (None, None)
    """
    if len(name) > NAME_MAX or not name.isascii():
        return None
    if (every := _EVERY.fullmatch(name)) is not None:
        return StreamName(every[1])
    symbol, mark, kind = name.partition("@")
    if not mark or symbol != symbol.lower():
        return None
    symbol = symbol.upper()
    if kind in _PLAIN:
        return StreamName(kind, symbol)
    if (depth := _DEPTH.fullmatch(kind)) is not None:
        return StreamName("depth", symbol, int(depth[1] or 0), int(depth[2] or SLOW_MS))
    interval = kind.removeprefix("kline_")
    if interval != kind and interval in INTERVALS:
        return StreamName("kline", symbol, interval=interval)
    return None
