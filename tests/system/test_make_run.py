"""`make run` as a user types it: four processes, a trade, Ctrl-C, and nothing left behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from crossbook import Client
from crossbook.cli.simulate import FIRST_ACCOUNT
from crossbook.common.errors import CrossbookError
from crossbook.common.messages import entry
from crossbook.common.process.programs import MODULES
from crossbook.errors import OrderRejected
from tests.system import scrape
from tests.system.exchange import RECORDED, REPOSITORY, Exchange, is_bound, select_nothing
from tests.system.session import RawSession
from tests.system.web import WEB

STOP_SECONDS = 20.0
FLOW = 200
"""Trades of the order flow in which a process is killed."""

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make_run(exchange: Exchange, output: Path, target: str = "run") -> "subprocess.Popen[bytes]":
    """`make run` with the environment these tests run in, so that nothing is installed."""
    stamp = f"{sys.prefix}/.installed-runtime"
    with output.open("wb") as log:
        return subprocess.Popen(
            ["make", target, f"VENV={sys.prefix}", "-o", stamp, "-o", f"{sys.prefix}/bin/python"],
            cwd=REPOSITORY,
            env=exchange.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def interrupt_group(process: "subprocess.Popen[bytes]") -> None:
    """Ctrl-C in a terminal: SIGINT to the whole foreground group."""
    os.killpg(process.pid, signal.SIGINT)


def terminate_make(process: "subprocess.Popen[bytes]") -> None:
    """The act of a supervisor: SIGTERM to the one process that it started."""
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
            exchange.wait_until(
                "the addresses are printed", lambda: "Ctrl-C stops" in output.read_text()
            )
            text = output.read_text()
            assert exchange.orders in text
            assert exchange.feed in text
            family += family[0].children(recursive=True)
            names = " ".join(" ".join(member.cmdline()) for member in family)
            assert all(f"-m {MODULES[name]}" in names for name in RECORDED)
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
def test_nothing_of_an_order_flow_is_lost_or_doubled_when_a_process_is_killed_in_it(
    tmp_path: Path, name: str
) -> None:
    output = tmp_path / "make-run"
    with Exchange(ready=False, GATEWAY_ROLES="orders,api,streams") as exchange:
        process = make_run(exchange, output)
        family = [psutil.Process(process.pid)]
        try:
            exchange.wait_ready()
            wait_ready_with_recorder(exchange)
            with RawSession(exchange.orders, 9) as session:
                rests = session.reply_to(
                    entry.New(
                        request_seq=session.next_seq(),
                        symbol="BTC-USDT",
                        side=1,
                        quantity="1",
                        price="40000",
                    )
                )
                assert isinstance(rests, entry.Ack)
            with Client(exchange.orders, 7, 5.0) as maker, Client(exchange.orders, 8, 5.0) as taker:
                for number in range(FLOW):
                    if number == FLOW // 2:
                        running(family[0], name).kill()
                    insist(maker, "sell", f"m{number}")
                    insist(taker, "buy", f"t{number}")
            for each in RECORDED:
                scrape.wait_for(exchange, "crossbook_up", 1, process=each)
            exchange.wait_ready()
            wait_ready_with_recorder(exchange)
            check_flow(exchange)
            with RawSession(exchange.orders, 9) as session:
                found = session.reply_to(entry.Query(session.next_seq(), order_id=rests.order_id))
                assert isinstance(found, entry.OpenOrders)
                assert [state.order_id for state in found.orders] == [rests.order_id]
            assert f"the {name} was killed; starting it again" in output.read_text()
        finally:
            interrupt_group(process)
            process.wait(STOP_SECONDS)
            end(family)


def insist(client: Client, side: str, client_order_id: str) -> None:
    """Enter an order, repeating it until its outcome is known."""
    deadline = time.monotonic() + STOP_SECONDS
    while True:
        try:
            client.submit("BTC-USDT", side, "0.1", "50000", client_order_id=client_order_id)
            return
        except CrossbookError as error:
            refused = isinstance(error, OrderRejected) and not error.retryable
            if refused or time.monotonic() > deadline:
                raise
            select_nothing(0.05)


def check_flow(exchange: Exchange) -> None:
    """Every order of the flow is there once, filled by its partner, and the book has only the
    orders below it."""
    for account, prefix in ((7, "m"), (8, "t")):
        headers = {"X-Account": str(account)}
        query = {"limit": 1_000}
        orders = WEB.get(f"{exchange.api}/api/v1/orders", params=query, headers=headers).json()
        named = {order["client_order_id"]: order["order_status"] for order in orders["orders"]}
        assert named == {f"{prefix}{number}": "FILLED" for number in range(FLOW)}
        assert len(orders["orders"]) == FLOW
        fills = WEB.get(f"{exchange.api}/api/v1/fills", params=query, headers=headers).json()
        assert sorted(fill["trade_id"] for fill in fills["fills"]) == list(range(1, FLOW + 1))
        assert {fill["order_id"] for fill in fills["fills"]} == {
            order["order_id"] for order in orders["orders"]
        }
    exchange.wait_shown("BTC-USDT")
    book = WEB.get(f"{exchange.api}/api/v1/orderbook/BTC-USDT").json()
    assert (book["bids"], book["asks"]) == ([["40000.00", "1.00000"]], [])


def running(runner: psutil.Process, name: str) -> psutil.Process:
    """The process of this name below the runner."""
    title = f"python -m {MODULES[name]}"
    (found,) = [
        member for member in runner.children(recursive=True) if member.cmdline()[0] == title
    ]
    return found


def wait_ready_with_recorder(exchange: Exchange) -> None:
    """Return once the API reports every part as ready."""

    def ready() -> bool:
        try:
            answer = WEB.get(f"{exchange.api}/ready", timeout=5)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200 and bool(answer.json()["recorder"])

    exchange.wait_until("every part is ready", ready, 30.0)


def test_ctrl_c_on_the_demo_leaves_no_order_of_the_simulator_behind(tmp_path: Path) -> None:
    output = tmp_path / "make-demo"
    agents = range(FIRST_ACCOUNT, FIRST_ACCOUNT + 12)
    with Exchange(ready=False, GATEWAY_ROLES="orders,api,streams") as exchange:
        process = make_run(exchange, output, "demo")
        family = [psutil.Process(process.pid)]
        try:
            exchange.wait_ready()
            with Client(exchange.orders, agents[0], 5.0) as client:
                exchange.wait_until("the simulator quotes", lambda: bool(client.open_orders()))
            family += family[0].children(recursive=True)
            interrupt_group(process)
            process.wait(STOP_SECONDS)
        finally:
            end(family)
        text = output.read_text()
        assert "Traceback" not in text, text
        ends = re.findall(r"\| (\w+) stopped \(rc=0\)", text)
        assert ends == ["simulator", "gateway", "matcher", "publisher", "recorder"]
        for name in ("matcher", "publisher", "gateway"):
            exchange.start(name)
        exchange.wait_ready()
        for account in agents:
            with Client(exchange.orders, account, 5.0) as client:
                assert client.open_orders() == []
        exchange.wait_shown("BTC-USDT")
        book = WEB.get(f"{exchange.api}/api/v1/orderbook/BTC-USDT").json()
        assert (book["bids"], book["asks"]) == ([], [])


def test_a_wrong_setting_is_reported_once_and_nothing_starts(tmp_path: Path) -> None:
    output = tmp_path / "make-run"
    with Exchange(ready=False, API_PORT="0") as exchange:
        process = make_run(exchange, output)
        assert process.wait(STOP_SECONDS) == 2
    text = output.read_text()
    assert text.count("configuration_error") == text.count("API_PORT='0'") == 1
    assert "Traceback" not in text
    assert "started" not in text


def end(family: list[psutil.Process]) -> None:
    """Kill every process of `family`, and of its children, that still runs."""
    for member in family:
        try:
            family = family + member.children(recursive=True)
        except psutil.NoSuchProcess:
            continue
    for member in set(family):
        if member.is_running():
            member.kill()
