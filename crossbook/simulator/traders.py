"""The agents other than makers: noise, momentum and mean-reversion traders."""

from typing import Annotated, ClassVar

from msgspec import Meta

from crossbook.simulator.agent import FOK, IOC, OPEN_ORDERS_MOST
from crossbook.simulator.built_in import BuiltIn, Directional, Informed
from crossbook.simulator.market import BUY, SELL
from crossbook.simulator.units import Bps, Chances, Multiple, ratio


class NoiseTrader(BuiltIn):
    """Trades without information.

    It rests orders at power-law distances for power-law times, and at times trades a larger order
    in pieces, which is why signs of trades persist. A position more than half full is brought back
    by the next large order.
    """

    kind: ClassVar[str] = "noise"

    limit_quote = 600_000.0
    acts_low = 0.25
    acts_high = 0.5
    size_most = 2_000.0
    rest_share: Annotated[
        Chances, Meta(description="Share of orders that rest; the others trade at once.")
    ] = 0.955
    resting_most: Annotated[
        int,
        Meta(
            ge=1,
            le=OPEN_ORDERS_MOST,
            description="It enters none while so many of its orders rest.",
        ),
    ] = 60
    hurry: Annotated[
        Multiple, Meta(description="Multiple of the size of orders that trade at once.")
    ] = 2.5
    pieces_most: Annotated[Multiple, Meta(description="Most pieces of one large order.")] = 30.0
    near_bps: Annotated[
        Bps, Meta(description="Scale of the distance of resting orders from the middle.")
    ] = 1.6
    far_most: Annotated[Multiple, Meta(description="Largest random multiple of that distance.")] = (
        100.0
    )
    life_most_s: Annotated[
        Multiple, Meta(description="Scale of the longest life of a resting order, in seconds.")
    ] = 60.0
    market_share: Annotated[
        Chances, Meta(description="Share of market orders among those that trade at once.")
    ] = 0.4
    fok_share: Annotated[
        Chances, Meta(description="Share of FOK among the rest; the others are IOC.")
    ] = 0.12

    def on_start(self) -> None:
        """Draw the trader's pace."""
        self._near = ratio(self.near_bps)
        self._acts = self.drawn_pace()
        self._side = BUY
        self._pieces = 0

    def act(self) -> None:
        """Cancel overdue orders; rest an order or trade a piece."""
        for order in self.orders():
            if order.ends <= self.tick:
                self.cancel(order)
        chance = self.chance
        if not chance.happens(self._acts):
            return
        if chance.happens(self.rest_share):
            if len(self.orders()) < self.resting_most:
                self._rest()
        else:
            self._trade()

    def _rest(self) -> None:
        chance, market = self.chance, self.market
        side = BUY if chance.happens(0.5) else SELL
        sign = 1 if side == BUY else -1
        gap = max(float(market.grid_ticks), self._near * market.middle)
        if chance.happens(0.15):
            # About the best price, or better.
            distance = gap * chance.between(0.6, 1.2)
        else:
            distance = gap * chance.fattest(self.far_most)
        price = market.middle - sign * distance
        if chance.happens(0.5):
            price = int(price / market.grid_ticks) * market.grid_ticks
        opposite = market.opposite(side)
        if opposite and sign * price >= sign * opposite:
            return
        ends = self.tick + int((6.0 + distance / gap) * chance.fattest(self.life_most_s * 10.0))
        self.place(side, price, self._size(), ends=ends)

    def _trade(self) -> None:
        chance = self.chance
        if self._pieces <= 0:
            self._pieces = int(chance.fatter(self.pieces_most))
            self._side = BUY if chance.happens(0.5) else SELL
            if abs(self.position_lots) > self.limit_lots // 2:
                # A position half full is brought back rather than filled up.
                self._side = SELL if self.position_lots > 0 else BUY
        self._pieces -= 1
        market = self.market
        size = int(self.hurry * self._size())
        if chance.happens(self.market_share):
            self.trade(self._side, size, 0)
        elif chance.happens(self.fok_share):
            self.trade(self._side, size, 4.0 * market.grid_ticks, FOK)
        else:
            self.trade(self._side, size, market.middle * 0.0003 * chance.fat(6.0))

    def _size(self) -> int:
        """Lots of one order, a round number as often as not."""
        chance = self.chance
        scale = 2 * self.size_quote * chance.uniform()
        lots = self.market.lots_worth(scale * chance.fattest(self.size_most))
        if chance.happens(0.5):
            step = 1
            while step * 20 <= lots:
                step *= 10
            lots = max(1, lots // step) * step
        return lots


class MomentumTrader(Directional):
    """Buys when the price rises and sells when it falls, at once; closes its position when the
    trend is over.

    The trend is the average price of some second less that of some ten seconds.
    """

    kind: ClassVar[str] = "momentum"

    limit_quote = 80_000.0
    acts_low = 0.01
    acts_high = 0.03
    threshold_bps_low = 1.2
    threshold_bps_high = 3.0
    reach_bps: Annotated[
        Bps, Meta(description="Farthest beyond the best price that an order trades.")
    ] = 1.5

    def on_start(self) -> None:
        """Draw the trader's pace and threshold."""
        self._acts = self.drawn_pace()
        self._threshold = self.drawn_threshold()

    def act(self) -> None:
        """Follow the trend, or close the position."""
        if not self.chance.happens(self._acts):
            return
        market = self.market
        trend = (market.fast - market.slow) / market.middle
        size = market.lots_worth(self.size_quote * self.chance.fattest(self.size_most))
        reach = ratio(self.reach_bps) * market.middle
        held = self.position_lots
        if abs(trend) > self._threshold:
            self.trade(BUY if trend > 0 else SELL, size, reach)
        elif held * trend < 0:
            self.trade(SELL if held > 0 else BUY, min(size, abs(held)), reach)


class MeanReverter(Directional, Informed):
    """Trades against deviations of the price from its target.

    The target is the mean of the fundamental, which this agent sees late, and of the average price
    of some ten seconds. Near the target it closes its position in small steps.
    """

    kind: ClassVar[str] = "reverter"

    limit_quote = 200_000.0
    close_share: Annotated[
        Chances,
        Meta(description="Share of looks near the target that close a part of the position."),
    ] = 0.15

    def on_start(self) -> None:
        """Draw the trader's pace, lag and threshold."""
        self._acts = self.drawn_pace()
        self.begin_to_see()
        self._threshold = self.drawn_threshold()

    def act(self) -> None:
        """Trade with quotes that are too cheap or too dear; otherwise close the position in small
        steps."""
        seen = self.see()
        if not self.chance.happens(self._acts):
            return
        market = self.market
        meant = (seen + market.slow) / 2
        gap = (meant - market.middle) / market.middle
        size = market.lots_worth(self.size_quote * self.chance.fattest(self.size_most))
        held = self.position_lots
        if abs(gap) > self._threshold:
            self.trade(BUY if gap > 0 else SELL, size, abs(gap) * market.middle, IOC)
        elif held and self.chance.happens(self.close_share):
            side = SELL if held > 0 else BUY
            self.trade(side, min(size, abs(held)), float(market.grid_ticks))
