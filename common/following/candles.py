"""Candles of one instrument, built from its trades in order by recorder and publisher alike.

No clock is read: a trade has the matcher's time. A candle is final with the first trade of a later
one, or once the matcher's time has passed its end (`has_ended`). Each length divides the next, so
the cost of a trade does not depend on the number of lengths. Sums are exact, however large.
"""

from collections.abc import Iterable
from typing import Final

from crossbook.common.messages.history_queries import CANDLE_INTERVALS_S, Candle
from crossbook.common.types import Side

SECOND_NS: Final = 1_000_000_000

_BUY: Final = int(Side.BUY)


class CandleSeries:
    """The latest candle of every length, and those changed since the last `drain_changed`.

    Trades come in order. A trade already contained (`trade_id` at most `last_trade_id`) is ignored,
    so a series loaded from a record accepts trades from anywhere at or before its end.

    >>> series = CandleSeries((1, 60))
    >>> series.add(500, 3, 1_500, trade_id=1, seq=7, time_ns=61 * SECOND_NS, aggressor_side=1)
    >>> series.add(502, 1, 502, trade_id=2, seq=8, time_ns=62 * SECOND_NS, aggressor_side=2)
    >>> [(c.interval_s, c.volume_lots, c.taker_buy_lots) for c in series.drain_changed()]
    [(1, 3, 3), (1, 1, 0), (60, 4, 3)]
    >>> series.drain_changed()
    []
    """

    def __init__(self, intervals_s: Iterable[int] = CANDLE_INTERVALS_S) -> None:
        self._intervals_s = tuple(sorted(intervals_s))
        self._latest: dict[int, Candle] = {}
        self._changed: dict[tuple[int, int], Candle] = {}
        self.last_trade_id = 0
        # Trades of one second that are in no candle yet; `_trades` is zero where there are none.
        self._second_ns = 0
        self._trades = 0
        self._open = self._high = self._low = self._close = 0
        self._volume = self._notional = self._bought = self._bought_for = 0
        self._first_trade_id = self._seq = 0

    def load(self, latest: Iterable[Candle]) -> None:
        """Replace the series by these candles, the latest of each length."""
        self._latest = {candle.interval_s: candle for candle in latest}
        self._changed.clear()
        self._trades = 0
        self.last_trade_id = max((c.last_trade_id for c in self._latest.values()), default=0)

    def add(
        self,
        price_ticks: int,
        lots: int,
        notional: int,
        trade_id: int,
        seq: int,
        time_ns: int,
        aggressor_side: int,
    ) -> None:
        """Count one trade. `notional` is in the quote asset's smallest unit, `aggressor_side` the
        side of the taker. O(1)."""
        if trade_id <= self.last_trade_id:
            return
        second_ns = time_ns - time_ns % SECOND_NS
        if second_ns != self._second_ns:
            self._fold()
            self._second_ns = second_ns
        self.last_trade_id = trade_id
        if not self._trades:
            self._open = self._high = self._low = price_ticks
            self._volume = self._notional = self._bought = self._bought_for = 0
            self._first_trade_id = trade_id
        elif price_ticks > self._high:
            self._high = price_ticks
        elif price_ticks < self._low:
            self._low = price_ticks
        self._close = price_ticks
        self._volume += lots
        self._notional += notional
        if aggressor_side == _BUY:
            self._bought += lots
            self._bought_for += notional
        self._trades += 1
        self._seq = seq

    def latest(self) -> list[Candle]:
        """The latest candle of every length that has one, shortest first."""
        self._fold()
        latest = self._latest
        return [latest[interval_s] for interval_s in self._intervals_s if interval_s in latest]

    def drain_changed(self) -> list[Candle]:
        """Every candle that got a trade since the last call, in its present state: shortest length
        first, then oldest first. Frequent calls bound the list."""
        self._fold()
        changed, self._changed = self._changed, {}
        return [changed[key] for key in sorted(changed)]

    def _fold(self) -> None:
        """Add the gathered trades to the candle of every length. O(lengths)."""
        if not self._trades:
            return
        for interval_s in self._intervals_s:
            part = Candle(
                interval_s,
                self._second_ns - self._second_ns % (interval_s * SECOND_NS),
                self._open,
                self._high,
                self._low,
                self._close,
                self._volume,
                self._notional,
                self._trades,
                self._first_trade_id,
                self.last_trade_id,
                self._seq,
                self._bought,
                self._bought_for,
            )
            before = self._latest.get(interval_s)
            if before is not None and before.open_ns >= part.open_ns:
                part = joined(before, part)
            self._latest[interval_s] = self._changed[interval_s, part.open_ns] = part
        self._trades = 0


def has_ended(candle: Candle, time_ns: int) -> bool:
    """Whether no trade from this time on is in the candle.

    >>> minute = Candle(60, 60 * SECOND_NS, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
    >>> has_ended(minute, 120 * SECOND_NS - 1), has_ended(minute, 120 * SECOND_NS)
    (False, True)
    """
    return time_ns >= candle.open_ns + candle.interval_s * SECOND_NS


def joined(earlier: Candle, later: Candle) -> Candle:
    """The candle of `earlier`'s length and beginning with the trades of both."""
    return Candle(
        earlier.interval_s,
        earlier.open_ns,
        earlier.open_ticks,
        max(earlier.high_ticks, later.high_ticks),
        min(earlier.low_ticks, later.low_ticks),
        later.close_ticks,
        earlier.volume_lots + later.volume_lots,
        earlier.quote_volume + later.quote_volume,
        earlier.trades + later.trades,
        earlier.first_trade_id,
        later.last_trade_id,
        later.seq,
        earlier.taker_buy_lots + later.taker_buy_lots,
        earlier.taker_buy_quote_volume + later.taker_buy_quote_volume,
    )
