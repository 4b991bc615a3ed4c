"""Starts processes of Crossbook from one that has all their imports.

Imports are the longest part of a process's start, and the tests start hundreds of processes.
`python -m tests.system.starter` imports once, and forks for each start; the child runs the
package's `__main__` as `python -m` does, in its own folder and environment. Orders come on standard
input and answers go to standard output, one line of JSON each. When the input ends, the starter
kills the processes that still run, and ends.
"""

import gc
import io
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol

from crossbook.common.process.programs import MODULES
from crossbook.matcher.build import use_build

FIXED_AT_START: Final = {"CROSSBOOK_CRASH_AT", "MATCHER_BUILD"}
"""Variables that a process reads once, before the fork that starts a program."""

LOOK_S: Final = 0.005


class Process(Protocol):
    """The part of `subprocess.Popen` that tests use."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def kill(self) -> None: ...


def start(module: str, directory: Path, environment: dict[str, str], log: Path) -> Process:
    """`python -m module` as a user starts it; its output is appended to `log`."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


class Starter:
    """Starts processes as `start` does, by forking; its own process begins with the first."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def start(
        self, module: str, directory: Path, environment: dict[str, str], log: Path
    ) -> Process:
        """Start a process by a fork, or by `start` where the fork would differ."""
        own = self._environment
        if module not in MODULES.values() or any(
            environment.get(name) != own.get(name) for name in FIXED_AT_START
        ):
            return start(module, directory, environment, log)
        order = {"module": module, "directory": str(directory), "log": str(log),
                 "environment": environment}  # fmt: skip
        return Forked(self, self.reply_to(order))

    def reply_to(self, order: dict[str, Any]) -> Any:
        """The answer to one order."""
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", __name__],
                    cwd=Path(__file__).resolve().parents[2],
                    env=self._environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            orders, answers = self._process.stdin, self._process.stdout
            assert orders is not None
            assert answers is not None
            orders.write(json.dumps(order).encode() + b"\n")
            orders.flush()
            return json.loads(answers.readline())

    def close(self) -> None:
        """End the starter, and with it whatever it started."""
        if self._process is not None:
            self._process.communicate()
            self._process = None


class Forked:
    """A process that the starter has forked."""

    def __init__(self, starter: Starter, pid: int) -> None:
        self.pid = pid
        self._starter = starter
        self._status: int | None = None

    def poll(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        if self._status is None:
            self._status = self._starter.reply_to({"poll": self.pid})
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        """Exit status once it has ended; raises `subprocess.TimeoutExpired`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
            select.select([], [], [], LOOK_S)
        return status

    def send_signal(self, sig: int) -> None:
        """Send a signal, unless it is known to have ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


def serve() -> dict[str, Any] | None:
    """Carry out orders. Returns the order in each forked child, and None at the end."""
    statuses: dict[int, int | None] = {}
    while line := sys.stdin.readline():
        order = json.loads(line)
        answer: int | None
        if "poll" in order:
            pid = order["poll"]
            if statuses[pid] is None and (ended := os.waitpid(pid, os.WNOHANG))[0]:
                statuses[pid] = os.waitstatus_to_exitcode(ended[1])
            answer = statuses[pid]
        else:
            answer = os.fork()
            if not answer:
                return dict(order)
            statuses[answer] = None
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()
    for pid, status in statuses.items():
        if status is None:
            os.kill(pid, signal.SIGKILL)
    return None


def become(order: dict[str, Any]) -> None:
    """Apply folder, environment, files and signals of the order, and run its module."""
    os.chdir(order["directory"])
    os.environ.clear()
    os.environ.update(order["environment"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(line_buffering=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [order["module"]]
    # It runs anew, so that nothing of it was there before.
    del sys.modules[f"{order['module']}.__main__"]
    runpy.run_module(order["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    # Ctrl-C in a terminal reaches the whole group; only the tests end the starter.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    use_build()
    for name in MODULES.values():
        import_module(f"{name}.__main__")
    # A process's collector need not scan the modules imported for the others.
    gc.collect()
    gc.freeze()
    if (ordered := serve()) is not None:
        become(ordered)
