"""Runs the processes of an exchange side by side: output in one stream, restarts, an end in order.

The four processes are forked by a fork server, which has their imports; any other program gets an
interpreter of its own. Each runs in a session of its own, so that Ctrl-C in a terminal reaches only
the supervisor. On SIGINT, SIGTERM or SIGHUP, or when a process ends without a signal, it ends one
stage after the other: the simulator cancels its orders while the exchange still runs. Where the
supervisor itself is killed, the fork server kills what it has forked.
"""

import os
import queue
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from threading import Event, Thread
from typing import Any, Final, TextIO

from honcho.colour import get_colours
from honcho.printer import Message, Printer
from honcho.process import Popen, Process

from crossbook.launch.layout import Program
from crossbook.launch.process import PYTHON
from crossbook.launch.starter import PROCESSES, Forked, Starter, StarterEndedError, StartOrder

KILLED: Final = (-signal.SIGABRT, -signal.SIGBUS, -signal.SIGKILL, -signal.SIGSEGV)
"""Exit statuses after which a process is started again; any other end ends everything."""

GRACE_S: Final = 10.0
"""Time a stage has to end before its processes are killed."""

RESTART_S: Final = 1.0
"""Least time between two starts of one process."""

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_NAME: Final = "system"


class _Child:
    """A forked process with the attributes of the `Popen` that honcho expects."""

    def __init__(self, forked: Forked, output: int) -> None:
        self.pid = forked.pid
        self.stdout = os.fdopen(output, "rb")
        self.returncode: int | None = None
        self._forked = forked

    def wait(self) -> None:
        """Set `returncode`; a process whose fork server was killed counts as killed, too."""
        try:
            self.returncode = self._forked.wait()
        except StarterEndedError:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.returncode = -signal.SIGKILL


class _Kept(Process):  # type: ignore[misc]
    """A process that is started again after it was killed, until `ending` is set."""

    def __init__(
        self,
        program: Program,
        colour: str,
        environment: Mapping[str, str],
        starter: Starter,
        begun: Event,
        ending: Event,
    ) -> None:
        super().__init__(
            program.arguments, program.name, colour, env={**environment, **program.environment}
        )
        self._child_ctor = self._start
        self.program = program
        self.pid = 0
        self.returncode: int | None = None
        self._starter = starter
        self._begun = begun
        self._ending = ending

    def keep(self, events: "queue.SimpleQueue[Any]") -> None:
        """Run until it ends otherwise than by being killed; a late one begins when all is ready."""
        if self.program.is_late:
            self._begun.wait()
            if self._ending.is_set():
                events.put(Message("end", {"returncode": 0}, datetime.now(), self.name, None))
                return
        while True:
            began_s = time.monotonic()
            self.run(events)
            if self._child.returncode not in KILLED or self._ending.is_set():
                break
            self._send_message(f"the {self.name} was killed; starting it again\n")
            if self._ending.wait(began_s + RESTART_S - time.monotonic()):
                break
        self._send_message({"returncode": self._child.returncode}, type="end")

    def _start(self, arguments: Sequence[str], env: dict[str, str], cwd: str | None) -> Any:
        if arguments[0] not in PROCESSES:
            return Popen([*PYTHON, *arguments], shell=False, env=env, cwd=cwd)
        output, output_write = os.pipe()
        try:
            order = StartOrder(arguments[0], os.getcwd(), env)
            return _Child(self._starter.fork(order, output_write), output)
        finally:
            os.close(output_write)


class Supervisor:
    """Runs programs until a signal, or until one of them ends.

    `environment` is that of every program, before its own; `output` gets the lines of all.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        starter: Starter,
        environment: Mapping[str, str],
        output: TextIO = sys.stdout,
    ) -> None:
        self._begun = Event()
        self._ending = Event()
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        colours = get_colours()
        environment = {**environment, "PYTHONUNBUFFERED": "1"}
        self._processes = {
            program.name: _Kept(
                program, next(colours), environment, starter, self._begun, self._ending
            )
            for program in programs
        }
        self._printer = Printer(output, width=max(map(len, [_NAME, *self._processes])))
        self._status: int | None = None
        self._stage = -1
        self._until_s = 0.0

    @property
    def pids(self) -> dict[str, int]:
        """The process id of every program that is not late; zero before its start."""
        every = self._processes.items()
        return {name: process.pid for name, process in every if not process.program.is_late}

    @property
    def ending(self) -> Event:
        """Set once everything is being ended."""
        return self._ending

    def run(self, on_end: Callable[[], None] = lambda: None) -> int:
        """Run everything; the exit status: 128 and the signal that stopped it, or that of the
        first program that ended by itself. `on_end` is called when the end begins."""
        before = {number: signal.signal(number, self._stop) for number in SIGNALS}
        for process in self._processes.values():
            Thread(target=process.keep, args=(self._events,), daemon=True).start()
        while any(process.returncode is None for process in self._processes.values()):
            with suppress(queue.Empty):
                wait_s = None if self._status is None else self._until_s - time.monotonic()
                self._handle(self._events.get(timeout=wait_s and max(0.0, wait_s)))
            if self._status is not None:
                if not self._ending.is_set():
                    self._ending.set()
                    self._begun.set()
                    on_end()
                self._end_stage()
        for number, handler in before.items():
            signal.signal(number, handler)
        assert self._status is not None, "a process ends only with a status"
        return self._status

    def begin_late(self) -> None:
        """Start the late programs; from any thread."""
        self._begun.set()

    def print_text(self, text: str) -> None:
        """Print lines between those of the programs; from any thread."""
        self._events.put(text)

    def _stop(self, number: int, _: object) -> None:
        if self._status is None:
            self._status = 128 + number
            # Wakes the loop: a put may happen inside of a get.
            self._events.put("")

    def _handle(self, message: Any) -> None:
        if isinstance(message, str):
            if message:
                print(message, file=self._printer.output, flush=True)
            return
        process = self._processes[message.name]
        if message.type == "line":
            self._printer.write(message)
        elif message.type == "start":
            process.pid = message.data["pid"]
            self._print_line(f"{message.name} started (pid={process.pid})")
            if process.program.stage <= self._stage:
                _signal_group(process.pid, signal.SIGTERM)
        elif message.type == "end":
            process.returncode = message.data["returncode"]
            self._print_line(f"{message.name} stopped (rc={process.returncode})")
            if self._status is None:
                self._status = process.returncode

    def _end_stage(self) -> None:
        """End the first stage that still runs; kill the processes that do not end in time."""
        running = [each for each in self._processes.values() if each.returncode is None]
        stage = min((each.program.stage for each in running), default=self._stage)
        now_s = time.monotonic()
        if stage == self._stage and now_s < self._until_s:
            return
        number = signal.SIGTERM if stage > self._stage else signal.SIGKILL
        self._stage, self._until_s = stage, now_s + GRACE_S
        for process in running:
            if process.program.stage == stage and process.pid:
                self._print_line(f"sending {number.name} to {process.name} (pid {process.pid})")
                _signal_group(process.pid, number)

    def _print_line(self, text: str) -> None:
        self._printer.write(Message("line", text, datetime.now(), _NAME, None))


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)
