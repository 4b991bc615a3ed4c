"""Scheduling policies: how the exchange's processes share processors with each other and others."""

import os
import time
from typing import Literal, TypeAlias

from crossbook.common.errors import ConfigError
from crossbook.common.process.log import logger

Scheduling: TypeAlias = Literal["batch", "normal", "realtime"]
"""`batch`: a running process goes on while others wake. `normal`: a waking process may replace it.
`realtime`: the matcher precedes everything else, and the other processes run as with `batch`."""

REALTIME_PRIORITY = 1
"""The lowest: any other real-time process precedes the matcher."""


def set_up_scheduling(wanted: Scheduling, *, is_matcher: bool = False) -> None:
    """Set the policy of this process and of every thread it starts from now on.

    Under `batch` (Linux's `SCHED_BATCH`) a process that wakes waits for an idle processor, or for
    one whose process has no more work; the work it waits behind is a larger batch by then. `normal`
    changes nothing, and no policy is changed that was chosen at the start of the process (`chrt`).
    On other systems, or where a sandbox forbids it, `batch` works as `normal` and is logged.

    Raises `ConfigError` where real-time priority is not available.
    """
    if wanted == "normal":
        return
    if not has_policies():
        if wanted == "realtime":
            raise ConfigError("SCHEDULING=realtime: only Linux has it")
        logger().info("scheduling_is_normal", wanted=wanted, reason="only Linux has it")
        return
    if os.sched_getscheduler(0) != os.SCHED_OTHER:
        return
    if wanted == "realtime" and is_matcher:
        try:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(REALTIME_PRIORITY))
        except PermissionError:
            raise ConfigError(
                "SCHEDULING=realtime: not permitted; allow it (CAP_SYS_NICE, or `ulimit -r 1`) or "
                "choose batch"
            ) from None
    else:
        try:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        except PermissionError as error:
            logger().info("scheduling_is_normal", wanted=wanted, reason=error.strerror)


def has_policies() -> bool:
    """Whether this system has scheduling policies to choose from, as Linux has."""
    return hasattr(os, "sched_setscheduler") and hasattr(os, "SCHED_BATCH")


def let_others_run() -> None:
    """Yield the processor to a process that waits for it."""
    if hasattr(os, "sched_yield"):
        os.sched_yield()
    else:
        time.sleep(0)


def step_back(niceness: int) -> None:
    """Lower the priority of this process, whatever policy it was started with."""
    if has_policies() and os.sched_getscheduler(0) in (os.SCHED_RR, os.SCHED_FIFO):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    os.nice(niceness)
