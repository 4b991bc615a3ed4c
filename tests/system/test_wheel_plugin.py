"""The plugin of pytest from an installed wheel, in a project with a `common`, a `gateway` and a
conftest of its own."""

import os
import subprocess
from pathlib import Path

from tests.crossbook.testing.test_plugin import CONFTEST, THREE_LINES
from tests.system.test_wheel import environment
from tests.tools.test_wheel import built, copy

WHERE = """
import crossbook

def test_it_is_the_wheel():
    print(crossbook.__file__)
"""


def test_the_three_lines_are_a_test_wherever_the_wheel_is_installed(tmp_path: Path) -> None:
    source, target, folder = tmp_path / "source", tmp_path / "target", tmp_path / "bot"
    for each in (source, target, folder / "common", folder / "gateway"):
        each.mkdir(parents=True)
    for name in ("common", "gateway"):
        (folder / name / "__init__.py").write_text("MINE = True\n")
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_bot.py").write_text(THREE_LINES + WHERE)
    copy(source)
    built(source, target)
    python = environment(tmp_path / "venv", next(target.glob("*.whl")))
    clean = {name: value for name, value in os.environ.items()
             if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}  # fmt: skip
    ran = subprocess.run(
        [str(python), "-m", "pytest", "-q", "-s"],
        cwd=folder, env=clean, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "2 passed" in ran.stdout, ran.stdout + ran.stderr
    assert str(tmp_path / "venv") in ran.stdout
