"""The effect of one client that takes all it can get on all others, flood by flood.

A few clients send orders in an open loop. Beside them a prober makes one request after the other:
open orders, a catch-up, a snapshot of a book, an order over REST. A flooder (`bench.flooder`) goes
and rests turn by turn. The figure is the others' p99 while it goes to that while it rests.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from bench import histogram, machine
from bench.flooder import FloodTarget
from bench.histogram import Summary
from bench.load import LoadGenerator, LoadPlan
from crossbook.common.process.config import Settings
from tests.system.exchange import RECORDED, Exchange

FLOODS: Final = (
    "nothing", "orders", "slow-reader", "queries", "catch-ups", "snapshots", "http-reads",
    "websocket-orders", "idle-crowd",
)  # fmt: skip
"""By name, as of `bench.flooder`; `nothing` takes processor time only."""

REST, FLOOD = "rest", "flood"
_NS = 1_000_000_000

METHOD: Final = {
    "others": "orders in an open loop, latency from the due moment; a prober with one request at a "
    "time in turn: open orders, catch-up of its own last number, snapshot, order over REST",
    "flood": "one process at full speed against the same exchange, on the same processors",
    "turns": "the flooder rests and goes in turn; the beginning of each turn is not counted",
    "figure": "p99 of the others while it goes over p99 while it rests, all turns pooled",
}


class FairnessPlan(Struct, frozen=True):
    """How to measure."""

    floods: tuple[str, ...] = FLOODS
    rate: float = 400.0
    clients: int = 8
    turns: int = 4
    window_s: float = 2.0
    settle_s: float = 1.5
    settings: dict[str, str] = {}
    """Of the exchange, such as limits."""

    @property
    def duration_s(self) -> float:
        """Seconds of load."""
        return 2 * self.turns * (self.settle_s + self.window_s) + 1.0


class Latencies(Struct, frozen=True):
    """One kind of request of the others, with and without the flood."""

    kind: str
    rest: Summary
    flood: Summary
    p99_ratio: float
    failed: int
    """Requests refused or not answered in time while the flood went."""


class FloodResult(Struct, frozen=True):
    """One flood."""

    flood: str
    flooded: int
    """Requests of the flooder."""
    unanswered: int
    rejects: dict[str, int]
    kinds: list[Latencies]


class FairnessReport(Struct, frozen=True):
    """Result of `python -m bench fairness`."""

    bench: str
    machine: machine.Machine
    method: dict[str, str]
    plan: FairnessPlan
    floods: list[FloodResult]


class Probed(Struct, frozen=True):
    """The requests of the prober: by kind (moment sent, nanoseconds; -1 for a failure)."""

    by_kind: dict[str, list[tuple[int, int]]]


class Flood:
    """Flooders that go and rest together by plan, in a thread of its own. Those of `beside` go
    while the others rest. With `aside` they run where nothing else wants a processor: in operation
    they would have processors of their own."""

    def __init__(
        self,
        kinds: Sequence[str],
        target: FloodTarget,
        plan: FairnessPlan,
        beside: Sequence[str] = (),
        aside: bool = False,
    ) -> None:
        self._plan = plan
        where = (target.orders, target.snapshots, str(target.http_port), target.source)
        self._going = {
            state: [_started("bench.flooder", kind, *where) for kind in named]
            for state, named in ((FLOOD, kinds), (REST, beside))
        }
        for each in (*self._going[FLOOD], *self._going[REST]):
            if aside:
                _set_aside(each.pid)
        self._quit = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.spans: list[tuple[int, int, str]] = []
        self.flooded = 0

    def __enter__(self) -> "Flood":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._quit.set()
        self._thread.join()
        for state, processes in self._going.items():
            for each in processes:
                with contextlib.suppress(subprocess.TimeoutExpired, ValueError):
                    sent = int(each.communicate(timeout=20)[0] or 0)
                    self.flooded += sent if state == FLOOD else 0
                each.kill()

    def state_of(self, moment_ns: int) -> str:
        """What the flooder did at a moment; empty where that is not counted."""
        place = bisect_right(self.spans, (moment_ns, 2**63, "")) - 1
        if place < 0 or moment_ns >= self.spans[place][1]:
            return ""
        return self.spans[place][2]

    def _run(self) -> None:
        plan = self._plan
        for turn in range(2 * plan.turns):
            state = FLOOD if turn % 2 else REST
            for each, processes in self._going.items():
                for process in processes:
                    assert process.stdin is not None, "started with a pipe"
                    process.stdin.write(b"go\n" if each == state else b"rest\n")
                    process.stdin.flush()
            if self._quit.wait(plan.settle_s):
                return
            begin_ns = time.monotonic_ns()
            if self._quit.wait(plan.window_s):
                return
            self.spans.append((begin_ns, time.monotonic_ns(), state))


def run(plan: FairnessPlan) -> FairnessReport:
    """Start an exchange for each flood, load it and flood it."""
    described = machine.describe()
    return FairnessReport(
        "fairness", described, METHOD, plan, [_measured(each, plan) for each in plan.floods]
    )


def _measured(kind: str, plan: FairnessPlan) -> FloodResult:
    load = LoadPlan(plan.rate, plan.duration_s, plan.clients, warm_s=0.0)
    settings: dict[str, Any] = {
        "HEARTBEAT_MS": "500", "LOG_LEVEL": "ERROR", "GATEWAY_ROLES": "orders,api", **plan.settings,
    }  # fmt: skip
    with Exchange(order=RECORDED, **settings) as exchange:
        exchange.wait_http()
        exchange.wait_shown("BTC-USDT")
        target = FloodTarget(exchange.orders, exchange.snapshots, exchange.api_port)
        with LoadGenerator(exchange.orders, load) as generator:
            generator.log_on()
            prober = _started(
                "bench.prober", target.orders, target.snapshots, str(target.http_port)
            )
            try:
                with Flood([kind], target, plan) as flood:
                    outcome = generator.run()
                probed = msgspec.msgpack.decode(prober.communicate(timeout=30)[0], type=Probed)
            finally:
                prober.kill()
    orders = list(zip(outcome.ack_due_ns, outcome.round_trip_ns, strict=True))
    by_kind: Mapping[str, Sequence[tuple[int, int]]] = {"orders": orders, **probed.by_kind}
    return FloodResult(
        kind,
        flood.flooded,
        outcome.unanswered,
        outcome.rejects,
        [compared(name, flood, requests) for name, requests in by_kind.items()],
    )


def compared(kind: str, flood: Flood, requests: Sequence[tuple[int, int]]) -> Latencies:
    """The latencies of one kind of request, (moment sent, nanoseconds), by what the flood did."""
    found: dict[str, array[int]] = {REST: array("q"), FLOOD: array("q")}
    failed = 0
    for moment_ns, latency_ns in requests:
        state = flood.state_of(moment_ns)
        if state and latency_ns >= 0:
            found[state].append(latency_ns)
        failed += state == FLOOD and latency_ns < 0
    rest, flooded = histogram.summarize(found[REST]), histogram.summarize(found[FLOOD])
    ratio = round(flooded.p99_us / rest.p99_us, 2) if rest.p99_us else 0.0
    return Latencies(kind, rest, flooded, ratio, failed)


def _set_aside(pid: int) -> None:
    """Let a process run when no other wants the processor, also against other sessions."""
    os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text("19")


def _started(module: str, *arguments: str) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        (sys.executable, "-m", module, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    assert process.stdout is not None, "started with a pipe"
    if process.stdout.readline() != b"ready\n":
        process.kill()
        raise RuntimeError(f"{module} {' '.join(arguments)} did not start")
    return process


def show(report: FairnessReport) -> None:
    """Print the report as a table."""
    plan = report.plan
    given = " ".join(f"{name}={value}" for name, value in plan.settings.items())
    print(
        f"fairness: {plan.rate:,.0f} orders/s of {plan.clients} clients and a prober, "
        f"{plan.turns} turns of {plan.window_s:g} s each way{'; ' + given if given else ''}"
    )
    print(machine.line(report.machine))
    for name, text in report.method.items():
        print(f"  {name}: {text}")
    print(
        f"{'flood':<12}{'others':<11}{'p50 ms':>9}{'flooded':>9}{'p99 ms':>9}{'flooded':>9}"
        f"{'max ms':>9}{'flooded':>9}{'p99 ratio':>11}{'failed':>8}"
    )
    for each in report.floods:
        for kind in each.kinds:
            cells = (kind.rest.p50_us, kind.flood.p50_us, kind.rest.p99_us, kind.flood.p99_us,
                     kind.rest.max_us, kind.flood.max_us)  # fmt: skip
            figures = "".join(f"{cell / 1000:>9.2f}" for cell in cells)
            print(
                f"{each.flood:<12}{kind.kind:<11}{figures}{kind.p99_ratio:>11.2f}{kind.failed:>8,}"
            )
        print(
            f"{'':<12}{each.flooded:,} requests of the flooder; the others: "
            f"{each.unanswered:,} orders unanswered, rejects {each.rejects or 'none'}"
        )


def known_settings(given: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` words as settings; raises `ValueError` for any other."""
    found: dict[str, str] = {}
    for word in given:
        name, mark, value = word.partition("=")
        if not mark or name.lower() not in Settings.model_fields:
            raise ValueError(f"{word!r} is not SETTING=VALUE")
        found[name] = value
    return found
