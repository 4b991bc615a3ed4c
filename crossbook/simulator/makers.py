"""Market makers: a ladder of quotes around an estimate of value, skewed against inventory."""

from typing import Annotated, ClassVar

from msgspec import Meta

from crossbook.simulator.built_in import Informed
from crossbook.simulator.market import BUY, SELL, OpenOrder
from crossbook.simulator.units import Chances, Multiple, ratio


class MarketMaker(Informed):
    """Keeps `levels` bids and asks around its estimate of the instrument's worth.

    The estimate follows the fundamental with a lag of the maker's own, so that slow makers are
    traded against after news. It quotes wider when prices move, and lower when it is long. It
    trades against quotes of others that its estimate has passed.
    """

    kind: ClassVar[str] = "maker"

    limit_quote = 400_000.0
    acts_low = 0.08
    acts_high = 0.3
    size_quote = 350.0
    size_most = 30.0
    learns_low = 0.4
    learns_high = 1.0
    levels: Annotated[int, Meta(ge=1, le=50, description="Quotes on each side.")] = 7
    corrections_most: Annotated[
        int, Meta(ge=1, le=100, description="Corrections of quotes in one tick, the first apart.")
    ] = 8
    half_spread_bps: Annotated[
        float,
        Meta(
            gt=0, le=1_000, description="Half the spread of a maker of width 1 while prices rest."
        ),
    ] = 2.0
    width_low: Annotated[
        Multiple, Meta(description="Each maker's width is drawn from here ...")
    ] = 0.7
    width_high: Annotated[
        Multiple, Meta(description="... to here: its spread as a multiple of that.")
    ] = 2.2
    moves_weight: Annotated[
        float,
        Meta(ge=0, le=100, description="Widening for each tick that the middle moves on average."),
    ] = 1.5
    lean: Annotated[
        float,
        Meta(ge=0, le=100, description="Half spreads that a full position moves all quotes by."),
    ] = 2.5
    move_share: Annotated[
        Chances, Meta(description="Share of corrections that amend; the others cancel and enter.")
    ] = 0.2
    exposed_share: Annotated[
        float,
        Meta(ge=0, le=1, description="A quote nearer to the estimate than this share of the half "
             "spread is corrected at once."),
    ] = 0.4  # fmt: skip
    worthwhile_share: Annotated[
        float,
        Meta(ge=0, le=100, description="Gain, as a share of the half spread, from which it trades "
             "against quotes of others."),
    ] = 0.4  # fmt: skip

    def on_start(self) -> None:
        """Draw the maker's lag, width and pace."""
        self._quiet = ratio(self.half_spread_bps)
        self.begin_to_see()
        self._width = self.chance.between(self.width_low, self.width_high)
        self._acts = self.drawn_pace()

    def act(self) -> None:
        """Move the quotes that are most wrong to where they belong."""
        seen = self.see()
        opening = self.tick <= 1
        half = self._half_spread()
        if not opening and not self._exposed(half) and not self.chance.happens(self._acts):
            return
        middle = seen - self.lean * half * self.position_lots / self.limit_lots
        self._pick_off(half)
        slots = {(order.side, order.slot): order for order in self.orders()}
        left = self.corrections_most
        for slot in range(self.levels):
            for side in (BUY, SELL):
                if left <= 0 and not opening:
                    return
                left -= self._quote(side, slot, middle, half, slots.get((side, slot)))

    def _exposed(self, half: float) -> bool:
        """Whether a quote is so close to the maker's estimate that it must not stay."""
        return any(
            (
                self._seen - order.price_ticks
                if order.side == BUY
                else order.price_ticks - self._seen
            )
            < self.exposed_share * half
            for order in self.orders()
        )

    def _pick_off(self, half: float) -> None:
        """Trade against quotes that the maker's estimate has passed."""
        for side, sign in ((BUY, 1), (SELL, -1)):
            best = self.market.opposite(side)
            gain = sign * (self._seen - best) - self.worthwhile_share * half
            if best and gain > 0:
                size = self.size_quote * self.chance.fatter(self.size_most)
                self.trade(side, self.market.lots_worth(size), max(1.0, gain))

    def _half_spread(self) -> float:
        """Half the distance between the maker's best bid and ask, in ticks."""
        market = self.market
        quiet = self._quiet * self._seen
        return max(
            float(market.grid_ticks), self._width * (quiet + self.moves_weight * market.moves)
        )

    def _quote(
        self, side: int, slot: int, middle: float, half: float, order: OpenOrder | None
    ) -> int:
        """Correct one quote; returns the number of requests that this needed."""
        distance = half * (1.0 + 0.9 * slot + 0.5 * slot * slot)
        if order is not None:
            meant = middle - distance if side == BUY else middle + distance
            if abs(order.price_ticks - meant) <= half * (0.2 + 0.6 * slot):
                return 0
        price = self._price(side, middle, distance * self.chance.between(0.8, 1.2))
        if order is None:
            return int(self.place(side, price, self._size(slot), slot))
        if order.price_ticks == price:
            return 0
        if self.chance.happens(self.move_share):
            self.amend(order, price)
            return 1
        # The order may be filled before the cancel arrives: it still counts against the limit.
        self.cancel(order)
        return 1 + int(self.place(side, price, self._size(slot), slot))

    def _size(self, slot: int) -> int:
        scale = self.size_quote * (0.3 + slot)
        return self.market.lots_worth(scale * self.chance.fatter(self.size_most))

    def _price(self, side: int, middle: float, distance: float) -> int:
        """A price on the grid that does not trade with the quotes known."""
        market, grid = self.market, self.market.grid_ticks
        if side == BUY:
            price = int((middle - distance) / grid) * grid
            price = min(price, market.ask_ticks - grid) if market.ask_ticks else price
        else:
            price = int((middle + distance) / grid) * grid + grid
            price = max(price, market.bid_ticks + grid)
        return market.sound_price(price)
