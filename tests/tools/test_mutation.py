"""Runs of the tool over a few defects of small modules: caught, surviving and listed defects."""

from argparse import Namespace
from pathlib import Path

import msgspec
import pytest

from tools import mutation
from tools.mutant import Mutant, mutants
from tools.mutation_copy import ROOT, Copy, DefectOutcome, Step
from tools.reached import Reached, is_of

MODULE = "common/sequence.py"
MIRROR = "tests/common/test_sequence.py"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite and the area of the module have only the tests of that module."""
    areas = {**mutation.AREAS, "common": mutation.Area(("common/**/*.py",), (MIRROR,))}
    monkeypatch.setattr(mutation, "AREAS", areas)
    monkeypatch.setattr(mutation, "parts", lambda: [MIRROR])


def options(minutes: float = 5, notes: Path | None = None, *, near: bool = True) -> Namespace:
    return Namespace(jobs=1, minutes=minutes, limit=100, near=near, notes=notes, budget=100)


def note(folder: Path, reached: Reached) -> Path:
    """The folder, after these notes of the suite were written to it."""
    (folder / f"{MIRROR.replace('/', '-')}.json").write_bytes(msgspec.json.encode(reached))
    return folder


def defects(count: int) -> list[Mutant]:
    return mutants(MODULE, (ROOT / MODULE).read_text())[:count]


def unnoticed() -> Mutant:
    """A change that leaves the meaning as it is, so that no test can fail."""
    source = (ROOT / MODULE).read_text()
    place = source.encode().index(b'"""')
    return Mutant(
        path=MODULE, line=1, start=place, end=place, text="", function="", before="", after="",
    )  # fmt: skip


def test_defects_are_caught_and_equivalent_mutants_survive(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    chosen = {"common": [*defects(2), unnoticed()]}
    outcomes = mutation.run(chosen, options(notes=tmp_path))
    caught = [bool(each.caught_by) for each in outcomes["common"]]
    assert caught == [True, True, False]
    assert not mutation.report(outcomes, {"common": 0})
    assert not mutation.report({"common": []}, {"common": 0})
    assert "2 of 3 caught" in capsys.readouterr().out


def test_nothing_is_begun_when_the_time_is_over() -> None:
    assert mutation.run({"common": defects(2)}, options(minutes=0)) == {"common": []}


def test_a_seed_draws_the_same_and_each_file_is_in_one_area() -> None:
    first, second = (mutation.sampled("recorder", 9, 4)[0] for _ in range(2))
    assert first == second
    assert first != mutation.sampled("recorder", 9, 5)[0]
    files = [path for area in mutation.AREAS for path in mutation.files_of(area)]
    assert len(files) == len(set(files))
    assert "matcher/engine/engine.py" in mutation.files_of("rules")
    assert "matcher/journal/disk.py" in mutation.files_of("journal")


def test_listed_defects_exist_and_are_not_planted() -> None:
    made = {
        path: {(m.function, m.before, m.after) for m in mutants(path, (ROOT / path).read_text())}
        for path in {path for path, *_ in mutation.equivalent()}
    }
    for path, function, before, after in mutation.equivalent():
        assert (function, before, after) in made[path], f"{path}: {before} is listed and not there"


def test_a_mutant_listed_as_equivalent_is_drawn_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, before = mutation.sampled("common", 5, 1)
    one = drawn[0]
    listed = tmp_path / "equivalent.toml"
    listed.write_text(
        "[[mutant]]\n"
        + "".join(
            f"{key} = '''{value}'''\n"
            for key, value in (
                ("path", one.path), ("function", one.function), ("before", one.before),
                ("after", one.after), ("why", "a test fails"),
            )
        )
    )  # fmt: skip
    monkeypatch.setattr(mutation, "EQUIVALENT", listed)
    left, equivalent = mutation.sampled("common", 5, 1)
    assert one not in left
    assert equivalent == 1 + before


def test_tests_that_cannot_be_noted_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutation, "parts", lambda: ["tests/no_such_test.py"])
    with pytest.raises(RuntimeError, match="without a defect, pytest ends with"):
        mutation.run({"common": defects(1)}, options())


def test_all_tests_are_noted_but_those_of_the_tools_and_of_the_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    found = mutation.parts()
    assert {"tests/common", "tests/system/test_rest.py", "crossbook"} <= set(found)
    assert not {"tests/tools", "tests/worlds", "tests/conftest.py"} & set(found)
    tests = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    missing = {test for test in tests if not any(is_of(test, part) for part in found)}
    kinds = tuple(
        f"tests/{kind}" for kind in ("tools/", "bench/", "system/test_page", "system/test_wheel")
    )
    assert missing == {test for test in tests if test.startswith(kinds)}


def test_tests_of_the_mirror_run_first_then_all_others_that_reach_the_function() -> None:
    defect = defects(1)[0]
    area = mutation.AREAS["common"]
    name = f"{MODULE}:{defect.function}"
    near, dear = f"{MIRROR}::test_c", "tests/common/following/test_event_follower.py::test_a"
    cheap, never = "tests/system/test_rest.py::test_b", "tests/system/test_rest.py::test_c"
    seconds = {near: 9.0, dear: 5.0, cheap: 2.0, never: 1.0}
    reached = Reached({name: [dear, cheap, near]}, seconds)
    tried = mutation.steps(defect, reached, area, budget_s=100)
    assert tried == [Step((near,), 9), Step((cheap, dear), 7)]
    within = mutation.steps(defect, reached, area, budget_s=1)
    assert within == [Step((near,), 9), Step((cheap,), 2)]
    assert mutation.steps(defect, Reached({}, seconds), area, budget_s=1) == []


def test_a_defect_at_import_may_be_caught_by_all_tests_of_the_area() -> None:
    defect = defects(1)[0]
    name = f"{MODULE}:{defect.function}"
    area = mutation.Area((MODULE,), ("tests/common", "tests/fuzz/test_decoder_bytes.py"))
    reached = Reached({name: ["", MIRROR]}, {f"{MIRROR}::test_c": 9.0, "tests/common/a.py::b": 1.0})
    tried = mutation.steps(defect, reached, area, budget_s=100)
    assert tried == [Step((MIRROR,), 9), Step((area.tests[1], area.tests[0]), 10)]


def test_each_module_with_a_function_is_in_an_area() -> None:
    """A module that a link leads to is named by the place of its file."""
    listed = {path for area in mutation.AREAS for path in mutation.files_of(area)}
    folders = ("common", "matcher", "gateway", "publisher", "recorder", "crossbook")
    there = {
        path.resolve().relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if path.name not in mutation.SKIPPED
    }
    assert listed == there


def test_a_defect_caught_by_the_time_limit_is_printed_as_such(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def try_one(copy: Copy, mutant: Mutant, *_: object) -> DefectOutcome:
        return DefectOutcome(mutant, "tests/a.py", 1, slow=True)

    monkeypatch.setattr(Copy, "try_one", try_one)
    outcomes = mutation.run({"common": defects(1)}, options(notes=note(tmp_path, Reached())))
    assert mutation.report(outcomes, {"common": 0})
    printed = capsys.readouterr().out
    assert printed.startswith("TOO LONG")
    assert "1 of 1 caught, of them 1 by the time limit; 0 equivalent" in printed


def test_a_defect_that_cannot_be_tried_is_not_left_out_in_silence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def try_one(copy: Copy, mutant: Mutant, *_: object) -> DefectOutcome:
        raise FileNotFoundError("the copy is gone")

    monkeypatch.setattr(Copy, "try_one", try_one)
    with pytest.raises(FileNotFoundError, match="the copy is gone"):
        mutation.run({"common": defects(2)}, options(notes=note(tmp_path, Reached())))


def test_listing_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert mutation.main(["--area", "recorder", "--sample", "3", "--list"]) == 0
    # Those drawn that are listed as equivalent are left out.
    assert 0 < len(capsys.readouterr().out.splitlines()) <= 3
