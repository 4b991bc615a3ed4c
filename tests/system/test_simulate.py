"""`crossbook simulate` against the real processes: the same flow at any speed, a market at once,
orders gone at the end, and a flow that continues after deaths of processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crossbook import MarketData
from crossbook.cli.simulate import FIRST_ACCOUNT
from crossbook.common.instruments_file import load_instruments
from crossbook.common.messages import entry
from crossbook.common.messages.codec import decode_commands, decode_events
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.journal.disk import FileDisk
from crossbook.matcher.journal.journal import Journal
from crossbook.matcher.recovery.snapshot import state_hash
from crossbook.matcher.recovery.verify import Verification
from tests.system.exchange import PROCESSES, REPOSITORY, Exchange
from tests.system.session import RawSession

SYMBOLS = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
AGENTS = 6
STOP_SECONDS = 20.0
RUNNING: list["subprocess.Popen[bytes]"] = []


@contextmanager
def started() -> Iterator[Exchange]:
    """An exchange without earlier requests, so that its numbers begin with the simulation's."""
    with Exchange(ready=False) as exchange:
        for name in PROCESSES:
            exchange.start(name)
        yield exchange


def simulate(exchange: Exchange, *words: str) -> "subprocess.Popen[bytes]":
    """The command as a user types it, its summary as JSON on standard output."""
    process = subprocess.Popen(
        [sys.executable, "-m", "crossbook", "simulate", "--json", "--wait", "30",
         "--agents", str(AGENTS), *words],
        cwd=exchange.directory,
        env=exchange.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    RUNNING.append(process)
    return process


@pytest.fixture(autouse=True)
def _nothing_runs_on() -> Iterator[None]:
    """A test that fails leaves no simulation behind."""
    yield
    while RUNNING:
        process = RUNNING.pop()
        if process.poll() is None:
            process.kill()
            process.communicate()


def summary(process: "subprocess.Popen[bytes]", seconds: float = 60.0) -> dict[str, Any]:
    """The summary of a simulation, once it has ended well."""
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, err.decode()
    facts: dict[str, Any] = json.loads(out)
    return facts


def verify(directory: Path) -> Verification:
    """The result of `crossbook verify` of a data directory."""
    command = [sys.executable, "-m", "crossbook", "verify", str(directory), "--json"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True, timeout=60)
    return msgspec.json.decode(done.stdout, type=Verification)


class Left:
    """The commands of a run in the journal, without the marks of one gateway process."""

    def __init__(self, directory: Path) -> None:
        journal = Journal.open(FileDisk(directory, read_only=True), 0, b"", 0, read_only=True)
        self.commands = []
        self.events = []
        for _, record in journal.read(1):
            for payload in record.payloads:
                self.commands += [
                    msgspec.structs.replace(each, gateway=0, request_seq=0)
                    for each in decode_commands(payload)
                ]
            for event in decode_events(record.events).events:
                known = {"gateway", "request_seq"}.intersection(event.__struct_fields__)
                self.events.append(msgspec.structs.replace(event, **dict.fromkeys(known, 0)))

    def open_state(self) -> tuple[int, str]:
        """The market before the cancels at the end: its open orders, and its hash at time zero."""
        engine = Engine(load_instruments(REPOSITORY / "instruments.toml"))
        for command in self.commands[:-AGENTS]:
            engine.apply(command)
        count = sum(len(account.orders) for account in engine.accounts.values())
        return count, state_hash(engine)


def test_the_same_seed_leaves_the_same_commands_at_any_speed(tmp_path: Path) -> None:
    runs, verdicts, digests = [], [], set()
    for pace in ((), ("--rate", "4000")):
        with started() as exchange:
            process = simulate(exchange, "--seed", "5", "--duration", "4", *pace)
            facts = summary(process)
            assert facts["simulated_s"] == 4.0
            if not pace:
                # Real seconds: the opening tick is not paced, nor is the wait behind the last one.
                assert 3.5 <= facts["elapsed_s"] < 6.0
            assert not facts["orders_left_open"]
            digests.add(facts["flow_digest"])
            for name in reversed(PROCESSES):
                exchange.stop(name)
            runs.append(Left(exchange.data))
            verdicts.append(verify(exchange.data))
            handed_over = tmp_path / f"run-{len(runs)}"
            shutil.copytree(exchange.data, handed_over)
        assert verify(handed_over).state_hash == verdicts[-1].state_hash
    slow, fast = runs
    assert len(slow.commands) > 200
    assert fast.commands == slow.commands
    assert fast.events == slow.events
    assert len(digests) == 1
    assert verdicts[0].state_hash == verdicts[1].state_hash
    assert not any(verdict.problem for verdict in verdicts)
    resting, _ = slow.open_state()
    assert resting > 100
    assert slow.open_state() == fast.open_state()


def test_another_seed_is_another_market(fresh_exchange: Exchange) -> None:
    digests = set()
    for seed in ("1", "2", "1"):
        process = simulate(fresh_exchange, "--seed", seed, "--duration", "1", "--rate", "2000")
        facts = summary(process)
        digests.add(facts["flow_digest"])
        # The same requests once more are new orders, not repeats of those of the first run.
        assert facts["rejects"].keys() <= {"UNKNOWN_ORDER"}
        assert all(row["bid"] and row["ask"] for row in facts["symbols"])
    assert len(digests) == 2


def test_there_is_a_market_within_a_second_and_none_after_ctrl_c(fresh_exchange: Exchange) -> None:
    with MarketData(fresh_exchange.feed, fresh_exchange.snapshots, SYMBOLS) as market:
        market.wait_ready(10.0)
        process = simulate(fresh_exchange, "--seed", "3")
        first_s = last_s = 0.0
        deadline = time.monotonic() + 30
        while not last_s and time.monotonic() < deadline:
            market.poll(0.01)
            books = [market.book(symbol) for symbol in SYMBOLS]
            if not first_s and any(book.bids(1) or book.asks(1) for book in books):
                first_s = time.monotonic()
            if all(book.bids(1) and book.asks(1) for book in books):
                last_s = time.monotonic()
        assert last_s, "no two-sided market"
        assert last_s - first_s < 1.0
        process.send_signal(signal.SIGINT)
        assert not summary(process)["orders_left_open"]
    for account in range(FIRST_ACCOUNT, FIRST_ACCOUNT + AGENTS):
        assert open_orders(fresh_exchange, account) == []


def test_orders_left_by_a_killed_simulation_are_canceled_by_the_next(
    fresh_exchange: Exchange,
) -> None:
    process = simulate(fresh_exchange, "--seed", "3")
    fresh_exchange.wait_until("it quotes", lambda: bool(open_orders(fresh_exchange)), 30.0)
    process.kill()
    process.communicate()
    assert open_orders(fresh_exchange)
    process = simulate(fresh_exchange, "--duration", "1", "--symbols", "ETH-USDT")
    assert summary(process)["rejects"].keys() <= {"UNKNOWN_ORDER"}
    assert open_orders(fresh_exchange) == []


@pytest.mark.parametrize("name", PROCESSES)
def test_a_simulation_goes_on_when_a_process_is_killed_and_comes_back(
    fresh_exchange: Exchange, name: str
) -> None:
    process = simulate(fresh_exchange, "--seed", "4", "--rate", "300")
    fresh_exchange.wait_until("it quotes", lambda: bool(open_orders(fresh_exchange)), 30.0)
    fresh_exchange.kill(name)
    fresh_exchange.start(name)
    seq = fresh_exchange.wait_ready()
    fresh_exchange.wait_until("it trades on", lambda: last_seq(fresh_exchange) > seq + 100, 30.0)
    process.send_signal(signal.SIGTERM)
    facts = summary(process)
    assert not facts["orders_left_open"]
    assert facts["resets"] == 0
    assert all(row["one_sided_ticks"] == 0 for row in facts["symbols"])
    for account in range(FIRST_ACCOUNT, FIRST_ACCOUNT + AGENTS):
        assert open_orders(fresh_exchange, account) == []


def test_a_simulation_goes_on_when_the_exchange_comes_back_empty(fresh_exchange: Exchange) -> None:
    process = simulate(fresh_exchange, "--seed", "4", "--rate", "300")
    fresh_exchange.wait_until("it quotes", lambda: bool(open_orders(fresh_exchange)), 30.0)
    fresh_exchange.kill("matcher")
    fresh_exchange.start("matcher", DATA_DIR=str(fresh_exchange.directory / "empty"))
    seq = fresh_exchange.wait_ready()
    fresh_exchange.wait_until("it trades on", lambda: last_seq(fresh_exchange) > seq + 400, 30.0)
    process.send_signal(signal.SIGTERM)
    facts = summary(process)
    assert facts["resets"] >= 1
    assert all(row["bid"] and row["ask"] for row in facts["symbols"])
    for account in range(FIRST_ACCOUNT, FIRST_ACCOUNT + AGENTS):
        assert open_orders(fresh_exchange, account) == []


def test_a_request_refused_by_a_busy_exchange_is_sent_again() -> None:
    with Exchange(ORDER_QUEUE_SIZE="4") as exchange:
        process = simulate(exchange, "--seed", "2", "--duration", "1", "--symbols", "BTC-USDT")
        facts = summary(process)
        assert facts["waits_for_exchange"] > 0
        assert facts["rejects"].keys() <= {"UNKNOWN_ORDER"}
        answered = facts["acknowledged"] + sum(facts["rejects"].values())
        assert answered == sum(facts["requests"].values())
        assert not facts["orders_left_open"]


def test_an_unknown_symbol_and_an_absent_exchange_are_reported(fresh_exchange: Exchange) -> None:
    process = simulate(fresh_exchange, "--symbols", "BTC-USDT,DOGE-USDT")
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 2
    error = json.loads(out)["error"]
    assert (error["code"], error["field"]) == ("UNKNOWN_SYMBOL", "symbols")
    assert "DOGE-USDT" in error["message"]
    fresh_exchange.stop("gateway")
    process = simulate(fresh_exchange, "--wait", "0")
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 3
    assert json.loads(out)["error"]["code"] == "UNREACHABLE"


def interrupt(process: "subprocess.Popen[bytes]") -> None:
    """Send SIGINT to the whole group of a process."""
    os.killpg(process.pid, signal.SIGINT)


def open_orders(exchange: Exchange, account: int = FIRST_ACCOUNT) -> list[entry.OrderState]:
    """The open orders of an agent."""
    with RawSession(exchange.orders, account) as session:
        reply = session.reply_to(entry.Query(session.next_seq()))
        assert isinstance(reply, entry.OpenOrders)
        return list(reply.orders)


def last_seq(exchange: Exchange) -> int:
    """The last number of the matcher that the gateway has received."""
    with RawSession(exchange.orders, 1) as session:
        reply = session.reply_to(entry.Ping(session.next_seq()))
        assert isinstance(reply, entry.Pong)
        return reply.seq
