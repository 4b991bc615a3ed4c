"""Plain counters become the text that Prometheus reads."""

from collections.abc import Iterator

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from crossbook.common.process.counters import SIZES, TIMES_NS, Buckets
from crossbook.common.process.exposition import Exposition


class Some(Exposition):
    """A part with one metric family of each kind."""

    def __init__(self) -> None:
        super().__init__("some")
        self.times = Buckets(TIMES_NS)

    def families(self) -> Iterator[Metric]:
        yield self.counter("done", "Things done", {"a": 1, "b": 2}, "kind")
        yield self.gauge("level", "Where it stands", 2**53)
        yield self.seconds("wait_seconds", "How long", self.times)


def samples(text: str) -> dict[tuple[str, str], float]:
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_number_arrives_as_it_is() -> None:
    some = Some()
    for nanoseconds in (1, 50_000, 50_001, 3_000_000_000, 9_000_000_000):
        some.times.add(nanoseconds)
    parsed = samples(some.text())
    assert parsed["crossbook_some_done_total", "b"] == 2
    assert parsed["crossbook_some_level", ""] == 2**53
    assert parsed["crossbook_some_wait_seconds_bucket", "5e-05"] == 2
    assert parsed["crossbook_some_wait_seconds_bucket", "0.0001"] == 3
    assert parsed["crossbook_some_wait_seconds_bucket", "5"] == 4
    assert parsed["crossbook_some_wait_seconds_bucket", "+Inf"] == 5
    assert parsed["crossbook_some_wait_seconds_count", ""] == 5
    assert parsed["crossbook_some_wait_seconds_sum", ""] == pytest.approx(12.000100002)
    assert parsed["crossbook_some_process_resident_memory_bytes", ""] > 1_000_000


@pytest.mark.parametrize("bounds", [SIZES, TIMES_NS])
def test_bounds_ascend_and_each_belongs_to_the_range_below_it(bounds: tuple[int, ...]) -> None:
    assert list(bounds) == sorted(set(bounds))
    for place, bound in enumerate(bounds):
        buckets = Buckets(bounds)
        buckets.add(bound)
        buckets.add(bound + 1)
        assert (buckets.counts[place], buckets.counts[place + 1]) == (1, 1)
