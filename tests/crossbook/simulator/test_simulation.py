"""The simulated market in this process: the flow of its parts, and a summary."""

import pytest

from crossbook.common.errors import ConfigError
from crossbook.simulator.agent import Agent
from crossbook.simulator.population import AgentChoice
from crossbook.simulator.simulation import Simulation
from tests.crossbook.simulator.test_flow import BTC, ETH, market


class Idle(Agent):
    """Requests nothing."""


class Broken(Agent):
    """Fails at once."""

    def act(self) -> None:
        raise ValueError("no luck")


def test_a_simulation_has_the_flow_of_its_seed() -> None:
    simulation = Simulation([BTC, ETH], agents=12, seed=3)
    simulation.run(20.0)
    flow, _ = market(3, 200)
    assert simulation.flow.digest == flow.digest
    facts = simulation.facts()
    assert facts["simulated_s"] == 20.0
    assert facts["flow_digest"] == flow.digest
    assert facts["failures"] == []
    assert [row["symbol"] for row in facts["symbols"]] == ["BTC-USDT", "ETH-USDT"]


def test_agents_of_ones_own_are_given_as_classes_or_choices_and_found_by_name() -> None:
    simulation = Simulation([BTC, ETH], 2, own=[Idle, AgentChoice(Idle, name="calm")])
    simulation.run(0.5)
    assert list(simulation.agent("calm")) == ["BTC-USDT", "ETH-USDT"]
    assert simulation.agent("idle")["ETH-USDT"].tick == 5
    with pytest.raises(KeyError, match="nobody"):
        simulation.agent("nobody")


def test_times_of_the_engine_are_simulated() -> None:
    simulation = Simulation([BTC], agents=2)
    simulation.run(1.5)
    orders, _ = simulation.venue.engine.open_orders(simulation.venue.account(0))
    assert {order.time_ns for order in orders} <= {tick * 10**8 for tick in range(1, 16)}


def test_a_run_ends_when_all_agents_failed() -> None:
    simulation = Simulation([BTC], agents=0, own=[Broken])
    simulation.run(100.0)
    assert simulation.flow.tick == 1
    [failure] = simulation.facts()["failures"]
    assert failure["agent"] == "broken"


def test_agents_that_cannot_be_engaged_are_refused() -> None:
    with pytest.raises(ConfigError, match="agent idle: no parameter 'speed'"):
        Simulation([BTC], own=[AgentChoice(Idle, {"speed": 1})])
