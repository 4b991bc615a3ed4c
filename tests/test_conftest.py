"""Of tests that run side by side one worker has a whole file, and all folders of exchanges."""

import os
import subprocess
import sys
from pathlib import Path

CONFTEST = """
import os
from pathlib import Path

import pytest

from tests.conftest import pytest_xdist_make_scheduler


@pytest.fixture(autouse=True)
def note(request):
    place = Path(__file__).parent / f"{request.path.stem}.{os.environ['PYTEST_XDIST_WORKER']}"
    place.touch()
"""

TESTS = """
import pytest


@pytest.mark.parametrize("number", range(6))
def test_nothing(number):
    pass
"""


def test_a_file_and_a_folder_of_exchanges_are_run_by_one_worker(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    for name in ("system/test_a", "crash/test_b", "units/test_c", "units/test_d"):
        file = tmp_path / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(TESTS)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "PYTEST_ADDOPTS": ""},
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "24 passed" in result.stdout, result.stdout + result.stderr
    workers: dict[str, list[str]] = {}
    for noted in tmp_path.glob("test_*.gw*"):
        workers.setdefault(noted.stem, []).append(noted.suffix)
    assert sorted(workers) == ["test_a", "test_b", "test_c", "test_d"]
    assert all(len(found) == 1 for found in workers.values()), workers
    assert workers["test_a"] == workers["test_b"]
