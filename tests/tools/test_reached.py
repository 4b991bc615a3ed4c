"""The functions that the tests of a small project run, as noted, and runs of chosen tests."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tools.mutation_copy import ROOT
from tools.reached import MEMORY_MAX, NOTES, Reached

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
import threading
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

def test_d():
    assert not box
"""
PROCESSES = """
import os, subprocess, sys
import pytest

PROGRAM = '''
import os, sys
import box
print("ready", flush=True)
for line in sys.stdin:
    if line.strip() == "inside":
        box.inside()
    elif os.fork():
        os.wait()
    else:
        box.Box().put()
        os._exit(0)
    print("done", flush=True)
'''

@pytest.fixture(scope="module")
def shared():
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={"PYTHONPATH": os.path.dirname(__file__)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout.readline().strip() == "ready"
        yield program
        program.kill()

def do(program, word):
    print(word, file=program.stdin, flush=True)
    assert program.stdout.readline().strip() == "done"

def test_a(shared):
    do(shared, "inside")

def test_b(shared):
    do(shared, "fork")

def test_c(shared):
    do(shared, "inside")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    (tmp_path / "box.py").write_text(MODULE)
    (tmp_path / "test_box.py").write_text(TESTS)
    return tmp_path


def run(folder: Path, *arguments: str, **environment: str) -> str:
    command = [sys.executable, "-m", "pytest", "-v", "-p", "tools.reached", *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), **environment},
        check=False,
        capture_output=True,
        text=True,
    )
    return done.stdout


def notes(folder: Path) -> Reached:
    (folder / "notes").mkdir()
    path = os.pathsep.join((str(folder), str(folder / "tools/at_start")))
    out = run(folder, "test_box.py", REACHED_INTO=str(folder / "notes"), PYTHONPATH=path)
    assert "passed" in out, out
    return msgspec.json.decode((folder / "notes" / NOTES).read_bytes(), type=Reached)


def functions_of_box(noted: Reached) -> dict[str, list[str]]:
    names = {name for name in noted.functions if name.startswith("box.py:")}
    return {name: noted.functions[name] for name in names - {"box.py:", "box.py:Box"}}


def test_each_function_is_noted_with_the_tests_that_run_it(project: Path) -> None:
    noted = notes(project)
    assert functions_of_box(noted) == {
        "box.py:made": [""],
        "box.py:once": ["test_box.py"],
        "box.py:inside": ["test_box.py::test_b[1]", "test_box.py::test_b[2]"],
        "box.py:Box.put": ["test_box.py::test_a", "test_box.py::test_c"],
    }
    names = ["test_a", "test_b[1]", "test_b[2]", "test_c", "test_d"]
    assert set(noted.seconds) == {f"test_box.py::{name}" for name in names}
    assert min(noted.seconds.values()) > 0
    assert noted.failed == ["test_box.py::test_d"]


def test_functions_of_a_process_are_noted_with_the_tests_that_run_meanwhile(project: Path) -> None:
    """The process may be forked, be killed, or have an environment of its own."""
    (project / "test_box.py").write_text(PROCESSES)
    assert functions_of_box(notes(project)) == {
        "box.py:made": ["test_box.py"],
        "box.py:inside": ["test_box.py::test_a", "test_box.py::test_c"],
        "box.py:Box.put": ["test_box.py::test_b"],
    }


def test_a_module_reached_by_a_link_is_noted_where_its_file_lies(project: Path) -> None:
    (project / "boxes").mkdir()
    (project / "box.py").rename(project / "boxes" / "box.py")
    (project / "linked").symlink_to("boxes")
    tests = project / "test_box.py"
    tests.write_text(TESTS.replace("import box", "from linked import box"))
    noted = notes(project)
    assert noted.functions["boxes/box.py:once"] == ["test_box.py"]
    assert not [name for name in noted.functions if name.startswith("linked")]


def test_only_chosen_tests_are_run_in_the_order_of_the_chosen_files(project: Path) -> None:
    (project / "test_other.py").write_text("def test_a():\n    pass")
    (project / "chosen").write_text("test_other.py\ntest_box.py::test_c\ntest_box.py::test_b[2]")
    out = run(project, "--reached-only=chosen", "test_box.py", "test_other.py")
    assert "3 passed, 3 deselected" in out
    ran = [line.partition(" ")[0] for line in out.splitlines() if " PASSED" in line]
    assert ran == ["test_other.py::test_a", "test_box.py::test_b[2]", "test_box.py::test_c"]


def test_the_name_of_the_last_test_that_was_begun_is_kept(project: Path) -> None:
    (project / "test_box.py").write_text("import os\ndef test_a():\n    os._exit(0)\n")
    run(project, "--reached-last=last", "test_box.py")
    assert (project / "last").read_text() == "test_box.py::test_a"


def test_the_cheapest_files_come_first_and_the_tests_of_a_file_together() -> None:
    seconds = {"a/b.py::x": 1.0, "a/b.py::y": 2.0, "c.py::x": 2.5, "c.py::y": 9.0}
    reached = Reached(seconds=seconds)
    assert reached.cheapest_first(["a/b.py", "c.py::x"]) == ["c.py::x", "a/b.py"]
    assert reached.cheapest_first(["c.py::y", "c.py::x", "a/b.py::y"]) == [
        "a/b.py::y", "c.py::y", "c.py::x",
    ]  # fmt: skip
    assert [reached.cost(name) for name in ("a", "a/b.py", "a/b.py::y", "b.py")] == [3, 3, 2, 0]


def test_notes_of_two_runs_are_joined() -> None:
    joined = Reached({"f": ["a.py", ""]}, {"a.py::x": 1.0}, ["a.py::x"])
    joined.add(Reached({"f": ["a.py::x", "b.py::x"], "g": [""]}, {"b.py::x": 2.0}, ["b.py::y"]))
    assert joined == Reached(
        {"f": ["", "a.py", "b.py::x"], "g": [""]},
        {"a.py::x": 1.0, "b.py::x": 2.0},
        ["a.py::x", "b.py::y"],
    )


def test_a_test_that_fills_the_memory_fails_by_itself(project: Path) -> None:
    (project / "test_box.py").write_text(f"def test_a():\n    bytearray({MEMORY_MAX})\n")
    assert "MemoryError" in run(project, "test_box.py")
