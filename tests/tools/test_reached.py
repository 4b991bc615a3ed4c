"""Notes of the functions that tests of a small project run, and runs of chosen tests."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tools.mutation_copy import ROOT
from tools.reached import MEMORY_MAX, Reached

MODULE = """
def made() -> int:
    return 1

def once() -> int:
    return 2

def inside() -> list[int]:
    def deeper() -> int:
        return 3
    return [deeper() for _ in range(2)]

class Box:
    def put(self) -> None:
        pass

MADE = made()
"""
TESTS = """
import subprocess, threading
import pytest
import box

@pytest.fixture(scope="module")
def shared():
    return box.once()

def test_a(shared):
    box.Box().put()

@pytest.mark.parametrize("count", [1, 2])
def test_b(count):
    box.inside()

def test_c():
    thread = threading.Thread(target=box.Box().put)
    thread.start()
    thread.join()
    subprocess.run(["true"], check=True)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "box.py").write_text(MODULE)
    (tmp_path / "test_box.py").write_text(TESTS)
    return tmp_path


def run(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "pytest", "-v", "-p", "tools.reached", *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{folder}"},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def test_each_function_is_noted_with_the_tests_that_run_it(project: Path) -> None:
    run(project, "--reached-into=notes")
    noted = msgspec.json.decode((project / "notes").read_bytes(), type=Reached)
    own = {name: tests for name, tests in noted.functions.items() if name.startswith("box.py:")}
    assert {name: tests for name, tests in own.items() if name != "box.py:"} == {
        "box.py:made": [""],
        "box.py:Box": [""],
        "box.py:once": ["test_box.py"],
        "box.py:inside": ["test_box.py::test_b[1]", "test_box.py::test_b[2]"],
        "box.py:Box.put": ["test_box.py::test_a", "test_box.py::test_c"],
    }
    assert noted.starters == ["test_box.py::test_c"]


def test_a_module_reached_by_a_link_is_noted_where_its_file_lies(project: Path) -> None:
    (project / "boxes").mkdir()
    (project / "box.py").rename(project / "boxes" / "box.py")
    (project / "linked").symlink_to("boxes")
    tests = project / "test_box.py"
    tests.write_text(TESTS.replace("import box", "from linked import box"))
    run(project, "--reached-into=notes")
    noted = msgspec.json.decode((project / "notes").read_bytes(), type=Reached)
    assert noted.functions["boxes/box.py:once"] == ["test_box.py"]
    assert not [name for name in noted.functions if name.startswith("linked")]


def test_only_chosen_tests_are_run(project: Path) -> None:
    (project / "chosen").write_text("test_box.py::test_b[2]\ntest_box.py::test_c")
    out = run(project, "--reached-only=chosen")
    assert "2 passed, 2 deselected" in out
    assert "test_b[2] PASSED" in out
    (project / "chosen").write_text("test_box.py")
    assert "4 passed" in run(project, "--reached-only=chosen")


def test_a_test_that_fills_the_memory_fails_by_itself(project: Path) -> None:
    (project / "test_box.py").write_text(f"def test_a():\n    bytearray({MEMORY_MAX})\n")
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run(project)
    assert "MemoryError" in failed.value.output
