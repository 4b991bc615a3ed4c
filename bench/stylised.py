"""Stylised facts of a price series and its order flow, from numbers alone."""

from collections.abc import Sequence
from itertools import pairwise
from math import log, sqrt


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which a `share` of the values lies; the nearest one, nothing interpolated.

    >>> quantile([4, 1, 3, 2, 5], 0.5)
    3
    """
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def mean(values: Sequence[float]) -> float:
    """The mean; zero of nothing."""
    return sum(values) / len(values) if values else 0.0


def log_returns(prices: Sequence[float], step: int) -> list[float]:
    """Logarithmic returns over `step` samples, not overlapping."""
    taken = prices[::step]
    return [log(after / before) for before, after in pairwise(taken)]


def excess_kurtosis(values: Sequence[float]) -> float:
    """How fat the tails are: 0 for a normal distribution, more for fatter ones.

    >>> excess_kurtosis([-1, 1, -1, 1])
    -2.0
    """
    middle = mean(values)
    square = mean([(value - middle) ** 2 for value in values])
    fourth = mean([(value - middle) ** 4 for value in values])
    return fourth / square**2 - 3 if square else 0.0


def deviation(values: Sequence[float]) -> float:
    """The standard deviation.

    >>> deviation([1, 3, 1, 3])
    1.0
    """
    middle = mean(values)
    return sqrt(mean([(value - middle) ** 2 for value in values]))


def autocorrelation(values: Sequence[float], lag: int) -> float:
    """Correlation of each value with the one `lag` later; zero where nothing varies.

    >>> autocorrelation([1, -1] * 50, 2) > 0.9, autocorrelation([1, -1] * 50, 1) < -0.9
    (True, True)
    """
    middle = mean(values)
    centred = [value - middle for value in values]
    square = sum(value * value for value in centred)
    if not square or lag >= len(values):
        return 0.0
    pairs = zip(centred, centred[lag:], strict=False)
    return sum(first * second for first, second in pairs) / square


def survival(values: Sequence[float], points: int = 400) -> tuple[list[float], list[float]]:
    """Values against the share of all that is at least as large, at most `points` of them.

    >>> survival([3, 1, 2, 4])
    ([1, 2, 3, 4], [1.0, 0.75, 0.5, 0.25])
    """
    ordered = sorted(values)
    count = len(ordered)
    step = max(1, count // points)
    picked = range(0, count, step)
    return [ordered[place] for place in picked], [1 - place / count for place in picked]
