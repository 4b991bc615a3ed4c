"""The machine of a measurement."""

import contextlib
import os
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import msgspec
import psutil
from msgspec import Struct

from crossbook.common.process.scheduling import REALTIME_PRIORITY

AUTOGROUP = Path("/proc/self/autogroup")
"""The scheduling of this process: the name of its session's group, and its nice value."""
AUTOGROUP_NICE = "-10"
BUSY_SECONDS = 0.5
LIBRARIES = ("msgspec", "pyzmq", "sortedcontainers", "uvloop", "hdrhistogram")


class Machine(Struct, frozen=True):
    """Hardware and software under a measurement."""

    cpu: str
    cpus: int
    memory_gib: float
    system: str
    python: str
    busy_percent: float
    """Processor time of other processes, of all CPUs, just before the measurement; near zero on a
    quiet machine."""
    versions: dict[str, str]


def describe() -> Machine:
    """The machine as it is now."""
    return Machine(
        cpu=_cpu(),
        cpus=len(os.sched_getaffinity(0)),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        system=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        busy_percent=float(psutil.cpu_percent(BUSY_SECONDS)),
        versions=versions(*LIBRARIES),
    )


def versions(*names: str) -> dict[str, str]:
    """Installed versions; "not installed" where there is none."""
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    if "pyzmq" in found:
        import zmq

        found["libzmq"] = zmq.zmq_version()
    return found


def line(machine: Machine) -> str:
    """One line of it, to stand above a table."""
    return (
        f"{machine.cpu}, {machine.cpus} CPUs, {machine.memory_gib} GiB, {machine.system}, "
        f"{machine.python}, {machine.busy_percent:.0f} % busy before"
    )


def write_json(path: Path, document: object) -> None:
    """Write a report as indented JSON, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


def give_way(pid: int = 0) -> None:
    """Give a process, by default this one, only idle processor time."""
    if sys.platform == "linux":
        for thread in psutil.Process(pid or None).threads():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setscheduler(thread.id, os.SCHED_IDLE, os.sched_param(0))
    else:
        psutil.Process(pid or None).nice(19)


def allows_realtime() -> bool:
    """Whether a process started here may have real-time priority."""
    if sys.platform != "linux":
        return False
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(REALTIME_PRIORITY))
    except PermissionError:
        return False
    os.sched_setscheduler(0, *before)
    return True


@contextlib.contextmanager
def precedence(path: Path = AUTOGROUP) -> Iterator[None]:
    """Run measured processes before all others of the machine within the block, if that is
    allowed.

    Linux shares the processors out between sessions first, and only then between the processes of
    each, so that any other session or service delays all processes that a bench has started.
    """
    try:
        before = path.read_text().rpartition(" ")[2]
        path.write_text(AUTOGROUP_NICE)
    except OSError:
        yield
        return
    try:
        yield
    finally:
        path.write_text(before)
