"""Our three processes beside a null pipeline of the same shape, alternately in one run.

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
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from bench import latency, machine
from bench.load import Load
from tests.system.exchange import free_ports

REPOSITORY = Path(__file__).resolve().parent.parent
NULL_PIPELINE = REPOSITORY.parent / "shared" / "limits" / "null_pipeline.py"
NULL_FILES = ("null_pipeline.py", "msgs.py")
CLIENTS = 10
OPEN_RATES = (1_000.0, 5_000.0, 20_000.0, 50_000.0)
RUN_SECONDS = 90.0


class Sample(Struct, frozen=True):
    """One run of one pipeline; latencies in microseconds, None where nothing was measured."""

    acked_per_s: float
    p50_us: float | None
    p99_us: float | None
    bbo_p50_us: float | None
    bbo_p99_us: float | None
    us_per_order: float
    """Processor time of all processes, generator and subscriber included."""


class Case(Struct, frozen=True):
    """One load, run alternately on both; `ratio` is ours over null, medians over the repeats."""

    name: str
    load: Load
    ours: list[Sample]
    null: list[Sample]
    ratio: dict[str, float | None]


class Report(Struct, frozen=True):
    """What `python -m bench pipeline` measured."""

    bench: str
    machine: machine.Machine
    method: dict[str, str]
    cases: list[Case]


METHOD = {
    "order": "alternately, case by case; each run in fresh processes; the first of a pair changes",
    "ratio": "median of ours over median of null",
    "ours": "gateway, matcher, publisher as shipped, with its journal; flow of bench/flow.py",
    "null": "null_pipeline.py, --transport ipc: same hops, nothing matched, one kind of message",
}


def loads(*, quick: bool) -> dict[str, Load]:
    """The loads compared, by name."""
    duration, warm = (2.0, 0.5) if quick else (5.0, 1.0)
    closed = {
        f"closed, frames of {chunk}": Load(
            closed=True, chunk=chunk, clients=CLIENTS, duration_s=duration, warm_s=warm
        )
        for chunk in (32, 1)
    }
    open_loop = {
        f"open, {rate:,.0f}/s": Load(rate=rate, clients=CLIENTS, duration_s=duration, warm_s=warm)
        for rate in OPEN_RATES
    }
    return closed | open_loop


def run(
    null_pipeline: Path,
    *,
    quick: bool,
    transport: latency.Transport = "ipc",
    sync: latency.Sync = "batch",
    repeats: int = 0,
) -> Report:
    """Measure every load on both pipelines; `repeats` zero means one when quick, else three.

    With `sync` "batch" the null pipeline syncs a file per batch too, else it keeps none.
    """
    described = machine.describe()
    repeats = repeats or (1 if quick else 3)
    samples: dict[str, tuple[list[Sample], list[Sample]]] = {}
    with scratch_copy(null_pipeline) as script:
        for repeat in range(repeats):
            for name, load in loads(quick=quick).items():
                ours, null = samples.setdefault(name, ([], []))
                for turn in (repeat, repeat + 1):
                    if turn % 2:
                        null.append(run_null(script, load, sync))
                    else:
                        ours.append(run_ours(load, transport, sync))
                print(f"  {repeat + 1}/{repeats} {name}", file=sys.stderr, flush=True)
    return Report(
        bench="pipeline",
        machine=described,
        method={
            **METHOD,
            "repeats": str(repeats),
            "transport_ours": f"internal {transport}",
            "sync": sync,
        },
        cases=[
            Case(name, load, *samples[name], ratio=ratios(*samples[name]))
            for name, load in loads(quick=quick).items()
        ],
    )


@contextlib.contextmanager
def scratch_copy(null_pipeline: Path) -> Iterator[Path]:
    """A copy of the null pipeline to run: it writes beside itself, and where it lies may be
    read-only."""
    with tempfile.TemporaryDirectory(prefix="crossbook-null-") as folder:
        for name in NULL_FILES:
            shutil.copy(null_pipeline.parent / name, folder)
        yield Path(folder) / null_pipeline.name


def run_ours(load: Load, transport: latency.Transport, sync: latency.Sync) -> Sample:
    """One run of our processes, measured by a fresh process."""
    with tempfile.TemporaryDirectory(prefix="crossbook-bench-") as folder:
        path = Path(folder) / "report.json"
        command = [sys.executable, "-m", "bench", "latency", "--json", str(path)]
        command += ["--transport", transport, "--sync", sync, "--rate", str(load.rate)]
        command += ["--duration", str(load.duration_s), "--warm", str(load.warm_s)]
        command += ["--clients", str(load.clients), "--batch", str(load.batch)]
        if load.closed:
            command += ["--closed", "--window", str(load.window), "--chunk", str(load.chunk)]
        subprocess.run(
            command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, check=True, timeout=RUN_SECONDS
        )
        report = msgspec.json.decode(path.read_bytes(), type=latency.Report)
    return Sample(
        acked_per_s=report.acked_per_s,
        p50_us=report.round_trip.p50_us or None,
        p99_us=report.round_trip.p99_us or None,
        bbo_p50_us=report.bbo.p50_us or None,
        bbo_p99_us=report.bbo.p99_us or None,
        us_per_order=round(sum(cpu.us_per_order for cpu in report.cpu.values()), 2),
    )


def run_null(script: Path, load: Load, sync: latency.Sync) -> Sample:
    """One run of the null pipeline."""
    ports = free_ports(1)
    command = [sys.executable, str(script), "--port", str(ports[0]), "--transport", "ipc"]
    command += ["--journal", "inline" if sync == "batch" else "none"]
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
    round_trip, bbo = found["rt_lat_us"] or {}, found["md_lat_us"] or {}
    return Sample(
        acked_per_s=found["acked_per_s"],
        p50_us=round_trip.get("p50"),
        p99_us=round_trip.get("p99"),
        bbo_p50_us=bbo.get("p50"),
        bbo_p99_us=bbo.get("p99"),
        us_per_order=round(sum(found["cpu_us_per_order"].values()), 2),
    )


def ratios(ours: Sequence[Sample], null: Sequence[Sample]) -> dict[str, float | None]:
    """Median of ours over median of null, per figure.

    >>> ratios([Sample(50, 2, 4, 2, 4, 9)], [Sample(100, 1, 1, 1, 1, 3)])["p50_us"]
    2.0
    """
    found: dict[str, float | None] = {}
    for field in Sample.__struct_fields__:
        above = median(getattr(sample, field) for sample in ours)
        below = median(getattr(sample, field) for sample in null)
        found[field] = round(above / below, 3) if above is not None and below else None
    return found


def median(values: Iterable[float | None]) -> float | None:
    """The median of the values that are there."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def show(report: Report) -> None:
    """Print the report for a person."""
    print("pipeline: ours / null, each the median of its runs, and the ratio ours over null")
    print(machine.line(report.machine))
    for name, text in report.method.items():
        print(f"{name}: {text}")
    columns = {
        "acked_per_s": "acked/s",
        "p50_us": "ack p50 us",
        "p99_us": "ack p99 us",
        "bbo_p50_us": "BBO p50 us",
        "bbo_p99_us": "BBO p99 us",
        "us_per_order": "CPU us/order",
    }
    print(f"\n{'load':<22}" + "".join(f"{title:>26}" for title in columns.values()))
    for case in report.cases:
        print(f"{case.name:<22}" + "".join(f"{_cell(case, field):>26}" for field in columns))


def _cell(case: Case, field: str) -> str:
    ours = median(getattr(sample, field) for sample in case.ours)
    null = median(getattr(sample, field) for sample in case.null)
    ratio = case.ratio[field]
    if ours is None or null is None or ratio is None:
        return "-"
    if ours < 100 and null < 100:
        return f"{ours:.1f} / {null:.1f} = {ratio:.2f}"
    return f"{_short(ours)} / {_short(null)} = {ratio:.2f}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value < 100_000 else f"{value / 1000:,.0f}k"
