"""An episode of one agent under control in the simulated market, on an engine in this
process: its actions, its money in the venue's ledger, and its view of the market."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from crossbook.common.grid import power_of_ten
from crossbook.common.instruments import Instrument
from crossbook.common.rules import Rules
from crossbook.common.types import Side
from crossbook.simulator.agent import Agent, Fill, MarketTrade
from crossbook.simulator.fundamental import TICKS_PER_SECOND
from crossbook.simulator.population import AgentChoice, Values
from crossbook.simulator.simulation import Simulation

TRADES_KEPT: Final = 64
"""Latest trades that an episode keeps."""

OPENING: Final = 2**60
"""Opening balance of every account in each asset, in its smallest unit: no limit in practice, so
that only the limit of its position binds the agent."""


Todo = Callable[["Controlled"], object]
"""What the agent does in a tick."""


class Controlled(Agent):
    """An agent that does in its next ticks what the episode's owner set, and nothing by itself."""

    def on_start(self) -> None:
        """Nothing is traded yet."""
        self.todo: deque[Todo] = deque()
        self.trades: deque[MarketTrade] = deque(maxlen=TRADES_KEPT)
        self.fills: list[Fill] = []

    def on_fill(self, fill: Fill) -> None:
        """Keep it for the owner."""
        self.fills.append(fill)

    def on_trade(self, trade: MarketTrade) -> None:
        """Keep it for the owner."""
        self.trades.append(trade)

    def act(self) -> None:
        """Do what was set for this tick."""
        if self.todo:
            self.todo.popleft()(self)


class Episode:
    """The simulated market of a seed with one agent under control, `trader`.

    `warmup_s` seconds pass before the first step. All money is that of the engine's ledger. The
    other agents draw the same numbers whatever the agent does.
    """

    def __init__(
        self,
        instrument: Instrument,
        seed: int,
        agents: int,
        warmup_s: float,
        limit_quote: float,
        kinds: Mapping[str, Values],
    ) -> None:
        rules = Rules(
            True, tuple((asset, OPENING) for asset in (instrument.base, instrument.quote))
        )
        choice = AgentChoice(Controlled, {"limit_quote": limit_quote}, "trader")
        self.instrument = instrument
        self.simulation = Simulation([instrument], agents, seed, [choice], kinds, rules)
        trader = self.simulation.agent("trader")[instrument.symbol]
        assert isinstance(trader, Controlled)
        self.trader = trader
        self.market = trader.market
        self._account = self.simulation.venue.account(trader.number)
        self._unit = float(power_of_ten(instrument.quote_decimals))
        self.run(round(warmup_s * TICKS_PER_SECOND))

    def run(self, ticks: int, *todo: Todo) -> list[Fill]:
        """Go on by so many ticks, of which each does the next of `todo`; return the agent's fills
        meanwhile.

        Raises `RuntimeError` when an agent failed: the market would not be that of the seed.
        """
        self.trader.todo = deque(todo)
        self.trader.fills = []
        for _ in range(ticks):
            self.simulation.step()
        if self.simulation.flow.failures:
            failure = self.simulation.flow.failures[0]
            raise RuntimeError(failure.text) from failure.error
        return self.trader.fills

    @property
    def middle(self) -> float:
        """Between the best prices, in ticks; the last known one while a side is empty."""
        bid, ask = self.market.bid_ticks, self.market.ask_ticks
        return (bid + ask) / 2 if bid and ask else self.market.middle

    def balances(self) -> tuple[int, int]:
        """Change of the agent's base and quote balance since the beginning, in smallest units, as
        the venue's ledger has them."""
        account = self.simulation.venue.engine.accounts.get(self._account)
        if account is None or not account.opened:
            return 0, 0
        return (
            account.total.get(self.instrument.base, 0) - OPENING,
            account.total.get(self.instrument.quote, 0) - OPENING,
        )

    @property
    def wealth(self) -> float:
        """Profit so far in quote units, fees paid: the change of the quote balance, and that of the
        base balance at the middle price."""
        base, quote = self.balances()
        return (quote + self._base_units_at(base, self.middle)) / self._unit

    @property
    def fees(self) -> float:
        """Fees so far in quote units, those in base at the middle price."""
        base, quote = self.trader.base_fee_units, self.trader.quote_fee_units
        return (quote + self._base_units_at(base, self.middle)) / self._unit

    @property
    def cash(self) -> float:
        """Change of the quote balance in quote units."""
        return self.balances()[1] / self._unit

    def quote_units(self, lots: int, price_ticks: float) -> float:
        """The worth of so many lots at a price, in quote units."""
        return lots * price_ticks * self.instrument.notional_per_tick_lot / self._unit

    def fee_quote(self, fill: Fill) -> float:
        """The fee of a fill in quote units, one in base at the fill's price."""
        if fill.side == Side.SELL:
            return fill.fee_units / self._unit
        return self._base_units_at(fill.fee_units, fill.price_ticks) / self._unit

    def _base_units_at(self, units: int, price_ticks: float) -> float:
        """Smallest units of base in those of quote."""
        instrument = self.instrument
        return (
            units * price_ticks * instrument.notional_per_tick_lot / instrument.base_units_per_lot
        )


def cancel_all(trader: Controlled) -> None:
    """Cancel the agent's orders."""
    for order in trader.orders():
        trader.cancel(order)
