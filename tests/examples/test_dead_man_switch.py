"""The orders of a bot that is gone are canceled by the switch, and without it by the exchange."""

import sys
from pathlib import Path

from crossbook.testing import Exchange
from tests.examples.program import Program

ACCOUNT = 7
BOT = f"""
import os, sys, time
from crossbook import Client

client = Client(account={ACCOUNT})
client.submit("BTC-USDT", "buy", "0.1", "40000.00")
while not os.path.exists(sys.argv[1]):
    time.sleep(0.05)
os._exit(3)
"""


def arguments(timeout_s: float, signal_file: Path) -> list[str]:
    options = ["--account", str(ACCOUNT), "--timeout", str(timeout_s), "--"]
    return [*options, sys.executable, "-c", BOT, str(signal_file)]


def test_a_bot_that_crashes_leaves_no_order(exchange: Exchange, tmp_path: Path) -> None:
    with Program(exchange, "dead_man_switch", *arguments(9.0, tmp_path / "end")) as program:
        exchange.wait_for_open_orders(ACCOUNT, 1, timeout_s=30)
        (tmp_path / "end").touch()
        printed = program.finish(status=3)
    assert printed == "the bot ended with status 3: 1 orders canceled\n"
    assert exchange.open_orders(ACCOUNT) == []


def test_without_the_switch_the_timer_of_the_exchange_runs_out(
    exchange: Exchange, tmp_path: Path
) -> None:
    with Program(exchange, "dead_man_switch", *arguments(6.0, tmp_path / "end")) as program:
        exchange.wait_for_open_orders(ACCOUNT, 1, timeout_s=30)
        program.kill()
        exchange.wait_for(lambda: not exchange.open_orders(ACCOUNT), timeout_s=30)
        (tmp_path / "end").touch()
    [order] = exchange.orders(ACCOUNT)
    assert order.status == "CANCELED"
