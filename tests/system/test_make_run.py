"""`make run` as a user types it: four processes, a trade, Ctrl-C, nothing left behind."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from common import entry
from tests.system.exchange import RECORDED, REPOSITORY, Exchange, is_bound
from tests.system.session import Session

STOP_SECONDS = 20.0

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make_run(exchange: Exchange, output: Path) -> "subprocess.Popen[bytes]":
    """`make run` with the environment these tests run in, so that nothing is installed."""
    stamp = f"{sys.prefix}/.installed-runtime"
    with output.open("wb") as log:
        return subprocess.Popen(
            ["make", "run", f"VENV={sys.prefix}", "-o", stamp, "-o", f"{sys.prefix}/bin/python"],
            cwd=REPOSITORY,
            env=exchange.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def interrupt_group(process: "subprocess.Popen[bytes]") -> None:
    """What Ctrl-C in a terminal does: SIGINT to the whole foreground group."""
    os.killpg(process.pid, signal.SIGINT)


def terminate_make(process: "subprocess.Popen[bytes]") -> None:
    """What a supervisor does: SIGTERM to the one process it knows."""
    process.terminate()


def files() -> set[Path]:
    """Every file of the repository that a run could leave behind."""
    passing = {"__pycache__", ".venv", ".git", ".mypy_cache", ".ruff_cache", ".pytest_cache",
               ".hypothesis"}  # fmt: skip
    found = set()
    for folder, folders, names in os.walk(REPOSITORY):
        folders[:] = [name for name in folders if name not in passing]
        if Path(folder) in (REPOSITORY, REPOSITORY / "matcher", REPOSITORY / "gateway"):
            found |= {Path(folder) / name for name in names}
    return found


@pytest.mark.parametrize("stop", [interrupt_group, terminate_make])
def test_make_run_trades_and_leaves_nothing_behind(
    tmp_path: Path, stop: Callable[["subprocess.Popen[bytes]"], None]
) -> None:
    output = tmp_path / "make-run"
    before = files()
    with Exchange(ready=False) as exchange:
        process = make_run(exchange, output)
        family = [psutil.Process(process.pid)]
        try:
            assert exchange.wait_ready() > 0
            text = output.read_text()
            assert exchange.orders in text
            assert exchange.feed in text
            family += family[0].children(recursive=True)
            names = " ".join(" ".join(member.cmdline()) for member in family)
            assert all(f"-m {name}" in names for name in RECORDED)
            exchange.wait_bound("recorder")
            stop(process)
            status = process.wait(STOP_SECONDS)
            left = psutil.wait_procs(family[1:], timeout=STOP_SECONDS)[1]
            assert not left, output.read_text()
        finally:
            end(family)
        text = output.read_text()
        assert status in (2, -signal.SIGINT, -signal.SIGTERM), text
        assert "Traceback" not in text, text
        assert text.count("stopped (rc=0)") == 4, text
        assert not any(map(is_bound, exchange.addresses.values()))
    assert files() == before


@pytest.mark.parametrize("name", RECORDED)
def test_a_killed_process_is_started_again_and_its_orders_are_there(
    tmp_path: Path, name: str
) -> None:
    output = tmp_path / "make-run"
    with Exchange(ready=False) as exchange:
        process = make_run(exchange, output)
        family = [psutil.Process(process.pid)]
        try:
            exchange.wait_ready()
            with Session(exchange.orders, 7) as session:
                order = session.ask(entry.New(session.next_seq(), "BTC-USDT", 1, "1", "50000"))
                assert isinstance(order, entry.Ack)
            (victim,) = [
                member
                for member in family[0].children(recursive=True)
                if member.cmdline()[1:] == ["-m", name]
            ]
            victim.kill()
            victim.wait(STOP_SECONDS)
            exchange.wait_ready()
            with Session(exchange.orders, 7) as session:
                found = session.ask(entry.Query(session.next_seq(), order_id=order.order_id))
                assert isinstance(found, entry.OpenOrders)
                assert [state.order_id for state in found.orders] == [order.order_id]
            assert f"the {name} was killed; starting it again" in output.read_text()
        finally:
            interrupt_group(process)
            process.wait(STOP_SECONDS)
            end(family)


def test_a_wrong_setting_is_told_once_and_nothing_starts(tmp_path: Path) -> None:
    output = tmp_path / "make-run"
    with Exchange(ready=False, API_PORT="0") as exchange:
        process = make_run(exchange, output)
        assert process.wait(STOP_SECONDS) == 2
    text = output.read_text()
    assert text.count("configuration error: API_PORT") == 1
    assert "Traceback" not in text
    assert "started" not in text


def end(family: list[psutil.Process]) -> None:
    """Kill whatever of `family`, and of its offspring, still runs."""
    for member in family:
        try:
            family = family + member.children(recursive=True)
        except psutil.NoSuchProcess:
            continue
    for member in set(family):
        if member.is_running():
            member.kill()
