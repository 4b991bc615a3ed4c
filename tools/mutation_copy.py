"""A copy of the project, in which its tests are run over one defect after the other."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import pytest
from msgspec import Struct

from tools.mutant import Mutant
from tools.reached import NOTES, Reached, file_of, is_of
from tools.reached_hook import INTO

ROOT: Final = Path(__file__).resolve().parents[1]

SOUND_S: Final = 5_400
"""Seconds that all tests of a folder may take without a defect, while they are noted."""

TOO_LONG: Final = -1
"""Status of tests that did not end in time."""

PASSED: Final = {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}

PROCESSES: Final = ("tests/system/", "tests/fuzz/", "tests/examples/", "tests/crossbook/testing/")
"""Tests of real processes, which may fail because the machine is busy."""

LEFT_OUT: Final = {
    "tests/gateway/web/test_websocket.py::test_endless_empty_pieces_take_no_memory": (
        "It measures the memory of its process, which grows by the notes."
    ),
    "tests/gateway/api/test_rest_fuzz.py::test_no_input_of_a_client_makes_the_gateway_fail": (
        "It makes hundreds of gateways: noted, or over each defect, it runs too long."
    ),
}
"""Tests that this tool never runs, and why."""

IGNORED: Final = {
    "tests/bench/*": "They run measurements.",
    "tests/tools/*": "They plant defects.",
    "tests/system/test_page*": "They need a browser, which maps more memory than is allowed here.",
    "tests/system/test_wheel*": "They run what was installed, not this copy.",
}
"""Test files that this tool never runs, and why."""


class Step(Struct, frozen=True):
    """Tests that are run together over a defect, and the seconds they take without it."""

    tests: tuple[str, ...]
    seconds: float


class DefectOutcome(Struct):
    """The result of one defect: the test that caught it, or none.

    `slow`: with the defect it did not end in time, without it it does.
    """

    mutant: Mutant
    caught_by: str
    seconds: float
    slow: bool = False


def named(path: str) -> str:
    """A module in the package: where its examples are collected, and by which it is imported.

    >>> named("matcher/service.py"), named("crossbook/errors.py")
    ('crossbook/matcher/service.py', 'crossbook/errors.py')
    """
    return path if path.startswith("crossbook/") else f"crossbook/{path}"


LAST: Final = ".last"
"""The file with the name of the test that was begun last."""


class Copy:
    """The project's files in a folder of their own, for one defect after the other."""

    def __init__(self, folder: Path, limit_s: float) -> None:
        self.folder = folder
        self.limit_s = limit_s
        names = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"],
            cwd=ROOT, capture_output=True, check=True, text=True,
        ).stdout.split("\0")  # fmt: skip
        for name in filter(None, names):
            if (ROOT / name).is_symlink():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).symlink_to((ROOT / name).readlink())
            elif (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)

    def reached(self, tests: str) -> Reached:
        """The functions that each test of a folder, or of a file, runs.

        Raises `RuntimeError` when pytest does not come to its end.
        """
        with tempfile.TemporaryDirectory(prefix="reached-") as folder:
            path = os.pathsep.join((str(self.folder), str(self.folder / "tools/at_start")))
            status = self._pytest([tests], SOUND_S, {INTO: folder, "PYTHONPATH": path})
            notes = Path(folder) / NOTES
            if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
                raise RuntimeError(f"{tests}: without a defect, pytest ends with {status}")
            return msgspec.json.decode(notes.read_bytes(), type=Reached)

    def status(self, step: Step) -> int:
        """Exit status of these tests, or `TOO_LONG`; they end at the first that fails."""
        only = self.folder / ".chosen"
        only.write_text("\n".join(step.tests))
        files = list(dict.fromkeys(map(file_of, step.tests)))
        whole = any((self.folder / name).is_dir() for name in files)
        chosen = [] if whole else [f"--reached-only={only}"]
        last = f"--reached-last={self.folder / LAST}"
        return self._pytest(["-x", last, *chosen, *files], self.limit_s + 3 * step.seconds)

    def _pytest(
        self, arguments: Sequence[str], limit_s: float, more: Mapping[str, str] | None = None
    ) -> int:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command += ["-p", "tools.reached", *(f"--deselect={test}" for test in LEFT_OUT)]
        command += [f"--ignore-glob={self.folder / pattern}" for pattern in IGNORED]
        command += arguments
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env={
                **os.environ,
                "MATCHER_BUILD": "pure",
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPATH": str(self.folder),
                **(more or {}),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            try:
                return process.wait(limit_s)
            except subprocess.TimeoutExpired:
                return TOO_LONG
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def try_one(
        self, mutant: Mutant, steps: Iterable[Step], unsure: Collection[str] = ()
    ) -> DefectOutcome:
        """Run the tests of each step over one defect, until some fail; a failure of an `unsure`
        test may have another reason."""
        began = time.monotonic()
        for step in steps:
            left = step
            while left.tests and (status := self._status_with(mutant, left)) not in PASSED:
                failed = self._last(left)
                if self._is_sound(failed, status, step, unsure):
                    took = time.monotonic() - began
                    return DefectOutcome(mutant, failed, took, slow=status == TOO_LONG)
                left = Step(tuple(test for test in left.tests if test != failed), step.seconds)
        return DefectOutcome(mutant, "", time.monotonic() - began)

    def _status_with(self, mutant: Mutant, step: Step) -> int:
        place = self.folder / mutant.path
        sound = place.read_text()
        place.write_text(mutant.apply(sound))
        try:
            return self.status(step)
        finally:
            place.write_text(sound)

    def _last(self, step: Step) -> str:
        """The test that was begun last, as it is named in the step; the first of all where none
        was begun."""
        path = self.folder / LAST
        name = path.read_text() if path.exists() else step.tests[0]
        path.unlink(missing_ok=True)
        return next((test for test in step.tests if is_of(name, test)), step.tests[0])

    def _is_sound(self, failed: str, status: int, step: Step, unsure: Collection[str]) -> bool:
        """Whether it was the defect that gave this status: what may have another reason is run
        once more without it."""
        may_differ = failed.startswith(PROCESSES) or failed in unsure
        if status == pytest.ExitCode.TESTS_FAILED and not may_differ:
            return True
        found = self.status(Step((failed,), step.seconds)) == pytest.ExitCode.OK
        (self.folder / LAST).unlink(missing_ok=True)
        if not found:
            print(f"not counted: without the defect this fails too: {failed}", flush=True)
        return found
