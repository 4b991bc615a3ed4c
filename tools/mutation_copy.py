"""A copy of the project, in which its tests are run over one defect after the other."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import pytest
from msgspec import Struct

from tools.mutant import Mutant
from tools.reached import Reached, file_of

ROOT: Final = Path(__file__).resolve().parents[1]

SOUND_S: Final = 900
"""Seconds that all tests of an area may take without a defect."""

TOO_LONG: Final = -1
"""Status of tests that did not end in time."""

PASSED: Final = {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}

PROCESSES: Final = "tests/system/"
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


class DefectOutcome(Struct):
    """The result of one defect: the tests that caught it, or none.

    `slow`: with the defect they did not end in time, without it they do.
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


class Copy:
    """The project's files in a folder of their own, for one defect after the other."""

    def __init__(self, folder: Path, limit_s: float) -> None:
        self._folder = folder
        self._limit_s = limit_s
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

    def reached(self, files: Iterable[str], tests: Iterable[str]) -> Reached | None:
        """The functions of these files that each test runs; None when they fail without a
        defect."""
        noted = self._folder / ".reached"
        own = [named(path) for path in files if ">>> " in (ROOT / path).read_text()]
        arguments = [f"--reached-into={noted}", *own, *tests]
        if self.status(arguments, SOUND_S) != pytest.ExitCode.OK:
            return None
        return msgspec.json.decode(noted.read_bytes(), type=Reached)

    def status_of_chosen(self, tests: Sequence[str]) -> int:
        """Exit status of these tests, each named as pytest does."""
        only = self._folder / ".chosen"
        only.write_text("\n".join(tests))
        files = sorted({file_of(test) for test in tests})
        whole = any((ROOT / name).is_dir() for name in files)
        return self.status([*([] if whole else [f"--reached-only={only}"]), *files])

    def status(self, arguments: Sequence[str], limit_s: float | None = None) -> int:
        """pytest's exit status, or `TOO_LONG`."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
        command += ["-p", "tools.reached", *(f"--deselect={test}" for test in LEFT_OUT)]
        command += arguments
        with subprocess.Popen(
            command,
            cwd=self._folder,
            env={
                **os.environ,
                "MATCHER_BUILD": "pure",
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPATH": str(self._folder),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            try:
                return process.wait(limit_s or self._limit_s)
            except subprocess.TimeoutExpired:
                return TOO_LONG
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def try_one(self, mutant: Mutant, steps: Iterable[Sequence[str]]) -> DefectOutcome:
        """Run the tests of each step over one defect, until some fail."""
        began = time.monotonic()
        for tests in steps:
            status = self._status_with(mutant, tests)
            if status not in PASSED and self._is_sound(tests, status):
                took = time.monotonic() - began
                return DefectOutcome(mutant, " ".join(tests), took, slow=status == TOO_LONG)
        return DefectOutcome(mutant, "", time.monotonic() - began)

    def _status_with(self, mutant: Mutant, tests: Sequence[str]) -> int:
        place = self._folder / mutant.path
        sound = place.read_text()
        place.write_text(mutant.apply(sound))
        try:
            return self.status_of_chosen(tests)
        finally:
            place.write_text(sound)

    def _is_sound(self, tests: Sequence[str], status: int) -> bool:
        """Whether it was the defect that gave this status: what may have another reason is run
        once more without it."""
        may_differ = any(test.startswith(PROCESSES) for test in tests)
        if status == pytest.ExitCode.TESTS_FAILED and not may_differ:
            return True
        found = self.status_of_chosen(tests) == pytest.ExitCode.OK
        if not found:
            print(f"not counted: without the defect these fail too: {' '.join(tests)}", flush=True)
        return found
