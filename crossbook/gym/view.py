"""The agent's view of an episode: as arrays within fixed bounds, and as text."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from crossbook.common.types import Side
from crossbook.gym.episode import Episode

LEVELS: Final = 5
"""Levels of each side of the book."""

TRADES: Final = 10
"""Latest trades."""

FAR_BPS: Final = 50.0
"""Distance from the middle that counts as 1; what is farther counts as 1 too."""

TYPICAL_QUOTE: Final = 1_000.0
"""Size that counts as one half, in quote units: a size s counts as s / (s + this)."""

_Array = NDArray[np.float32]


class AgentView:
    """The observation, a dictionary of arrays:

    | key | shape | values |
    |---|---|---|
    | `book` | (2, 5, 2) | bids, asks; best first; distance from the middle, size |
    | `quotes` | (2, 2) | the agent's best bid and ask: distance, open size of that side |
    | `trades` | (10, 2) | latest first: distance, above the middle positive; size, sales negative |
    | `position` | (1,) | share of the limit, short negative |
    | `cash` | (1,) | change of the quote balance, as a share of twice the limit |
    | `profit` | (1,) | wealth as a share of the limit |
    | `volatility` | (1,) | average move of the middle in a tick, as a distance |
    | `time_left` | (1,) | share of the episode |

    Distances are shares of 50 basis points; a level or quote that is absent has distance 1 and
    size 0. Sizes are s / (s + 1,000 quote units). Everything is cut to its bounds.
    """

    def __init__(self, limit_quote: float) -> None:
        self._limit = limit_quote

    def space(self) -> spaces.Dict:
        """Shapes and bounds."""
        return spaces.Dict(
            {
                "book": _box(0, (2, LEVELS, 2)),
                "quotes": _box(0, (2, 2)),
                "trades": _box(-1, (TRADES, 2)),
                "position": _box(-1, (1,)),
                "cash": _box(-1, (1,)),
                "profit": _box(-1, (1,)),
                "volatility": _box(0, (1,)),
                "time_left": _box(0, (1,)),
            }
        )

    def observation(self, episode: Episode, time_left: float) -> dict[str, _Array]:
        """The arrays of an episode."""
        market, trader, middle = episode.market, episode.trader, episode.middle
        book = [
            _filled([self._level(episode, *level) for level in side], LEVELS, (1.0, 0.0))
            for side in (market.bids(LEVELS), market.asks(LEVELS))
        ]
        trades = [
            (
                _cut((trade.price_ticks - middle) / middle * 10_000 / FAR_BPS),
                _size(episode, trade.lots, trade.price_ticks)
                * (1 if trade.aggressor_side == Side.BUY else -1),
            )
            for trade in list(trader.trades)[: -TRADES - 1 : -1]
        ]
        values: dict[str, Any] = {
            "book": book,
            "quotes": [self._quotes(episode, side) for side in (Side.BUY, Side.SELL)],
            "trades": _filled(trades, TRADES, (0.0, 0.0)),
            "position": [_cut(trader.position_lots / trader.limit_lots)],
            "cash": [_cut(episode.cash / (2 * self._limit))],
            "profit": [_cut(episode.wealth / self._limit)],
            "volatility": [_distance(middle, middle + market.moves)],
            "time_left": [time_left],
        }
        return {name: np.array(value, dtype=np.float32) for name, value in values.items()}

    def text(self, episode: Episode) -> str:
        """The book, the agent's orders, position and money, a few lines."""
        instrument, market = episode.instrument, episode.market
        own = {order.price_ticks for order in episode.trader.orders()}
        lines = [
            f"{instrument.price_text(price):>14} {instrument.quantity_text(lots):>14}"
            f" {name}{' *' if price in own else ''}"
            for name, side in (("ask", market.asks(LEVELS)[::-1]), ("bid", market.bids(LEVELS)))
            for price, lots in side
        ]
        position = episode.trader.position_lots
        sign = "-" if position < 0 else ""
        lines.append(
            f"position {sign}{instrument.quantity_text(abs(position))} {instrument.base}, "
            f"profit {episode.wealth:.2f} {instrument.quote}, fees {episode.fees:.2f}"
        )
        return "\n".join(lines)

    def _level(self, episode: Episode, price_ticks: int, lots: int) -> tuple[float, float]:
        return _distance(episode.middle, price_ticks), _size(episode, lots, price_ticks)

    def _quotes(self, episode: Episode, side: Side) -> tuple[float, float]:
        orders = [order for order in episode.trader.orders() if order.side == side]
        if not orders:
            return 1.0, 0.0
        prices = [order.price_ticks for order in orders]
        best = max(prices) if side == Side.BUY else min(prices)
        return self._level(episode, best, sum(order.lots for order in orders))


def _box(low: float, shape: tuple[int, ...]) -> spaces.Box:
    return spaces.Box(low, 1, shape, np.float32)


def _filled(
    rows: list[tuple[float, float]], count: int, absent: tuple[float, float]
) -> Sequence[tuple[float, float]]:
    return rows + [absent] * (count - len(rows))


def _distance(middle: float, price_ticks: float) -> float:
    """Distance of a price from the middle, 0 to 1."""
    return min(1.0, abs(price_ticks - middle) / middle * 10_000 / FAR_BPS)


def _size(episode: Episode, lots: int, price_ticks: int) -> float:
    """A size, 0 to 1."""
    worth = episode.quote_units(lots, price_ticks)
    return worth / (worth + TYPICAL_QUOTE)


def _cut(value: float) -> float:
    return max(-1.0, min(1.0, value))
