"""The agents other than makers: noise, momentum and mean-reversion traders."""

from typing import Final

from crossbook.simulator.chance import Chance
from crossbook.simulator.market import BUY, SELL, AgentMarket
from crossbook.simulator.strategy import FOK, IOC, Strategy

RESTING_MOST: Final = 60
"""Open orders of one noise trader in one instrument."""

_SIZE: Final = 90.0
_SIZE_MOST: Final = 2_000.0
_HURRY: Final = 2.5
"""How much larger orders are that trade at once."""

_NEAR: Final = 0.00016
_LIFE_MOST: Final = 6_000.0


def other(side: int) -> int:
    """The opposite side."""
    return SELL if side == BUY else BUY


class NoiseTrader(Strategy):
    """Trades without information. It rests orders at power-law distances for power-law times, and
    at times trades a larger order in pieces, which is why signs of trades persist."""

    kind = "noise"

    def __init__(self, agent: int, market: AgentMarket, chance: Chance) -> None:
        super().__init__(agent, market, 600_000.0, chance)
        self._acts = chance.between(0.25, 0.5)
        self._side = BUY
        self._pieces = 0

    def decide(self, tick: int, value: float) -> None:
        """Cancel overdue orders; rest an order or trade a piece."""
        for order in self.own():
            if order.ends <= tick:
                self.pull(order)
        chance = self.chance
        if not chance.happens(self._acts):
            return
        if chance.happens(0.955):
            if len(self.own()) < RESTING_MOST:
                self._rest(tick)
        else:
            self._trade()

    def _rest(self, tick: int) -> None:
        chance, market = self.chance, self.market
        side = BUY if chance.happens(0.5) else SELL
        sign = 1 if side == BUY else -1
        gap = max(float(market.grid), _NEAR * market.middle)
        if chance.happens(0.15):
            # About the best price, or better.
            distance = gap * chance.between(0.6, 1.2)
        else:
            distance = gap * chance.fattest(100.0)
        price = market.middle - sign * distance
        if chance.happens(0.5):
            price = int(price / market.grid) * market.grid
        opposite = market.opposite(side)
        if opposite and sign * price >= sign * opposite:
            return
        ends = tick + int((6.0 + distance / gap) * chance.fattest(_LIFE_MOST / 10.0))
        self.place(side, price, self._size(), ends=ends)

    def _trade(self) -> None:
        chance = self.chance
        if self._pieces <= 0:
            self._pieces = int(chance.fatter(30.0))
            self._side = BUY if chance.happens(0.5) else SELL
            if abs(self.position) > self.limit // 2:
                # A position half full is brought back rather than filled up.
                self._side = SELL if self.position > 0 else BUY
        self._pieces -= 1
        market = self.market
        size = int(_HURRY * self._size())
        if chance.happens(0.4):
            self.trade(self._side, size, 0)
        elif chance.happens(0.12):
            self.trade(self._side, size, 4.0 * market.grid, FOK)
        else:
            self.trade(self._side, size, market.middle * 0.0003 * chance.fat(6.0))

    def _size(self) -> int:
        """Lots of one order, a round number as often as not."""
        chance = self.chance
        lots = self.market.lots_worth(2 * _SIZE * chance.uniform() * chance.fattest(_SIZE_MOST))
        if chance.happens(0.5):
            step = 1
            while step * 20 <= lots:
                step *= 10
            lots = max(1, lots // step) * step
        return lots


class MomentumTrader(Strategy):
    """Buys when the price rises and sells when it falls, at once; closes its position when the
    trend is over."""

    kind = "momentum"

    def __init__(self, agent: int, market: AgentMarket, chance: Chance) -> None:
        super().__init__(agent, market, 80_000.0, chance)
        self._acts = chance.between(0.01, 0.03)
        self._threshold = chance.between(0.00012, 0.0003)

    def decide(self, tick: int, value: float) -> None:
        """Follow the trend, or close the position."""
        if not self.chance.happens(self._acts):
            return
        market = self.market
        trend = (market.fast - market.slow) / market.middle
        size = market.lots_worth(_SIZE * self.chance.fattest(300.0))
        reach = 0.00015 * market.middle
        if abs(trend) > self._threshold:
            self.trade(BUY if trend > 0 else SELL, size, reach)
        elif self.position * trend < 0:
            self.trade(SELL if self.position > 0 else BUY, min(size, abs(self.position)), reach)


class MeanReverter(Strategy):
    """Trades against deviations of the price from its target: the mean of the fundamental, which
    this agent sees late, and the recent average price."""

    kind = "reverter"

    def __init__(self, agent: int, market: AgentMarket, chance: Chance) -> None:
        super().__init__(agent, market, 200_000.0, chance)
        self._acts = chance.between(0.02, 0.05)
        self._seen = float(market.start)
        self._learns = chance.between(0.05, 0.3)
        self._threshold = chance.between(0.00015, 0.0004)

    def decide(self, tick: int, value: float) -> None:
        """Trade with quotes that are too cheap or too dear; otherwise close the position in small
        steps."""
        self._seen += self._learns * (value - self._seen)
        if not self.chance.happens(self._acts):
            return
        market = self.market
        meant = (self._seen + market.slow) / 2
        gap = (meant - market.middle) / market.middle
        size = market.lots_worth(_SIZE * self.chance.fattest(300.0))
        if abs(gap) > self._threshold:
            self.trade(BUY if gap > 0 else SELL, size, abs(gap) * market.middle, IOC)
        elif self.position and self.chance.happens(0.15):
            side = SELL if self.position > 0 else BUY
            self.trade(side, min(size, abs(self.position)), float(market.grid))
