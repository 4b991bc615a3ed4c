"""How a process has itself scheduled."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's policies")

BEGIN = "import os, threading; from common.scheduling import set_up_scheduling; "
SHOW = (
    "; found = []"
    "; thread = threading.Thread(target=lambda: found.append(os.sched_getscheduler(0)))"
    "; thread.start(); thread.join(); print(os.sched_getscheduler(0), *found)"
)


def policies(*steps: str) -> list[int]:
    """The policies of a fresh process and of a thread that it starts, after these steps."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + "; ".join(steps) + SHOW],
        stdout=subprocess.PIPE, text=True, check=True, timeout=20,
    )  # fmt: skip
    return [int(word) for word in done.stdout.split()]


def test_batch_is_for_the_process_and_its_threads() -> None:
    assert policies("set_up_scheduling('batch')") == [os.SCHED_BATCH, os.SCHED_BATCH]
    assert policies("set_up_scheduling('normal')") == [os.SCHED_OTHER, os.SCHED_OTHER]


def test_what_whoever_started_it_chose_stays() -> None:
    chosen = "os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))"
    assert policies(chosen, "set_up_scheduling('batch')") == [os.SCHED_IDLE, os.SCHED_IDLE]
