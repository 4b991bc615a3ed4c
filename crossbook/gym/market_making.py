"""`crossbook/MarketMaking-v0`: quote both sides, earn the spread, carry the inventory."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from crossbook.common.types import Side
from crossbook.gym.environment import MarketEnv, check_between
from crossbook.gym.episode import Controlled, Episode, Todo, cancel_all
from crossbook.simulator.agent import Fill

HOLD: Final = 0
QUOTE: Final = 1
CANCEL: Final = 2
BUY: Final = 3
SELL: Final = 4


class MarketMakingEnv(MarketEnv):
    """Make a market in one instrument for an episode.

    **Action**, `MultiDiscrete([5, offsets, offsets, sizes, sizes])`: what to do, the distance of
    bid and ask from the middle, and their sizes.

    - 0 hold: leave the quotes as they are.
    - 1 quote: one bid and one ask, each post-only, instead of the quotes there are; a quote whose
      price and size stay keeps its place. Distance i is (i + 1) `offset_bps`, size j is j
      `size_quote`, and size 0 no quote.
    - 2 cancel: no quotes.
    - 3 buy, 4 sell: a market order of the bid's or ask's size, after the cancel of the quotes on
      the other side.

    **Observation**: `crossbook.gym.view.AgentView`. **Reward**: the change of wealth in quote
    units: cash, and position at the middle price, fees paid; less `inventory_penalty` for each
    second times the square of the share of the position limit. **End**: `terminated` at the end of
    the episode, or when wealth has fallen by `loss_limit_quote`.
    """

    def __init__(
        self,
        *,
        offset_bps: float = 0.5,
        offsets: int = 12,
        size_quote: float = 500.0,
        sizes: int = 5,
        inventory_penalty: float = 0.0,
        loss_limit_quote: float = 1_000.0,
        **market: Any,
    ) -> None:
        super().__init__(**market)
        check_between("offset_bps", offset_bps, 0.001, 1_000)
        check_between("offsets", offsets, 1, 1_000)
        check_between("size_quote", size_quote, 0.01, 1e9)
        check_between("sizes", sizes, 2, 1_000)
        check_between("inventory_penalty", inventory_penalty, 0, 1e9)
        check_between("loss_limit_quote", loss_limit_quote, 0.01, 1e12)
        self._offset = offset_bps / 10_000
        self._size_quote = size_quote
        self._penalty = inventory_penalty * self._step_ticks / 10
        self._loss_limit = loss_limit_quote
        self.action_space = spaces.MultiDiscrete([5, offsets, offsets, sizes, sizes])

    def todo(self, action: NDArray[np.int64]) -> Sequence[Todo]:
        """The requests of an action."""
        kind, bid, ask, bid_size, ask_size = map(int, action)
        if kind == HOLD:
            return ()
        if kind == CANCEL:
            return (cancel_all,)
        unit = self.episode.market.lots_worth(self._size_quote)
        if kind == BUY:
            return (lambda trader: _trade(trader, Side.BUY, bid_size * unit),)
        if kind == SELL:
            return (lambda trader: _trade(trader, Side.SELL, ask_size * unit),)
        middle = self.episode.middle
        bid_ticks = int(middle * (1 - (bid + 1) * self._offset))
        ask_ticks = -int(-middle * (1 + (ask + 1) * self._offset) // 1)
        quotes = ((Side.BUY, bid_ticks, bid_size * unit), (Side.SELL, ask_ticks, ask_size * unit))
        return (lambda trader: _quote(trader, quotes),)

    def judge(self, episode: Episode, before: float, fills: list[Fill]) -> tuple[float, bool]:
        """Change of wealth less the penalty; over when too much is lost."""
        share = episode.trader.position_lots / episode.trader.limit_lots
        wealth = episode.wealth
        return wealth - before - self._penalty * share * share, wealth <= -self._loss_limit


def _trade(trader: Controlled, side: Side, lots: int) -> None:
    if lots:
        trader.trade(side, lots, 0)


def _quote(trader: Controlled, quotes: tuple[tuple[Side, int, int], ...]) -> None:
    """Replace the quotes; one whose terms stay is left where it is."""
    wanted = {side: (price, lots) for side, price, lots in quotes if lots}
    for order in trader.orders():
        if wanted.get(Side(order.side)) == (order.price_ticks, order.lots):
            del wanted[Side(order.side)]
        else:
            trader.cancel(order)
    for side, (price, lots) in wanted.items():
        trader.place(side, price, lots, post_only=True)
