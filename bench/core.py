"""Messages per second of the engine alone, in process, beside peers from PyPI.

The engine is driven through `Engine.apply`, one command at a time, and every event is produced
and handed over in batches as the matcher's loop does. Nothing is encoded, stored or sent.
"""

import gc
import statistics
import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from bench import machine, peers, workload
from bench.peers import Traded
from common.commands import Command
from common.events import TradeExecuted
from matcher.engine import Engine

BATCH = 128
"""Commands whose events are gathered in one list before it is let go."""
WARM_UP = 20_000
OURS = "crossbook"


class Speed(Struct, frozen=True):
    """One engine on one scenario."""

    engine: str
    messages_per_s: int
    """Median of the repeats."""
    runs: list[int]
    agrees: bool
    """Trades, lots and notional equal ours."""


class ScenarioReport(Struct, frozen=True):
    """One scenario: its stream, what it traded, and how fast each engine was."""

    scenario: str
    mix: workload.Mix
    traded: Traded
    resting_at_end: int
    speeds: list[Speed]


class Report(Struct, frozen=True):
    """What `python -m bench core` measured."""

    bench: str
    machine: machine.Machine
    method: dict[str, str | int]
    peers: dict[str, str]
    scenarios: list[ScenarioReport]
    worst: dict[str, int]
    """Each engine's lowest messages per second over the scenarios."""


def run(
    scenarios: Sequence[str],
    messages: int,
    *,
    repeats: int = 3,
    seed: int = workload.DEFAULT_SEED,
    collect_garbage: bool = False,
    client_order_ids: bool = False,
    with_peers: bool = True,
) -> Report:
    """Measure every scenario; peers run the very same commands, in turn with ours."""
    described = machine.describe()
    drivers = peers.available() if with_peers else {}
    reports = []
    for scenario in scenarios:
        commands = workload.generate(scenario, messages // 2, seed, client_order_ids)
        traded, resting = reference(commands)
        outcomes: dict[str, Traded] = {}
        engines: dict[str, Callable[[Sequence[Command]], object]] = {OURS: apply_all}
        for name, drive in drivers.items():
            engines[name] = _keeping(drive, outcomes, name)
        rates: dict[str, list[int]] = {name: [] for name in engines}
        for _ in range(repeats):
            # In turn, so that a slow moment of the machine does not fall on one engine only.
            for name, drive_engine in engines.items():
                rates[name].append(_rate(commands, drive_engine, collect_garbage))
        speeds = [
            Speed(name, round(statistics.median(runs)), runs, outcomes.get(name, traded) == traded)
            for name, runs in rates.items()
        ]
        reports.append(ScenarioReport(scenario, workload.mix(commands), traded, resting, speeds))
    return Report(
        bench="core",
        machine=described,
        method={
            "call": "Engine.apply(command), one at a time; events gathered in lists",
            "clock": "processor time of the process, one thread",
            "batch": BATCH,
            "repeats": repeats,
            "figure": "median of the repeats, each on a fresh engine, peers in turn",
            "warm_up_messages": WARM_UP,
            "garbage_collector": "on" if collect_garbage else "collected, frozen, then off",
            "seed": seed,
            "client_order_ids": "on" if client_order_ids else "off",
        },
        peers=machine.versions(*peers.PEERS) if with_peers else {},
        scenarios=reports,
        worst=_worst(reports),
    )


def apply_all(commands: Sequence[Command]) -> int:
    """Apply every command to a fresh engine; the number of events produced."""
    apply = Engine([workload.INSTRUMENT]).apply
    count = 0
    for start in range(0, len(commands), BATCH):
        produced: list[object] = []
        gather = produced.extend
        for command in commands[start : start + BATCH]:
            gather(apply(command))
        count += len(produced)
    return count


def reference(commands: Sequence[Command]) -> tuple[Traded, int]:
    """What our engine trades on `commands`, and how many orders rest in the end. Not timed."""
    engine = Engine([workload.INSTRUMENT])
    trades = lots = notional = 0
    for command in commands:
        for event in engine.apply(command):
            if isinstance(event, TradeExecuted):
                trades += 1
                lots += event.quantity_lots
                notional += event.quantity_lots * event.price_ticks
    book = engine.book_state(workload.INSTRUMENT.id)
    return Traded(trades, lots, notional), len(book.bids) + len(book.asks)


def show(report: Report) -> None:
    """Print the report for a person."""
    method = report.method
    print(f"core: messages/s through Engine.apply\n{machine.line(report.machine)}")
    print(
        f"method: processor time, median of {method['repeats']} runs, garbage collector "
        f"{method['garbage_collector']}, seed {method['seed']}, "
        f"client order ids {method['client_order_ids']}"
    )
    for name, version in report.peers.items():
        print(f"peer: {name} {version}")
    names = [speed.engine for speed in report.scenarios[0].speeds]
    header = "".join(f"{name:>22}" for name in names)
    print(f"\n{'scenario':<10}{'messages':>10}{'trades':>9}{'resting':>9}{header}")
    for scenario in report.scenarios:
        cells = "".join(f"{_cell(speed, scenario.speeds[0]):>22}" for speed in scenario.speeds)
        print(
            f"{scenario.scenario:<10}{scenario.mix.messages:>10,}{scenario.traded.trades:>9,}"
            f"{scenario.resting_at_end:>9,}{cells}"
        )
    worst = "".join(f"{report.worst[name]:>22,}" for name in names)
    print(f"{'worst':<38}{worst}")


def _cell(speed: Speed, ours: Speed) -> str:
    if speed is ours:
        return f"{speed.messages_per_s:,}"
    ratio = ours.messages_per_s / speed.messages_per_s
    return f"{speed.messages_per_s:,} (1/{ratio:.1f}){'' if speed.agrees else ' DIFFERS'}"


def _rate(
    commands: Sequence[Command],
    drive: Callable[[Sequence[Command]], object],
    collect_garbage: bool,
) -> int:
    """Messages per second of one run of `drive`, warmed up on a short one.

    Processor time is wall time on a quiet machine; on a shared one it leaves out the others.
    """
    drive(commands[:WARM_UP])
    gc.collect()
    gc.freeze()
    if not collect_garbage:
        gc.disable()
    try:
        begin = time.process_time_ns()
        drive(commands)
        elapsed_ns = time.process_time_ns() - begin
    finally:
        gc.enable()
        gc.unfreeze()
    return round(len(commands) * 1e9 / elapsed_ns)


def _keeping(
    drive: peers.Driver, outcomes: dict[str, Traded], name: str
) -> Callable[[Sequence[Command]], object]:
    """`drive`, leaving what it returned last in `outcomes`."""

    def run_once(commands: Sequence[Command]) -> None:
        outcomes[name] = drive(commands)

    return run_once


def _worst(reports: Sequence[ScenarioReport]) -> dict[str, int]:
    worst: dict[str, int] = {}
    for report in reports:
        for speed in report.speeds:
            known = worst.get(speed.engine, speed.messages_per_s)
            worst[speed.engine] = min(known, speed.messages_per_s)
    return worst
