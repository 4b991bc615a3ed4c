"""`crossbook rerun` passes its options to the matcher's program, and its output and status on."""

import json
from pathlib import Path

import pytest

from crossbook.matcher.journal.disk import FileDisk
from tests.crossbook.cli.test_journal import run
from tests.matcher.recovery.test_verify import live


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    disk = FileDisk(tmp_path / "data")
    live(disk, batches=10, snapshots_at=())
    disk.close()
    return tmp_path / "data"


def test_a_rerun_is_a_journal_of_its_own(directory: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    words = ("--without", "1", "--without", "2", "--accounts", "off", "--output", str(output))
    done = run("rerun", *words, "--json", data_dir=directory)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["commands"] == 100
    assert found["left_out"] > 20
    assert run("verify", str(output)).returncode == 0
    again = run("rerun", str(output))
    assert again.stdout.startswith(f"commands    {100 - found['left_out']} of 1 to ")
    assert run("rerun", str(directory), "--output", str(output)).returncode == 2
    assert run("rerun", str(directory), "--accounts", "maybe").returncode == 2
