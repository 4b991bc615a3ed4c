"""Eight workers with exchanges of their own at once, in a project of somebody else, many times:
no run fails.

    CROWD_RUNS=20 python -m pytest -m slow -s tests/system/test_crowd_of_tests.py
"""

import os
import subprocess
import time
from pathlib import Path
from typing import Final

import pytest

from tests.crossbook.testing.test_plugin import CONFTEST
from tests.system.test_wheel import environment
from tests.tools.test_wheel import built, copy

RUNS: Final = int(os.environ.get("CROWD_RUNS", "20"))
WORKERS: Final = 8
LIMIT_S: Final = 300.0

BOT: Final = """
import json
from urllib.request import Request, urlopen


class Bot:
    def __init__(self, http_url, websocket_url):
        self.http_url = http_url

    def buy(self, price, quantity="0.5"):
        order = {"symbol": "BTC-USDT", "side": "buy", "order_type": "limit",
                 "quantity": quantity, "price": price}
        request = Request(self.http_url + "/api/v1/orders", json.dumps(order).encode(),
                          {"Content-Type": "application/json"})
        with urlopen(request, timeout=30) as answer:
            return json.load(answer)
"""

TESTS: Final = """
import common, gateway
import pytest
from bot import Bot
from crossbook.testing import Fill, Order


@pytest.mark.parametrize("number", range(4))
def test_my_bot(exchange, number):
    exchange.book("BTC-USDT", bids=[("49999.00", "1")], asks=[("50001.00", "1")])
    Bot(exchange.http_url, exchange.websocket_url).buy("50001.00")
    assert exchange.fills(account=1) == [Fill("BTC-USDT", "buy", "0.5", "50001.00")]


@pytest.mark.parametrize("number", range(4))
def test_in_the_shared_one(exchange_session, number):
    assert exchange_session.orders() == []
    exchange_session.book("BTC-USDT", asks=[("50001.00", "1")])
    Bot(exchange_session.http_url, "").buy("50001.00")
    assert exchange_session.wait_for_fills()[0].price == "50001"


@pytest.mark.crossbook_settings(clock="manual")
def test_a_day(exchange):
    exchange.client().submit("BTC-USDT", "buy", "0.5", "40000.00", time_in_force="day")
    exchange.advance("1d")
    assert exchange.orders()[0].status == "EXPIRED"


def test_the_same_order_is_refused_once(exchange):
    with exchange.faults.refuse("BUSY", account=1, next=1) as fault:
        with pytest.raises(OSError, match="503"):
            Bot(exchange.http_url, "").buy("40000.00")
        Bot(exchange.http_url, "").buy("40000.00")
        assert fault.applied == 1
    assert exchange.open_orders() == [Order("BTC-USDT", "buy", "0.5", "40000.00")]


def test_a_matcher_that_was_killed_is_back(exchange):
    Bot(exchange.http_url, "").buy("40000.00")
    exchange.restart("matcher")
    assert len(exchange.open_orders()) == 1


def test_in_a_market(exchange):
    with exchange.market(seed=7, rate=100):
        Bot(exchange.http_url, "").buy("100000.00", "0.001")
        assert exchange.wait_for_fills(timeout_s=30)


def test_common_and_gateway_are_those_of_the_project():
    assert common.MINE and gateway.MINE
"""


@pytest.mark.slow
@pytest.mark.timeout(RUNS * LIMIT_S)
def test_no_run_of_many_workers_fails(tmp_path: Path) -> None:
    source, target, folder = tmp_path / "source", tmp_path / "target", tmp_path / "bot"
    for each in (source, target, folder / "common", folder / "gateway"):
        each.mkdir(parents=True)
    for name in ("common", "gateway"):
        (folder / name / "__init__.py").write_text("MINE = True\n")
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "bot.py").write_text(BOT)
    (folder / "test_bot.py").write_text(TESTS)
    copy(source)
    built(source, target)
    python = environment(tmp_path / "venv", next(target.glob("*.whl")))
    clean = {name: value for name, value in os.environ.items()
             if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}  # fmt: skip
    flakes = []
    seconds = []
    for _ in range(RUNS):
        began_s = time.monotonic()
        ran = subprocess.run(
            [str(python), "-m", "pytest", "-q", "-n", str(WORKERS), "-p", "no:cacheprovider"],
            cwd=folder, env=clean, capture_output=True, text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
        seconds.append(time.monotonic() - began_s)
        if ran.returncode or "13 passed" not in ran.stdout:
            flakes.append(ran.stdout[-20_000:] + ran.stderr[-2_000:])
        print(f"run {len(seconds)}: {seconds[-1]:.1f} s, {len(flakes)} failed so far", flush=True)
    print(f"\n{RUNS} runs of {WORKERS} workers, {min(seconds):.1f} to {max(seconds):.1f} s")
    assert not flakes, f"{len(flakes)} of {RUNS} runs failed:\n" + "\n".join(flakes)
