"""How the processes of the exchange share the processors with each other."""

import os
import sys
from typing import Literal, TypeAlias

Scheduling: TypeAlias = Literal["batch", "normal"]
"""`batch`: whoever runs goes on while others wake; `normal`: who wakes may take its place."""


def set_up_scheduling(wanted: Scheduling) -> None:
    """Schedule this process, and every thread it starts from now on, as wanted.

    Under `batch` (Linux's `SCHED_BATCH`) a process that wakes waits for an idle processor, or for
    one whose process has nothing more to do: what it would have interrupted has become a larger
    batch until then. Changes nothing on other systems, nor where whoever started the process
    chose a policy for it (`chrt`).
    """
    if sys.platform == "linux" and wanted == "batch":
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
