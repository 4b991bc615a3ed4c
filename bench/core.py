"""Messages per second of the engine alone, in process, and of peers from PyPI and npm.

The engine is driven through `Engine.apply`, one command at a time, and every event is produced
and returned in batches as in the matcher's loop. Nothing is encoded, stored or sent.
"""

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from msgspec import Struct

from bench import machine, mixed, other_build, peers, stopwatch, workload
from bench.stopwatch import processor_ns
from bench.traded import Traded, outcome, reference
from crossbook.common.messages.commands import Command
from crossbook.matcher.build import running
from crossbook.matcher.engine.engine import Engine

BATCH = 128
"""Commands whose events are gathered in one list before the list is freed."""
WIDTH = 21
"""Of a column of the table."""
OURS = "crossbook"
OTHER = f"{OURS} {other_build.NAME}"
MIXED = "mixed"
SCENARIOS = (*workload.SCENARIOS, MIXED)
"""`MIXED` has orders that no peer supports: only Crossbook runs it."""


class Speed(Struct, frozen=True):
    """One engine on one scenario."""

    engine: str
    messages: int
    messages_per_s: int
    """Median of the repeats."""
    runs: list[int]
    differs: str = ""
    """The first difference from Crossbook; empty where all trades are equal."""


class ScenarioReport(Struct, frozen=True):
    """One scenario: its stream, what it traded, and how fast each engine was."""

    scenario: str
    mix: workload.Mix
    traded: Traded
    resting_at_end: int
    speeds: list[Speed]


class CoreReport(Struct, frozen=True):
    """Result of `python -m bench core`."""

    bench: str
    machine: machine.Machine
    method: dict[str, str | int]
    peers: dict[str, str]
    """Version of each, or why it was not run."""
    scenarios: list[ScenarioReport]
    worst: dict[str, int]
    """Each engine's lowest messages per second over the scenarios that peers can run."""


class CorePlan(Struct, frozen=True):
    """The parameters of a measurement."""

    messages: int
    repeats: int = 3
    seed: int = workload.DEFAULT_SEED
    collect_garbage: bool = False
    client_order_ids: bool = False
    with_peers: bool = True
    with_other_build: bool = False


class EngineRun(Struct):
    """Commands of a scenario, and their result in Crossbook's engine: its trades, the number of
    orders that rest at the end, and the nanoseconds of one run."""

    commands: list[Command]
    traded: Traded
    resting: int
    elapsed_ns: Callable[[], int]


def run(scenarios: Sequence[str], plan: CorePlan) -> CoreReport:
    """Measure every scenario; peers run the very same commands, in turn with ours."""
    described = machine.describe()
    reports = [_measured(name, plan) for name in scenarios]
    return CoreReport(
        bench="core",
        machine=described,
        method={
            "call": "Engine.apply(command), one at a time; events gathered in lists",
            "clock": "processor time of the process, one thread",
            "build": running(),
            "batch": BATCH,
            "repeats": plan.repeats,
            "figure": "median of the repeats, each on a fresh engine, peers in turn",
            "warm_up_messages": stopwatch.WARM_UP,
            "garbage_collector": "on" if plan.collect_garbage else "collected, frozen, then off",
            "seed": plan.seed,
            "client_order_ids": "on" if plan.client_order_ids else "off",
        },
        peers={peer.name: peer.version for peer in peers.PEERS} if plan.with_peers else {},
        scenarios=reports,
        worst=_worst(reports),
    )


def stream_of(scenario: str, plan: CorePlan) -> EngineRun:
    """The commands of a scenario, run through our engine once."""
    if scenario == MIXED:
        flow = mixed.generate(plan.messages // 2, plan.seed)
        engine = mixed.engine()
        traded, resting = outcome(engine, (engine.apply(*timed) for timed in flow))
        commands = [command for command, _ in flow]
        return EngineRun(
            commands, traded, resting, lambda: processor_ns(apply_timed, flow, plan.collect_garbage)
        )
    commands = workload.generate(scenario, plan.messages // 2, plan.seed, plan.client_order_ids)
    return EngineRun(
        commands,
        *reference(commands),
        lambda: processor_ns(apply_all, commands, plan.collect_garbage),
    )


def _measured(scenario: str, plan: CorePlan) -> ScenarioReport:
    stream = stream_of(scenario, plan)
    commands = stream.commands
    turns = {OURS: (len(commands), stream.elapsed_ns)}
    differs: dict[str, str] = {}
    with ExitStack() as running:
        if plan.with_other_build and not other_build.obstacle():
            other = running.enter_context(other_build.started(scenario, plan))
            turns[OTHER] = (len(commands), other.elapsed_ns)
            if other.traded != stream.traded:
                differs[OTHER] = f"it traded {other.traded}, we {stream.traded}"
        for peer in peers.available() if plan.with_peers and scenario != MIXED else []:
            part = commands[: peer.most_messages or None]
            differs[peer.name] = peer.differs(part)
            turns[peer.name] = (len(part), _turn(peer, part, plan.collect_garbage))
        runs = _rates(turns, plan.repeats)
    speeds = [
        Speed(name, turns[name][0], round(statistics.median(rates)), rates, differs.get(name, ""))
        for name, rates in runs.items()
    ]
    mix = workload.mix(commands)
    return ScenarioReport(scenario, mix, stream.traded, stream.resting, speeds)


def _turn(
    peer: peers.PeerEngine, commands: Sequence[Command], collect_garbage: bool
) -> Callable[[], int]:
    return lambda: peer.elapsed_ns(commands, collect_garbage)


def _rates(turns: dict[str, tuple[int, Callable[[], int]]], repeats: int) -> dict[str, list[int]]:
    """Messages per second of each engine in each repeat, in turn, so that a slow moment of the
    machine does not fall on one engine only."""
    rates: dict[str, list[int]] = {name: [] for name in turns}
    for _ in range(repeats):
        for name, (messages, elapsed_ns) in turns.items():
            rates[name].append(round(messages * 1e9 / elapsed_ns()))
    return rates


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


def apply_timed(flow: Sequence[mixed.Timed]) -> int:
    """`apply_all` of the mixed flow, each command at its time."""
    apply = mixed.engine().apply
    count = 0
    for start in range(0, len(flow), BATCH):
        produced: list[object] = []
        gather = produced.extend
        for command, time_ns in flow[start : start + BATCH]:
            gather(apply(command, time_ns))
        count += len(produced)
    return count


def show(report: CoreReport) -> None:
    """Print the report for a person."""
    method = report.method
    print(f"core: messages/s through Engine.apply, {method['build']} engine")
    print(machine.line(report.machine))
    print(
        f"method: processor time, median of {method['repeats']} runs, garbage collector "
        f"{method['garbage_collector']}, seed {method['seed']}, "
        f"client order ids {method['client_order_ids']}"
    )
    languages = {peer.name: peer.language for peer in peers.PEERS}
    for name, version in report.peers.items():
        print(f"peer: {name} ({languages[name]}) {version}")
    names = [name for name in (OURS, OTHER, *report.peers) if name in report.worst]
    header = "".join(f"{name:>{WIDTH}}" for name in names)
    print(f"\n{'thousand/s':<10}{'messages':>10}{'trades':>9}{'resting':>9}{header}")
    for scenario in report.scenarios:
        by_name = {speed.engine: speed for speed in scenario.speeds}
        ours = by_name[OURS]
        cells = "".join(f"{_cell(by_name.get(name), ours):>{WIDTH}}" for name in names)
        print(
            f"{scenario.scenario:<10}{scenario.mix.messages:>10,}{scenario.traded.trades:>9,}"
            f"{scenario.resting_at_end:>9,}{cells}"
        )
    worst = "".join(f"{_beside(report.worst[name], report.worst[OURS]):>{WIDTH}}" for name in names)
    print(f"{'worst of those that peers run':<38}{worst}")
    for scenario in report.scenarios:
        for speed in scenario.speeds:
            if speed.differs:
                print(f"DIFFERS: {speed.engine} in {scenario.scenario}: {speed.differs}")
            if speed.messages < scenario.mix.messages and scenario is report.scenarios[0]:
                print(f"note: {speed.engine} runs the first {speed.messages:,} messages only")


def _cell(speed: Speed | None, ours: Speed) -> str:
    if speed is None:
        return "-"
    text = _beside(speed.messages_per_s, ours.messages_per_s)
    return f"DIFFERS {text}" if speed.differs else text


def _beside(rate: int, ours: int) -> str:
    """A rate in thousands, and how many times it ours is."""
    text = f"{rate / 1_000:,.0f}"
    return text if rate == ours else f"{text} ({ours / rate:.2f}x)"


def _worst(reports: Sequence[ScenarioReport]) -> dict[str, int]:
    worst: dict[str, int] = {}
    for report in reports:
        if report.scenario == MIXED and len(reports) > 1:
            continue
        for speed in report.speeds:
            known = worst.get(speed.engine, speed.messages_per_s)
            worst[speed.engine] = min(known, speed.messages_per_s)
    return worst
