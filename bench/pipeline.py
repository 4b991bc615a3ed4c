"""The three processes and a null pipeline of the same shape, alternately in one run.

The null pipeline has the same hops over ZeroMQ and decodes and encodes at each of them, but
matches nothing and keeps no state: it is the limit of the topology on this machine. Figures
drift between runs by more than most changes are worth; ratios taken side by side do not.
"""

import contextlib
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from bench import latency, machine
from bench.histogram import Summary
from bench.load import LoadPlan
from tests.system.exchange import free_ports

REPOSITORY: Final = Path(__file__).resolve().parent.parent
NULL_PIPELINE: Final = REPOSITORY.parent / "shared" / "limits" / "null_pipeline.py"
NULL_FILES: Final = ("null_pipeline.py", "msgs.py")
CLIENTS: Final = (1, 10, 100)
FRAMES: Final = (1, 8, 32)
OPEN_RATES: Final = (1_000, 5_000, 20_000, 50_000)
RUN_SECONDS: Final = 90.0
NAME_WIDTH: Final = 46
DURABLE_TARGET: Final = 0.80
"""Durable over not durable that a closed loop in frames of many orders should keep."""


Curves = dict[str, dict[tuple[str, int], list[float]]]
"""By title of a panel, and by pipeline and number of clients: p50, p90, p99, p99.9 and highest."""


class Tail(Struct, frozen=True):
    """Percentiles in microseconds."""

    p50: float
    p90: float
    p99: float
    p999: float
    max: float


class Sample(Struct, frozen=True):
    """One run of one pipeline; no `Tail` where nothing was measured."""

    acked_per_s: float
    us_per_order: float
    """Processor time of all processes, generator and subscriber included."""
    ack: Tail | None
    bbo: Tail | None


class Trial(Struct, frozen=True):
    """One load, synced before every answer or not."""

    load: LoadPlan
    durable: bool

    @property
    def name(self) -> str:
        """The load, as text."""
        load = self.load
        sent = f"closed, frames of {load.chunk}" if load.closed else f"open, {load.rate:,.0f}/s"
        clients = f"{load.clients} client{'s' if load.clients > 1 else ''}"
        return f"{sent}, {clients}, {'durable' if self.durable else 'not'}"


class Case(Struct, frozen=True):
    """A trial, run alternately on both; `ratios` are ours over null, medians over the repeats."""

    name: str
    trial: Trial
    ours: list[Sample]
    null: list[Sample]
    ratios: dict[str, float | None]


class PipelineReport(Struct, frozen=True):
    """Result of `python -m bench pipeline`."""

    bench: str
    machine: machine.Machine
    method: dict[str, str]
    cases: list[Case]


class Aim(Struct, frozen=True):
    """A ratio to reach, and one that would be excellent."""

    what: str
    trial: Trial
    figure: str
    reach: float
    moonshot: float


FIGURES: Final[dict[str, Callable[[Sample], float | None]]] = {
    "acked/s": lambda sample: sample.acked_per_s,
    "ack p50": lambda sample: sample.ack.p50 if sample.ack else None,
    "ack p99": lambda sample: sample.ack.p99 if sample.ack else None,
    "BBO p50": lambda sample: sample.bbo.p50 if sample.bbo else None,
    "BBO p99": lambda sample: sample.bbo.p99 if sample.bbo else None,
    "CPU us/order": lambda sample: sample.us_per_order,
}
"""The figures compared; below 1 is better, but for acked/s."""

CLOSED_FIGURES: Final = ("acked/s", "CPU us/order")
"""The latency of a closed loop is only its window over its throughput."""

METHOD: Final = {
    "order": "alternately, case by case; each run in fresh processes; the first of a pair changes",
    "ratio": "median of ours over median of null",
    "ours": "gateway, matcher, publisher as shipped, with its journal; flow of bench/flow.py",
    "null": "null_pipeline.py, --transport ipc: same hops, nothing matched, one kind of message",
    "scheduling": "ours as configured (SCHEDULING, by default batch), null under the usual policy",
    "durable": "both sync a file before each batch leaves; not: ours writes its journal unsynced, "
    "the null pipeline keeps none",
}


def trials(*, quick: bool) -> list[Trial]:
    """The trials of a run: all of them, or the few that show most."""
    found = []
    for durable in (True, False):
        for clients in CLIENTS:
            closed = [_closed(frame, clients) for frame in FRAMES]
            opened = [_open(rate, clients) for rate in OPEN_RATES]
            if quick and not durable:
                closed, opened = [closed[0], closed[-1]], [opened[1]]
            if quick and clients != 10:
                closed, opened = [], [opened[1]] if durable else []
            found += [Trial(load, durable) for load in closed + opened]
    if quick:
        return [
            Trial(msgspec.structs.replace(each.load, duration_s=1.5, warm_s=0.5), each.durable)
            for each in found
        ]
    return found


def _closed(frame: int, clients: int) -> LoadPlan:
    return LoadPlan(closed=True, chunk=frame, clients=clients, duration_s=3.0)


def _open(rate: float, clients: int) -> LoadPlan:
    return LoadPlan(rate=rate, clients=clients, duration_s=4.0)


AIMS: Final = (
    Aim("acked/s, frames of 32", Trial(_closed(32, 10), True), "acked/s", 0.3, 0.5),
    Aim("acked/s, one order a frame", Trial(_closed(1, 10), True), "acked/s", 0.5, 0.8),
    Aim("order to ack at 5,000/s, p50", Trial(_open(5_000, 10), True), "ack p50", 1.5, 1.15),
    Aim("order to ack at 5,000/s, p99", Trial(_open(5_000, 10), True), "ack p99", 2.0, 1.3),
    Aim("order to BBO at 5,000/s, p50", Trial(_open(5_000, 10), True), "BBO p50", 1.5, 1.15),
)
"""All durable, with ten clients."""


def run(
    null_pipeline: Path | None,
    chosen: Sequence[Trial],
    *,
    transport: latency.Transport = "ipc",
    repeats: int = 1,
) -> PipelineReport:
    """Measure every trial on both pipelines, or on ours alone."""
    described = machine.describe()
    ours: list[list[Sample]] = [[] for _ in chosen]
    null: list[list[Sample]] = [[] for _ in chosen]
    with contextlib.ExitStack() as stack:
        script = null_pipeline and stack.enter_context(scratch_copy(null_pipeline))
        for repeat in range(repeats):
            for place, trial in enumerate(chosen):
                for turn in (repeat + place, repeat + place + 1):
                    if turn % 2 == 0:
                        ours[place].append(run_ours(trial, transport))
                    elif script is not None:
                        null[place].append(run_null(script, trial))
                print(f"  {repeat + 1}/{repeats} {trial.name}", file=sys.stderr, flush=True)
    return PipelineReport(
        bench="pipeline",
        machine=described,
        method={**METHOD, "repeats": str(repeats), "transport_ours": f"internal {transport}"},
        cases=[
            Case(trial.name, trial, ours[place], null[place], ratios(ours[place], null[place]))
            for place, trial in enumerate(chosen)
        ],
    )


@contextlib.contextmanager
def scratch_copy(null_pipeline: Path) -> Iterator[Path]:
    """A copy of the null pipeline to run: it writes into its own folder, which may be read-only."""
    with tempfile.TemporaryDirectory(prefix="crossbook-null-") as folder:
        for name in NULL_FILES:
            shutil.copy(null_pipeline.parent / name, folder)
        yield Path(folder) / null_pipeline.name


def run_ours(trial: Trial, transport: latency.Transport) -> Sample:
    """One run of our processes, measured by a fresh process."""
    load = trial.load
    with tempfile.TemporaryDirectory(prefix="crossbook-bench-") as folder:
        path = Path(folder) / "report.json"
        command = [sys.executable, "-m", "bench", "latency", "--json", str(path)]
        command += ["--transport", transport, "--sync", "batch" if trial.durable else "never"]
        command += ["--duration", str(load.duration_s), "--warm", str(load.warm_s)]
        command += ["--clients", str(load.clients), "--batch", str(load.batch)]
        command += ["--rate", str(load.rate)]
        if load.closed:
            command += ["--closed", "--window", str(load.window), "--chunk", str(load.chunk)]
        subprocess.run(
            command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, check=True, timeout=RUN_SECONDS
        )
        report = msgspec.json.decode(path.read_bytes(), type=latency.LatencyReport)
    return Sample(
        acked_per_s=report.acked_per_s,
        us_per_order=round(sum(cpu.us_per_order for cpu in report.cpu.values()), 2),
        ack=_tail(report.round_trip),
        bbo=_tail(report.bbo),
    )


def _tail(found: Summary) -> Tail | None:
    if not found.count:
        return None
    return Tail(found.p50_us, found.p90_us, found.p99_us, found.p999_us, found.max_us)


def run_null(script: Path, trial: Trial) -> Sample:
    """One run of the null pipeline."""
    load = trial.load
    ports = free_ports(1)
    command = [sys.executable, str(script), "--port", str(ports[0]), "--transport", "ipc"]
    command += ["--journal", "inline" if trial.durable else "none"]
    command += ["--duration", str(load.duration_s), "--warm", str(load.warm_s)]
    command += ["--clients", str(load.clients)]
    command += ["--rate", "0" if load.closed else str(load.rate)]
    command += ["--window", str(load.window), "--chunk", str(load.chunk)]
    done = subprocess.run(
        command,
        cwd=script.parent,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=RUN_SECONDS,
    )
    found: dict[str, Any] = msgspec.json.decode(done.stdout.strip().splitlines()[-1])
    return Sample(
        acked_per_s=found["acked_per_s"],
        us_per_order=round(sum(found["cpu_us_per_order"].values()), 2),
        ack=msgspec.convert(found["rt_lat_us"], Tail) if found["rt_lat_us"] else None,
        bbo=msgspec.convert(found["md_lat_us"], Tail) if found["md_lat_us"] else None,
    )


def ratios(ours: Sequence[Sample], null: Sequence[Sample]) -> dict[str, float | None]:
    """Median of ours over median of null, per figure.

    >>> ratios([Sample(50, 9, None, None)], [Sample(100, 3, None, None)])["acked/s"]
    0.5
    """
    found: dict[str, float | None] = {}
    for name, figure in FIGURES.items():
        above, below = median(map(figure, ours)), median(map(figure, null))
        found[name] = round(above / below, 3) if above is not None and below else None
    return found


def median(values: Iterable[float | None]) -> float | None:
    """The median of the values that are there."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def show(report: PipelineReport) -> None:
    """Print the report for a person."""
    print("pipeline: ours / null, each the median of its runs, and the ratio ours over null")
    print(machine.line(report.machine))
    for name, text in report.method.items():
        print(f"{name}: {text}")
    closed = [case for case in report.cases if case.trial.load.closed]
    opened = [case for case in report.cases if not case.trial.load.closed]
    for cases, figures in ((closed, CLOSED_FIGURES), (opened, tuple(FIGURES))):
        if cases:
            print(f"\n{'load':<{NAME_WIDTH}}" + "".join(f"{name:>24}" for name in figures))
        for case in cases:
            print(
                f"{case.name:<{NAME_WIDTH}}"
                + "".join(f"{_cell(case, name):>24}" for name in figures)
            )
    _show_durable(closed)
    _show_aims({case.name: case for case in report.cases})


def _cell(case: Case, name: str) -> str:
    ours = median(map(FIGURES[name], case.ours))
    null = median(map(FIGURES[name], case.null))
    ratio = case.ratios[name]
    if ours is None:
        return "-"
    if null is None or ratio is None:
        return _short(ours)
    return f"{_short(ours)} / {_short(null)} = {ratio:.2f}"


def _short(value: float) -> str:
    if value < 100:
        return f"{value:.1f}"
    return f"{value:,.0f}" if value < 100_000 else f"{value / 1000:,.0f}k"


def _show_durable(closed: Sequence[Case]) -> None:
    """The share of the throughput that is left when every answer waits for the disk."""
    acked = {case.name: median(map(FIGURES["acked/s"], case.ours)) for case in closed}
    for case in closed:
        other = acked.get(Trial(case.trial.load, False).name)
        ours = acked[case.name]
        if case.trial.durable and ours is not None and other:
            name = case.name.removesuffix(", durable")
            print(f"ours, {name}: durable over not {ours / other:.2f}", end="")
            print(f" (aim {DURABLE_TARGET:.2f})" if case.trial.load.chunk > 1 else "")


def _show_aims(cases: dict[str, Case]) -> None:
    rows = [(aim, cases[aim.trial.name]) for aim in AIMS if aim.trial.name in cases]
    if rows:
        title = "durable, 10 clients, ours over null"
        print(f"\n{title:<{NAME_WIDTH}}{'reached':>12}{'aim':>8}{'moonshot':>10}")
    for aim, case in rows:
        ratio = case.ratios[aim.figure]
        reached = "-" if ratio is None else f"{ratio:.2f}"
        print(f"{aim.what:<{NAME_WIDTH}}{reached:>12}{aim.reach:>8.2f}{aim.moonshot:>10.2f}")


def curves(report: PipelineReport, which: Callable[[Sample], Tail | None]) -> Curves:
    """The latency curves of the open loops, by rate and durability: medians of their runs."""
    panels: Curves = {}
    for case in report.cases:
        load = case.trial.load
        if load.closed:
            continue
        title = f"{load.rate:,.0f}/s, {'durable' if case.trial.durable else 'not durable'}"
        for who, samples in (("ours", case.ours), ("null", case.null)):
            tails = [tail for sample in samples if (tail := which(sample)) is not None]
            if tails:
                points = zip(*map(_points, tails), strict=True)
                panel = panels.setdefault(title, {})
                panel[who, load.clients] = [statistics.median(values) for values in points]
    return panels


def _points(tail: Tail) -> tuple[float, ...]:
    return (tail.p50, tail.p90, tail.p99, tail.p999, tail.max)


def plot(folder: Path, report: PipelineReport) -> list[Path]:
    """Draw the curves into `folder`, as PNG; the files written."""
    from bench.plot import draw_curves

    drawn: list[Path] = []
    pictures: tuple[tuple[str, str, Callable[[Sample], Tail | None]], ...] = (
        ("ack", "order to ack", lambda sample: sample.ack),
        ("bbo", "order to BBO", lambda sample: sample.bbo),
    )
    for name, title, which in pictures:
        panels = curves(report, which)
        if panels:
            drawn.append(folder / f"pipeline-{name}.png")
            draw_curves(drawn[-1], title, panels)
    return drawn
