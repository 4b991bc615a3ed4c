"""Reads `/metrics` in the way Prometheus does."""

import urllib.request

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.system.exchange import Exchange


def families(base: str) -> dict[str, Metric]:
    """The families of a gateway's metrics, by their documented names."""
    with urllib.request.urlopen(f"{base}/metrics", timeout=10) as answer:
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        text = answer.read().decode()
    found: dict[str, Metric] = {}
    for family in text_string_to_metric_families(text):
        name = family.name + ("_total" if family.type == "counter" else "")
        assert name not in found, f"{name} is there twice"
        found[name] = family
    return found


def value(base: str, name: str, **labels: str) -> float | None:
    """One sample; None while there is none."""
    for family in families(base).values():
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return float(sample.value)
    return None


def wait_for(
    exchange: Exchange, name: str, at_least: float, seconds: float = 15.0, **labels: str
) -> None:
    """Return once a sample has this value."""

    def there() -> bool:
        found = value(exchange.api, name, **labels)
        return found is not None and found >= at_least

    exchange.wait_until(f"{name} {labels} reaches {at_least}", there, seconds)


def wait_gone(exchange: Exchange, process: str) -> None:
    """Return once a process is reported as down."""
    exchange.wait_until(
        f"{process} is down", lambda: value(exchange.api, "crossbook_up", process=process) == 0
    )
