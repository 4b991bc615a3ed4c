"""`crossbook verify` and `crossbook journal` pass on the output of the matcher's programs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from crossbook.matcher.journal.disk import FileDisk
from tests.matcher.recovery.test_verify import live

CROSSBOOK = [sys.executable, "-m", "crossbook"]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    disk = FileDisk(tmp_path)
    live(disk, batches=10, snapshots_at=())
    disk.close()
    return tmp_path


def run(*words: str, data_dir: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({"DATA_DIR": str(data_dir)} if data_dir else {})}
    return subprocess.run(
        [*CROSSBOOK, *words], capture_output=True, text=True, timeout=60, env=environment
    )


def test_verify_distinguishes_a_sound_directory_from_a_damaged_one(directory: Path) -> None:
    done = run("verify", data_dir=directory)
    assert (done.returncode, done.stderr) == (0, "")
    assert "sequence 1 to 100" in done.stdout
    assert json.loads(run("verify", str(directory), "--json").stdout)["records"] == 10

    path = next(directory.glob("*.journal"))
    path.write_bytes(path.read_bytes()[:-1])
    done = run("verify", str(directory))
    assert done.returncode == 1
    assert "has lost its end" in done.stdout
    assert run("verify", str(directory / "none")).returncode == 2


def test_journal_prints_one_record_per_line(directory: Path) -> None:
    done = run("journal", "--from", "11", "--to", "30", data_dir=directory)
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["first_seq"] for line in done.stdout.splitlines()] == [11, 21]
    assert run("journal", str(directory / "none")).returncode == 2


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("--from", "101"), 0, ""),
        (("--from", "102"), 2, "--from 102: the last number of the journal is 100"),
        (("--from", "9", "--to", "8"), 2, "--from 9 is not within 0 to 8"),
    ],
)
def test_journal_refuses_an_invalid_range(
    directory: Path, words: tuple[str, ...], status: int, text: str
) -> None:
    done = run("journal", *words, data_dir=directory)
    assert (done.returncode, done.stdout) == (status, "")
    assert text in done.stderr


def test_a_reader_that_closes_the_pipe_early_is_no_error(directory: Path) -> None:
    with subprocess.Popen(
        [*CROSSBOOK, "journal", str(directory)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"{")
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == b""
