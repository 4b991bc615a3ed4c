"""Market makers: a ladder of quotes around what they believe, leaning against their inventory."""

from typing import Final

from crossbook.simulator.chance import Chance
from crossbook.simulator.desk import Desk
from crossbook.simulator.market import BUY, SELL, Market, OpenOrder

LEVELS: Final = 7
REQUESTS_MOST: Final = 8
"""Requests of one maker in one instrument and tick, the first tick apart."""

_WORTH: Final = 400_000.0
_HALF_SPREAD: Final = 0.00012
_MOVES_WEIGHT: Final = 1.5
_SIZE: Final = 900.0
_SIZE_MOST: Final = 30.0
_LEAN: Final = 2.5
_MOVE_SHARE: Final = 0.2


class MarketMaker(Desk):
    """Keeps `LEVELS` bids and asks. Learns the fundamental with a lag of its own, so that the slow
    ones are traded against after news; widens when prices move; quotes lower when it is long."""

    kind = "maker"

    def __init__(self, agent: int, market: Market, chance: Chance) -> None:
        super().__init__(agent, market, _WORTH, chance)
        self._seen = float(market.start)
        self._learns = chance.between(0.04, 0.5)
        self._width = chance.between(0.7, 2.2)
        self._acts = chance.between(0.06, 0.25)

    def decide(self, tick: int, value: float) -> None:
        """Move the quotes that are most wrong to where they belong."""
        self._seen += self._learns * (value - self._seen)
        opening = tick <= 1
        if not opening and not self.chance.happens(self._acts):
            return
        half = self._half_spread()
        middle = self._seen - _LEAN * half * self.position / self.limit
        slots = {(order.side, order.slot): order for order in self.own()}
        left = REQUESTS_MOST
        for slot in range(LEVELS):
            for side in (BUY, SELL):
                if left <= 0 and not opening:
                    return
                left -= self._quote(side, slot, middle, half, slots.get((side, slot)))

    def _half_spread(self) -> float:
        """Half the distance between the best bid and ask the maker wants, in ticks."""
        quiet = _HALF_SPREAD * self._seen
        return max(
            float(self.market.grid), self._width * (quiet + _MOVES_WEIGHT * self.market.moves)
        )

    def _quote(
        self, side: int, slot: int, middle: float, half: float, order: OpenOrder | None
    ) -> int:
        """Put one quote right; how many requests that took."""
        distance = half * (1.0 + 0.7 * slot + 0.25 * slot * slot)
        if order is not None:
            meant = middle - distance if side == BUY else middle + distance
            if abs(order.price - meant) <= 0.45 * half * (1 + slot):
                return 0
        price = self._price(side, middle, distance * self.chance.between(0.8, 1.2))
        if order is None:
            size = _SIZE * (1.0 + 0.6 * slot) * self.chance.fatter(_SIZE_MOST)
            return int(self.place(side, price, self.market.lots_worth(size), slot))
        if order.price == price:
            return 0
        if self.chance.happens(_MOVE_SHARE):
            self.move(order, price)
            return 1
        # The cancel goes first, so that both together stay within the limit.
        self.pull(order)
        self._asked[side] -= order.lots
        size = self.market.lots_worth(_SIZE * (1.0 + 0.6 * slot) * self.chance.fatter(_SIZE_MOST))
        return 1 + int(self.place(side, price, size, slot))

    def _price(self, side: int, middle: float, distance: float) -> int:
        """A price on the grid that takes nothing from the quotes known."""
        market, grid = self.market, self.market.grid
        if side == BUY:
            price = int((middle - distance) / grid) * grid
            price = min(price, market.ask - grid) if market.ask else price
        else:
            price = int((middle + distance) / grid) * grid + grid
            price = max(price, market.bid + grid)
        return market.sound_price(price)
