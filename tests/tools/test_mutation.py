"""Runs of the tool over a few defects of small modules: caught, survived and listed ones."""

import re
from argparse import Namespace
from pathlib import Path

import pytest

from tools import mutation
from tools.mutant import Mutant, mutants
from tools.reached import Reached

MODULE = "common/sequence.py"
MIRROR = "tests/common/test_sequence.py"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The area of the module has few tests."""
    areas = {**mutation.AREAS, "common": mutation.Area(("common/**/*.py",), (MIRROR,))}
    monkeypatch.setattr(mutation, "AREAS", areas)


def options(minutes: float = 5, notes: Path | None = None, *, near: bool = True) -> Namespace:
    return Namespace(jobs=1, minutes=minutes, limit=100, near=near, notes=notes)


def defects(count: int) -> list[Mutant]:
    return mutants(MODULE, (mutation.ROOT / MODULE).read_text())[:count]


def names_in(path: str) -> list[str]:
    """The tests of a file, in order."""
    return re.findall(r"^def (test_\w+)", (mutation.ROOT / path).read_text(), re.M)


def unnoticed() -> Mutant:
    """Has the same meaning in another form."""
    source = (mutation.ROOT / MODULE).read_text()
    place = source.encode().index(b'"""')
    return Mutant(MODULE, 1, place, place, "", "", "", "")


def test_defects_are_caught_and_what_changes_nothing_survives(
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
    for path, function, before, after in mutation.equivalent():
        source = (mutation.ROOT / path).read_text()
        found = [(m.function, m.before, m.after) for m in mutants(path, source)]
        assert (function, before, after) in found, f"{path}: {before} is listed and not there"


def test_what_is_listed_as_equivalent_is_drawn_and_left_out(
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
    area = mutation.Area(("common/**/*.py",), ("tests/no_such_test.py",))
    monkeypatch.setattr(mutation, "AREAS", {"common": area})
    with pytest.raises(RuntimeError, match="fail without a defect"):
        mutation.run({"common": defects(1)}, options())


def test_what_is_left_out_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = f"{MIRROR}::{names_in(MIRROR)[0]}"
    area = mutation.Area((MODULE,), (MIRROR,))
    monkeypatch.setattr(mutation, "LEFT_OUT", {first: "a test fails"})
    reached = mutation.Copy(tmp_path, 100).reached(area, [MODULE])
    assert reached is not None
    ran = {test for tests in reached.functions.values() for test in tests}
    assert first not in ran
    assert any(test.startswith(MIRROR) for test in ran)


def test_what_is_left_out_exists() -> None:
    for test in mutation.LEFT_OUT:
        path, _, name = test.partition("::")
        assert name in names_in(path), f"{test} is left out and not there"


def test_those_nearest_are_run_first_then_others_that_run_it_then_those_that_may() -> None:
    defect = defects(1)[0]
    area = mutation.AREAS["common"]
    name = f"{MODULE}:{defect.function}"
    other, starter = (
        "tests/common/following/test_event_follower.py::test_a",
        "tests/common/process/test_claim.py::test_b",
    )
    reached = Reached({name: [f"{MIRROR}::test_c", other]}, [other, starter])
    assert mutation.steps(defect, reached, area) == [[f"{MIRROR}::test_c"], [other], [starter]]
    assert mutation.steps(defect, Reached({}, [starter]), area) == [[], [], [starter]]
    whole = mutation.steps(defect, Reached({name: ["", other]}, []), area)
    assert whole == [[], [MIRROR]], "code that runs at import may be caught by all"


def test_listing_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert mutation.main(["--area", "recorder", "--sample", "3", "--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
