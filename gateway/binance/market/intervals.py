"""The intervals of klines: where each begins, and the candles that it is made of. No I/O.

The exchange keeps candles of seven lengths; a kline of another length is made of shorter ones. A
kline begins at a multiple of its length since the Unix epoch, a week on Monday, a month on its
first day, all in UTC.
"""

from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from crossbook.common.following.candles import SECOND_NS

DAY_NS: Final = 86_400 * SECOND_NS
_MONDAY_NS: Final = 4 * DAY_NS
"""The first Monday since the Unix epoch, which was a Thursday."""


class Interval(Struct, frozen=True):
    """One interval: its name, its length and the length of the candles it is made of, in seconds.
    A month has length zero. `offset_ns` is where the first one since the Unix epoch begins.

    >>> month = INTERVALS["1M"]
    >>> month.begin_of(45 * DAY_NS) // DAY_NS, month.after(31 * DAY_NS, 1) // DAY_NS
    (31, 59)
    """

    name: str
    length_s: int
    candle_s: int
    offset_ns: int = 0

    def begin_of(self, time_ns: int) -> int:
        """The beginning of the interval that a time is in; zero for a time before the first one."""
        if not self.length_s:
            return _month_ns(_month_of(time_ns))
        length_ns = self.length_s * SECOND_NS
        return max(0, time_ns - (time_ns - self.offset_ns) % length_ns)

    def after(self, begin_ns: int, count: int) -> int:
        """The beginning of the interval `count` later, or earlier where that is negative; not
        before the Unix epoch."""
        if not self.length_s:
            return _month_ns(max(0, _month_of(begin_ns) + count))
        return max(0, begin_ns + count * self.length_s * SECOND_NS)

    def end_of(self, begin_ns: int) -> int:
        """The first time after an interval."""
        if not self.length_s:
            return self.after(begin_ns, 1)
        # The part of a week before the first Monday is no whole week.
        return self.begin_of(begin_ns + self.length_s * SECOND_NS)


def _month_of(time_ns: int) -> int:
    """Months since January 1970."""
    date = datetime.fromtimestamp(time_ns // SECOND_NS, UTC)
    return (date.year - 1970) * 12 + date.month - 1


def _month_ns(month: int) -> int:
    first = datetime(1970 + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return int(first.timestamp()) * SECOND_NS


_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400

INTERVALS: Final = {
    interval.name: interval
    for interval in (
        Interval("1s", 1, 1),
        Interval("1m", _MINUTE, _MINUTE),
        Interval("3m", 3 * _MINUTE, _MINUTE),
        Interval("5m", 5 * _MINUTE, 5 * _MINUTE),
        Interval("15m", 15 * _MINUTE, 15 * _MINUTE),
        Interval("30m", 30 * _MINUTE, 15 * _MINUTE),
        Interval("1h", _HOUR, _HOUR),
        Interval("2h", 2 * _HOUR, _HOUR),
        Interval("4h", 4 * _HOUR, 4 * _HOUR),
        Interval("6h", 6 * _HOUR, _HOUR),
        Interval("8h", 8 * _HOUR, 4 * _HOUR),
        Interval("12h", 12 * _HOUR, 4 * _HOUR),
        Interval("1d", _DAY, _DAY),
        Interval("3d", 3 * _DAY, _DAY),
        Interval("1w", 7 * _DAY, _DAY, _MONDAY_NS),
        Interval("1M", 0, _DAY),
    )
}
"""The intervals by name. Source: kline intervals of the Binance Spot API documentation."""
