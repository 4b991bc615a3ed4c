"""Starts the processes of an exchange by forks of one process that has all their imports.

Imports are the longest part of a process's start. The fork server
(`crossbook.launch.fork_server`) imports the four processes once, and forks for each start.

One byte on a socket names the module, and carries three descriptors: a socket with the order, the
file for the output, and a pipe for the answers, on which the server writes the child's pid and,
later, its exit status. So waiting costs nothing, and any number of threads may start and wait. The
byte `FOLDER` carries a pipe with the path of a folder to remove at the end. When
the socket closes, or the process at its other end has ended, the server kills the processes that
still run, and ends.

The socket of an order may stay open. When its module has ended, the child sends `RUN_ENDED` there,
and runs it again for another order.
"""

import os
import select
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from crossbook.common.errors import CrossbookError
from crossbook.common.process.programs import FORK_SERVER, MODULES
from crossbook.launch.process import PYTHON, Process, start

FIXED_AT_START: Final = {"CROSSBOOK_CRASH_AT", "MATCHER_BUILD"}
"""Variables that a process reads once, before the fork that starts a module."""

PROCESSES: Final = tuple(MODULES.values())

FOLDER: Final = len(PROCESSES)
"""The byte that names a folder instead of a module."""

RUN_ENDED: Final = b"."
"""Sent by a forked process whose module has ended, and that waits for another order."""


class StarterEndedError(CrossbookError):
    """The fork server has ended, so nothing more is started by it, and no exit status is known."""


class StartOrder(Struct, frozen=True):
    """A module to run, its folder and its whole environment."""

    module: str
    directory: str
    environment: Mapping[str, str]


class Starter:
    """Starts processes as `crossbook.launch.process.start` does, by forking; the fork server
    begins with the first, or with `warm`. Any thread may use it.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def warm(self) -> None:
        """Begin the imports now; returns at once."""
        with self._lock:
            self._begin()

    def remove_at_end(self, folder: Path) -> None:
        """The fork server removes the folder when the last process has ended, also where the
        program of this object was killed. One folder a starter."""
        with self._lock:
            self._folder = folder
            if self._socket is not None:
                # One that has ended is replaced at the next start, and gets the folder then.
                with suppress(OSError):
                    _name_folder(self._socket, folder)

    def start(
        self,
        module: str,
        directory: Path,
        environment: Mapping[str, str],
        log: Path,
        *,
        repeatable: bool = False,
    ) -> Process:
        """Start a process by a fork, or by an interpreter of its own where the fork would differ.

        A `repeatable` one may run its module again (`Forked.run_again`).

        Raises `StarterEndedError`, and `OSError` for a log that cannot be opened.
        """
        own = self._environment
        if module not in PROCESSES or any(
            environment.get(name) != own.get(name) for name in FIXED_AT_START
        ):
            return start(module, directory, environment, log)
        with log.open("ab") as output:
            order = StartOrder(module, str(directory), environment)
            return self.fork(order, output.fileno(), repeatable=repeatable)

    def fork(self, order: StartOrder, output: int, *, repeatable: bool = False) -> "Forked":
        """Start a module with its output at the descriptor; raises `StarterEndedError`."""
        kind = bytes([PROCESSES.index(order.module)])
        orders, theirs = socket.socketpair()
        answers, answers_write = os.pipe()
        try:
            with self._lock:
                channel = self._begin()
                socket.send_fds(channel, [kind], [theirs.fileno(), output, answers_write])
        except OSError as error:
            orders.close()
            os.close(answers)
            raise StarterEndedError(f"the fork server has ended: {error}") from error
        finally:
            theirs.close()
            os.close(answers_write)
        # A child that ended first: its answers have the exit status.
        with suppress(OSError):
            _send(orders, order)
        if repeatable:
            return Forked(answers, orders)
        orders.close()
        return Forked(answers)

    def close(self) -> None:
        """End the fork server, and with it every process that it started."""
        with self._lock:
            process, channel = self._process, self._socket
            self._process = self._socket = None
        if process is not None and channel is not None:
            with channel:
                channel.shutdown(socket.SHUT_RDWR)
            process.wait()

    def _begin(self) -> socket.socket:
        if self._socket is None or self._process is None or self._process.poll() is not None:
            self._socket, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    [*PYTHON, FORK_SERVER, str(theirs.fileno())],
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
            if self._folder is not None:
                _name_folder(self._socket, self._folder)
        return self._socket


def _send(orders: socket.socket, order: StartOrder) -> None:
    orders.sendall(msgspec.json.encode(order) + b"\n")


def _name_folder(channel: socket.socket, folder: Path) -> None:
    path_read, path_write = os.pipe()
    with os.fdopen(path_write, "wb") as pipe:
        pipe.write(os.fsencode(folder))
    try:
        socket.send_fds(channel, [bytes([FOLDER])], [path_read])
    finally:
        os.close(path_read)


class Forked:
    """A process that the fork server has forked; every method may be called by any thread.

    One with a socket for `orders` waits for another when its module has ended.
    """

    def __init__(self, answers: int, orders: socket.socket | None = None) -> None:
        self._orders = orders
        self._answers = os.fdopen(answers, "rb", buffering=0)
        self._lock = threading.Lock()
        self._status: int | None = None
        try:
            self.pid = self._next()
        except StarterEndedError:
            self._answers.close()
            self.let_end()
            raise

    def let_end(self) -> None:
        """Have the process end with its module."""
        orders, self._orders = self._orders, None
        if orders is not None:
            orders.close()

    def has_ended_run(self, timeout_s: float) -> bool:
        """Whether the module has ended, and the process waits for another order; waits at most so
        long for it."""
        if self._orders is None:
            return False
        self._orders.settimeout(max(timeout_s, 0.001))
        try:
            return self._orders.recv(1) == RUN_ENDED
        except OSError:
            return False

    def run_again(self, order: StartOrder) -> None:
        """Run the module of an order, after `has_ended_run`; an order to a process that has ended
        meanwhile is lost."""
        if self._orders is not None:
            self._orders.settimeout(None)
            with suppress(OSError):
                _send(self._orders, order)

    def poll(self) -> int | None:
        """Exit status, negative for a signal; None while it runs. Raises `StarterEndedError`."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Exit status once it has ended.

        Raises `subprocess.TimeoutExpired`, and `StarterEndedError`.
        """
        while self._status is None:
            if not self._answered(timeout):
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
            with self._lock:
                # Another thread may have read it.
                if self._status is None and self._answered(0):
                    self._status = self._next()
                    self.let_end()
        return self._status

    def send_signal(self, sig: int) -> None:
        """Send a signal, unless it is known to have ended."""
        if self._status is None and self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _answered(self, timeout: float | None) -> bool:
        poll = select.poll()
        poll.register(self._answers, select.POLLIN)
        return bool(poll.poll(None if timeout is None else timeout * 1_000))

    def _next(self) -> int:
        line = b""
        while not line.endswith(b"\n"):
            found = self._answers.read(1)
            if not found:
                raise StarterEndedError("the fork server has ended")
            line += found
        return int(line)
