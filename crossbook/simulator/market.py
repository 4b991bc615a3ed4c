"""One instrument in the simulation: the agents' orders, as the exchange confirmed them.

The agents use nothing else. They do not use the feed, so their decisions never depend on its speed;
orders of other accounts appear when they trade with an agent's.
"""

from itertools import islice
from typing import Final

from msgspec import Struct
from sortedcontainers import SortedDict

from crossbook.common.grid import power_of_ten
from crossbook.common.instruments import Instrument
from crossbook.common.types import Side

BUY: Final = int(Side.BUY)
SELL: Final = int(Side.SELL)

_FAST: Final = 0.1
_SLOW: Final = 0.01
_MOVES: Final = 0.02


class OpenOrder(Struct, gc=False):
    """One resting order of an agent. `slot` is its owner's mark, `ends` the tick its owner means to
    cancel it at (zero: undecided)."""

    name: str
    agent: int
    side: int
    price_ticks: int
    lots: int
    slot: int = 0
    ends: int = 0


class AgentMarket:
    """One instrument as the agents see it: best prices, trends, and every agent's open orders.

    `middle` is between the best prices, in ticks and halves; where a side is empty it stays what it
    was. `fast` and `slow` are its moving averages over some 1 and 10 seconds, `moves` that of its
    absolute changes. `grid_ticks` is the step that people would quote on, `last_ticks` the last
    trade's price, `changes` the number of changes of the book so far.
    """

    def __init__(self, instrument: Instrument, start_ticks: int, grid_ticks: int) -> None:
        self.instrument = instrument
        self.symbol = instrument.symbol
        self.grid_ticks = grid_ticks
        self.start_ticks = start_ticks
        self.middle = self.fast = self.slow = float(start_ticks)
        self.moves = 0.0
        self.last_ticks = start_ticks
        self.changes = 0
        self.orders: dict[str, OpenOrder] = {}
        self._of_agent: dict[int, dict[str, OpenOrder]] = {}
        self._levels: dict[int, SortedDict] = {BUY: SortedDict(), SELL: SortedDict()}
        self.minimum_notional = instrument.min_notional
        self._notional = instrument.notional_per_tick_lot

    @property
    def bid_ticks(self) -> int:
        """The best bid in ticks, zero where there is none."""
        levels = self._levels[BUY]
        return int(levels.peekitem(-1)[0]) if levels else 0

    @property
    def ask_ticks(self) -> int:
        """The best ask in ticks, zero where there is none."""
        levels = self._levels[SELL]
        return int(levels.peekitem(0)[0]) if levels else 0

    def opposite(self, side: int) -> int:
        """The price an order of `side` would trade at, zero where there is none."""
        return self.ask_ticks if side == BUY else self.bid_ticks

    def bids(self, limit: int | None = None) -> list[tuple[int, int]]:
        """The best `limit` bid levels (all when None) as (price ticks, lots), best first."""
        return self._best_levels(BUY, limit)

    def asks(self, limit: int | None = None) -> list[tuple[int, int]]:
        """The best `limit` ask levels (all when None) as (price ticks, lots), best first."""
        return self._best_levels(SELL, limit)

    def lots_near(self, side: int, levels: int) -> int:
        """Lots in the best `levels` levels of a side."""
        return sum(lots for _, lots in self._best_levels(side, levels))

    def of(self, agent: int) -> dict[str, OpenOrder]:
        """An agent's open orders by name, oldest first."""
        return self._of_agent.get(agent, {})

    def advance(self) -> None:
        """Advance one tick: add the present middle to the averages."""
        bid, ask = self.bid_ticks, self.ask_ticks
        before = self.middle
        if bid and ask:
            self.middle = (bid + ask) / 2
        self.fast += _FAST * (self.middle - self.fast)
        self.slow += _SLOW * (self.middle - self.slow)
        self.moves += _MOVES * (abs(self.middle - before) - self.moves)

    def add(self, order: OpenOrder) -> None:
        """An order rests."""
        self.orders[order.name] = order
        self._of_agent.setdefault(order.agent, {})[order.name] = order
        levels = self._levels[order.side]
        levels[order.price_ticks] = levels.get(order.price_ticks, 0) + order.lots
        self.changes += 1

    def remove(self, name: str) -> None:
        """An order is gone; one that was gone already stays so."""
        order = self.orders.pop(name, None)
        if order is not None:
            del self._of_agent[order.agent][name]
            self._reduce(order, order.lots)

    def resize(self, name: str, lots: int) -> None:
        """An order has `lots` open now; with none it is gone."""
        order = self.orders.get(name)
        if order is None:
            return
        if lots <= 0:
            self.remove(name)
            return
        self._reduce(order, order.lots - lots)
        order.lots = lots

    def move(self, name: str, price_ticks: int) -> None:
        """An order rests at another price."""
        order = self.orders.get(name)
        if order is not None:
            self._reduce(order, order.lots)
            order.price_ticks = price_ticks
            levels = self._levels[order.side]
            levels[price_ticks] = levels.get(price_ticks, 0) + order.lots
            self.changes += 1

    def clear(self) -> None:
        """Nothing rests any more."""
        self.changes += 1
        self.orders.clear()
        self._of_agent.clear()
        for levels in self._levels.values():
            levels.clear()

    def lots_worth(self, quote: float) -> int:
        """The lots that an amount of whole quote units buys at the middle price; at least one."""
        units = quote * power_of_ten(self.instrument.quote_decimals)
        return max(1, int(units / (self.middle * self._notional)))

    def sound_lots(self, lots: int, price: int) -> int:
        """`lots` within the instrument's limits at this price; zero where none are."""
        instrument = self.instrument
        lots = min(lots, instrument.max_quantity_lots)
        least = -(-self.minimum_notional // (max(1, price) * self._notional))
        return lots if lots >= max(instrument.min_quantity_lots, least) else 0

    def sound_price(self, price: float) -> int:
        """A price in whole ticks within the instrument's limits."""
        instrument = self.instrument
        return max(instrument.min_price_ticks, min(int(price), instrument.max_price_ticks))

    def _best_levels(self, side: int, limit: int | None) -> list[tuple[int, int]]:
        book = self._levels[side]
        prices = reversed(book) if side == BUY else iter(book)
        return [(price, book[price]) for price in islice(prices, limit)]

    def _reduce(self, order: OpenOrder, lots: int) -> None:
        self.changes += 1
        levels = self._levels[order.side]
        left = levels.get(order.price_ticks, 0) - lots
        if left > 0:
            levels[order.price_ticks] = left
        else:
            levels.pop(order.price_ticks, None)
