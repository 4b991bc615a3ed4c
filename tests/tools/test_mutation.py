"""Runs of the tool over a few defects of small modules: caught, survived and listed ones."""

from argparse import Namespace
from pathlib import Path

import msgspec
import pytest

from tools import mutation
from tools.mutant import Mutant, mutants
from tools.mutation_copy import ROOT, Copy, DefectOutcome
from tools.reached import Reached

MODULE = "common/sequence.py"
MIRROR = "tests/common/test_sequence.py"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The area of the module has few tests."""
    areas = {**mutation.AREAS, "common": mutation.Area(("common/**/*.py",), (MIRROR,), ())}
    monkeypatch.setattr(mutation, "AREAS", areas)


def options(minutes: float = 5, notes: Path | None = None, *, near: bool = True) -> Namespace:
    return Namespace(jobs=1, minutes=minutes, limit=100, near=near, notes=notes)


def defects(count: int) -> list[Mutant]:
    return mutants(MODULE, (ROOT / MODULE).read_text())[:count]


def unnoticed() -> Mutant:
    """Has the same meaning in another form."""
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


def test_an_area_whose_tests_fail_by_themselves_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    area = mutation.Area(("common/**/*.py",), ("tests/no_such_test.py",), ())
    monkeypatch.setattr(mutation, "AREAS", {"common": area})
    with pytest.raises(RuntimeError, match="fail without a defect"):
        mutation.run({"common": defects(1)}, options())


def test_an_area_that_is_refused_leaves_the_copies_to_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The defects of an earlier area are tried to the end: none waits for a copy for ever."""

    def try_one(copy: Copy, mutant: Mutant, tried: object) -> DefectOutcome:
        return DefectOutcome(mutant, "tests/a.py", 1)

    (tmp_path / "common.json").write_bytes(msgspec.json.encode(Reached({}, [])))
    monkeypatch.setattr(Copy, "try_one", try_one)
    monkeypatch.setattr(Copy, "reached", lambda *_: None)
    with pytest.raises(RuntimeError, match="rules: the tests fail without a defect"):
        mutation.run({"common": defects(3), "rules": []}, options(notes=tmp_path))


def test_tests_of_the_mirror_run_first_then_others_that_reach_the_function_then_possible_ones() -> (
    None
):
    defect = defects(1)[0]
    area = mutation.Area((MODULE,), (MIRROR,), ("check", "journey"))
    last = [["tests/system/test_check.py"], ["tests/system/test_journey.py"]]
    name = f"{MODULE}:{defect.function}"
    other, starter = (
        "tests/common/following/test_event_follower.py::test_a",
        "tests/common/process/test_claim.py::test_b",
    )
    reached = Reached({name: [f"{MIRROR}::test_c", other]}, [other, starter])
    tried = mutation.steps(defect, reached, area)
    assert tried == [[f"{MIRROR}::test_c"], [other], [starter], *last]
    assert mutation.steps(defect, Reached({}, [starter]), area) == [[starter], *last]
    whole = mutation.steps(defect, Reached({name: ["", other]}, []), area)
    assert whole == [[MIRROR], *last], "what runs at import may be noticed by all"


def test_whole_exchanges_of_each_area_are_there() -> None:
    for area in mutation.AREAS.values():
        for name in area.system:
            assert (ROOT / f"tests/system/test_{name}.py").exists()


def test_a_defect_caught_by_the_time_limit_is_printed_as_such(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def try_one(copy: Copy, mutant: Mutant, tried: object) -> DefectOutcome:
        return DefectOutcome(mutant, "tests/a.py", 1, slow=True)

    (tmp_path / "common.json").write_bytes(msgspec.json.encode(Reached({}, [])))
    monkeypatch.setattr(Copy, "try_one", try_one)
    outcomes = mutation.run({"common": defects(1)}, options(notes=tmp_path))
    assert mutation.report(outcomes, {"common": 0})
    printed = capsys.readouterr().out
    assert printed.startswith("TOO LONG")
    assert "1 of 1 caught, of them 1 by the time limit; 0 equivalent" in printed


def test_a_defect_that_cannot_be_tried_is_not_left_out_in_silence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def try_one(copy: Copy, mutant: Mutant, tried: object) -> DefectOutcome:
        raise FileNotFoundError("the copy is gone")

    (tmp_path / "common.json").write_bytes(msgspec.json.encode(Reached({}, [])))
    monkeypatch.setattr(Copy, "try_one", try_one)
    with pytest.raises(FileNotFoundError, match="the copy is gone"):
        mutation.run({"common": defects(2)}, options(notes=tmp_path))


def test_listing_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert mutation.main(["--area", "recorder", "--sample", "3", "--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
