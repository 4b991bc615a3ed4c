"""Numbers that stay unique across restarts of the process that assigns them.

A number is (epoch << 30) + n: the epoch counts eighths of a second since 2025 and is taken when
the process starts, n counts from 1. A later life of the same process therefore continues far
above anything the earlier one can have used, without a file to keep it in. Fits a signed
64-bit integer until the year 2059.
"""

from typing import Final

_ORIGIN_NS: Final = 1_735_689_600_000_000_000
_EPOCH_NS: Final = 125_000_000
_COUNT_BITS: Final = 30
COUNT_MASK: Final = (1 << _COUNT_BITS) - 1


def base_at(now_ns: int) -> int:
    """The number before the first one of a process that starts at `now_ns`.

    >>> base_at(1_735_689_600_000_000_000 + 125_000_000) == 1 << 30
    True
    """
    return max(0, (now_ns - _ORIGIN_NS) // _EPOCH_NS) << _COUNT_BITS


def epoch_of(number: int) -> int:
    """The epoch part of a number: equal for numbers of one life of a process."""
    return number >> _COUNT_BITS


def first_of(epoch: int) -> int:
    """The first number of an epoch.

    >>> epoch_of(first_of(7)) == 7 and epoch_of(first_of(7) - 2) == 6
    True
    """
    return (epoch << _COUNT_BITS) + 1
