"""A simulated market in this process: agents on an engine, without sockets, files and clock."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crossbook.common.instruments import Instrument
from crossbook.common.rules import Rules
from crossbook.simulator.agent import Agent
from crossbook.simulator.flow import AgentFlow
from crossbook.simulator.fundamental import TICKS_PER_SECOND
from crossbook.simulator.population import AgentChoice, Values
from crossbook.simulator.venue import LocalVenue

_TICK_NS = 1_000_000_000 // TICKS_PER_SECOND


class Simulation:
    """The market of `crossbook simulate` in this process, as fast as it can be computed.

    The flow is the same as on a fresh exchange: the same seed, agents and instruments give the same
    requests and fills. `own` are further agents, or their classes; `kinds` has parameters of the
    built-in kinds, `rules` are the venue's. Raises `ConfigError` for agents that cannot be engaged.

    >>> from crossbook.common.instruments import example
    >>> simulation = Simulation([example()], agents=6, seed=7)
    >>> simulation.run(2.0)
    >>> simulation.flow.tick, simulation.flow.markets[0].bid_ticks > 0
    (20, True)
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        agents: int = 12,
        seed: int = 1,
        own: Sequence[AgentChoice | type[Agent]] = (),
        kinds: Mapping[str, Values] = {},
        rules: Rules | None = None,
    ) -> None:
        traded = tuple(instruments)
        choices = [each if isinstance(each, AgentChoice) else AgentChoice(each) for each in own]
        self.flow = AgentFlow(traded, agents, seed, own=choices, kinds=kinds)
        self.venue = LocalVenue(traded, len(self.flow.engaged), rules)

    def step(self) -> None:
        """Go on by one tick, a tenth of a simulated second."""
        batches = self.flow.step()
        self.flow.receive(*self.venue.apply(batches, self.flow.tick * _TICK_NS))

    def run(self, seconds: float) -> None:
        """Go on by so many simulated seconds, at most until all agents have failed."""
        for _ in range(round(seconds * TICKS_PER_SECOND)):
            if self.flow.deserted:
                return
            self.step()

    def agent(self, name: str) -> Mapping[str, Agent]:
        """The objects of an agent by symbol. Raises `KeyError` for a name that no agent has."""
        for each in self.flow.engaged:
            if each.name == name:
                return each.seats[0].siblings
        raise KeyError(name)

    def facts(self) -> dict[str, Any]:
        """The summary of `crossbook simulate --json`, without what only a run on processes has."""
        return self.flow.facts()
