"""A simulated market in this process that an agent of a test joins."""

from collections.abc import Mapping

from crossbook.simulator.agent import Agent
from crossbook.simulator.flow import AgentFlow
from crossbook.simulator.population import AgentChoice, Values
from crossbook.simulator.venue import LocalVenue
from tests.crossbook.simulator.test_flow import BTC


class Joined:
    """A flow in one instrument with agents of the test's own, and its venue."""

    def __init__(
        self,
        *own: type[Agent] | AgentChoice,
        agents: int = 6,
        seed: int = 3,
        kinds: Mapping[str, Values] = {},
    ) -> None:
        choices = [each if isinstance(each, AgentChoice) else AgentChoice(each) for each in own]
        self.flow = AgentFlow([BTC], agents, seed, own=choices, kinds=kinds)
        self.venue = LocalVenue([BTC], len(self.flow.engaged), keep=True)
        self.requests: dict[str, list[str]] = {each.name: [] for each in self.flow.engaged}

    def run(self, ticks: int) -> "Joined":
        """Go on for so many ticks."""
        for _ in range(ticks):
            batches = self.flow.step()
            for batch in batches:
                lines = [self.flow._line(request) for request in batch.requests]
                self.requests[self.flow.engaged[batch.agent].name] += lines
            self.flow.receive(*self.venue.apply(batches))
        return self

    def seat(self, name: str) -> Agent:
        """The object of an agent."""
        return next(each.seats[0] for each in self.flow.engaged if each.name == name)

    def open_lots(self, name: str) -> dict[str, int]:
        """Open lots of an agent's orders in the engine, by client order id."""
        account = self.venue.account(self.seat(name).number)
        orders, _ = self.venue.engine.open_orders(account)
        return {order.client_order_id: order.remaining_lots for order in orders}
