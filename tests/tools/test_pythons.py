"""Other Pythons: those of the classifiers, found where they are, each tried within its time."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.test_tidy import ROOT
from tools import pythons

OWN = "{}.{}".format(*sys.version_info)


def interpreter_at(path: Path, prints: str, status: int = 0) -> Path:
    """A program in place of an interpreter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {prints}\nexit {status}\n")
    path.chmod(0o755)
    return path


def test_the_versions_are_those_from_requires_python_on() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    oldest = re.search(r'requires-python = ">=(3\.\d+)"', text)
    assert oldest is not None
    found = pythons.versions()
    assert found[0] == oldest[1]
    minors = [int(each.partition(".")[2]) for each in found]
    assert minors == list(range(minors[0], minors[-1] + 1))


@pytest.mark.parametrize("job", ["pythons", "wheel"])
def test_the_workflow_tries_every_version(job: str) -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    tried = set(jobs[job]["strategy"]["matrix"]["python"])
    setups = [step.get("with", {}) for step in jobs["linux"]["steps"]]
    whole = {each["python-version"] for each in setups if "python-version" in each}
    assert tried | whole == set(pythons.versions())


def test_the_whole_check_tries_the_others_too() -> None:
    assert "\nmake test-pythons " in (ROOT / ".ci" / "run").read_text()
    assert "\ntest-pythons:" in (ROOT / "Makefile").read_text()


def test_every_part_is_there() -> None:
    assert [part for part in pythons.PARTS if not (ROOT / part).exists()] == []


def test_the_pins_are_those_of_the_program_and_of_the_tests_with_hashes() -> None:
    development = (ROOT / "requirements/development.txt").read_text()
    found = pythons.pins((ROOT / "requirements/runtime.txt").read_text(), development)
    names = re.findall(r"^([a-z0-9.-]+)(?:\[.*\])?==", found, re.MULTILINE)
    assert {*pythons.LIBRARIES, "pyzmq", "litestar", "setuptools"} <= set(names)
    assert "selenium" not in names
    blocks = re.split(r"^(?=[a-z0-9])", found, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(names)
    assert all("--hash=sha256:" in block and block in development for block in blocks)


def test_an_interpreter_of_the_shell_comes_before_those_of_pyenv_and_the_newest_of_these(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert pythons.interpreter("3.99") is None
    interpreter_at(tmp_path / "versions/3.99.9/bin/python3.99", "3.99")
    newest = interpreter_at(tmp_path / "versions/3.99.10/bin/python3.99", "3.99")
    assert pythons.interpreter("3.99") == str(newest)
    # The shim of a version that is not chosen.
    interpreter_at(tmp_path / "bin/python3.99", "", status=127)
    assert pythons.interpreter("3.99") == str(newest)
    own = interpreter_at(tmp_path / "bin/python3.99", "3.99")
    assert pythons.interpreter("3.99") == str(own)


def test_the_interpreter_of_these_tests_is_of_its_version() -> None:
    assert pythons._is(sys.executable, OWN)
    assert not pythons._is(sys.executable, "3.99")


def test_no_part_begins_after_the_time_but_the_first() -> None:
    now = [0.0]

    def run(part: str) -> int:
        now[0] += 10.0
        return int(part == pythons.PARTS[1])

    first, second, third = pythons.PARTS[:3]
    assert pythons.try_parts(run, 15.0, lambda: now[0]) == ([first, second], [second])
    now[0] = 0.0
    assert pythons.try_parts(run, 0.0, lambda: now[0]) == ([first], [])
    now[0] = 0.0
    assert pythons.try_parts(run, 21.0, lambda: now[0]) == ([first, second, third], [second])


def test_versions_that_are_not_there_are_named_and_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pythons, "versions", lambda: [OWN, "3.98", "3.99"])
    monkeypatch.setattr(pythons, "interpreter", lambda version: None)
    assert pythons.main([]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Python 3.98: skipped, there is none here",
        "Python 3.99: skipped, there is none here",
    ]


@pytest.mark.parametrize(
    ("python", "status", "line"),
    [
        (Path("python"), 1, "Python 3.99: failed in tests/matcher; "),
        (None, 0, "Python 3.99: skipped, its environment was not made in 7 s"),
    ],
)
def test_a_failed_part_is_the_failure_of_all_and_a_slow_installation_is_none(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    python: Path | None,
    status: int,
    line: str,
) -> None:
    monkeypatch.setattr(pythons, "versions", lambda: ["3.99"])
    monkeypatch.setattr(pythons, "interpreter", lambda version: "python3.99")
    monkeypatch.setattr(pythons, "environment", lambda *_: python)
    monkeypatch.setattr(pythons, "_tests_of", lambda _: lambda part: int(part == "tests/matcher"))
    assert pythons.main(["--seconds", "7"]) == status
    assert line in capsys.readouterr().out


def test_an_environment_that_takes_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: list[str], **options: object) -> None:
        if "pip" in command:
            raise subprocess.TimeoutExpired(command, 1.0)
        (tmp_path / "3.99").mkdir()

    monkeypatch.setattr(pythons, "FOLDER", tmp_path)
    monkeypatch.setattr(subprocess, "run", run)
    assert pythons.environment("3.99", "python3.99", 1.0) is None
    assert not (tmp_path / "3.99" / "pins.txt").exists()
