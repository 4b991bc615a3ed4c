"""The window of `GET ticker`: `windowSize` as a number of intervals. No I/O."""

import re
from typing import Final

from crossbook.gateway.binance.market.intervals import INTERVALS, Interval
from crossbook.gateway.binance.parameters import Parameters
from crossbook.gateway.binance.problem import not_valid

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
