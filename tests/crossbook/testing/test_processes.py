"""The processes of an exchange for tests: nothing of them stays, and their ends are explained."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import psutil
import pytest

from crossbook.common.errors import ConfigError
from crossbook.testing import Exchange, Order
from crossbook.testing.plan import Plan
from crossbook.testing.processes import ExchangeError, Processes, reap

KILLED = """
import os, signal, sys
from crossbook.testing import Exchange
with Exchange(recorder=False) as exchange:
    processes = exchange.processes
    pids = [processes.pid(name) for name in processes.names]
    print(processes.folder.parent, *pids, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_nothing_stays_when_the_tests_are_killed() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", KILLED], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    folder, *pids = ran.stdout.split()
    assert len(pids) == 3
    _, alive = psutil.wait_procs(
        [psutil.Process(int(pid)) for pid in pids if psutil.pid_exists(int(pid))], timeout=10
    )
    assert not alive
    deadline = time.monotonic() + 10
    while Path(folder).exists() and time.monotonic() < deadline:
        os.sched_yield()
    assert not Path(folder).exists()


BROKEN = """
from crossbook.launch import starter
starter.FORK_SERVER = "crossbook.no_such_module"
from crossbook.common.errors import CrossbookError
from crossbook.testing import Exchange, processes
try:
    with Exchange():
        pass
except CrossbookError as error:
    print(processes._ROOTS.folder, error)
"""


def test_nothing_stays_when_the_fork_server_does_not_start() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", BROKEN], capture_output=True, text=True, timeout=60, check=True
    )
    folder, _, text = ran.stdout.partition(" ")
    assert "fork server has ended" in text, ran.stderr
    assert not Path(folder).exists()


def test_close_ends_the_processes_and_lets_folder_and_ports_go() -> None:
    processes = Processes(Plan.of({}, recorder=False))
    processes.start_all()
    processes.wait_ready()
    pids = [processes.pid(name) for name in processes.names]
    port = processes.http_port
    processes.close()
    assert not any(map(psutil.pid_exists, pids))
    assert not processes.folder.exists()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))


def test_close_without_waiting_is_finished_by_the_next() -> None:
    processes = Processes(Plan.of({}, recorder=False))
    processes.start_all()
    processes.close(wait=False)
    reap(wait=True)
    assert not processes.folder.exists()


def test_a_wrong_value_is_the_error_of_the_process() -> None:
    processes = Processes(Plan.of({"ORDER_QUEUE_SIZE": 0}))
    try:
        processes.start_all()
        with pytest.raises(ConfigError, match="ORDER_QUEUE_SIZE='0': Input should be greater"):
            processes.wait_ready()
    finally:
        processes.close()


def test_the_end_of_a_process_is_reported_with_the_logs() -> None:
    processes = Processes(Plan.of({}, recorder=False))
    try:
        processes.start_all()
        processes.wait_ready()
        os.kill(processes.pid("publisher"), signal.SIGQUIT)
        with pytest.raises(ExchangeError, match=r"publisher ended with status -3\n--- "):
            processes.wait_until("it never does", lambda: False, 30.0)
        assert not processes.is_running("publisher")
    finally:
        processes.close()


def test_a_process_that_the_test_ends_stays_ended_until_the_test_starts_it() -> None:
    processes = Processes(Plan.of({}, recorder=False))
    try:
        processes.start_all()
        processes.wait_ready()
        processes.kill("publisher")
        with pytest.raises(ExchangeError, match="publisher: it does not run"):
            processes.kill("publisher")
        processes.start("publisher")
        processes.wait_ready()
        with pytest.raises(ExchangeError, match="publisher: it runs already"):
            processes.start("publisher")
        with pytest.raises(
            ExchangeError, match="no process is called 'recorder' here, but matcher"
        ):
            processes.start("recorder")
        with pytest.raises(ExchangeError, match=r"it never does: not within 0\.01 s\n--- matcher"):
            processes.wait_until("it never does", lambda: False, 0.01)
        processes.stop("gateway")
        assert "gateway_stopped" in processes.log("gateway")
    finally:
        processes.close()


@pytest.mark.parametrize("name", ["matcher", "recorder"])
def test_a_process_that_a_fault_kills_comes_back(
    killable: Exchange, name: Literal["matcher", "recorder"]
) -> None:
    processes = killable.processes
    before = processes.pid(name)
    killable.client(7).submit("BTC-USDT", "buy", "0.5", "100.00", client_order_id=name)
    killable.faults.process_killed(name)
    killable.wait_for(lambda: processes.is_running(name) and processes.pid(name) != before, 30.0)
    processes.wait_ready()
    assert killable.orders(7)[0] == Order("BTC-USDT", "buy", "0.5", 100)


@pytest.fixture(scope="module")
def killable() -> Iterator[Exchange]:
    with Exchange() as exchange:
        yield exchange


def test_a_slow_disk_slows_a_journal_that_is_never_synced() -> None:
    with Exchange(recorder=False) as exchange:
        fault = exchange.faults.disk_slow(1)
        exchange.client(7).submit("BTC-USDT", "buy", "0.5", "100.00")
        assert fault.applied > 0


def test_a_new_beginning_keeps_the_processes_and_nothing_that_they_had() -> None:
    processes = Processes(Plan.of({}, recorder=False))
    try:
        processes.start_all()
        processes.wait_ready()
        pids = {name: processes.pid(name) for name in processes.names}
        (processes.data_dir() / "left").touch()
        processes.begin_anew()
        processes.start_all()
        processes.wait_ready()
        assert {name: processes.pid(name) for name in processes.names} == pids
        assert processes.log("matcher").count("matcher_ready") == 1
        assert not (processes.data_dir() / "left").exists()
    finally:
        processes.close()


def test_a_new_beginning_replaces_a_process_that_does_not_end_or_has_ended() -> None:
    processes = Processes(Plan.of({}, recorder=False))
    try:
        processes.start_all()
        processes.wait_ready()
        pids = {name: processes.pid(name) for name in processes.names}
        os.kill(pids["gateway"], signal.SIGSTOP)
        processes.stop("publisher")
        processes.begin_anew()
        assert not psutil.pid_exists(pids["gateway"])
        processes.start_all()
        processes.wait_ready()
        assert processes.pid("matcher") == pids["matcher"]
        assert processes.pid("gateway") != pids["gateway"]
    finally:
        processes.close()
