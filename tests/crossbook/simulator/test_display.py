"""A simulation as its screen, its log line and its summary show it, whole."""

from types import SimpleNamespace
from typing import Any

from rich.console import Console

from crossbook.common.instruments import Instrument
from crossbook.common.types import Side
from crossbook.simulator.agent import Agent
from crossbook.simulator.display import facts, line, table
from crossbook.simulator.population import AgentChoice
from tests.crossbook.simulator.market_of_agents import Joined
from tests.crossbook.simulator.test_flow import BTC, ETH, SMALL, market

SCREEN = """\
seed 1, 40.0 s simulated in 12.5 s, 4,486 requests (359/s), 349 trades, 1 news, 15 rejects

               bid       ask   spread  orders  trades   volume       low      high
BTC-USDT  64806.50  64821.29  2.57 bp      96     239  0.91155  64795.50  64988.00
ETH-USDT   3198.04   3199.28  2.37 bp      90     110  9.45777   3197.42   3199.38

          agents  profit                   inventory
maker          4   17.07  -0.29315 BTC  -4.32728 ETH
noise          4  -21.84    0.48554 BTC  4.35892 ETH
momentum       2    7.33  -0.23380 BTC  -0.03164 ETH
reverter       2   -2.56    0.04141 BTC  0.00000 ETH
"""

EMPTY = """\
seed 1, 0.0 s simulated in 0.0 s, 0 requests (0/s), 0 trades, 0 news

          bid  ask   spread  orders  trades   volume  low  high
BTC-USDT    -    -  0.00 bp       0       0  0.00000    -     -

       agents  profit    inventory
maker       1    0.00  0.00000 BTC
"""

SUMMARY: dict[str, Any] = {
    "seed": 2,
    "simulated_s": 30.0,
    "elapsed_s": 12.346,
    "rate": 55.3,
    "flow_digest": "5a4ad21ecd4b814e7ed57df2cb6f2dbd744334f0c9561bd320f4f8bc8b93a5ed",
    "news": 0,
    "orders_left_open": False,
    "waits_for_exchange": 3,
    "resets": 2,
    "requests": {"amend": 23, "cancel": 265, "new": 395},
    "acknowledged": 683,
    "rejects": {},
    "symbols": [
        {
            "symbol": "SMALL-USDT",
            "bid": "99.99",
            "ask": "100.01",
            "last": "100.01",
            "high": "100.04",
            "low": "99.95",
            "spread_bps": 2.98,
            "one_sided_ticks": 0,
            "orders": 68,
            "bid_depth": "0.00640",
            "ask_depth": "0.00680",
            "trades": 31,
            "volume": "0.01240",
        }
    ],
    "agents": [
        {"kind": kind, "agents": agents, "profit": profit, "inventory": {"SMALL-USDT": held}}
        for kind, agents, profit, held in (
            ("maker", 3, "0.00", "0.00120"),
            ("noise", 2, "-0.00", "-0.00160"),
            ("momentum", 1, "-0.00", "0.00000"),
            ("reverter", 1, "0.00", "0.00040"),
        )
    ],
    "limited": {},
    "failures": [],
}


def runner(seed: int, outages: int = 0) -> Any:
    """A runner that has met so many outages."""
    return SimpleNamespace(
        plan=SimpleNamespace(seed=seed), outages=outages, left_open=False, resets=2
    )


def drawn(seed: int, ticks: int, *instruments: Instrument, agents: int, elapsed_s: float) -> str:
    flow, _ = market(seed, ticks, instruments, agents)
    console = Console(width=120, color_system=None)
    with console.capture() as captured:
        console.print(table(runner(seed), flow, elapsed_s))
    return "".join(f"{each.rstrip()}\n" for each in captured.get().splitlines())


def test_the_screen_has_every_instrument_and_every_kind_of_agent() -> None:
    assert drawn(1, 400, BTC, ETH, agents=12, elapsed_s=12.5) == SCREEN


def test_a_screen_before_the_first_tick_has_no_prices() -> None:
    assert drawn(1, 0, BTC, agents=1, elapsed_s=0.0) == EMPTY


def test_a_line_counts_the_waits_for_the_exchange() -> None:
    flow, _ = market(2, 3, (BTC,), 2)
    assert line(runner(2, outages=1_000), flow, 0.25) == (
        "seed 2, 0.3 s simulated in 0.2 s, 17 requests (17/s), 0 trades, 0 news, "
        "1,000 waits for the exchange"
    )


def test_the_summary_has_every_figure() -> None:
    flow, _ = market(2, 300, (SMALL,), 7)
    assert facts(runner(2, outages=3), flow, 12.34567) == SUMMARY


def test_a_line_counts_failed_agents_and_requests_beyond_limits() -> None:
    class Eager(Agent):
        """Requests more than it may, then fails."""

        def act(self) -> None:
            for _ in range(103):
                self.place(Side.BUY, 6_000_000, 1)
            if self.tick == 3:
                raise ValueError("no luck")

    joined = Joined(AgentChoice(Eager, count=2)).run(3)
    text = line(runner(3), joined.flow, 1.0)
    # Of each agent 3 beyond the requests of two ticks, and 103 beyond its open orders.
    assert text.endswith("218 requests beyond the limits of an agent, 2 agents failed")
    only = Joined(AgentChoice(Eager)).run(3)
    assert line(runner(3), only.flow, 1.0).endswith("1 agent failed")
