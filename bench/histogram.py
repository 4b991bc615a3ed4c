"""Latencies in nanoseconds to percentiles, through an HDR histogram.

Measuring loops append raw numbers to an array; the histogram is filled afterwards, so that
keeping score costs the measured machine as little as possible.
"""

from array import array
from collections import Counter
from collections.abc import Iterable

from hdrh.histogram import HdrHistogram
from msgspec import Struct

UNIT_NS = 100
"""One step of the histogram: a tenth of a microsecond."""
HIGHEST = 36_000_000_000
"""An hour; longer values are counted there."""
SIGNIFICANT_DIGITS = 3


class Summary(Struct, frozen=True):
    """Percentiles in microseconds; `hdr` is the whole histogram in HdrHistogram's own encoding
    (counted in tenths of a microsecond)."""

    count: int
    mean_us: float
    p50_us: float
    p90_us: float
    p99_us: float
    p999_us: float
    p9999_us: float
    max_us: float
    hdr: str = ""


def histogram(latencies_ns: Iterable[int]) -> HdrHistogram:
    """An HDR histogram of the latencies, exact to three significant digits."""
    made = HdrHistogram(1, HIGHEST, SIGNIFICANT_DIGITS)
    for steps, count in Counter(value // UNIT_NS for value in latencies_ns).items():
        made.record_value(min(max(steps, 1), HIGHEST), count)
    return made


def summarize(latencies_ns: "array[int]") -> Summary:
    """The percentiles of some latencies; zeros when there are none.

    >>> summarize(array("q", range(1000, 1_001_000, 1000))).p50_us
    500.0
    """
    if not latencies_ns:
        return Summary(0, 0, 0, 0, 0, 0, 0, 0)
    made = histogram(latencies_ns)

    def at(percentile: float) -> float:
        # The lowest value of the bucket: the highest would print 500.2 for a measured 500.0.
        value = made.get_lowest_equivalent_value(made.get_value_at_percentile(percentile))
        return float(value * UNIT_NS / 1000)

    return Summary(
        count=len(latencies_ns),
        mean_us=round(sum(latencies_ns) / len(latencies_ns) / 1000, 1),
        p50_us=at(50),
        p90_us=at(90),
        p99_us=at(99),
        p999_us=at(99.9),
        p9999_us=at(99.99),
        max_us=round(max(latencies_ns) / 1000, 1),
        hdr=made.encode().decode(),
    )


def line(name: str, summary: Summary) -> str:
    """One row of a table of latencies."""
    if not summary.count:
        return f"{name:<22}{'none measured':>10}"
    cells = (
        summary.p50_us, summary.p90_us, summary.p99_us, summary.p999_us, summary.max_us,
    )  # fmt: skip
    return f"{name:<22}{summary.count:>10,}" + "".join(f"{cell:>11,.1f}" for cell in cells)


HEADER = f"{'microseconds':<22}{'count':>10}" + "".join(
    f"{name:>11}" for name in ("p50", "p90", "p99", "p99.9", "max")
)
