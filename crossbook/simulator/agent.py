"""Agents: those who trade in a simulation. Derive from `Agent` to write one of your own."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, TypeAlias

from msgspec import Meta, Struct

from crossbook.common.messages.entry import Execution
from crossbook.common.types import (
    Liquidity,
    OrderType,
    Prevention,
    RejectReason,
    Side,
    TimeInForce,
)
from crossbook.simulator.chance import Chance
from crossbook.simulator.fundamental import TICKS_PER_SECOND
from crossbook.simulator.market import BUY, SELL, AgentMarket, OpenOrder

GTC: Final = int(TimeInForce.GTC)
IOC: Final = int(TimeInForce.IOC)
FOK: Final = int(TimeInForce.FOK)
LIMIT: Final = int(OrderType.LIMIT)
MARKET: Final = int(OrderType.MARKET)

REQUESTS_MOST: Final = 100
"""Requests of one agent in one instrument and tick."""

OPEN_ORDERS_MOST: Final = 200
"""Open orders of one agent in one instrument."""


class Place(Struct, frozen=True):
    """Enter an order. A market order has price zero."""

    side: int
    price_ticks: int
    lots: int
    order_type: int = LIMIT
    time_in_force: int = GTC
    slot: int = 0
    ends: int = 0
    post_only: bool = False


class Pull(Struct, frozen=True):
    """Cancel the order of this name."""

    name: str


class Move(Struct, frozen=True):
    """Amend the price of the order of this name."""

    name: str
    price_ticks: int


Action: TypeAlias = Place | Pull | Move


class Fill(Struct, frozen=True):
    """One fill of an agent's order. `fee_units` are smallest units of the asset received (base for
    a buyer, quote for a seller; negative is a rebate). `slot` is the order's own, `remaining_lots`
    what is left of it."""

    side: Side
    price_ticks: int
    lots: int
    liquidity: Liquidity
    fee_units: int
    slot: int
    remaining_lots: int


class MarketTrade(Struct, frozen=True):
    """One trade in which an agent took part, of this agent or of others."""

    price_ticks: int
    lots: int
    aggressor_side: Side


class Rejection(Struct, frozen=True):
    """The exchange refused a request: `request` is new, cancel or amend."""

    request: str
    reason: RejectReason
    field: str
    slot: int


class Agent:
    """One trader in one instrument: derive from it, and override what you need.

    Each tick (a tenth of a simulated second) an agent receives what happened in the tick before:
    `on_fill`, `on_trade`, `on_reject` and `on_book`, in this order; then `act`. In each of them it
    may `place`, `trade`, `cancel` and `amend`; the requests are sent in the tick of the next `act`.
    An agent that trades several instruments is one object in each, and `siblings` has them all by
    symbol; they share one account.

    Prices are ticks and quantities lots of `market.instrument`. Use `chance` for random numbers,
    and neither a clock nor `random`: then the same seed always gives the same flow. Draws come from
    a generator of the agent's own, and do not shift those of others.

    Annotated class attributes are parameters (`crossbook.simulator.parameters`).
    """

    kind: ClassVar[str] = ""
    """The name of its class in summaries; by default the name of the class in lower case."""

    prevention: ClassVar[int] = int(Prevention.EXPIRE_TAKER)
    """Self-trade prevention of its orders."""

    limit_quote: Annotated[
        float,
        Meta(
            gt=0, le=1e12,
            description="Largest position either way, in quote units at the starting price.",
        ),
    ] = 100_000.0  # fmt: skip
    requests_most: Annotated[
        int, Meta(ge=1, le=REQUESTS_MOST, description="Requests in one instrument and tick.")
    ] = REQUESTS_MOST
    open_orders_most: Annotated[
        int, Meta(ge=1, le=OPEN_ORDERS_MOST, description="Open orders in one instrument.")
    ] = OPEN_ORDERS_MOST

    number: int
    market: AgentMarket
    chance: Chance
    siblings: Mapping[str, "Agent"]
    limit_lots: int
    position_lots: int
    cash_tick_lots: int
    """Received less paid, in ticks times lots, fees left out."""
    base_fee_units: int
    quote_fee_units: int
    tick: int
    fundamental: float
    """The worth of the instrument in ticks, which news move. A trader in a real market does not
    know it: an agent that uses it has inside knowledge, as the built-in makers have."""
    limited: int
    """Requests that `requests_most` or `open_orders_most` left out."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "kind" not in vars(cls):
            cls.kind = cls.__name__.lower()
        for name in vars(cls).get("__annotations__", {}):
            if name in _OWN_NAMES:
                raise TypeError(f"{cls.__name__}.{name} would hide {name} of Agent: rename it")

    def __init__(
        self, number: int, market: AgentMarket, chance: Chance, parameters: Mapping[str, object]
    ) -> None:
        for name, value in parameters.items():
            setattr(self, name, value)
        self.number = number
        self.market = market
        self.chance = chance
        self.siblings: Mapping[str, Agent] = {market.symbol: self}
        self.limit_lots = market.lots_worth(self.limit_quote)
        self.position_lots = 0
        self.cash_tick_lots = 0
        self.base_fee_units = 0
        self.quote_fee_units = 0
        self.tick = 0
        self.fundamental = float(market.start_ticks)
        self.limited = 0
        self.__actions: list[Action] = []
        self.__requested = {BUY: 0, SELL: 0}
        self.__entering = 0

    def on_start(self) -> None:
        """Called once before the first tick: the place to draw an agent's own traits."""

    def on_fill(self, fill: Fill) -> None:
        """One of the agent's orders was filled; position and cash include it."""

    def on_trade(self, trade: MarketTrade) -> None:
        """A trade in this instrument, the agent's own included."""

    def on_reject(self, rejection: Rejection) -> None:
        """A request was refused. An order that was filled in the tick it is canceled in gives
        UNKNOWN_ORDER."""

    def on_book(self, book: AgentMarket) -> None:
        """The book changed in the last tick; `book` is `market`. It has the orders of all agents,
        and none of other accounts."""

    def act(self) -> None:
        """Called every tick."""

    @property
    def seconds(self) -> float:
        """Simulated seconds so far."""
        return self.tick / TICKS_PER_SECOND

    @property
    def profit_tick_lots(self) -> float:
        """Profit so far in ticks times lots, fees left out: cash, and the position at the middle
        price."""
        return self.cash_tick_lots + self.position_lots * self.market.middle

    def orders(self) -> list[OpenOrder]:
        """The agent's open orders, oldest first."""
        return list(self.market.of(self.number).values())

    def room(self, side: int) -> int:
        """The most lots of a further order that keep the position within its limit."""
        held = self.position_lots if side == BUY else -self.position_lots
        resting = sum(order.lots for order in self.orders() if order.side == side)
        return max(0, self.limit_lots - held - resting - self.__requested[side])

    def place(
        self,
        side: int,
        price_ticks: float,
        lots: int,
        slot: int = 0,
        ends: int = 0,
        post_only: bool = False,
    ) -> bool:
        """Rest an order, as much of it as there is room for; return whether there was any.

        The price is cut to whole ticks. `slot` is the agent's own mark of the order, and so is
        `ends`, the tick it means to cancel it at.
        """
        ticks = self.market.sound_price(price_ticks)
        lots = self.market.sound_lots(min(lots, self.room(side)), ticks)
        if not lots:
            return False
        if len(self.market.of(self.number)) + self.__entering >= self.open_orders_most:
            self.limited += 1
            return False
        if not self.__queue(
            Place(int(side), ticks, lots, slot=slot, ends=ends, post_only=post_only)
        ):
            return False
        self.__requested[side] += lots
        self.__entering += 1
        return True

    def trade(self, side: int, lots: int, reach_ticks: float, time_in_force: int = IOC) -> bool:
        """Trade at once, at most `reach_ticks` beyond the best price; zero is a market order.

        Own orders that would be met are canceled first. Returns whether an order is sent: none is
        where the opposite side is empty, or there is no room.
        """
        market = self.market
        best = market.opposite(side)
        if not best:
            return False
        sign = 1 if side == BUY else -1
        price = market.sound_price(best + sign * reach_ticks) if reach_ticks else 0
        lots = market.sound_lots(min(lots, self.room(side)), price or best)
        if not lots:
            return False
        for order in self.orders():
            if order.side != side and (not price or sign * order.price_ticks <= sign * price):
                self.cancel(order)
        kind, terms = (LIMIT, time_in_force) if price else (MARKET, GTC)
        if not self.__queue(Place(int(side), price, lots, kind, terms)):
            return False
        self.__requested[side] += lots
        return True

    def cancel(self, order: OpenOrder) -> bool:
        """Cancel one of the agent's orders; return whether the request is sent."""
        return self.__queue(Pull(order.name))

    def amend(self, order: OpenOrder, price_ticks: float) -> bool:
        """Amend the price of one of the agent's orders; return whether the request is sent."""
        return self.__queue(Move(order.name, self.market.sound_price(price_ticks)))

    def apply_fill(self, report: Execution) -> None:
        """Apply a fill to position, cash and fees."""
        side, lots = report.side, report.quantity_lots
        sign = 1 if side == BUY else -1
        self.position_lots += sign * lots
        self.cash_tick_lots -= sign * lots * report.price_ticks
        if side == BUY:
            self.base_fee_units += report.fee_units
        else:
            self.quote_fee_units += report.fee_units

    def collect_actions(self) -> Sequence[Action]:
        """Remove and return the requests that are to be sent."""
        actions, self.__actions = self.__actions, []
        self.__requested = {BUY: 0, SELL: 0}
        self.__entering = 0
        return actions

    def __queue(self, action: Action) -> bool:
        if len(self.__actions) >= self.requests_most:
            self.limited += 1
            return False
        self.__actions.append(action)
        return True


_OWN_NAMES: Final = frozenset(
    name
    for name in (*vars(Agent), *vars(Agent)["__annotations__"])
    if not name.startswith("_")
    and name not in ("kind", "prevention", "limit_quote", "requests_most", "open_orders_most")
)
"""Methods and attributes that a parameter of a derived class may not hide."""
