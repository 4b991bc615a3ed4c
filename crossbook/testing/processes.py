"""The processes of one exchange in a folder and on ports of their own, from start to end.

They are forked from one process that has all imports, which begins with the first and ends with
this one. Its folder holds those of all exchanges, and the fork server removes it after the last
process: nothing stays, whatever ends the tests.
"""

import atexit
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from crossbook.common.errors import ConfigError, CrossbookError
from crossbook.launch.layout import Program, own_settings, process_environment, programs
from crossbook.launch.ports import Ports
from crossbook.launch.process import Process
from crossbook.launch.starter import Forked, Starter, StarterEndedError, StartOrder
from crossbook.testing.http import Http
from crossbook.testing.plan import Plan
from crossbook.testing.ready_check import ReadyCheck

READY_S: Final = 60.0
"""Longest start: a machine may be busy."""

STOP_S: Final = 10.0

END_RUN_S: Final = 0.5
"""Longest end of what a process does before a new beginning: a request may wait for its answer."""

KILLED: Final = -signal.SIGKILL
"""Exit status of a process that was killed."""

LOG_BYTES: Final = 6_000
"""The end of a log that an error shows."""

_LOOK_S: Final = 0.003


class ExchangeError(CrossbookError):
    """The exchange did not do in time what a test needs; the text ends with the logs."""


class Processes:
    """The processes of one exchange, by name; that of a later shard ends with its number, as
    `matcher-1` does. `start_all` returns before they are ready.

    A process that a fault kills, and not the test, is started again, as `crossbook run` does.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.folder = Path(tempfile.mkdtemp(prefix="exchange-", dir=_root()))
        self._ports = Ports()
        self.settings = {
            **own_settings(
                self.folder / "data",
                self._ports,
                shards=plan.shards,
                instruments=None if plan.instruments is None else Path(plan.instruments),
            ),
            **plan.environment(),
        }
        self._environment = process_environment(self.settings)
        self._programs = {
            each.name: each
            for each in programs(plan.shards)
            if plan.recorder or not each.name.startswith("recorder")
        }
        self._running: dict[str, Process] = {}
        self._dying: list[Process] = []
        self._lock = threading.RLock()
        self._is_ready = False
        # What a new beginning has removed, until it is ready.
        self._aside: Path | None = None

    @property
    def names(self) -> list[str]:
        """All processes of the exchange, in the order of their start."""
        return list(self._programs)

    @property
    def http_port(self) -> int:
        """Port of the gateway's HTTP."""
        return int(self.settings["API_PORT"])

    def data_dir(self, shard: int = 0) -> Path:
        """Folder of one matcher: its journal and its sockets."""
        return self.folder / "data" / f"shard-{shard}" if shard else self.folder / "data"

    def start_all(self) -> None:
        """Start what does not run yet."""
        for name in self._programs:
            if name not in self._running:
                self.start(name)

    @property
    def ended(self) -> list[str]:
        """The processes that the test has ended, or not started yet."""
        return [name for name in self._programs if name not in self._running]

    def start(self, name: str) -> None:
        """Start one process; its output is appended to its log."""
        program = self._program(name)
        with self._lock:
            if name in self._running:
                raise ExchangeError(f"{name}: it runs already")
            self._is_ready = False
            order = self._order(program)
            process = _starter().start(
                order.module, self.folder, order.environment, self._log_path(name), repeatable=True
            )
            self._running[name] = process
        threading.Thread(target=self._watch, args=(name, process), daemon=True).start()

    def _watch(self, name: str, process: Process) -> None:
        """Start a process again that was killed while it should run."""
        with suppress(StarterEndedError):
            if process.wait() == KILLED:
                with self._lock:
                    if self._running.get(name) is process:
                        del self._running[name]
                        self.start(name)

    def kill(self, name: str) -> None:
        """End a process with SIGKILL, and wait for its end."""
        self._end(name, signal.SIGKILL)

    def stop(self, name: str) -> None:
        """End a process as `crossbook run` does, and wait for its end."""
        self._end(name, signal.SIGTERM)

    def pid(self, name: str) -> int:
        """Process id of a running process."""
        return self._found(name).pid

    def is_running(self, name: str) -> bool:
        """Whether a process runs, or is about to be started again."""
        self._program(name)
        with self._lock:
            process = self._running.get(name)
            return process is not None and process.poll() in (None, KILLED)

    def wait_ready(self, timeout_s: float = READY_S) -> None:
        """Return once orders, books and questions about the past are answered.

        No command is sent, so the journal of a test begins with the test. Raises `ExchangeError`,
        at once where a process was ended and not started again.
        """
        if self.ended:
            raise ExchangeError(f"{', '.join(self.ended)}: ended by the test; `restart` it")
        self.check_alive()
        if not self._is_ready:
            http = Http(self.http_port)
            try:
                check = ReadyCheck(http, recorder=self.plan.recorder)
                self.wait_until("the exchange is ready", check.is_reached, timeout_s)
            finally:
                http.close()
            self._is_ready = True
            if self._aside is not None:
                removal = threading.Thread(
                    target=shutil.rmtree, args=(self._aside, True), daemon=True
                )
                removal.start()
                self._aside = None

    def wait_until(self, what: str, condition: Callable[[], bool], timeout_s: float) -> None:
        """Return once `condition` holds; raises `ExchangeError` when it does not in time, or when
        a process ends meanwhile."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            self.check_alive()
            if time.monotonic() > deadline:
                raise ExchangeError(f"{what}: not within {timeout_s:g} s\n{self.logs()}")
            time.sleep(_LOOK_S)

    def check_alive(self) -> None:
        """Raise `ExchangeError` when a process has ended by itself, `ConfigError` when it refused
        its settings."""
        with self._lock:
            statuses = {name: process.poll() for name, process in self._running.items()}
        for name, status in statuses.items():
            if status in (None, KILLED):
                continue
            lines = self.log(name).splitlines()
            if faults := [line for line in lines if line.startswith("configuration error: ")]:
                raise ConfigError("\n".join(faults))
            raise ExchangeError(f"{name} ended with status {status}\n{self.logs()}")

    def log(self, name: str) -> str:
        """Everything that a process has printed."""
        with suppress(FileNotFoundError):
            return self._log_path(name).read_text(errors="replace")
        return ""

    def logs(self) -> str:
        """The end of the log of every process."""
        return "\n".join(f"--- {name}\n{self.log(name)[-LOG_BYTES:]}" for name in self._programs)

    def begin_anew(self) -> None:
        """End what every process does, remove all data, and begin it again at the same addresses;
        `start_all` starts the processes that have ended.

        The processes stay, with memory and imports. One that does not end its module in time is
        killed.
        """
        with self._lock:
            self._is_ready = False
            for process in self._running.values():
                _signal_group(process.pid, signal.SIGTERM)
            until_s = time.monotonic() + END_RUN_S
            for name, process in list(self._running.items()):
                left_s = until_s - time.monotonic()
                if not (isinstance(process, Forked) and process.has_ended_run(left_s)):
                    self._dying.append(self._running.pop(name))
                    _signal_group(process.pid, signal.SIGKILL)
            self._wait_for_all()
            self._dying.clear()
            self._remove_data()
            for name, process in self._running.items():
                assert isinstance(process, Forked), "any other was killed"
                process.run_again(self._order(self._programs[name]))

    def _remove_data(self) -> None:
        """Remove the data, and what the logs hold; processes that run have the logs open.

        A file system may take ten milliseconds to free a segment, and hold up others meanwhile:
        that happens beside the test.
        """
        self._aside = Path(tempfile.mkdtemp(prefix="removed-", dir=self.folder.parent))
        for each in self.folder.iterdir():
            if each.is_dir():
                each.rename(self._aside / each.name)
            else:
                os.truncate(each, 0)

    def close(self, *, wait: bool = True) -> None:
        """Kill everything, remove the folder and let the ports go; without `wait` that happens when
        the next exchange is closed or the program ends."""
        self._kill_all()
        _ENDING.append(self)
        reap(wait=wait)

    def is_gone(self, *, wait: bool) -> bool:
        """Whether all has ended after `close`; the folder is removed then."""
        if wait:
            self._wait_for_all()
        if any(process.poll() is None for process in self._dying):
            return False
        self._dying.clear()
        for folder in (self.folder, self._aside):
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
        self._ports.close()
        return True

    def _order(self, program: Program) -> StartOrder:
        environment = {**self._environment, **program.environment}
        return StartOrder(program.arguments[0], str(self.folder), environment)

    def _program(self, name: str) -> Program:
        if name not in self._programs:
            raise ExchangeError(f"no process is called {name!r} here, but {', '.join(self.names)}")
        return self._programs[name]

    def _found(self, name: str) -> Process:
        if not self.is_running(name):
            raise ExchangeError(f"{name}: it does not run")
        return self._running[name]

    def _end(self, name: str, number: signal.Signals) -> None:
        with self._lock:
            process = self._found(name)
            # What the test ends stays so: it is not among those that run.
            del self._running[name]
            self._is_ready = False
        if isinstance(process, Forked):
            process.let_end()
        _signal_group(process.pid, number)
        process.wait(STOP_S)

    def _kill_all(self) -> None:
        with self._lock:
            self._is_ready = False
            self._dying += self._running.values()
            self._running.clear()
        for process in self._dying:
            if process.poll() is None:
                _signal_group(process.pid, signal.SIGKILL)

    def _wait_for_all(self) -> None:
        for process in self._dying:
            process.wait(STOP_S)

    def _log_path(self, name: str) -> Path:
        return self.folder / f"{name}.log"


def warm() -> None:
    """Begin the imports of the processes now; returns at once."""
    _starter().warm()


def reap(*, wait: bool) -> None:
    """Remove what is left of exchanges that were closed."""
    for ending in list(_ENDING):
        if ending.is_gone(wait=wait):
            with suppress(ValueError):
                _ENDING.remove(ending)


_ENDING: Final[list[Processes]] = []
"""Closed exchanges whose processes may still end."""


class _Roots:
    """The fork server and the folder of this process; a fork of it makes its own."""

    def __init__(self) -> None:
        self.owner = 0
        self.starter: Starter | None = None
        self.folder = Path()


_ROOTS: Final = _Roots()
_LOCK: Final = threading.Lock()


def _starter() -> Starter:
    with _LOCK:
        if _ROOTS.starter is None or _ROOTS.owner != os.getpid():
            if not _ROOTS.owner:
                atexit.register(_end_all)
            _ROOTS.owner = os.getpid()
            _ROOTS.folder = Path(tempfile.mkdtemp(prefix="crossbook-"))
            _ROOTS.starter = Starter(process_environment({}))
            _ROOTS.starter.remove_at_end(_ROOTS.folder)
        return _ROOTS.starter


def _root() -> Path:
    _starter()
    return _ROOTS.folder


def _end_all() -> None:
    if _ROOTS.starter is not None and _ROOTS.owner == os.getpid():
        _ROOTS.starter.close()
        # The fork server has removed it, unless it could not even begin.
        shutil.rmtree(_ROOTS.folder, ignore_errors=True)


def _signal_group(pid: int, number: signal.Signals) -> None:
    """Signal a process and those it started."""
    with suppress(ProcessLookupError):
        try:
            os.killpg(pid, number)
        except ProcessLookupError:
            # It was forked this moment and leads no group yet.
            os.kill(pid, number)
