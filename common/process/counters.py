"""Counters in plain integers, cheap enough for a busy loop."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

TIMES_NS: Final = (
    50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000,
    50_000_000, 100_000_000, 250_000_000, 500_000_000, 1_000_000_000, 2_500_000_000, 5_000_000_000,
)  # fmt: skip
"""Bounds for times, in nanoseconds: 50 µs to 5 s."""

SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 50_000)
"""Bounds for numbers of things."""


class Buckets:
    """Counts of values by range, and their sum.

    `bounds` ascend and belong to the range below them; `counts` has one entry more, for values
    above the last bound.

    >>> buckets = Buckets((1, 10))
    >>> for value in (1, 2, 10, 11):
    ...     buckets.add(value)
    >>> buckets.counts, buckets.total
    ([1, 2, 1], 24)
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[int]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0

    def add(self, value: int) -> None:
        """Count one value. O(log bounds)."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value
