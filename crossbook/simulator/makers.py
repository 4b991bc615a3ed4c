"""Market makers: a ladder of quotes around an estimate of value, skewed against inventory."""

from typing import Final

from crossbook.simulator.chance import Chance
from crossbook.simulator.market import BUY, SELL, AgentMarket, OpenOrder
from crossbook.simulator.strategy import Strategy

LEVELS: Final = 7
REQUESTS_MOST: Final = 8
"""Requests of one maker in one instrument and tick, the first tick apart."""

_WORTH: Final = 400_000.0
_HALF_SPREAD: Final = 0.0002
_MOVES_WEIGHT: Final = 1.5
_SIZE: Final = 350.0
_SIZE_MOST: Final = 30.0
_WORTHWHILE: Final = 0.4
_EXPOSED: Final = 0.4
_LEAN: Final = 2.5
_MOVE_SHARE: Final = 0.2


class MarketMaker(Strategy):
    """Keeps `LEVELS` bids and asks. Its estimate follows the fundamental with a lag of its own, so
    that slow makers are traded against after news. It quotes wider when prices move, and lower when
    it is long."""

    kind = "maker"

    def __init__(self, agent: int, market: AgentMarket, chance: Chance) -> None:
        super().__init__(agent, market, _WORTH, chance)
        self._seen = float(market.start)
        self._learns = chance.between(0.4, 1.0)
        self._width = chance.between(0.7, 2.2)
        self._acts = chance.between(0.08, 0.3)

    def decide(self, tick: int, value: float) -> None:
        """Move the quotes that are most wrong to where they belong."""
        self._seen += self._learns * (value - self._seen)
        opening = tick <= 1
        half = self._half_spread()
        if not opening and not self._exposed(half) and not self.chance.happens(self._acts):
            return
        middle = self._seen - _LEAN * half * self.position / self.limit
        self._pick_off(half)
        slots = {(order.side, order.slot): order for order in self.own()}
        left = REQUESTS_MOST
        for slot in range(LEVELS):
            for side in (BUY, SELL):
                if left <= 0 and not opening:
                    return
                left -= self._quote(side, slot, middle, half, slots.get((side, slot)))

    def _exposed(self, half: float) -> bool:
        """Whether a quote is so close to the maker's estimate that it must not stay."""
        return any(
            (self._seen - order.price if order.side == BUY else order.price - self._seen)
            < _EXPOSED * half
            for order in self.own()
        )

    def _pick_off(self, half: float) -> None:
        """Trade against quotes that the maker's estimate has passed."""
        for side, sign in ((BUY, 1), (SELL, -1)):
            best = self.market.opposite(side)
            gain = sign * (self._seen - best) - _WORTHWHILE * half
            if best and gain > 0:
                size = _SIZE * self.chance.fatter(_SIZE_MOST)
                self.trade(side, self.market.lots_worth(size), max(1.0, gain))

    def _half_spread(self) -> float:
        """Half the distance between the maker's best bid and ask, in ticks."""
        quiet = _HALF_SPREAD * self._seen
        return max(
            float(self.market.grid), self._width * (quiet + _MOVES_WEIGHT * self.market.moves)
        )

    def _quote(
        self, side: int, slot: int, middle: float, half: float, order: OpenOrder | None
    ) -> int:
        """Correct one quote; returns the number of requests that this needed."""
        distance = half * (1.0 + 0.9 * slot + 0.5 * slot * slot)
        if order is not None:
            meant = middle - distance if side == BUY else middle + distance
            if abs(order.price - meant) <= half * (0.2 + 0.6 * slot):
                return 0
        price = self._price(side, middle, distance * self.chance.between(0.8, 1.2))
        if order is None:
            size = _SIZE * (0.3 + slot) * self.chance.fatter(_SIZE_MOST)
            return int(self.place(side, price, self.market.lots_worth(size), slot))
        if order.price == price:
            return 0
        if self.chance.happens(_MOVE_SHARE):
            self.move(order, price)
            return 1
        # The order may be filled before the cancel arrives: it still counts against the limit.
        self.pull(order)
        size = self.market.lots_worth(_SIZE * (0.3 + slot) * self.chance.fatter(_SIZE_MOST))
        return 1 + int(self.place(side, price, size, slot))

    def _price(self, side: int, middle: float, distance: float) -> int:
        """A price on the grid that does not trade with the quotes known."""
        market, grid = self.market, self.market.grid
        if side == BUY:
            price = int((middle - distance) / grid) * grid
            price = min(price, market.ask - grid) if market.ask else price
        else:
            price = int((middle + distance) / grid) * grid + grid
            price = max(price, market.bid + grid)
        return market.sound_price(price)
