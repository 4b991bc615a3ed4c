"""The work of the engine for a message does not exceed the accepted figures; any growth is
reported."""

import json
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import pytest
from typer.testing import CliRunner

from bench import instructions, work, yardstick
from bench.__main__ import app
from bench.counted import Count, count
from bench.flows import FLOWS
from bench.work import COUNTED, Work
from crossbook.matcher import build
from tests.bench.slower import slower

T = TypeVar("T")

SLOWER = "plain=tests.bench.slower:Sorting"


@pytest.fixture(scope="module")
def accepted() -> Work:
    if reason := work.absence():
        pytest.skip(reason)
    return work.read()[work.version()]


def apart(counted: Callable[[], T]) -> T:
    """The result of `counted` in a process of its own. Counts depend on the objects that other
    tests left in an interpreter."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(counted).result()


def measured() -> Work:
    return work.measure(with_instructions=False)


def plain_after_others() -> Count:
    measured()
    return count(FLOWS["plain"]())


@pytest.fixture(scope="module")
def now(accepted: Work) -> Work:
    return apart(measured)


def test_the_engine_does_no_more_than_accepted(now: Work, accepted: Work) -> None:
    assert now.flows.keys() == FLOWS.keys()
    found = work.grown(now, accepted)
    assert not found, work.report(found)
    if less := work.shrunk(now, accepted):
        warnings.warn(f"less work than accepted, {less}: {work.REMEDY}", stacklevel=1)


def test_instructions_do_not_grow_and_work_inside_c_code_is_counted(accepted: Work) -> None:
    if reason := instructions.absence():
        pytest.skip(f"instructions are not counted: {reason}")
    if not accepted.instructions:
        pytest.skip(f"no instructions are accepted for Python {work.version()}")
    ratios = instructions.count((*COUNTED, SLOWER))
    slow = Work({}, instructions.build(), {"plain": ratios.pop(SLOWER)})
    found = work.grown(Work({}, instructions.build(), ratios), accepted)
    assert not found, work.report(found)
    assert len(work.grown(slow, accepted)) == 1


@pytest.mark.parametrize(
    ("statement", "grows"),
    [
        ("self.books.get(command.instrument)", {"bytecodes"}),
        ("self.more()", {"bytecodes", "calls"}),
        ("self.__dict__.setdefault('kept', []).append([command])",
         {"bytecodes", "blocks", "tracked"}),
    ],
    ids=["a lookup", "a call", "an object kept"],
)  # fmt: skip
def test_one_more_step_is_reported(now: Work, statement: str, grows: set[str]) -> None:
    plain = count(FLOWS["plain"](), slower(statement))
    lines = work.grown(Work({"plain": plain}), now)
    named = {line.split()[1] for line in lines if line.startswith("plain: ")}
    assert named == grows
    assert any(line.strip().startswith("Engine.apply +") for line in lines), lines


def test_counts_do_not_depend_on_earlier_runs(now: Work) -> None:
    again = apart(plain_after_others)
    assert again == now.flows["plain"]


def one(bytecodes: float, functions: dict[str, float] | None = None) -> dict[str, Count]:
    return {
        "plain": Count(
            bytecodes=bytecodes, calls=8.0, blocks=4.0, tracked=1.0, functions=functions or {},
        )
    }  # fmt: skip


def test_a_report_names_figure_function_and_remedy() -> None:
    before = Work(one(300.0, {"f": 10.0, "g": 20.0}), "here", {"plain": 2.0})
    after = Work(one(303.0, {"f": 13.0, "g": 20.0, "h": 1.5}), "here", {"plain": 2.1})
    printed = work.report(work.grown(after, before))
    assert "plain: bytecodes 303.000, accepted 300.000 (+1.0%)" in printed
    assert "f +3.00" in printed
    assert "h +1.50" in printed
    assert "g " not in printed
    assert "plain: instructions 2.100, accepted 2.000 (+5.0%)" in printed
    assert "python -m bench work --accept" in printed
    elsewhere = Work(one(300.0), "another build", {"plain": 2.1})
    assert work.grown(elsewhere, before) == []
    assert len(work.grown(Work(one(300.0), "another", {"plain": 2.3}), before)) == 1


def test_less_work_is_reported_and_not_called_growth() -> None:
    before, after = Work(one(300.0)), Work(one(290.0))
    assert work.grown(after, before) == []
    assert work.shrunk(after, before) == ["plain: 290.0 bytecodes, accepted 300.0"]
    assert work.shrunk(Work(one(299.0)), before) == []


def test_accepting_keeps_other_versions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "work.json"
    path.write_text('{"2.7": {"flows": {}}}')
    monkeypatch.setattr(build, "running", lambda: "pure")
    monkeypatch.setattr(work, "FILE", path)
    monkeypatch.setattr(work, "measure", lambda with_instructions: Work(one(300.0)))
    assert "no figures are accepted" in work.absence()
    invoke = CliRunner().invoke
    assert invoke(app, ["work"]).exit_code == 0
    assert "accepted in" in invoke(app, ["work", "--accept"]).output
    assert json.loads(path.read_text()).keys() == {"2.7", work.version()}
    assert work.absence() == ""
    monkeypatch.setattr(work, "measure", lambda with_instructions: Work(one(310.0)))
    refused = invoke(app, ["work"])
    assert refused.exit_code == 1
    assert "plain: bytecodes 310.000, accepted 300.000" in refused.output


def test_a_python_without_figures_and_a_compiled_engine_are_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(build, "running", lambda: "compiled")
    monkeypatch.setattr(work, "read", lambda: {work.version(): Work({})})
    assert "compiled" in work.absence()
    refused = CliRunner().invoke(app, ["work", "--accept"])
    assert refused.exit_code == 1
    assert "MATCHER_BUILD=pure" in refused.output
    monkeypatch.setattr(work, "version", lambda: "9.9")
    monkeypatch.setattr(work, "read", dict)
    assert "no figures are accepted for Python 9.9" in work.absence()


def test_the_yardstick_is_unchanged() -> None:
    assert yardstick.run(200) == 160
    assert yardstick.run(2_000) == 1_960
