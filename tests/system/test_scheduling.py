"""Every process of a running exchange is scheduled as configured, ZeroMQ's threads too."""

import os

import psutil
import pytest

from bench.machine import allows_realtime
from crossbook.common.process.scheduling import has_policies
from tests.system.exchange import RECORDED, Exchange

if not has_policies():
    pytest.skip("Linux's policies", allow_module_level=True)

REALTIME = pytest.param(
    "realtime",
    {"matcher": os.SCHED_RR},
    marks=pytest.mark.skipif(not allows_realtime(), reason="real-time priority is not allowed"),
)


def policy_of(thread: int) -> int | None:
    """The policy of a thread; None where it has ended."""
    try:
        return os.sched_getscheduler(thread)
    except ProcessLookupError:
        return None


@pytest.mark.parametrize(
    ("configured", "policies"),
    [("batch", {}), ("normal", dict.fromkeys(RECORDED, os.SCHED_OTHER)), REALTIME],
)
def test_every_thread_is_scheduled_as_configured(configured: str, policies: dict[str, int]) -> None:
    with Exchange(order=RECORDED, SCHEDULING=configured) as exchange:
        exchange.wait_until(
            "all processes are ready",
            lambda: all(f'"event": "{name}_ready"' in exchange.log(name) for name in RECORDED),
        )
        for name in RECORDED:
            threads = psutil.Process(exchange.pid(name)).threads()
            found = [policy for thread in threads if (policy := policy_of(thread.id)) is not None]
            assert len(found) > 1, "ZeroMQ has threads"
            assert set(found) == {policies.get(name, os.SCHED_BATCH)}, name
