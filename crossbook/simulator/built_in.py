"""The bases of the built-in kinds of agents: parameters and traits that several kinds have."""

from typing import Annotated, ClassVar

from msgspec import Meta

from crossbook.common.types import Prevention
from crossbook.simulator.agent import Agent
from crossbook.simulator.units import Bps, Chances, Multiple, Quote, ratio


class BuiltIn(Agent):
    """An agent that looks at the market by chance, and whose orders have sizes of a power law."""

    prevention: ClassVar[int] = int(Prevention.NONE)
    """They cancel their own orders themselves before these would be met."""

    acts_low: Annotated[
        Chances, Meta(description="Probability of a look at the market each tick: from here ...")
    ] = 0.02
    acts_high: Annotated[Chances, Meta(description="... to here, drawn for each agent.")] = 0.05
    size_quote: Annotated[Quote, Meta(description="Scale of an order's size, in quote units.")] = (
        90.0
    )
    size_most: Annotated[Multiple, Meta(description="Largest random multiple of that scale.")] = (
        300.0
    )

    def drawn_pace(self) -> float:
        """The probability of a look of this agent. One draw."""
        return self.chance.between(self.acts_low, self.acts_high)


class Informed(BuiltIn):
    """An agent that sees the fundamental late: each tick it learns a share of what moved."""

    learns_low: Annotated[
        Chances, Meta(description="Share of the fundamental's move seen each tick: from here ...")
    ] = 0.05
    learns_high: Annotated[Chances, Meta(description="... to here, drawn for each agent.")] = 0.3

    def begin_to_see(self) -> None:
        """Begin at the starting price. One draw."""
        self._seen = float(self.market.start_ticks)
        self._learns = self.chance.between(self.learns_low, self.learns_high)

    def see(self) -> float:
        """The agent's estimate of the fundamental in this tick; once a tick."""
        self._seen += self._learns * (self.fundamental - self._seen)
        return self._seen


class Directional(BuiltIn):
    """An agent that trades once the price is far enough from where it would do nothing."""

    threshold_bps_low: Annotated[
        Bps, Meta(description="Difference of prices from which it trades: from here ...")
    ] = 1.5
    threshold_bps_high: Annotated[Bps, Meta(description="... to here, drawn for each agent.")] = 4.0

    def drawn_threshold(self) -> float:
        """The threshold of this agent, as a share of the price. One draw."""
        return self.chance.between(ratio(self.threshold_bps_low), ratio(self.threshold_bps_high))
