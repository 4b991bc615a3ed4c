"""What durability costs: our processes and the null pipeline, each with its syncs and without.

All four take turns in one run, under the closed loop, whose throughput says how much work fits.
"""

import contextlib
import sys
from pathlib import Path
from typing import Final

from msgspec import Struct

from bench import machine, pipeline
from bench.latency import Sync
from bench.load import Load
from bench.pipeline import Sample

DURABLE: Final[Sync] = "batch"
VOLATILE: Final[Sync] = "never"
TARGET: Final = 0.80
"""Durable over not durable that frames of many orders should keep."""


class Case(Struct, frozen=True):
    """One load on all four; the ratios are of medians of acked/s."""

    name: str
    load: Load
    ours: dict[str, list[Sample]]
    """By sync policy."""
    null: dict[str, list[Sample]]
    """By the policy of ours it stands beside; empty without a null pipeline."""
    durable_over_not: float | None
    """Of ours."""
    ours_over_null: dict[str, float | None]


class Report(Struct, frozen=True):
    """What `python -m bench durable` measured."""

    bench: str
    machine: machine.Machine
    method: dict[str, str]
    target: float
    cases: list[Case]


METHOD: Final = {
    "order": "the four in turn, another one first in each repeat; each run in fresh processes",
    "ratio": "median over median of acked/s",
    "ours": f"JOURNAL_SYNC={DURABLE} beside {VOLATILE}, which still writes its journal",
    "null": "null_pipeline.py, --journal inline beside none",
}


def run(null_pipeline: Path | None, loads: dict[str, Load], *, repeats: int) -> Report:
    """Measure every load on ours and, where there is one, on the null pipeline."""
    described = machine.describe()
    cases = []
    with contextlib.ExitStack() as stack:
        script = null_pipeline and stack.enter_context(pipeline.scratch_copy(null_pipeline))
        for name, load in loads.items():
            cases.append(_measure(name, load, script, repeats))
            print(f"  {name}", file=sys.stderr, flush=True)
    return Report(
        bench="durable",
        machine=described,
        method={**METHOD, "repeats": str(repeats)},
        target=TARGET,
        cases=cases,
    )


def closed_loads(*, quick: bool) -> dict[str, Load]:
    """The closed loops of the pipeline bench, by name."""
    return {name: load for name, load in pipeline.loads(quick=quick).items() if load.closed}


def _measure(name: str, load: Load, script: Path | None, repeats: int) -> Case:
    ours: dict[str, list[Sample]] = {DURABLE: [], VOLATILE: []}
    null: dict[str, list[Sample]] = {DURABLE: [], VOLATILE: []} if script is not None else {}
    turns: list[tuple[bool, Sync]] = [(True, DURABLE), (True, VOLATILE)]
    if script is not None:
        turns += [(False, DURABLE), (False, VOLATILE)]
    for repeat in range(repeats):
        first = repeat % len(turns)
        for is_ours, sync in turns[first:] + turns[:first]:
            if is_ours:
                ours[sync].append(pipeline.run_ours(load, "ipc", sync))
            elif script is not None:
                null[sync].append(pipeline.run_null(script, load, sync))
    return Case(
        name=name,
        load=load,
        ours=ours,
        null=null,
        durable_over_not=_ratio(ours[DURABLE], ours[VOLATILE]),
        ours_over_null={sync: _ratio(ours[sync], null[sync]) for sync in null},
    )


def _ratio(above: list[Sample], below: list[Sample]) -> float | None:
    return pipeline.ratios(above, below)["acked_per_s"]


def show(report: Report) -> None:
    """Print the report for a person."""
    print("durable: acked/s with the journal synced before each answer, and without")
    print(machine.line(report.machine))
    for name, text in report.method.items():
        print(f"{name}: {text}")
    columns = ("batch", "never", "batch/never", "null inline", "null none")
    header = "".join(f"{title:>13}" for title in (*columns, "ours/null", "unsynced"))
    print(f"\n{'load':<22}{header}")
    for case in report.cases:
        cells = [_acked(case.ours[DURABLE]), _acked(case.ours[VOLATILE])]
        cells.append(_short(case.durable_over_not))
        cells += [_acked(case.null.get(sync, [])) for sync in (DURABLE, VOLATILE)]
        cells += [_short(case.ours_over_null.get(sync)) for sync in (DURABLE, VOLATILE)]
        print(f"{case.name:<22}" + "".join(f"{cell:>13}" for cell in cells))
    print(f"target of batch/never with frames of many orders: at least {report.target:.2f}")


def _acked(samples: list[Sample]) -> str:
    found = pipeline.median(sample.acked_per_s for sample in samples)
    return "-" if found is None else f"{found:,.0f}"


def _short(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"
