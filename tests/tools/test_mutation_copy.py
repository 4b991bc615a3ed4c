"""The copy of the project: the verdict of its tests on a defect, by each way in which they may
end."""

import re
from pathlib import Path

import pytest

from tools import mutation_copy
from tools.mutant import Mutant
from tools.mutation_copy import LEFT_OUT, ROOT, TOO_LONG, Copy

MODULE = "common/sequence.py"
MIRROR = "tests/common/test_sequence.py"
PROCESSES = "tests/system/test_journey.py"

IN_ANOTHER_FOLDER = """
import subprocess, sys
from pathlib import Path
from tests.system.exchange import process_environment

def test_it(tmp_path):
    program = "import crossbook.matcher.service as service; print(service.__file__)"
    found = subprocess.check_output(
        [sys.executable, "-c", program], cwd=tmp_path, env=process_environment({}), text=True
    )
    here = Path(__file__).parents[1]
    assert Path(found.strip()).resolve() == here / "matcher/service.py"
"""


def names_in(path: str) -> list[str]:
    """The tests of a file, in order."""
    return re.findall(r"^def (test_\w+)", (ROOT / path).read_text(), re.M)


def defect(text: str = "") -> Mutant:
    """This text before the rest of the module."""
    return Mutant(path=MODULE, line=1, start=0, end=0, text=text, function="", before="", after="")


def test_a_test_that_is_left_out_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = f"{MIRROR}::{names_in(MIRROR)[0]}"
    monkeypatch.setattr(mutation_copy, "LEFT_OUT", {first: "a test says so"})
    reached = Copy(tmp_path, 100).reached([MODULE], [MIRROR])
    assert reached is not None
    ran = {test for tests in reached.functions.values() for test in tests}
    assert first not in ran
    assert any(test.startswith(MIRROR) for test in ran)


def test_tests_that_are_left_out_exist() -> None:
    for test in LEFT_OUT:
        path, _, name = test.partition("::")
        assert name in names_in(path), f"{test} is left out and not there"


def test_processes_of_a_copy_run_its_own_files(tmp_path: Path) -> None:
    copy = Copy(tmp_path, 100)
    (tmp_path / "tests/test_place.py").write_text(IN_ANOTHER_FOLDER)
    assert copy.status(["tests/test_place.py"]) == pytest.ExitCode.OK


def test_tests_that_cannot_be_collected_count_only_if_the_defect_is_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Copy(tmp_path, 100)
    broken = defect("raise ImportError\n")
    assert copy.try_one(broken, [[MIRROR]]).caught_by == MIRROR
    assert copy.try_one(defect(), [["tests/no_such.py"]]).caught_by == ""
    assert "without the defect these fail too: tests/no_such.py" in capsys.readouterr().out
    assert copy.try_one(broken, [[f"{MIRROR}::no_such"]]).caught_by == MIRROR + "::no_such"
    assert copy.try_one(defect(), [[f"{MIRROR}::no_such"]]).caught_by == ""


def test_tests_that_do_not_end_are_ended(tmp_path: Path) -> None:
    assert Copy(tmp_path, 0.01).status_of_chosen([MIRROR]) == TOO_LONG


@pytest.mark.parametrize(
    ("tests", "with_defect", "without", "caught", "slow"),
    [
        (MIRROR, 0, [], False, False),
        (MIRROR, pytest.ExitCode.NO_TESTS_COLLECTED, [], False, False),
        (MIRROR, 1, [], True, False),
        (MIRROR, 2, [0], True, False),
        (MIRROR, 4, [4], False, False),
        (MIRROR, -11, [0], True, False),
        (MIRROR, TOO_LONG, [0], True, True),
        (MIRROR, TOO_LONG, [TOO_LONG], False, False),
        (PROCESSES, 1, [0], True, False),
        (PROCESSES, 1, [1], False, False),
    ],
)  # fmt: skip
def test_a_failure_counts_if_the_defect_made_it(
    tests: str, with_defect: int, without: list[int], caught: bool, slow: bool,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    copy = Copy(tmp_path, 100)
    statuses = [with_defect, *without]
    sources = []

    def status_of_chosen(chosen: list[str]) -> int:
        sources.append((tmp_path / MODULE).read_text())
        return statuses.pop(0)

    monkeypatch.setattr(copy, "status_of_chosen", status_of_chosen)
    outcome = copy.try_one(defect("# Defect.\n"), [[tests]])
    assert (outcome.caught_by, outcome.slow) == (tests if caught else "", slow)
    assert statuses == []
    sound = (ROOT / MODULE).read_text()
    assert sources == [f"# Defect.\n{sound}", *[sound] * len(without)]
    assert (tmp_path / MODULE).read_text() == sound
