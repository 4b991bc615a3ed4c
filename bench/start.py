"""The time from the start of an exchange to its first acknowledged order and its first HTTP answer.

A client runs already: its order waits in its socket until the gateway is there. Each turn starts
every way once, in an empty folder:

- `crossbook run`: this source;
- `separate interpreters`: the four modules of this source, each with an interpreter of its own,
  started at one moment;
- `crossbook run before`: the command of an earlier commit, from a git work tree of it.
"""

import contextlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from bench import machine
from crossbook.common.messages import entry
from crossbook.common.process.programs import MODULES
from crossbook.launch.layout import own_settings, process_environment
from crossbook.launch.ports import Ports
from tests.system.session import RawSession

REPOSITORY: Final = Path(__file__).resolve().parents[1]
BEFORE: Final = "df35481"
"""The last commit whose command starts every process with an interpreter of its own."""

LIMIT_S: Final = 60.0
AGAIN_S: Final = 0.002
"""Wait before an order that was refused as busy is sent again, and between two HTTP requests."""


class Way(Struct, frozen=True):
    """A way to start an exchange: commands that run beside each other, from one source."""

    name: str
    source: Path
    commands: tuple[tuple[str, ...], ...]


class Started(Struct, frozen=True):
    """Starts of one way: seconds from the start of the first process, one of each turn."""

    way: str
    order_s: list[float]
    http_s: list[float]


class StartReport(Struct, frozen=True):
    """Result of `python -m bench start`."""

    bench: str
    machine: machine.Machine
    method: dict[str, str]
    started: list[Started]


def run(*, repeats: int, busy: int, before: str = BEFORE) -> StartReport:
    """Start every way so often, in turn, beside `busy` processes that only compute."""
    described = machine.describe()
    with _source_of(before) as earlier, _busy(busy):
        ways = ways_of(earlier)
        found = {way.name: Started(way.name, [], []) for way in ways}
        for turn in range(repeats + 1):
            for way in ways:
                order_s, http_s = start(way)
                # The first turn reads the files from the disk and writes what Python compiles.
                if turn:
                    found[way.name].order_s.append(order_s)
                    found[way.name].http_s.append(http_s)
    method = {
        "start": "in an empty folder, with a client that runs already",
        "order": "from the start of the first process to the first acknowledged order",
        "HTTP": "the same to the first answer 200 of /ready; the order was first",
        "turns": f"{repeats}, after one that does not count; the ways in turn",
        "beside": f"{busy} processes that only compute",
        "before": before if earlier else f"{before} is not in this clone",
    }
    return StartReport("start", described, method, list(found.values()))


def ways_of(earlier: Path | None) -> list[Way]:
    """The ways to compare; `earlier` is the source of the earlier commit."""
    command = (sys.executable, "-m", "crossbook", "run")
    separate = tuple((sys.executable, "-m", module) for module in MODULES.values())
    ways = [
        Way("crossbook run", REPOSITORY, (command,)),
        Way("separate interpreters", REPOSITORY, separate),
    ]
    if earlier is not None:
        ways.append(Way("crossbook run before", earlier, (command,)))
    return ways


def start(way: Way) -> tuple[float, float]:
    """Start an exchange once: seconds to the first acknowledged order and to the first /ready."""
    ports = Ports()
    with (
        tempfile.TemporaryDirectory(prefix="crossbook-") as folder,
        contextlib.ExitStack() as stack,
    ):
        instruments = shutil.copy(way.source / "instruments.toml", folder)
        settings = own_settings(Path(folder) / "data", ports, instruments=Path(instruments))
        environment = {**process_environment(settings), "PYTHONPATH": str(way.source)}
        stack.callback(ports.close)
        session = stack.enter_context(RawSession(settings["GATEWAY_ORDERS"], log_on=False))
        log = stack.enter_context((Path(folder) / "log").open("wb"))
        began_s = time.perf_counter()
        processes = [
            subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
            for command in way.commands
        ]
        try:
            _first_order(session)
            order_s = time.perf_counter() - began_s
            _first_answer(f"http://127.0.0.1:{settings['API_PORT']}/ready")
            http_s = time.perf_counter() - began_s
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
            for process in processes:
                process.wait()
    return order_s, http_s


def _first_order(session: RawSession) -> None:
    session.log_on(seconds=LIMIT_S)
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        order = entry.New(session.next_seq(), "BTC-USDT", 1, quantity="1", price="50000")
        if isinstance(session.reply_to(order, seconds=LIMIT_S), entry.Ack):
            return
        time.sleep(AGAIN_S)
    raise TimeoutError(f"no order acknowledged in {LIMIT_S} s")


def _first_answer(url: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=LIMIT_S):
            return
        time.sleep(AGAIN_S)
    raise TimeoutError(f"{url} did not answer 200 in {LIMIT_S} s")


@contextlib.contextmanager
def _source_of(commit: str) -> Iterator[Path | None]:
    """A work tree of a commit, or None where this clone does not have it."""
    with tempfile.TemporaryDirectory(prefix="crossbook-before-") as folder:
        git = ["git", "-C", str(REPOSITORY), "worktree"]
        tree = Path(folder) / "source"
        made = subprocess.run(
            [*git, "add", "--detach", str(tree), commit], capture_output=True, check=False
        )
        if made.returncode:
            yield None
            return
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], capture_output=True, check=False)


@contextlib.contextmanager
def _busy(count: int) -> Iterator[None]:
    """That many processes that compute without end; each in a session of its own, as the programs
    of other users are."""
    spin = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(spin, start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def show(report: StartReport) -> None:
    """Print the report as a table."""
    print("start: seconds until an exchange takes orders")
    print(machine.line(report.machine))
    for name, text in report.method.items():
        print(f"  {name}: {text}")
    print(f"{'':24}{'first order':>22}{'first HTTP answer':>22}")
    print(f"{'':24}{'median':>11}{'worst':>11}{'median':>11}{'worst':>11}")
    for each in report.started:
        figures = (
            statistics.median(each.order_s),
            max(each.order_s),
            statistics.median(each.http_s),
            max(each.http_s),
        )
        print(f"{each.way:24}" + "".join(f"{figure:11.2f}" for figure in figures))
