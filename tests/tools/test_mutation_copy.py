"""The copy of the project: its verdict on a defect, for each way in which the tests may end."""

import re

import pytest

from tools import mutation_copy
from tools.mutant import Mutant
from tools.mutation_copy import IGNORED, LEFT_OUT, ROOT, TOO_LONG, Copy, Step

MODULE = "common/sequence.py"
MIRROR = "tests/common/test_sequence.py"
PROCESSES = "tests/system/test_journey.py"
UNSURE = "tests/common/test_grid.py"

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


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy for all tests. Each test leaves the modules as they were."""
    return Copy(tmp_path_factory.mktemp("copy"), 100)


def step(*tests: str) -> Step:
    return Step(tests, 0)


def names_in(path: str) -> list[str]:
    """The tests of a file, in order."""
    return re.findall(r"^def (test_\w+)", (ROOT / path).read_text(), re.M)


def defect(text: str = "") -> Mutant:
    """This text before the rest of the module."""
    return Mutant(path=MODULE, line=1, start=0, end=0, text=text, function="", before="", after="")


def test_a_left_out_test_is_not_run(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    first = f"{MIRROR}::{names_in(MIRROR)[0]}"
    monkeypatch.setattr(mutation_copy, "LEFT_OUT", {first: "a test requests it"})
    reached = copy.reached(MIRROR)
    ran = {test for tests in reached.functions.values() for test in tests}
    assert first not in ran
    assert any(test.startswith(MIRROR) for test in ran)


def test_left_out_tests_exist() -> None:
    for test in LEFT_OUT:
        path, _, name = test.partition("::")
        assert name in names_in(path), f"{test} is left out and not there"


def test_processes_of_a_copy_run_its_own_files(copy: Copy) -> None:
    (copy.folder / "tests/test_place.py").write_text(IN_ANOTHER_FOLDER)
    assert copy.status(step("tests/test_place.py")) == pytest.ExitCode.OK
    reached = copy.reached("tests/test_place.py")
    assert reached.functions["matcher/service.py:MatcherService"] == [
        "tests/test_place.py::test_it"
    ]


def test_ignored_files_exist_and_are_not_run(copy: Copy) -> None:
    for pattern in IGNORED:
        assert list(ROOT.glob(pattern)), pattern
    with pytest.raises(RuntimeError, match="tests/tools: without a defect, pytest ends with 5"):
        copy.reached("tests/tools")


def test_a_failed_collection_counts_only_if_the_defect_caused_it(
    copy: Copy, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = defect("raise ImportError\n")
    assert copy.try_one(broken, [step(MIRROR)]).caught_by == MIRROR
    assert copy.try_one(defect(), [step("tests/no_such.py")]).caught_by == ""
    assert "without the defect this fails too: tests/no_such.py" in capsys.readouterr().out
    assert copy.try_one(broken, [step(f"{MIRROR}::no_such")]).caught_by == f"{MIRROR}::no_such"
    assert copy.try_one(defect(), [step(f"{MIRROR}::no_such")]).caught_by == ""
    with pytest.raises(
        RuntimeError, match=r"tests/no_such\.py: without a defect, pytest ends with 4"
    ):
        copy.reached("tests/no_such.py")


def test_a_test_that_fails_anyway_leaves_the_others_to_catch_the_defect(copy: Copy) -> None:
    for name, line in (("fails", "assert False"), ("imports", "import crossbook.common.sequence")):
        (copy.folder / f"tests/test_{name}.py").write_text(f"def test_it():\n    {line}\n")
    fails, imports = (f"tests/test_{name}.py::test_it" for name in ("fails", "imports"))
    broken = defect("raise ImportError\n")
    assert copy.try_one(broken, [step(fails, imports)], [fails]).caught_by == imports
    assert copy.try_one(defect(), [step(fails, imports)], [fails]).caught_by == ""


def test_tests_that_do_not_end_are_ended(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copy, "limit_s", 0.01)
    assert copy.status(step(MIRROR)) == TOO_LONG


def test_the_time_limit_grows_with_the_time_of_the_tests(
    copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy, "limit_s", 0.01)
    assert copy.status(Step((MIRROR,), 100)) == pytest.ExitCode.OK


@pytest.mark.parametrize(
    ("tests", "with_defect", "without", "caught", "slow"),
    [
        (MIRROR, 0, [], False, False),
        (MIRROR, pytest.ExitCode.NO_TESTS_COLLECTED, [], False, False),
        (MIRROR, 1, [], True, False),
        (UNSURE, 1, [0], True, False),
        (UNSURE, 1, [1], False, False),
        (MIRROR, 2, [0], True, False),
        (MIRROR, 4, [4], False, False),
        (MIRROR, -11, [0], True, False),
        (MIRROR, TOO_LONG, [0], True, True),
        (MIRROR, TOO_LONG, [TOO_LONG], False, False),
        (PROCESSES, 1, [0], True, False),
        (PROCESSES, 1, [1], False, False),
    ],
)  # fmt: skip
def test_a_failure_counts_if_the_defect_caused_it(
    tests: str, with_defect: int, without: list[int], caught: bool, slow: bool,
    copy: Copy, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    statuses = [with_defect, *without]
    sources = []

    def status(chosen: Step) -> int:
        assert chosen.tests == (tests,)
        sources.append((copy.folder / MODULE).read_text())
        return statuses.pop(0)

    monkeypatch.setattr(copy, "status", status)
    outcome = copy.try_one(defect("# Defect.\n"), [step(tests)], [UNSURE])
    assert (outcome.caught_by, outcome.slow) == (tests if caught else "", slow)
    assert statuses == []
    sound = (ROOT / MODULE).read_text()
    assert sources == [f"# Defect.\n{sound}", *[sound] * len(without)]
    assert (copy.folder / MODULE).read_text() == sound
