"""The work of the engine for a message against the accepted figures: the guard against slowing
down.

Accepted figures are in `work.json`, for each version of Python that they were accepted with.
"""

import sys
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bench import instructions
from bench.counted import Count, count
from bench.flows import FLOWS
from crossbook.matcher import build
from crossbook.matcher.engine.engine import Engine

FILE: Final = Path(__file__).with_name("work.json")

STEPS_MAY_GROW: Final = 0.005
"""Bytecodes and calls: by less than one dictionary lookup a message."""
MEMORY_MAY_GROW: Final = 0.01
INSTRUCTIONS_MAY_GROW: Final = 0.015
OTHER_BUILD_MAY_DIFFER: Final = 0.10
"""Instructions in another build of the same Python than the one they were accepted with."""

COUNTED: Final = ("plain", "accounts")
"""Flows whose instructions are counted."""

REMEDY: Final = "accept it by `python -m bench work --accept`, and give the reason in the commit"


class Work(Struct):
    """Accepted with one version of Python, or measured now."""

    flows: dict[str, Count]
    build: str = ""
    instructions: dict[str, float] = {}
    """In units of `bench.yardstick`, of this `build`; none where they could not be counted."""


def version() -> str:
    """The version of Python that bytecodes depend on."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def obstacle() -> str:
    """Why nothing can be counted, or nothing."""
    if build.running() == "pure":
        return ""
    return "the engine is compiled and has no bytecodes to count: set MATCHER_BUILD=pure"


def absence() -> str:
    """Why there is nothing to compare here, or nothing."""
    if version() in read():
        return obstacle()
    return (
        f"no figures are accepted for Python {version()}; "
        "`python -m bench work --accept` accepts the present figures"
    )


def read() -> dict[str, Work]:
    """The accepted figures, by version of Python."""
    return msgspec.json.decode(FILE.read_bytes(), type=dict[str, Work])


def accept(work: Work) -> None:
    """Let this be the accepted work for this version of Python."""
    all_of_them = {**read(), version(): work}
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(all_of_them), indent=2) + b"\n")


def measure(with_instructions: bool, kind: type[Engine] = Engine) -> Work:
    """Count now; instructions only where valgrind is."""
    work = Work({name: count(make(), kind) for name, make in FLOWS.items()})
    if with_instructions and not instructions.absence():
        work.build = instructions.build()
        work.instructions = {
            name: round(ratio, 4) for name, ratio in instructions.count(COUNTED).items()
        }
    return work


def grown(now: Work, accepted: Work) -> list[str]:
    """One line for each figure that grew by more than it may, with the functions that did."""
    found = []
    for name, flow in now.flows.items():
        before = accepted.flows[name]
        for field, bound in (
            ("bytecodes", STEPS_MAY_GROW),
            ("calls", STEPS_MAY_GROW),
            ("blocks", MEMORY_MAY_GROW),
            ("tracked", MEMORY_MAY_GROW),
        ):
            if line := _grown(name, field, getattr(flow, field), getattr(before, field), bound):
                found.append(line)
                if field == "bytecodes":
                    found += _functions(flow.functions, before.functions)
    is_same_build = now.build == accepted.build
    bound = INSTRUCTIONS_MAY_GROW if is_same_build else OTHER_BUILD_MAY_DIFFER
    for name, ratio in now.instructions.items():
        if name in accepted.instructions and (
            line := _grown(name, "instructions", ratio, accepted.instructions[name], bound)
        ):
            found.append(line + ("" if is_same_build else ", in another build of Python"))
    return found


def shrunk(now: Work, accepted: Work) -> list[str]:
    """Flows with clearly fewer bytecodes than accepted, whose figures should be accepted."""
    return [
        f"{name}: {flow.bytecodes:.1f} bytecodes, accepted {accepted.flows[name].bytecodes:.1f}"
        for name, flow in now.flows.items()
        if flow.bytecodes < accepted.flows[name].bytecodes * (1 - 2 * STEPS_MAY_GROW)
    ]


def report(found: list[str]) -> str:
    """The message for a change that made these figures grow."""
    head = f"The engine does more for a message than is accepted (bench/{FILE.name}):"
    return "\n".join([head, *(f"  {line}" for line in found), f"If it has to be so, {REMEDY}."])


def show(now: Work, accepted: Work | None) -> None:
    """Print a table of counted and accepted figures."""
    print(f"work of the engine for a message, Python {version()}")
    print(f"\n{'flow':<10}{'':<14}{'now':>10}{'accepted':>10}")
    for name, flow in now.flows.items():
        before = accepted.flows.get(name) if accepted else None
        for field in ("bytecodes", "calls", "blocks", "tracked"):
            _row(name, field, getattr(flow, field), getattr(before, field) if before else None)
        if name in now.instructions:
            of_old = accepted.instructions.get(name) if accepted else None
            _row(name, "instructions", now.instructions[name], of_old)
    if not now.instructions:
        print(f"no instructions: {instructions.absence() or 'not requested'}")


def _row(flow: str, field: str, now: float, accepted: float | None) -> None:
    text = "-" if accepted is None else f"{accepted:.3f}"
    print(f"{flow:<10}{field:<14}{now:>10.3f}{text:>10}")


def _grown(name: str, field: str, now: float, before: float, bound: float) -> str:
    if now <= before * (1 + bound):
        return ""
    return f"{name}: {field} {now:.3f}, accepted {before:.3f} ({now / before - 1:+.1%})"


def _functions(now: dict[str, float], before: dict[str, float]) -> list[str]:
    """The functions whose bytecodes grew, most first."""
    more = {name: number - before.get(name, 0.0) for name, number in now.items()}
    worst = sorted(more.items(), key=lambda item: -item[1])[:5]
    return [f"  {name} {by:+.2f}" for name, by in worst if by > 0.0]
