"""The windows of `GET ticker` and `ticker/tradingDay` as numbers of intervals. No I/O."""

import re
from typing import Final

from crossbook.common.following.candles import SECOND_NS
from crossbook.gateway.binance.market.intervals import DAY_NS, INTERVALS, Interval
from crossbook.gateway.binance.parameters import Parameters
from crossbook.gateway.binance.problem import not_valid

_ZONE: Final = re.compile("([+-]?)([0-9]{1,2})(?::([0-5][0-9]))?")
_HOURS_MOST: Final = 14
_QUARTER_MINUTES: Final = 15
"""Days are made of quarters of an hour: every zone in use begins with one."""

_MINUTE_NS: Final = 60 * SECOND_NS
_HOUR_NS: Final = 60 * _MINUTE_NS
_ZONE_LEAST_NS: Final = -12 * _HOUR_NS
_ZONE_MOST_NS: Final = _HOURS_MOST * _HOUR_NS

_SIZE: Final = re.compile("([1-9][0-9]?)([mhd])")
_MINUTES: Final = {"m": 1, "h": 60, "d": 1_440}
_MOST: Final = {"m": 59, "h": 23, "d": 7}

BY_MINUTE_MOST: Final = 720
"""Minutes of the longest window that is made of minutes; a longer one is made of quarters of an
hour, which are 672 in a week."""


def window_interval(asked: Parameters) -> tuple[Interval, int]:
    """The interval that the window consists of, and their number, the one that runs included.

    >>> interval, count = window_interval(Parameters({"windowSize": "2h"}))
    >>> interval.name, count
    ('1m', 120)
    """
    size = _SIZE.fullmatch(asked.text("windowSize") or "1d")
    if size is None or int(size[1]) > _MOST[size[2]]:
        raise not_valid("windowSize")
    minutes = int(size[1]) * _MINUTES[size[2]]
    if minutes <= BY_MINUTE_MOST:
        return INTERVALS["1m"], minutes
    return INTERVALS["15m"], minutes // 15


def day_begin_ns(asked: Parameters, time_ns: int) -> int:
    """The beginning of the day of `timeZone`, in which a time is.

    >>> day_begin_ns(Parameters({"timeZone": "-1:00"}), 50 * _HOUR_NS) // _HOUR_NS
    49
    """
    zone = _ZONE.fullmatch(asked.text("timeZone") or "0")
    if zone is None or int(zone[2]) > _HOURS_MOST or int(zone[3] or 0) % _QUARTER_MINUTES:
        raise not_valid("timeZone")
    offset_ns = (int(zone[2]) * 60 + int(zone[3] or 0)) * _MINUTE_NS
    if zone[1] == "-":
        offset_ns = -offset_ns
    if not _ZONE_LEAST_NS <= offset_ns <= _ZONE_MOST_NS:
        raise not_valid("timeZone")
    return time_ns - (time_ns + offset_ns) % DAY_NS
