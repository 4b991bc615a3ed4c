"""`crossbook/Execution-v0`: sell or buy a large order within an episode, as well as possible."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from crossbook.common.errors import ConfigError
from crossbook.common.types import Side
from crossbook.gym.environment import STEP_S_MOST, MarketEnv, check_between
from crossbook.gym.episode import Controlled, Episode, Todo, cancel_all
from crossbook.simulator.agent import Fill

SHARES: Final = (0.0, 0.02, 0.05, 0.1, 0.25, 1.0)
"""Shares of the whole order that a step may trade."""


class ExecutionEnv(MarketEnv):
    """Sell (or with `side="buy"` buy) `quantity_quote` worth of the base asset in an episode.

    **Action**, `MultiDiscrete([6, 2])`: the share of the whole order to trade in this step (0, 2,
    5, 10, 25 or 100 percent, at most what is left), and how: 0 with an order at the best price of
    its side, post-only, or 1 with a market order. The first tick of a step cancels what is left of
    the last one, the second trades.

    **Observation**: `crossbook.gym.view.AgentView`; the share of the order that is done is
    `position`, negative for a sale. **Reward**: for each fill the advantage of its price over the
    middle at the beginning, times its quantity, less fees, in quote units. At the end of the
    episode what is left counts at the middle of then, less `left_over_bps` of its worth. **End**:
    `terminated` when all is done, or at the end of the episode.
    """

    def __init__(
        self,
        *,
        side: str = "sell",
        quantity_quote: float = 20_000.0,
        left_over_bps: float = 20.0,
        step_s: float = 1.0,
        **market: Any,
    ) -> None:
        if side not in ("buy", "sell"):
            raise ConfigError(f"side: {side!r} is not 'buy' or 'sell'")
        check_between("quantity_quote", quantity_quote, 1, 1e9)
        check_between("left_over_bps", left_over_bps, 0, 10_000)
        check_between("step_s", step_s, 0.2, STEP_S_MOST)
        if "limit_quote" in market:
            raise ConfigError("limit_quote: it is quantity_quote here")
        super().__init__(limit_quote=quantity_quote, step_s=step_s, **market)
        self._side = Side[side.upper()]
        self._left_over = left_over_bps / 10_000
        self._arrival = 0.0
        self.action_space = spaces.MultiDiscrete([len(SHARES), 2])

    def begin(self, episode: Episode) -> None:
        """The price that fills are compared with."""
        self._arrival = episode.middle

    def todo(self, action: NDArray[np.int64]) -> Sequence[Todo]:
        """The requests of an action."""
        share, at_market = SHARES[int(action[0])], bool(action[1])
        side = self._side

        def trade(trader: Controlled) -> None:
            lots = round(share * trader.limit_lots)
            market = trader.market
            best = market.bid_ticks if side == Side.BUY else market.ask_ticks
            if at_market:
                trader.trade(side, lots, 0)
            elif best:
                trader.place(side, best, lots, post_only=True)

        return cancel_all, trade

    def judge(self, episode: Episode, before: float, fills: list[Fill]) -> tuple[float, bool]:
        """The advantage over the price at the beginning; over when all is done."""
        sign = 1 if self._side == Side.SELL else -1
        reward = 0.0
        for fill in fills:
            reward += sign * episode.quote_units(fill.lots, fill.price_ticks - self._arrival)
            reward -= episode.fee_quote(fill)
        trader = episode.trader
        left = trader.limit_lots - abs(trader.position_lots)
        if left and self._done >= self.steps:
            reward += sign * episode.quote_units(left, episode.middle - self._arrival)
            reward -= self._left_over * episode.quote_units(left, episode.middle)
        return reward, not left
