"""What of a table is exported: instruments, a stretch of time, the length of candles."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from crossbook.common.errors import CrossbookError
from crossbook.common.instruments import Instrument
from crossbook.common.messages.history_queries import INTERVALS_S
from crossbook.common.times import SECOND_NS
from crossbook.common.types import MAX_INT

_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?)?"
)


class ExportError(CrossbookError):
    """An export cannot be made as it was asked for; `field` names the argument at fault."""

    def __init__(self, text: str, field: str = "") -> None:
        super().__init__(text)
        self.field = field


class Selection(Struct, frozen=True):
    """Rows of these symbols (all, where there is none) at a time in `from_ns` to `to_ns`, the end
    not included; candles of `interval` only."""

    symbols: tuple[str, ...] = ()
    from_ns: int = 0
    to_ns: int = MAX_INT
    interval: str = "1m"

    @property
    def interval_s(self) -> int:
        """The length of candles in seconds."""
        return INTERVALS_S[self.interval]

    def of(self, instruments: Iterable[Instrument]) -> dict[int, Instrument]:
        """The selected ones of these instruments, by id."""
        return {each.id: each for each in instruments if self._has(each.symbol)}

    def _has(self, symbol: str) -> bool:
        return not self.symbols or symbol in self.symbols

    def is_in(self, time_ns: int) -> bool:
        """Whether a time is selected."""
        return self.from_ns <= time_ns < self.to_ns

    def check_symbols(self, instruments: Iterable[Instrument]) -> None:
        """Raise `ExportError` for a symbol that none of these instruments has."""
        known = {each.symbol for each in instruments}
        for symbol in self.symbols:
            if symbol not in known:
                names = ", ".join(sorted(known)) or "none"
                raise ExportError(f"{symbol} is not among the instruments there: {names}", "symbol")


def selection(
    symbol: str | Iterable[str] | None = None,
    start: str | int | datetime | None = None,
    end: str | int | datetime | None = None,
    interval: str = "1m",
) -> Selection:
    """A selection from what people write; raises `ExportError`, which names the argument.

    >>> selection("btc-usdt", "2026-01-02", "2026-01-02 00:00:01").symbols
    ('BTC-USDT',)
    """
    symbols = [symbol] if isinstance(symbol, str) else symbol or ()
    if interval not in INTERVALS_S:
        lengths = ", ".join(INTERVALS_S)
        raise ExportError(f"{interval!r} is none of {lengths}", "interval")
    from_ns, to_ns = _time_of(start, "from", 0), _time_of(end, "to", MAX_INT)
    if to_ns <= from_ns:
        raise ExportError(f"{end} is not after {start}", "to")
    return Selection(tuple(each.upper() for each in symbols), from_ns, to_ns, interval)


def _time_of(value: str | int | datetime | None, field: str, otherwise: int) -> int:
    if value is None:
        return otherwise
    if isinstance(value, datetime):
        value = value.isoformat()
    if isinstance(value, int) or (value.isascii() and value.isdigit()):
        time_ns = int(value)
    else:
        time_ns = _parsed(value, field)
    if not 0 <= time_ns <= MAX_INT:
        raise ExportError(f"{value} is not within 1970 and 2262", field)
    return time_ns


def _parsed(text: str, field: str) -> int:
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise ExportError(
            f"{text!r} is neither a time such as 2026-01-31 or 2026-01-31T09:30:00.5Z nor "
            "nanoseconds since 1970",
            field,
        )
    day, clock, fraction, zone = found.groups()
    zone = "+00:00" if zone in (None, "Z") else zone
    try:
        whole = datetime.fromisoformat(f"{day}T{clock or '00:00'}{zone}")
    except ValueError as error:
        raise ExportError(f"{text!r}: {error}", field) from None
    seconds = int((whole - datetime.fromtimestamp(0, UTC)).total_seconds())
    return seconds * SECOND_NS + int((fraction or "0").ljust(9, "0"))
