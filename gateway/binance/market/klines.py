"""Klines made of candles: joined to longer ones, and filled where nothing traded. No I/O.

A `Candle` without trades stands for an interval without any: all its prices are the last close
before it, its sums are zero.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from crossbook.common.following.candles import joined
from crossbook.common.messages.history_queries import Candle
from crossbook.gateway.binance.market.intervals import Interval


def empty(interval: Interval, begin_ns: int, close_ticks: int) -> Candle:
    """The candle of an interval in which nothing traded."""
    price = close_ticks
    return Candle(
        interval_s=interval.length_s, open_ns=begin_ns, open_ticks=price, high_ticks=price,
        low_ticks=price, close_ticks=price, volume_lots=0, quote_volume=0, trades=0,
        first_trade_id=0, last_trade_id=0, seq=0,
    )  # fmt: skip


def grouped(interval: Interval, candles: Iterable[Candle]) -> list[Candle]:
    """Candles, oldest first, joined to those of an interval, without empty ones. O(candles).

    >>> from crossbook.gateway.binance.market.intervals import INTERVALS
    >>> minutes = [Candle(60, 60_000_000_000 * n, n, n, n, n, 1, n, 1, n, n, n) for n in (3, 5, 6)]
    >>> [(each.open_ticks, each.trades) for each in grouped(INTERVALS["3m"], minutes)]
    [(3, 2), (6, 1)]
    """
    found: list[Candle] = []
    for candle in candles:
        begin_ns = interval.begin_of(candle.open_ns)
        if found and found[-1].open_ns == begin_ns:
            found[-1] = joined(found[-1], candle)
        else:
            found.append(replace(candle, interval_s=interval.length_s, open_ns=begin_ns))
    return found


def filled(
    interval: Interval, candles: Iterable[Candle], first_ns: int, last_ns: int, close_ticks: int
) -> list[Candle]:
    """The candles that begin in `first_ns`..`last_ns`, one for every interval. `close_ticks` is the
    last close before them. O(intervals)."""
    by_begin = {candle.open_ns: candle for candle in candles}
    found: list[Candle] = []
    begin_ns = first_ns
    while begin_ns <= last_ns:
        candle = by_begin.get(begin_ns) or empty(interval, begin_ns, close_ticks)
        close_ticks = candle.close_ticks
        found.append(candle)
        begin_ns = interval.end_of(begin_ns)
    return found


def joined_window(candles: Iterable[Candle]) -> Candle | None:
    """All these candles, oldest first, as one; None without any."""
    whole: Candle | None = None
    for candle in candles:
        whole = candle if whole is None else joined(whole, candle)
    return whole
