"""The gain of a second shard: the same load on one matcher and on two, in turn, on one machine.

Instruments are dealt to the shards, so half of the orders go to each. With the generator, the
gateway, matchers and publishers on few cores the rate shows how the work is shared, not how far
shards scale; so the processor time of every process is reported too, and from it the most that
cores for all of them could allow.
"""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from statistics import median
from typing import Final

import psutil
from msgspec import Struct

from bench import machine
from bench.latency import Cpu, Sync, cpu_seconds
from bench.load import LoadGenerator, LoadOutcome, LoadPlan
from crossbook import Client
from crossbook.common.errors import CrossbookError
from tests.system.exchange import Exchange
from tests.system.sharded import of_every_shard, sharded

PROCESSES: Final = ("matcher", "publisher")
READY_SECONDS: Final = 30.0


class ShardsRun(Struct, frozen=True):
    """One run."""

    shards: int
    acked_per_s: float
    rejects: int
    unanswered: int
    cpu: dict[str, Cpu]

    @property
    def allowed_per_s(self) -> float:
        """Orders/s at which the busiest process but the generator would fill a core."""
        busiest = max(cpu.us_per_order for name, cpu in self.cpu.items() if name != "generator")
        return 1e6 / max(busiest, 1e-9)


class ShardsReport(Struct, frozen=True):
    """Result of `python -m bench shards`."""

    bench: str
    machine: machine.Machine
    method: dict[str, str]
    load: LoadPlan
    turns: list[ShardsRun]


METHOD: Final = {
    "order": "each number of shards in turn, another one first in each repeat, fresh processes",
    "load": "closed loop through one gateway; instruments dealt to shards by id",
    "cpu": "user and system time of each process over the run; us/order is per acked order",
    "allowed": "1 s over the us/order of the busiest process but the generator: a bound computed "
    "for a machine with a core for each, not a rate that was measured",
}


def run(load: LoadPlan, shards: tuple[int, ...], *, repeats: int, sync: Sync) -> ShardsReport:
    """Measure every number of shards."""
    described = machine.describe()
    turns: list[ShardsRun] = []
    for repeat in range(repeats):
        first = repeat % len(shards)
        for count in shards[first:] + shards[:first]:
            turns.append(_turn(load, count, sync))
            print(f"  {count} shards: {turns[-1].acked_per_s:,.0f}/s", file=sys.stderr, flush=True)
    return ShardsReport("shards", described, {**METHOD, "sync": sync}, load, turns)


def _turn(load: LoadPlan, shards: int, sync: Sync) -> ShardsRun:
    with _exchange(shards, sync) as exchange, LoadGenerator(exchange.orders, load) as generator:
        generator.log_on()
        watched = {name: psutil.Process(pid.pid) for name, pid in exchange.processes.items()}
        watched["generator"] = psutil.Process(os.getpid())
        before, begin = cpu_seconds(watched), time.monotonic()
        outcome = generator.run()
        after, elapsed = cpu_seconds(watched), time.monotonic() - begin
    return ShardsRun(
        shards=shards,
        acked_per_s=round(outcome.acked / max(outcome.elapsed_s, 1e-9)),
        rejects=sum(outcome.rejects.values()),
        unanswered=outcome.unanswered,
        cpu={name: _cpu(after[name] - before[name], elapsed, outcome) for name in sorted(watched)},
    )


def _cpu(seconds: float, elapsed: float, outcome: LoadOutcome) -> Cpu:
    acked = max(1, outcome.acked)
    return Cpu(
        percent=round(100 * seconds / elapsed, 1), us_per_order=round(seconds / acked * 1e6, 2)
    )


@contextlib.contextmanager
def _exchange(shards: int, sync: Sync) -> Iterator[Exchange]:
    """Fresh processes with the shipped settings, once every matcher answers."""
    shipped = {
        "HEARTBEAT_MS": "500",
        "JOURNAL_SEGMENT_MB": "64",
        "LOG_LEVEL": "WARNING",
        "JOURNAL_SYNC": sync,
    }
    processes = [*of_every_shard(shards, PROCESSES), "gateway"]
    with sharded(shards, processes, **shipped) as exchange:
        with Client(exchange.orders, 1) as client:
            exchange.wait_until("every matcher answers", lambda: _answers(client), READY_SECONDS)
        yield exchange


def _answers(client: Client) -> bool:
    with contextlib.suppress(CrossbookError):
        return client.mass_cancel().seq > 0
    return False


def show(report: ShardsReport) -> None:
    """Print the report for a person."""
    load = report.load
    print(
        f"shards: closed loop, window {load.window}, frames of {load.chunk}, {load.clients} "
        f"clients, {load.instruments} instruments, {load.duration_s:g} s"
    )
    print(machine.line(report.machine))
    for name, text in report.method.items():
        print(f"{name}: {text}")
    counts = sorted({turn.shards for turn in report.turns})
    rates = {
        count: median(turn.acked_per_s for turn in report.turns if turn.shards == count)
        for count in counts
    }
    for count in counts:
        turns = [turn for turn in report.turns if turn.shards == count]
        allowed = median(turn.allowed_per_s for turn in turns)
        print(
            f"\n{count} shard{'s' if count > 1 else ''}: {rates[count]:,.0f} acked/s "
            f"({rates[count] / rates[counts[0]]:.2f} of {counts[0]}), allowed {allowed:,.0f}"
        )
        for name in turns[0].cpu:
            percent = median(turn.cpu[name].percent for turn in turns)
            per_order = median(turn.cpu[name].us_per_order for turn in turns)
            print(f"  {name:<12}{percent:>7.0f} %{per_order:>9.2f} us/order")
        failed = sum(turn.rejects + turn.unanswered for turn in turns)
        if failed:
            print(f"  rejected or unanswered: {failed:,}")
