"""How the processes of the exchange share the processors with each other and with the rest."""

import contextlib
import os
import sys
from typing import Literal, TypeAlias

from common.errors import ConfigError

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
    not allow it, `batch` is as `normal`.

    Raises `ConfigError` where real-time priority cannot be had.
    """
    if wanted == "normal":
        return
    if sys.platform != "linux":
        if wanted == "realtime":
            raise ConfigError("SCHEDULING=realtime: only Linux has it")
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
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def step_back(niceness: int) -> None:
    """Let others go first, whatever priority whoever started this process has."""
    if sys.platform == "linux" and os.sched_getscheduler(0) in (os.SCHED_RR, os.SCHED_FIFO):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    os.nice(niceness)
