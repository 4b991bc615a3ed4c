"""Processes kept running, and ended one stage after the other."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.exchange import REPOSITORY

PROGRAM = """
import glob, os, signal, sys, time
name, folder = sys.argv[1:3]
def end(*_):
    with open(folder + "/ended", "a") as file:
        file.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print(name, "runs", flush=True)
open(folder + "/" + name + ".runs", "w").close()
if name == "crashes" and not os.path.exists(folder + "/crashed"):
    open(folder + "/crashed", "w").close()
    os.kill(os.getpid(), signal.SIGKILL)
if name == "fails":
    while len(glob.glob(folder + "/*.runs")) < 3:
        time.sleep(0.01)
    sys.exit(7)
if name == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("deaf now", flush=True)
while True:
    signal.pause()
"""

SUPERVISE = """
import os, sys
from crossbook.launch import supervisor
from crossbook.launch.layout import Program
from crossbook.launch.starter import Starter
from crossbook.launch.supervisor import Supervisor
grace_s, folder, *names = sys.argv[1:]
supervisor.GRACE_S = float(grace_s)
supervisor.RESTART_S = 0.0
programs = [
    Program(name, ("program", name, folder), stage, is_late=name == "late")
    for stage, name in enumerate(names)
]
supervised = Supervisor(programs, Starter(os.environ), os.environ)
supervised.print_text("a line of its own")
sys.exit(supervised.run(on_end=lambda: print("the end begins", flush=True)))
"""


class Supervised:
    """A supervisor of programs by name, each in a stage of its own."""

    def __init__(self, folder: Path, names: list[str], grace_s: float = 20.0) -> None:
        (folder / "program.py").write_text(PROGRAM)
        self.folder = folder
        self.text = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISE, str(grace_s), str(folder), *names],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{folder}"},
            stdout=subprocess.PIPE,
            text=True,
        )

    def read_until(self, pattern: str, times: int = 1) -> None:
        """Read the output until it has this pattern so many times."""
        assert self.process.stdout is not None
        while len(re.findall(pattern, self.text)) < times:
            line = self.process.stdout.readline()
            assert line, self.text
            self.text += line

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal the supervisor and read to the end; its exit status."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Read to the end; the exit status."""
        self.text += self.process.communicate(timeout=20)[0]
        return self.process.returncode

    @property
    def ended(self) -> list[str]:
        """The programs that received a signal to end, in order."""
        return (self.folder / "ended").read_text().split()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_programs_end_stage_by_stage(tmp_path: Path, number: signal.Signals) -> None:
    supervised = Supervised(tmp_path, ["first", "second", "third"])
    supervised.read_until("runs", 3)
    assert supervised.end(number) == 128 + number
    assert supervised.ended == ["first", "second", "third"]
    assert supervised.text.startswith("a line of its own\n")
    assert supervised.text.count("the end begins") == 1
    for remark in (r"started \(pid=\d+\)", r"stopped \(rc=0\)"):
        names = re.findall(rf"(\w+) {remark}", supervised.text)
        assert sorted(names) == ["first", "second", "third"]


def test_a_killed_program_is_started_again(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path, ["crashes", "other"])
    supervised.read_until("crashes runs", 2)
    supervised.read_until("other runs")
    assert "the crashes was killed; starting it again" in supervised.text
    assert supervised.end() == 128 + signal.SIGTERM
    assert supervised.ended == ["crashes", "other"]


def test_a_program_that_ends_by_itself_ends_the_others_and_gives_its_status(
    tmp_path: Path,
) -> None:
    supervised = Supervised(tmp_path, ["other", "fails", "third"])
    assert supervised.wait() == 7
    assert supervised.ended == ["other", "third"]


def test_a_program_that_does_not_end_in_time_is_killed_and_not_started_again(
    tmp_path: Path,
) -> None:
    supervised = Supervised(tmp_path, ["deaf", "last"], grace_s=1.0)
    supervised.read_until("deaf now")
    supervised.read_until("last runs")
    assert supervised.end() == 128 + signal.SIGTERM
    assert "sending SIGKILL to deaf" in supervised.text
    assert "starting it again" not in supervised.text
    assert supervised.ended == ["last"]


def test_a_late_program_that_has_not_started_ends_with_the_others(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path, ["first", "late"])
    supervised.read_until("first runs")
    assert supervised.end() == 128 + signal.SIGTERM
    assert supervised.ended == ["first"]
    assert "late started" not in supervised.text
