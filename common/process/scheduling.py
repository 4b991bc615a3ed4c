"""How the processes of the exchange share the processors with each other and with the rest."""

import os
import time
from typing import Literal, TypeAlias

from crossbook.common.errors import ConfigError
from crossbook.common.process.log import logger

Scheduling: TypeAlias = Literal["batch", "normal", "realtime"]
"""`batch`: whoever runs goes on while others wake; `normal`: who wakes may take its place;
`realtime`: the matcher goes before everything else, and the rest is as with `batch`."""

REALTIME_PRIORITY = 1
"""The lowest: anything else of real time goes first."""


def set_up_scheduling(wanted: Scheduling, *, is_matcher: bool = False) -> None:
    """Schedule this process, and every thread it starts from now on, as wanted.

    Under `batch` (Linux's `SCHED_BATCH`) a process that wakes waits for an idle processor, or for
    one whose process has nothing more to do: what it would have interrupted has become a larger
    batch until then. `normal` changes nothing, and neither does any of it where whoever started
    the process chose a policy for it (`chrt`). Elsewhere than on Linux, or where a sandbox does
    not allow it, `batch` is as `normal`, and the log says so.

    Raises `ConfigError` where real-time priority cannot be had.
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
    """Whether this system's processes have scheduling policies that can be chosen: Linux's do."""
    return hasattr(os, "sched_setscheduler") and hasattr(os, "SCHED_BATCH")


def let_others_run() -> None:
    """Let whoever waits for this processor have it first."""
    if hasattr(os, "sched_yield"):
        os.sched_yield()
    else:
        time.sleep(0)


def step_back(niceness: int) -> None:
    """Let others go first, whatever priority whoever started this process has."""
    if has_policies() and os.sched_getscheduler(0) in (os.SCHED_RR, os.SCHED_FIFO):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    os.nice(niceness)
