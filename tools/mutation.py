"""`python -m tools.mutation`: plant small defects, one at a time, and find those that no test
catches.

A sample of each area is drawn by a seed. Each defect is made in a copy of the project, where first
the tests that mirror the module are run, then all others of the suite that run its function, those
of the cheapest files first; it ends at the first that fails. A run of the suite without a defect
notes which tests run which function, also in the processes that they start. Defects that no test
could catch are listed in `equivalent_mutants.toml`, each with its reason. Prints the survivors by
area; exit status 1 when less than 95 % of the others were caught.
"""

import argparse
import queue
import re
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from random import Random
from typing import Final

import msgspec
from msgspec import Struct

from tools.mutant import Mutant, mutants
from tools.mutation_copy import IGNORED, ROOT, Copy, DefectOutcome, Step, named
from tools.reached import Reached, file_of

EQUIVALENT: Final = Path(__file__).with_name("equivalent_mutants.toml")
CAUGHT_MIN: Final = 0.95

WHOLE: Final = "tests/system"
LOOPS: Final = f"{WHOLE}/test_*_loop.py"
"""Tests of a whole process in this one."""

SKIPPED: Final = {"__main__.py", "__init__.py"}
"""Read settings and begin: the whole exchanges of `tests/system` run them."""


class Area(Struct, frozen=True):
    """A part of the code, and the tests for what runs when modules are imported."""

    files: tuple[str, ...]
    tests: tuple[str, ...]


_JOURNAL: Final = ("journal/*", "recovery/*", "sequencer", "resend_buffer", "service", "timekeeper")

AREAS: Final = {
    "journal": Area(
        tuple(f"matcher/**/{name}.py" for name in _JOURNAL), ("tests/matcher", "tests/golden")
    ),
    "rules": Area(("matcher/**/*.py",), ("tests/matcher", "tests/properties", "tests/golden")),
    "publisher": Area(("publisher/**/*.py",), ("tests/publisher",)),
    "recorder": Area(("recorder/**/*.py",), ("tests/recorder", "tests/system/test_recorder.py")),
    "gateway": Area(("gateway/**/*.py",), ("tests/gateway",)),
    "client": Area(("crossbook/**/*.py",), ("tests/crossbook",)),
    "common": Area(("common/**/*.py",), ("tests/common", "tests/fuzz/test_decoder_bytes.py")),
}
"""Each file belongs to the first that names it."""


def files_of(area: str) -> list[str]:
    """The modules of an area."""
    taken: set[str] = set()
    for name, each in AREAS.items():
        found = {
            path.relative_to(ROOT).as_posix()
            for pattern in each.files
            for path in ROOT.glob(pattern)
            if path.name not in SKIPPED
        }
        if name == area:
            return sorted(found - taken)
        taken |= found
    raise KeyError(area)


def mirror(path: str) -> set[str]:
    """The tests nearest to a module: its own examples, those that mirror it, those that use it.

    >>> sorted(mirror("matcher/service.py"))
    ['crossbook/matcher/service.py', 'tests/system/test_matcher_loop.py']
    """
    module = Path(path)
    tests = [*(ROOT / "tests" / module.parts[0]).rglob("test_*.py"), *ROOT.glob(LOOPS)]
    imported = f"from {'.'.join(Path(named(path)).with_suffix('').parts)} import "
    mirrors = re.compile(f"test_{module.stem}(_.*)?")
    near = [each for each in tests if mirrors.fullmatch(each.stem) or imported in each.read_text()]
    return {named(path), *(each.relative_to(ROOT).as_posix() for each in near)}


def steps(mutant: Mutant, reached: Reached, area: Area, budget_s: float) -> list[Step]:
    """The tests that can catch a defect: the nearest ones, then the others that run its function,
    as many as the time allows."""
    seen = reached.functions.get(f"{mutant.path}:{mutant.function}", [])
    beside = mirror(mutant.path)
    near = [test for test in seen if file_of(test) in beside]
    others = [test for test in seen if test and test not in near]
    if "" in seen:
        others = [*area.tests]
    found = [near, list(_within(budget_s, reached, reached.cheapest_first(others)))]
    return [Step(tuple(tests), sum(map(reached.cost, tests))) for tests in found if tests]


def _within(budget_s: float, reached: Reached, tests: Iterable[str]) -> Iterator[str]:
    """The first of the tests, as many as take this long; at least one."""
    took = 0.0
    for test in tests:
        if took <= budget_s:
            yield test
        took += reached.cost(test)


def equivalent() -> dict[tuple[str, str, str, str], str]:
    """Defects that no test could catch, and the reasons."""
    listed = tomllib.loads(EQUIVALENT.read_text()).get("mutant", [])
    return {(m["path"], m["function"], m["before"], m["after"]): m["why"] for m in listed}


def sampled(area: str, count: int, seed: int, only: str = "") -> tuple[list[Mutant], int]:
    """That many defects of an area, and how many of those drawn are listed as equivalent."""
    made = [
        mutant
        for path in files_of(area)
        if only in path
        for mutant in mutants(path, (ROOT / path).read_text())
    ]
    drawn = Random(f"{area} {seed}").sample(made, min(count, len(made)))
    listed = equivalent()
    left = [m for m in drawn if (m.path, m.function, m.before, m.after) not in listed]
    return left, len(drawn) - len(left)


def run(
    chosen: dict[str, list[Mutant]], options: argparse.Namespace
) -> dict[str, list[DefectOutcome]]:
    """The result of each defect; those not begun within `options.minutes` are left out.

    Raises `RuntimeError` when the tests cannot be run without any defect.
    """
    outcomes: dict[str, list[DefectOutcome]] = {area: [] for area in chosen}
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        copies: queue.Queue[Copy] = queue.Queue()
        for number in range(options.jobs):
            place = Path(folder) / str(number)
            place.mkdir()
            copies.put(Copy(place, options.limit))

        with _borrowed(copies) as copy:
            reached = _noted(copy, options.notes)
        until = time.monotonic() + options.minutes * 60

        def try_one(area: str, mutant: Mutant) -> None:
            if time.monotonic() > until:
                return
            tried = steps(mutant, reached, AREAS[area], options.budget)
            with _borrowed(copies) as copy:
                outcome = copy.try_one(mutant, tried[:1] if options.near else tried, reached.failed)
            outcomes[area].append(outcome)
            mark = "SURVIVED"
            if outcome.caught_by:
                mark = "TOO LONG" if outcome.slow else "caught  "
            print(f"{mark} {outcome.seconds:5.1f} s  {area:9} {mutant}", flush=True)

        begun: list[Future[None]] = []
        with ThreadPoolExecutor(options.jobs) as pool:
            for area, found in chosen.items():
                for mutant in found:
                    begun.append(pool.submit(try_one, area, mutant))
        for each in begun:
            each.result()  # Raises what was raised there: no defect is left out in silence.
    return outcomes


@contextmanager
def _borrowed(copies: "queue.Queue[Copy]") -> Iterator[Copy]:
    """A copy that nothing else uses, which goes back whatever happens."""
    copy = copies.get()
    try:
        yield copy
    finally:
        copies.put(copy)


def parts() -> list[str]:
    """The folders and files of tests that are noted one after the other.

    Files of whole exchanges are noted each by itself: an exchange of one would run on in the
    others.
    """
    folders = {path for path in (ROOT / "tests").iterdir() if any(path.rglob("test_*.py"))}
    whole = ROOT / WHOLE
    paths = [*(folders - {whole}), *(ROOT / "tests").glob("test_*.py"), *whole.glob("test_*.py")]
    names = sorted(path.relative_to(ROOT).as_posix() for path in paths)
    return ["crossbook", *(name for name in names if not _is_ignored(name))]


def _is_ignored(part: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in IGNORED for name in (part, f"{part}/"))


def _noted(copy: Copy, folder: Path | None) -> Reached:
    """The functions that each test runs, from an earlier run where its notes are here."""
    found = Reached()
    for part in parts():
        kept = folder / f"{part.replace('/', '-')}.json" if folder else None
        if kept and kept.exists():
            noted = msgspec.json.decode(kept.read_bytes(), type=Reached)
        else:
            noted = copy.reached(part)
            print(
                f"noted {part}: {len(noted.seconds)} tests, {len(noted.failed)} failed",
                *noted.failed,
                flush=True,
            )
        if kept:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(msgspec.json.encode(noted))
        found.add(noted)
    return found


def report(outcomes: dict[str, list[DefectOutcome]], equivalents: dict[str, int]) -> bool:
    """Print survivors and shares by area; whether enough was caught. Of nothing it was not."""
    caught = total = 0
    print()
    for area, found in outcomes.items():
        survivors = [each for each in found if not each.caught_by]
        caught += len(found) - len(survivors)
        total += len(found)
        print(
            f"{area}: {len(found) - len(survivors)} of {len(found)} caught, of them "
            f"{sum(each.slow for each in found)} by the time limit; {equivalents[area]} equivalent"
        )
        for each in sorted(survivors, key=lambda each: each.mutant):
            print(f"    {each.mutant}")
    share = caught / total if total else 0.0
    print(f"all: {caught} of {total} caught ({share:.1%}); at least {CAUGHT_MIN:.0%} is wanted")
    return share >= CAUGHT_MIN


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, plant and report; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutation")
    parser.add_argument("--area", action="append", choices=AREAS, help="all unless given")
    parser.add_argument("--sample", type=int, default=20, help="defects of each area")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="of files with this in their path")
    parser.add_argument("--jobs", type=int, default=1, help="tests run at a time")
    parser.add_argument("--minutes", type=float, default=60, help="begin none after this long")
    parser.add_argument(
        "--limit", type=float, default=150, help="seconds for the tests of a step; longer is caught"
    )
    parser.add_argument(
        "--budget", type=float, default=240, help="seconds of tests beyond the nearest, a defect"
    )
    parser.add_argument("--near", action="store_true", help="only the tests of a module, if any")
    parser.add_argument("--notes", type=Path, help="folder for the functions that tests run")
    parser.add_argument("--list", action="store_true", help="print the defects and end")
    options = parser.parse_args(arguments)
    chosen, equivalents = {}, {}
    for area in options.area or AREAS:
        chosen[area], equivalents[area] = sampled(area, options.sample, options.seed, options.only)
    if options.list:
        for found in chosen.values():
            print(*found, sep="\n")
        return 0
    outcomes = run(chosen, options)
    print(f"seed {options.seed}, {options.sample} drawn of each area")
    return 0 if report(outcomes, equivalents) else 1


if __name__ == "__main__":
    sys.exit(main())
