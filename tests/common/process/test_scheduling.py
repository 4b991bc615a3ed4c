"""The scheduling that a process requests for itself."""

import os
import subprocess
import sys

import pytest

from bench.machine import allows_realtime
from crossbook.common.process.scheduling import has_policies

if not has_policies():
    pytest.skip("Linux's policies", allow_module_level=True)

BEGIN = (
    "import os, resource, threading; from crossbook.common.process.scheduling import *; "
    "os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0)); "
)
REALTIME = "set_up_scheduling('realtime', is_matcher=True)"
IDLE = "os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))"
NOBODY = "resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0)); os.getuid() or os.setuid(65534)"
SHOW = (
    "; found = []"
    "; thread = threading.Thread(target=lambda: found.append(os.sched_getscheduler(0)))"
    "; thread.start(); thread.join(); print(os.sched_getscheduler(0), *found, os.nice(0))"
)
NICE = os.nice(0)
STEPPED_BACK = min(NICE + 5, 19)
"""No process is nicer than 19."""

needs_realtime = pytest.mark.skipif(
    not allows_realtime(), reason="real-time priority is not allowed here"
)


def process(*steps: str) -> "subprocess.CompletedProcess[str]":
    """A fresh process after these steps: its policy, the policy of a thread it starts, and its
    niceness."""
    return subprocess.run(
        [sys.executable, "-c", BEGIN + "; ".join(steps) + SHOW],
        capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "policy"),
    [
        (["set_up_scheduling('batch')"], os.SCHED_BATCH),
        (["set_up_scheduling('batch', is_matcher=True)"], os.SCHED_BATCH),
        (["set_up_scheduling('normal')"], os.SCHED_OTHER),
        (["set_up_scheduling('realtime')"], os.SCHED_BATCH),
        ([IDLE, "set_up_scheduling('batch')"], os.SCHED_IDLE),
        ([IDLE, REALTIME], os.SCHED_IDLE),
        pytest.param([REALTIME], os.SCHED_RR, marks=needs_realtime),
    ],
)
def test_a_policy_is_for_the_process_and_its_threads(steps: list[str], policy: int) -> None:
    done = process(*steps)
    assert done.stdout.split() == [str(policy), str(policy), str(NICE)], done.stderr


def test_real_time_that_is_not_permitted_is_a_wrong_setting() -> None:
    done = process(NOBODY, REALTIME)
    assert done.returncode == 1
    assert "ConfigError: SCHEDULING=realtime: not permitted; allow it" in done.stderr


@needs_realtime
def test_a_process_that_steps_back_keeps_no_real_time_priority() -> None:
    done = process(REALTIME, "step_back(5)")
    assert done.stdout.split() == [str(os.SCHED_BATCH), str(os.SCHED_BATCH), str(STEPPED_BACK)], (
        done.stderr
    )


def test_a_process_that_steps_back_keeps_a_policy_that_is_not_of_real_time() -> None:
    done = process(IDLE, "step_back(5)")
    assert done.stdout.split() == [str(os.SCHED_IDLE), str(os.SCHED_IDLE), str(STEPPED_BACK)], (
        done.stderr
    )


ELSEWHERE = "del os.sched_setscheduler, os.sched_getscheduler, os.SCHED_BATCH, os.sched_yield"
"""Removes the calls that macOS lacks. The test keeps those that show the outcome under other
names."""
KEPT = "policy = os.sched_getscheduler"


@pytest.mark.parametrize("requested", ["batch", "normal"])
def test_elsewhere_than_on_linux_scheduling_is_normal_and_logged(requested: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"{BEGIN}{KEPT}; {ELSEWHERE}; set_up_scheduling({requested!r}); "
         "step_back(1); let_others_run(); print(policy(0), os.nice(0))"],
        capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip
    shown = done.stdout.splitlines()
    assert shown[-1:] == [f"{os.SCHED_OTHER} {min(NICE + 1, 19)}"], done.stderr
    assert ("scheduling_is_normal" in done.stdout + done.stderr) == (requested == "batch")


def test_real_time_elsewhere_than_on_linux_is_a_wrong_setting() -> None:
    done = process(KEPT, ELSEWHERE, REALTIME)
    assert done.returncode == 1
    assert "ConfigError: SCHEDULING=realtime: only Linux has it" in done.stderr
