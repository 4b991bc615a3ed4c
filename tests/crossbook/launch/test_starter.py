"""Processes forked from one that has their imports, as the starting process observes them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from crossbook.common.process.programs import MODULES
from crossbook.launch.layout import own_settings, process_environment
from crossbook.launch.ports import Ports
from crossbook.launch.starter import Starter, StarterEndedError
from tests.system.exchange import REPOSITORY

SECONDS = 30.0
PUBLISHER = MODULES["publisher"]


@pytest.fixture(scope="module")
def starter() -> Iterator[Starter]:
    """A starter with its fork server."""
    own = Starter(environment())
    yield own
    own.close()


@pytest.fixture
def placed(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a publisher of its own, which needs no other process to run."""
    ports = Ports()
    yield environment(own_settings(tmp_path / "data", ports))
    ports.close()


def environment(settings: dict[str, str] | None = None) -> dict[str, str]:
    """This environment, with settings of one exchange only."""
    shipped = {"INSTRUMENTS_FILE": str(REPOSITORY / "instruments.toml"), "LOG_FORMAT": "json"}
    return {
        **process_environment({**shipped, **(settings or {})}),
        "PYTHONPATH": str(REPOSITORY),
    }


def wait_for(log: Path, text: str) -> None:
    """Return once the log has the text."""
    with subprocess.Popen(["tail", "-F", "-n", "+1", log], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL) as tail:  # fmt: skip
        assert tail.stdout is not None
        assert any(text in line for line in tail.stdout)
        tail.kill()


def test_a_forked_process_has_its_folder_environment_session_and_log(
    starter: Starter, placed: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    process = starter.start(PUBLISHER, tmp_path, {**placed, "MARK": "here"}, log)
    wait_for(log, "publisher_ready")
    seen = psutil.Process(process.pid)
    assert seen.cwd() == str(tmp_path)
    assert os.getsid(process.pid) == process.pid
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 0
    assert process.poll() == 0
    process.kill()
    assert placed["PUBLISHER_FEED"] in log.read_text()
    assert "publisher_stopped" in log.read_text()


def test_the_exit_status_is_the_signal_or_that_of_the_process(
    starter: Starter, placed: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    killed = starter.start(PUBLISHER, tmp_path, placed, log)
    wait_for(log, "publisher_ready")
    killed.kill()
    assert killed.wait(SECONDS) == -signal.SIGKILL
    wrong = starter.start(PUBLISHER, tmp_path, {**placed, "HEARTBEAT_MS": "0"}, log)
    assert wrong.wait(SECONDS) == 2
    assert "HEARTBEAT_MS" in log.read_text()


def test_a_signal_sent_at_once_ends_the_process(
    starter: Starter, placed: dict[str, str], tmp_path: Path
) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        for _ in range(5):
            process = starter.start(PUBLISHER, tmp_path, placed, tmp_path / "log")
            process.send_signal(number)
            assert process.wait(SECONDS) in (0, 1, -number)


def test_an_environment_larger_than_a_pipe_arrives_whole(
    starter: Starter, placed: dict[str, str], tmp_path: Path
) -> None:
    large = {f"LARGE_{number}": "x" * 50_000 for number in range(10)}
    log = tmp_path / "log"
    process = starter.start(PUBLISHER, tmp_path, {**placed, **large}, log)
    wait_for(log, "publisher_ready")
    process.kill()
    assert process.wait(SECONDS) == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_the_name_by_which_python_counts_the_threads_of_the_fork_server_has_no_space(
    starter: Starter, placed: dict[str, str], tmp_path: Path
) -> None:
    process = starter.start(PUBLISHER, tmp_path, placed, tmp_path / "log")
    server = psutil.Process(process.pid).parent()
    assert server is not None
    stat = Path(f"/proc/{server.pid}/stat").read_text()
    assert stat.split(" ")[19] == "1"
    assert "crossbook.launch.fork_server" in " ".join(server.cmdline())
    process.kill()
    process.wait(SECONDS)


def test_threads_start_and_wait_at_once(
    starter: Starter, placed: dict[str, str], tmp_path: Path
) -> None:
    def run(number: int) -> int:
        wrong = {**placed, "HEARTBEAT_MS": "0"}
        return starter.start(PUBLISHER, tmp_path, wrong, tmp_path / f"log-{number}").wait(SECONDS)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(run, range(16))) == [2] * 16


def test_one_thread_may_end_a_process_for_which_another_waits(
    starter: Starter, placed: dict[str, str], tmp_path: Path
) -> None:
    process = starter.start(PUBLISHER, tmp_path, placed, tmp_path / "log")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(process.wait, SECONDS)
        wait_for(tmp_path / "log", "publisher_ready")
        process.kill()
        assert waiting.result(SECONDS) == -signal.SIGKILL


def test_a_process_that_reads_another_build_has_an_interpreter_of_its_own(
    starter: Starter, placed: dict[str, str], tmp_path: Path
) -> None:
    other = {**placed, "MATCHER_BUILD": "none such"}
    process = starter.start(MODULES["matcher"], tmp_path, other, tmp_path / "log")
    assert isinstance(process, subprocess.Popen)
    assert process.wait(SECONDS) == 1
    assert "MATCHER_BUILD='none such'" in (tmp_path / "log").read_text()


def test_closing_ends_running_processes_and_a_later_start_begins_anew(
    placed: dict[str, str], tmp_path: Path
) -> None:
    own = Starter(environment())
    running = own.start(PUBLISHER, tmp_path, placed, tmp_path / "log")
    wait_for(tmp_path / "log", "publisher_ready")
    seen = psutil.Process(running.pid)
    own.close()
    with pytest.raises(StarterEndedError):
        running.wait(SECONDS)
    assert psutil.wait_procs([seen], timeout=SECONDS)[1] == []
    own.warm()
    wrong = own.start(PUBLISHER, tmp_path, {**placed, "HEARTBEAT_MS": "0"}, tmp_path / "log")
    assert wrong.wait(SECONDS) == 2
    own.close()


def test_a_killed_user_leaves_no_process(placed: dict[str, str], tmp_path: Path) -> None:
    program = f"""
import json, os, sys
from pathlib import Path
from crossbook.launch.starter import Starter
environment = json.loads(sys.stdin.readline())
starter = Starter(environment)  # One that nothing holds ends its processes.
process = starter.start("{PUBLISHER}", Path.cwd(), environment, Path("log"))
print(process.pid, os.getpid(), flush=True)
sys.stdin.readline()
"""
    user = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, env=environment(),
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert user.stdin is not None
    assert user.stdout is not None
    user.stdin.write(json.dumps(placed) + "\n")
    user.stdin.flush()
    started = psutil.Process(int(user.stdout.readline().split()[0]))
    server = started.parent()
    assert server is not None
    user.kill()
    user.communicate()
    assert psutil.wait_procs([started, server], timeout=SECONDS)[1] == []


def test_an_ended_fork_server_is_reported_and_replaced_by_the_next_start(
    placed: dict[str, str], tmp_path: Path
) -> None:
    own = Starter(environment())
    running = own.start(PUBLISHER, tmp_path, placed, tmp_path / "log")
    server = psutil.Process(running.pid).parent()
    assert server is not None
    server.kill()
    with pytest.raises(StarterEndedError, match="the fork server has ended"):
        running.wait(SECONDS)
    os.kill(running.pid, signal.SIGKILL)
    server.wait(SECONDS)
    wrong = own.start(PUBLISHER, tmp_path, {**placed, "HEARTBEAT_MS": "0"}, tmp_path / "log")
    assert wrong.wait(SECONDS) == 2
    own.close()


@pytest.mark.parametrize("is_warm", [False, True])
def test_the_folder_of_a_starter_is_removed_after_the_last_process(
    placed: dict[str, str], tmp_path: Path, is_warm: bool
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    own = Starter(environment())
    if is_warm:
        own.warm()
    own.remove_at_end(folder)
    process = own.start(PUBLISHER, folder, placed, folder / "log")
    wait_for(folder / "log", "publisher_ready")
    assert folder.exists()
    own.close()
    assert not psutil.pid_exists(process.pid)
    assert not folder.exists()
