"""One agent in one instrument: its position, its limit, and its possible actions."""

from typing import Final, TypeAlias

from msgspec import Struct

from crossbook.common.types import OrderType, TimeInForce
from crossbook.simulator.chance import Chance
from crossbook.simulator.market import BUY, SELL, AgentMarket, OpenOrder

GTC: Final = int(TimeInForce.GTC)
IOC: Final = int(TimeInForce.IOC)
FOK: Final = int(TimeInForce.FOK)
LIMIT: Final = int(OrderType.LIMIT)
MARKET: Final = int(OrderType.MARKET)


class Place(Struct, frozen=True):
    """Enter an order. A market order has price zero."""

    side: int
    price: int
    lots: int
    order_type: int = LIMIT
    time_in_force: int = GTC
    slot: int = 0
    ends: int = 0


class Pull(Struct, frozen=True):
    """Cancel the order of this name."""

    name: str


class Move(Struct, frozen=True):
    """Amend the price of the order of this name."""

    name: str
    price: int


Action: TypeAlias = Place | Pull | Move


class Strategy:
    """The part of an agent in one instrument, common to all kinds.

    The position, in lots, stays within `limit` either way whatever is filled: an order is entered
    only as far as position and open orders leave room. `cash` is what was
    received less what was paid, in ticks times lots, fees left out.
    """

    kind = ""

    def __init__(self, agent: int, market: AgentMarket, worth: float, chance: Chance) -> None:
        self.agent = agent
        self.market = market
        self.limit = market.lots_worth(worth)
        self.chance = chance
        self.position = 0
        self.cash = 0
        self._actions: list[Action] = []
        self._requested = {BUY: 0, SELL: 0}

    def act(self, tick: int, value: float) -> list[Action]:
        """The agent's actions in this tick; `value` is the fundamental."""
        self._actions = []
        self._requested = {BUY: 0, SELL: 0}
        self.decide(tick, value)
        return self._actions

    def decide(self, tick: int, value: float) -> None:
        """Call `place`, `pull` and `move`."""
        raise NotImplementedError

    def filled(self, side: int, price: int, lots: int) -> None:
        """One of the agent's orders was filled."""
        sign = 1 if side == BUY else -1
        self.position += sign * lots
        self.cash -= sign * lots * price

    @property
    def worth(self) -> float:
        """Profit so far in ticks times lots: the cash, and the position at the middle price."""
        return self.cash + self.position * self.market.middle

    def own(self) -> list[OpenOrder]:
        """The agent's open orders, oldest first."""
        return list(self.market.of(self.agent).values())

    def room(self, side: int) -> int:
        """The most lots of a further order that keep the position within its limit."""
        held = self.position if side == BUY else -self.position
        resting = sum(order.lots for order in self.own() if order.side == side)
        return max(0, self.limit - held - resting - self._requested[side])

    def place(self, side: int, price: float, lots: int, slot: int = 0, ends: int = 0) -> bool:
        """Rest an order, as much of it as there is room for; whether there was any."""
        ticks = self.market.sound_price(price)
        lots = self.market.sound_lots(min(lots, self.room(side)), ticks)
        if lots:
            self._requested[side] += lots
            self._actions.append(Place(side, ticks, lots, slot=slot, ends=ends))
        return lots > 0

    def trade(self, side: int, lots: int, reach: float, time_in_force: int = IOC) -> None:
        """Trade at once, at most `reach` ticks beyond the best price; reach zero is a market order.

        Own orders that would be met are canceled first.
        """
        market = self.market
        best = market.opposite(side)
        if not best:
            return
        sign = 1 if side == BUY else -1
        price = market.sound_price(best + sign * reach) if reach else 0
        lots = market.sound_lots(min(lots, self.room(side)), price or best)
        if not lots:
            return
        for order in self.own():
            if order.side != side and (not price or sign * order.price <= sign * price):
                self.pull(order)
        self._requested[side] += lots
        if price:
            self._actions.append(Place(side, price, lots, LIMIT, time_in_force))
        else:
            self._actions.append(Place(side, 0, lots, MARKET, GTC))

    def pull(self, order: OpenOrder) -> None:
        """Cancel one of the agent's orders."""
        self._actions.append(Pull(order.name))

    def move(self, order: OpenOrder, price: int) -> None:
        """Amend the price of one of the agent's orders."""
        self._actions.append(Move(order.name, price))
