"""Agents of a user on the real processes: they have the flow of the pure form at any speed. A
failure of one ends neither the market nor the command early."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crossbook import testing
from crossbook.common.instruments_file import load_instruments
from crossbook.simulator.flow import AgentFlow
from crossbook.simulator.population import AgentChoice
from crossbook.simulator.venue import LocalVenue
from crossbook.testing.background import AGENTS_ACCOUNT
from tests.system.exchange import PROCESSES, REPOSITORY, Exchange

AGENTS = 4
SECONDS = 4
FIRST_ACCOUNT = 9_001

BOTS = '''\
from crossbook import Side
from crossbook.simulator.agent import Agent


class Quoter(Agent):
    """Quotes about the middle by chance, and closes what is filled."""

    lots: int = 40

    def on_book(self, book):
        for order in self.orders():
            self.cancel(order)
        half = self.chance.between(1.0, 4.0) * 1e-4 * book.middle
        self.place(Side.BUY, book.middle - half, self.lots, post_only=True)
        self.place(Side.SELL, book.middle + half, self.lots, post_only=True)

    def on_fill(self, fill):
        self.trade(Side(3 - fill.side), fill.lots, 1e-3 * self.market.middle)


class Broken(Agent):
    """Quotes far away, and fails after a second."""

    def act(self):
        if self.seconds > 1:
            raise RuntimeError("no luck")
        if not self.orders():
            self.place(Side.BUY, self.market.middle / 2, 100)
'''


def start(exchange: Exchange, folder: Path, *words: str) -> "subprocess.Popen[bytes]":
    """`crossbook simulate` in a folder with a file of agents."""
    (folder / "bots.py").write_text(BOTS)
    return subprocess.Popen(
        [sys.executable, "-m", "crossbook", "simulate", "--wait", "30", "--seed", "5",
         "--agents", str(AGENTS), "--symbols", "BTC-USDT,ETH-USDT", "--rate", "3000", *words],
        cwd=folder, env=exchange.environment | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def classes() -> dict[str, Any]:
    """The classes of `BOTS`."""
    names: dict[str, Any] = {}
    exec(compile(BOTS, "bots.py", "exec"), names)
    return names


def pure() -> AgentFlow:
    """The same market on an engine in this process."""
    names = classes()
    instruments = load_instruments(REPOSITORY / "instruments.toml")
    traded = [each for each in instruments if each.symbol in ("BTC-USDT", "ETH-USDT")]
    own = [AgentChoice(names["Quoter"], {"lots": 30}), AgentChoice(names["Quoter"])]
    flow = AgentFlow(traded, AGENTS, 5, own=own)
    venue = LocalVenue(traded, len(flow.engaged))
    for _ in range(SECONDS * 10):
        flow.receive(*venue.apply(flow.step()))
    return flow


def test_own_agents_have_the_same_flow_on_an_exchange_and_in_this_process(tmp_path: Path) -> None:
    facts = []
    for rate in ("500", "3000"):
        with Exchange(ready=False) as exchange:
            for name in PROCESSES:
                exchange.start(name)
            process = start(
                exchange, tmp_path, "--json", "--duration", str(SECONDS), "--rate", rate,
                "--agent", "bots:Quoter:lots=30", "--agent", "bots:Quoter",
            )  # fmt: skip
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0, err.decode()
            facts.append(json.loads(out))
    slow, fast = facts
    flow = pure()
    # All that happened: requests, rejects, trades, prices, positions and the digest of the flow.
    expected = flow.facts()
    assert {name: slow[name] for name in expected} == expected
    assert {name: fast[name] for name in expected} == expected
    assert [each["kind"] for each in slow["agents"]] == ["maker", "noise", "quoter", "quoter-2"]
    assert slow["failures"] == []
    assert any(float(held) for row in slow["agents"][2:] for held in row["inventory"].values())


def test_an_agent_that_fails_is_named_and_the_market_goes_on(
    fresh_exchange: Exchange, tmp_path: Path
) -> None:
    process = start(fresh_exchange, tmp_path, "--duration", "3", "--agent", "bots:Broken")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err.decode()
    note = err.decode()
    assert "agent broken failed after 1.1 s at bots.py:" in note
    assert "RuntimeError('no luck'); its orders are canceled, the others go on" in note
    assert 'raise RuntimeError("no luck")' in note
    # The market went on for its three seconds.
    assert "3.0 s simulated" in out.decode()
    assert "1 agent failed" in out.decode()


def test_a_simulation_is_over_when_all_its_agents_failed(
    fresh_exchange: Exchange, tmp_path: Path
) -> None:
    process = start(
        fresh_exchange, tmp_path, "--json", "--agents", "0", "--agent", "bots:Broken"
    )  # fmt: skip
    try:
        out, _ = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.communicate()
    assert process.returncode == 1
    facts = json.loads(out)
    assert facts["simulated_s"] == 1.1
    [failure] = facts["failures"]
    assert (failure["agent"], failure["error"]) == ("broken", "RuntimeError('no luck')")
    assert not facts["orders_left_open"]


def test_the_market_of_a_users_test_engages_agents_and_raises_their_failures() -> None:
    names = classes()
    with testing.Exchange() as exchange:
        quoter = AgentChoice(names["Quoter"], {"lots": 25})
        market = exchange.market(seed=5, rate=2_000, agents=AGENTS, own=(quoter,))
        account = AGENTS_ACCOUNT + AGENTS
        orders = exchange.wait_for_open_orders(account, 2)
        assert {str(order.quantity) for order in orders} == {"0.00025"}
        market.stop()
        assert exchange.open_orders(account) == []
        broken = exchange.market(seed=5, rate=2_000, agents=0, own=(AgentChoice(names["Broken"]),))
        with pytest.raises(testing.ExchangeError, match="agent broken failed in tick 11"):
            broken.wait_for_ticks(100)
