"""Every process of a running exchange is scheduled as configured, ZeroMQ's threads too."""

import os
import sys
from pathlib import Path

import pytest

from tests.system.exchange import RECORDED, Exchange

if sys.platform != "linux":
    pytest.skip("Linux's policies", allow_module_level=True)


@pytest.mark.parametrize(
    ("wanted", "policy"), [("batch", os.SCHED_BATCH), ("normal", os.SCHED_OTHER)]
)
def test_every_thread_is_scheduled_as_configured(wanted: str, policy: int) -> None:
    with Exchange(order=RECORDED, SCHEDULING=wanted) as exchange:
        exchange.wait_until(
            "all processes are ready",
            lambda: all(f'"event": "{name}_ready"' in exchange.log(name) for name in RECORDED),
        )
        for name in RECORDED:
            threads = [int(each.name) for each in _threads(exchange.pid(name))]
            assert len(threads) > 1, "ZeroMQ has threads"
            assert {os.sched_getscheduler(thread) for thread in threads} == {policy}, name


def _threads(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").iterdir())
