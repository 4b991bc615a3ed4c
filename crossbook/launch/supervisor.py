"""Runs the processes of an exchange side by side: output in one stream, restarts, an end in order.

Each process runs in a session of its own, so that Ctrl-C in a terminal reaches only the
supervisor. On SIGINT or SIGTERM, or when a process ends without a signal, it ends one stage after
the other: the simulator cancels its orders while the exchange still runs.
"""

import os
import queue
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from threading import Event, Thread
from typing import Any, Final

from honcho.colour import get_colours
from honcho.printer import Message, Printer
from honcho.process import Process

from crossbook.launch.layout import Program

KILLED: Final = (-signal.SIGABRT, -signal.SIGBUS, -signal.SIGKILL, -signal.SIGSEGV)
"""Exit statuses after which a process is started again; any other end ends everything."""

GRACE_S: Final = 10.0
"""Time a stage has to end before its processes are killed."""

RESTART_S: Final = 1.0
"""Least time between two starts of one process."""

_NAME: Final = "system"


class _Kept(Process):  # type: ignore[misc]
    """A process that is started again after it was killed, until `ending` is set."""

    def __init__(self, program: Program, colour: str, ending: Event) -> None:
        command = shlex.join([sys.executable, "-m", *program.arguments])
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **program.environment}
        super().__init__(f"exec {command}", program.name, colour, env=environment)
        self.stage = program.stage
        self.pid = 0
        self.returncode: int | None = None
        self._ending = ending

    def keep(self, events: "queue.SimpleQueue[Any]") -> None:
        """Run until it ends otherwise than by being killed."""
        while True:
            began_s = time.monotonic()
            self.run(events)
            if self._child.returncode not in KILLED or self._ending.is_set():
                break
            self._send_message(f"the {self.name} was killed; starting it again\n")
            if self._ending.wait(began_s + RESTART_S - time.monotonic()):
                break
        self._send_message({"returncode": self._child.returncode}, type="end")


class Supervisor:
    """Runs programs until SIGINT or SIGTERM, or until one of them ends."""

    def __init__(self, programs: Sequence[Program]) -> None:
        self._ending = Event()
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        colours = get_colours()
        self._processes = {
            program.name: _Kept(program, next(colours), self._ending) for program in programs
        }
        self._printer = Printer(sys.stdout, width=max(map(len, [_NAME, *self._processes])))
        self._status: int | None = None
        self._stage = -1
        self._until_s = 0.0

    def run(self) -> int:
        """Run everything; the exit status: 128 and the signal that stopped it, or that of the
        first program that ended by itself."""
        before = {
            number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)
        }
        for process in self._processes.values():
            Thread(target=process.keep, args=(self._events,), daemon=True).start()
        while any(process.returncode is None for process in self._processes.values()):
            with suppress(queue.Empty):
                self._handle(self._events.get(timeout=0.05))
            if self._status is not None:
                self._end_stage()
        for number, handler in before.items():
            signal.signal(number, handler)
        assert self._status is not None, "a process ends only with a status"
        return self._status

    def _stop(self, number: int, _: object) -> None:
        if self._status is None:
            self._status = 128 + number

    def _handle(self, message: Any) -> None:
        process = self._processes[message.name]
        if message.type == "line":
            self._printer.write(message)
        elif message.type == "start":
            process.pid = message.data["pid"]
            self._print_line(f"{message.name} started (pid={process.pid})")
            if process.stage <= self._stage:
                _signal_group(process.pid, signal.SIGTERM)
        elif message.type == "end":
            process.returncode = message.data["returncode"]
            self._print_line(f"{message.name} stopped (rc={process.returncode})")
            if self._status is None:
                self._status = process.returncode

    def _end_stage(self) -> None:
        """End the first stage that still runs; kill the processes that do not end in time."""
        self._ending.set()
        running = [each for each in self._processes.values() if each.returncode is None]
        stage = min((each.stage for each in running), default=self._stage)
        now_s = time.monotonic()
        if stage == self._stage and now_s < self._until_s:
            return
        number = signal.SIGTERM if stage > self._stage else signal.SIGKILL
        self._stage, self._until_s = stage, now_s + GRACE_S
        for process in running:
            if process.stage == stage and process.pid:
                self._print_line(f"sending {number.name} to {process.name} (pid {process.pid})")
                _signal_group(process.pid, number)

    def _print_line(self, text: str) -> None:
        self._printer.write(Message("line", text, datetime.now(), _NAME, None))


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)
