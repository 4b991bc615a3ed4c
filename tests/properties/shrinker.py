"""Reduces a failing list of steps to a few, and prints it as a named test.

Delta debugging: drop ever smaller stretches while the failure stays, then make each remaining
command simpler field by field. The caller defines the failure.
"""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import fields, replace

from crossbook.common.messages.commands import Command
from crossbook.common.rules import Rules
from tests.model.reference import ReferenceMatcher
from tests.properties.market import INSTRUMENTS, MEMORY, UNFUNDED
from tests.properties.steps import Step, resolve

RUNS_MAX = 5_000
"""Bound on the runs of one shrink; the smallest list by then is returned."""

_SIMPLER: dict[str, tuple[object, ...]] = {
    "gateway": (0,),
    "request_seq": (0,),
    "account": (1,),
    "client_order_id": ("",),
    "time_in_force": (1,),
    "price_ticks": (0, 50, 51),
    "quantity_lots": (0, 10, 20),
    "quote_amount": (0, 10_000),
    "instrument": (1,),
    "prevention": (0,),
    "instructions": (None,),
}


def shrink(steps: list[Step], fails: Callable[[list[Step]], bool]) -> list[Step]:
    """The smallest list found that still fails: every single step of it is needed."""
    assert fails(steps), "only a failing list can be shrunk"
    budget = _Budget(fails)
    while True:
        before = steps
        steps = _simplify(_drop(steps, budget), budget)
        if steps == before or budget.spent:
            return steps


class _Budget:
    def __init__(self, fails: Callable[[list[Step]], bool]) -> None:
        self._fails = fails
        self._runs = 0

    @property
    def spent(self) -> bool:
        return self._runs >= RUNS_MAX

    def fails(self, steps: list[Step]) -> bool:
        if self.spent or not steps:
            return False
        self._runs += 1
        return self._fails(steps)


def _drop(steps: list[Step], budget: _Budget) -> list[Step]:
    size = max(len(steps) // 2, 1)
    while True:
        start = 0
        dropped = False
        while start < len(steps):
            fewer = steps[:start] + steps[start + size :]
            if budget.fails(fewer):
                steps = fewer
                dropped = True
            else:
                start += size
        if size == 1 and not dropped:
            return steps
        size = max(size // 2, 1)


def _simplify(steps: list[Step], budget: _Budget) -> list[Step]:
    for index in range(len(steps)):
        for field, values in _SIMPLER.items():
            for value in values:
                step = steps[index]
                if getattr(step.command, field, value) == value:
                    break
                command: Command = replace(step.command, **{field: value})
                simpler = [
                    *steps[:index],
                    Step(step.label, command, step.later_epochs),
                    *steps[index + 1 :],
                ]
                if budget.fails(simpler):
                    steps = simpler
                    break
    return steps


def as_test(steps: list[Step], name: str, rules: Rules = UNFUNDED) -> str:
    """Source of a pytest test that repeats the steps, for the file of differences found once."""
    reference = ReferenceMatcher(INSTRUMENTS, MEMORY, rules)
    lines = "".join(
        f"        ({_source(command)}, {time_ns}),\n"
        for command, time_ns in resolve(steps, reference)
    )
    how = ", rules=FUNDED" if rules.accounts else ""
    return (
        f"def test_{name}() -> None:\n"
        f"    commands: list[tuple[Command, int]] = [\n{lines}    ]\n"
        f"    difference = compare_commands(commands{how})\n"
        f"    assert difference is None, str(difference)\n"
    )


def _source(command: Struct) -> str:
    values = ((field, getattr(command, field.name)) for field in fields(command))
    shown = [f"{field.name}={_shown(value)}" for field, value in values if value != field.default]
    return f"{type(command).__name__}({', '.join(shown)})"


def _shown(value: object) -> str:
    if isinstance(value, Struct):
        return _source(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return repr(value)
    return str(int(value))
