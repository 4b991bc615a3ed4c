"""Processor time of one run, the garbage collector out of the way as in the matcher."""

import gc
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

WARM_UP = 20_000
"""Items a run is warmed up on."""

Item = TypeVar("Item")


def processor_ns(
    drive: Callable[[Sequence[Item]], object], items: Sequence[Item], collect_garbage: bool = False
) -> int:
    """Nanoseconds of processor time of `drive(items)`, after a short run of it.

    Processor time is wall time on a quiet machine; on a shared one it leaves out other processes.
    """
    drive(items[:WARM_UP])
    gc.collect()
    gc.freeze()
    if not collect_garbage:
        gc.disable()
    try:
        begin = time.process_time_ns()
        drive(items)
        return time.process_time_ns() - begin
    finally:
        gc.enable()
        gc.unfreeze()
