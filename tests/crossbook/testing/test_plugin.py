"""The plugin in another project, with folders and a conftest of the same names as here."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.exchange import REPOSITORY

CONFTEST = """
import common, gateway
assert common.MINE and gateway.MINE
"""

THREE_LINES = """
def test_my_bot(exchange):
    exchange.book("BTC-USDT", bids=[("49999.00", "1")], asks=[("50001.00", "1")])
    exchange.client().submit("BTC-USDT", "buy", "0.5", "50001.00")
    assert [fill.price for fill in exchange.fills()] == ["50001.00"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The folder of another project with a bot."""
    for name in ("common", "gateway"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("MINE = True\n")
    (tmp_path / "conftest.py").write_text(CONFTEST)
    return tmp_path


def run(project: Path, test: str, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run one file of tests in a project, with the plugin and no other."""
    (project / "test_bot.py").write_text(test)
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "",
                   "PYTHONPATH": str(REPOSITORY)}  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "crossbook.testing.plugin", *options],
        cwd=project, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_three_lines_are_a_test_in_a_foreign_project(project: Path) -> None:
    ran = run(project, THREE_LINES)
    assert "1 passed" in ran.stdout, ran.stdout


def test_each_test_has_a_fresh_exchange(project: Path) -> None:
    ran = run(
        project,
        """
import pytest
urls = set()

@pytest.mark.parametrize("number", range(3))
def test_fresh(exchange, number):
    assert exchange.trades("BTC-USDT") == []
    exchange.book("BTC-USDT", asks=[("50001.00", "1")])
    exchange.client().submit("BTC-USDT", "buy", "0.5", "50001.00")
    urls.add(exchange.http_url)

def test_of_its_own():
    assert len(urls) == 3
""",
    )
    assert "4 passed" in ran.stdout, ran.stdout


def test_the_shared_exchange_is_emptied_and_keeps_its_address(project: Path) -> None:
    ran = run(
        project,
        """
import pytest
urls = set()

@pytest.mark.parametrize("number", range(3))
def test_shared(exchange_session, number):
    assert exchange_session.trades("BTC-USDT") == []
    exchange_session.book("BTC-USDT", asks=[("50001.00", "1")])
    exchange_session.client().submit("BTC-USDT", "buy", "0.5", "50001.00")
    urls.add(exchange_session.http_url)

def test_one():
    assert len(urls) == 1

@pytest.mark.crossbook_settings(accounts="off")
def test_other_settings(exchange_session):
    assert exchange_session.balances() == {}
""",
    )
    assert "5 passed" in ran.stdout, ran.stdout


def test_settings_come_from_configuration_and_markers_the_nearest_last(project: Path) -> None:
    (project / "pytest.ini").write_text(
        "[pytest]\ncrossbook_settings =\n    ACCOUNTS=off\n    ORDER_QUEUE_SIZE=7\n"
    )
    ran = run(
        project,
        """
import pytest
pytestmark = pytest.mark.crossbook_settings(order_queue_size=8, recorder=False)

def test_module(exchange):
    assert dict(exchange.plan.settings) == {"ACCOUNTS": "off", "ORDER_QUEUE_SIZE": "8"}
    assert not exchange.plan.recorder

@pytest.mark.crossbook_settings(order_queue_size=9)
def test_own(exchange):
    assert dict(exchange.plan.settings)["ORDER_QUEUE_SIZE"] == "9"
    assert not exchange.plan.recorder

@pytest.mark.crossbook_settings(order_queue=9)
def test_wrong(exchange):
    pass

@pytest.mark.crossbook_settings("order_queue_size")
def test_without_a_name(exchange):
    pass
""",
        "--strict-markers",
    )
    assert "2 passed, 2 errors" in ran.stdout, ran.stdout
    assert "ORDER_QUEUE: is not a setting; ORDER_QUEUE_SIZE is one" in ran.stdout
    assert "crossbook_settings: takes arguments by name only" in ran.stdout


def test_a_failed_test_keeps_its_journal_and_shows_the_logs(project: Path) -> None:
    ran = run(
        project,
        THREE_LINES.replace('["50001.00"]', '["50002.00"]') + "def test_passed(exchange): pass\n",
    )
    assert "1 failed, 1 passed" in ran.stdout, ran.stdout
    assert "assert ['50001'] == ['50002.00']" in ran.stdout
    assert "--- matcher" in ran.stdout
    commands = re.findall(r"^crossbook journal (\S+)$", ran.stdout, re.MULTILINE)
    assert len(commands) == 1, ran.stdout
    shown = subprocess.run(
        [sys.executable, "-m", "crossbook", "journal", commands[0]],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    assert "50001" in shown or "5000100" in shown
    assert "gateway_ready" in (Path(commands[0]).parent / "gateway.log").read_text()


def test_an_exchange_that_a_failed_test_started_itself_keeps_its_journal(project: Path) -> None:
    ran = run(
        project,
        """
from crossbook.testing import Exchange

def test_own():
    with Exchange(recorder=False) as exchange:
        exchange.book("BTC-USDT", asks=[("50001.00", "1")])
        assert exchange.book_of("BTC-USDT").asks == []
""",
    )
    assert "1 failed" in ran.stdout, ran.stdout
    # Where CI is set, pytest's summary repeats the whole message.
    (journal,) = set(re.findall(r"crossbook journal (\S+)$", ran.stdout, re.MULTILINE))
    assert list(Path(journal).glob("*.journal"))


@pytest.mark.parametrize(("choice", "count"), [("none", 0), ("all", 2)])
def test_journals_are_kept_as_the_option_requires(project: Path, choice: str, count: int) -> None:
    ran = run(
        project,
        "def test_one(exchange): pass\ndef test_two(exchange): assert 0\n",
        "-rA",
        f"--crossbook-keep={choice}",
    )
    assert ran.stdout.count("crossbook journal /") == count, ran.stdout


def test_workers_in_parallel_have_exchanges_of_their_own(project: Path) -> None:
    test = """
import pytest

@pytest.mark.parametrize("number", range(8))
def test_parallel(exchange, number):
    exchange.book("BTC-USDT", asks=[("50001.00", "1")])
    exchange.client().submit("BTC-USDT", "buy", "0.5", "50001.00")
    assert len(exchange.fills()) == 1
"""
    ran = run(project, test, "-p", "xdist", "-n", "2")
    assert "8 passed" in ran.stdout, ran.stdout


def test_the_plugin_imports_nothing_that_no_test_uses(project: Path) -> None:
    ran = run(
        project,
        """
import sys

def test_without_exchange():
    ours = {name for name in sys.modules if name.startswith("crossbook")}
    assert ours == {"crossbook", "crossbook.testing", "crossbook.testing.plugin"}
    assert not {"zmq", "msgspec", "pydantic"} & set(sys.modules)
""",
    )
    assert "1 passed" in ran.stdout, ran.stdout
