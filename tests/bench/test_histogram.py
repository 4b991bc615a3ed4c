"""Percentiles of known data, and the delays of a feed paired with the orders behind them."""

from array import array

import pytest
from hdrh.histogram import HdrHistogram

from bench.histogram import UNIT_NS, histogram, line, summarize
from bench.subscriber import Arrivals, delays_ns


def test_percentiles_of_a_ramp_are_those_of_its_values() -> None:
    summary = summarize(array("q", range(1_000, 1_000_001_000, 100_000)))
    assert summary.count == 10_000
    for percentile, found in (
        (0.50, summary.p50_us),
        (0.90, summary.p90_us),
        (0.99, summary.p99_us),
        (0.999, summary.p999_us),
    ):
        assert found == pytest.approx(percentile * 1_000_000, rel=0.002)
    assert summary.max_us == pytest.approx(999_901, rel=1e-6)
    assert summary.mean_us == pytest.approx(499_951, rel=1e-6)


def test_one_slow_order_in_a_thousand_is_in_the_tail_only() -> None:
    summary = summarize(array("q", [200_000] * 9_989 + [80_000_000] * 11))
    assert summary.p50_us == summary.p99_us == pytest.approx(200, rel=0.001)
    assert summary.p999_us == pytest.approx(80_000, rel=0.001)
    assert summary.max_us == 80_000


def test_no_latencies_give_zeros_and_a_mark() -> None:
    summary = summarize(array("q"))
    assert (summary.count, summary.p99_us, summary.hdr) == (0, 0, "")
    assert "none measured" in line("order to BBO", summary)


def test_the_encoded_histogram_reads_back_with_the_same_percentiles() -> None:
    latencies = array("q", (i * i for i in range(1_000, 9_000)))
    read = HdrHistogram.decode(summarize(latencies).hdr)
    made = histogram(latencies)
    assert read.get_total_count() == 8_000
    for percentile in (50, 99, 99.9):
        assert read.get_value_at_percentile(percentile) == made.get_value_at_percentile(percentile)


def test_values_out_of_range_are_counted_at_its_ends() -> None:
    made = histogram([-5, 0, 10 * 3_600 * 1_000_000_000])
    assert made.get_total_count() == 3
    assert made.get_max_value() == pytest.approx(3_600 * 1_000_000_000 / UNIT_NS, rel=0.001)


def test_a_bbo_is_paired_with_the_order_of_its_sequence_number() -> None:
    arrivals = Arrivals(
        array("q", [11, 12, 15]).tobytes(), array("q", [1_500, 1_700, 2_000]).tobytes(), 3, 0
    )
    # 12 was another client's, 13 and 14 changed no best price.
    delays = delays_ns(
        arrivals, array("q", [11, 13, 14, 15]), array("q", [1_000, 1_100, 1_200, 1_300])
    )
    assert delays == array("q", [500, 700])
