"""A claimed file or socket belongs to one process, until the process ends."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from crossbook.common.process.claim import Claim, Claimed, claim_beside, claim_endpoint

TAKER = """
import sys
from pathlib import Path
from crossbook.common.process.claim import Claimed, claim_endpoint
try:
    claim = claim_endpoint(Path(sys.argv[1]))
except Claimed as error:
    print(error, flush=True)
else:
    print("has it", flush=True)
    sys.stdin.read()
"""


def taker(path: Path) -> "subprocess.Popen[str]":
    """A process that claims an endpoint, prints the outcome, and keeps the claim until its input is
    closed."""
    return subprocess.Popen(
        [sys.executable, "-c", TAKER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def line_of(process: "subprocess.Popen[str]") -> str:
    """The next line of a process's output."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_of_many_processes_that_start_at_once_one_has_the_endpoint(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.sock"
    processes = [taker(path) for _ in range(4)]
    try:
        answers = [line_of(process) for process in processes]
        (winner,) = [n for n, answer in enumerate(answers) if answer == "has it"]
        del answers[winner]
        assert all(f"{path} is in use by process " in answer for answer in answers)
        late = taker(path)
        processes.append(late)
        assert line_of(late) == f"{path} is in use by process {processes[winner].pid}"
    finally:
        for process in processes:
            process.communicate()


def test_a_killed_process_leaves_nothing_that_stops_a_start(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    with taker(path) as process:
        assert line_of(process) == "has it"
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    claim_endpoint(path).close()


def test_a_process_cannot_claim_a_path_twice_and_keeps_its_claim(tmp_path: Path) -> None:
    path = tmp_path / "x"
    claim = Claim(path)
    with pytest.raises(Claimed, match=f"in use by process {os.getpid()}"):
        Claim(path)
    other = tmp_path / "other" / ".." / "x"
    (tmp_path / "other").mkdir()
    with pytest.raises(Claimed):
        Claim(other)
    claim.close()
    claim.close()
    Claim(path).close()


def test_a_live_socket_without_a_lock_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    with socket.socket(socket.AF_UNIX) as alive:
        alive.bind(str(path))
        alive.listen(1)
        with pytest.raises(Claimed, match=re.escape(f"{path} is in use by process unknown")):
            claim_endpoint(path)
    claim_endpoint(path).close()


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_a_file_that_is_no_socket_is_neither_claimed_nor_removed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.sock"
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="no socket"):
        claim_endpoint(path)
    assert os.path.lexists(path)
    # Nothing is held after a refusal.
    claim_beside(path).close()


def test_lock_files_are_the_owners_alone(tmp_path: Path) -> None:
    claim = claim_endpoint(tmp_path / "data" / "x.sock")
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "x.sock.lock").stat().st_mode & 0o777 == 0o600
    claim.close()
