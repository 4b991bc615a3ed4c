"""Metrics of a process as text in Prometheus' exposition format."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from crossbook.common.process.counters import Buckets

SECOND_NS: Final = 1_000_000_000

Value = float | Mapping[str, float]
"""One number, or one for each value of the family's label."""


class FaultCounts(Protocol):
    """The fault rules in force, and how often each kind was applied."""

    applied: Counter[str]

    def __len__(self) -> int:
        """The number of rules."""


class Exposition(Collector):
    """The families of one process, each called `crossbook_PROCESS_...`, its processor time and
    memory among them. A subclass yields them in `families`; nothing is stored here. `faults` is
    there only where `FAULTS=on`."""

    def __init__(self, process: str) -> None:
        self.faults: FaultCounts | None = None
        self._prefix = f"crossbook_{process}_"
        self._registry = CollectorRegistry()
        ProcessCollector(namespace=f"crossbook_{process}", registry=self._registry)
        self._registry.register(self)

    @abstractmethod
    def families(self) -> Iterable[Metric]:
        """All families with their present values."""

    def collect(self) -> Iterable[Metric]:
        """`families` under the name that prometheus_client calls, and the faults on request."""
        yield from self.families()
        if self.faults is not None:
            yield self.gauge("fault_rules", "Fault rules in force", len(self.faults))
            yield self.counter("faults", "Faults applied, by kind", self.faults.applied, "kind")

    def text(self) -> str:
        """The exposition. Costs about a millisecond."""
        return generate_latest(self._registry).decode()

    def counter(self, name: str, meaning: str, value: Value, label: str = "") -> Metric:
        """A number that only grows while the process runs; its name gets the suffix `_total`."""
        family = CounterMetricFamily(
            self._prefix + name, meaning, labels=[label] if label else None
        )
        for labels, number in _samples(value):
            family.add_metric(labels, number)
        return family

    def gauge(self, name: str, meaning: str, value: Value, label: str = "") -> Metric:
        """A number that may rise and fall."""
        family = GaugeMetricFamily(self._prefix + name, meaning, labels=_labels(label))
        for labels, number in _samples(value):
            family.add_metric(labels, number)
        return family

    def sizes(self, name: str, meaning: str, buckets: Buckets) -> Metric:
        """A histogram of sizes."""
        return self._histogram(name, meaning, buckets, 1)

    def seconds(self, name: str, meaning: str, buckets: Buckets) -> Metric:
        """A histogram of nanoseconds, exposed in seconds."""
        return self._histogram(name, meaning, buckets, SECOND_NS)

    def _histogram(self, name: str, meaning: str, buckets: Buckets, unit: int) -> Metric:
        bounds = [*(f"{bound / unit:g}" for bound in buckets.bounds), "+Inf"]
        below = accumulate(buckets.counts)
        return HistogramMetricFamily(
            self._prefix + name,
            meaning,
            buckets=list(zip(bounds, map(float, below), strict=True)),
            sum_value=buckets.total / unit,
        )


def _labels(label: str) -> list[str] | None:
    return [label] if label else None


def _samples(value: Value) -> list[tuple[list[str], float]]:
    if isinstance(value, Mapping):
        return [([label], number) for label, number in value.items()]
    return [([], value)]
