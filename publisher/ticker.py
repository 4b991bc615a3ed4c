"""The last 24 hours of one instrument's trades, to the minute."""

from collections import deque
from typing import Final

from crossbook.common.following.candles import SECOND_NS
from crossbook.common.messages.history_queries import Candle

MINUTE_NS: Final = 60 * SECOND_NS
DAY_MINUTES: Final = 1_440
"""Minutes of the window, the running one included."""


class RollingDay:
    """Sums and extremes over the one-minute candles of a window that only moves forward.

    A minute without trades takes no room. Two queues hold the prices that can still become the
    highest or the lowest.

    >>> day = RollingDay()
    >>> day.put(Candle(60, 0, 7, 9, 6, 8, 5, 40, 2, 1, 2, 3))
    >>> day.put(Candle(60, MINUTE_NS, 8, 8, 7, 7, 1, 7, 1, 3, 3, 4))
    >>> day.high_ticks, day.low_ticks, day.volume_lots, day.first.open_ticks
    (9, 6, 6, 7)
    >>> day.advance(DAY_MINUTES * MINUTE_NS)
    >>> day.high_ticks, day.low_ticks, day.volume_lots, day.first.open_ticks
    (8, 7, 1, 8)
    """

    __slots__ = ("_highs", "_lows", "_minutes", "_now_ns", "quote_volume", "trades", "volume_lots")

    def __init__(self) -> None:
        self.volume_lots = 0
        self.quote_volume = 0
        self.trades = 0
        # Beginning of the latest minute.
        self._now_ns = 0
        self._minutes: deque[Candle] = deque()
        # (beginning of its minute, ticks), at most one a minute: each lower (higher) than the one
        # before, because an earlier price that is not better goes first and never matters again.
        self._highs: deque[tuple[int, int]] = deque()
        self._lows: deque[tuple[int, int]] = deque()

    @property
    def open_ns(self) -> int:
        """The beginning of the window."""
        return max(0, self._now_ns - (DAY_MINUTES - 1) * MINUTE_NS)

    @property
    def first(self) -> Candle | None:
        """The oldest minute with trades, None without any."""
        return self._minutes[0] if self._minutes else None

    @property
    def last(self) -> Candle | None:
        """The latest minute with trades, None without any."""
        return self._minutes[-1] if self._minutes else None

    @property
    def high_ticks(self) -> int:
        """The highest price, zero without trades."""
        return self._highs[0][1] if self._highs else 0

    @property
    def low_ticks(self) -> int:
        """The lowest price, zero without trades."""
        return self._lows[0][1] if self._lows else 0

    def put(self, minute: Candle) -> None:
        """Put one minute: the latest one with more trades, or a later one.

        O(1) amortised.
        """
        minutes, highs, lows = self._minutes, self._highs, self._lows
        open_ns, high, low = minute.open_ns, minute.high_ticks, minute.low_ticks
        if minutes and minutes[-1].open_ns == open_ns:
            self._leave(minutes.pop())
        minutes.append(minute)
        self.volume_lots += minute.volume_lots
        self.quote_volume += minute.quote_volume
        self.trades += minute.trades
        while highs and highs[-1][1] <= high:
            highs.pop()
        highs.append((open_ns, high))
        while lows and lows[-1][1] >= low:
            lows.pop()
        lows.append((open_ns, low))
        self.advance(open_ns)

    def advance(self, time_ns: int) -> None:
        """Move the window to this time: minutes older than 24 hours leave. An earlier time changes
        nothing."""
        now_ns = time_ns - time_ns % MINUTE_NS
        if now_ns <= self._now_ns:
            return
        self._now_ns = now_ns
        open_ns, minutes = self.open_ns, self._minutes
        while minutes and minutes[0].open_ns < open_ns:
            self._leave(minutes.popleft())
        for extremes in (self._highs, self._lows):
            while extremes and extremes[0][0] < open_ns:
                extremes.popleft()

    def _leave(self, minute: Candle) -> None:
        self.volume_lots -= minute.volume_lots
        self.quote_volume -= minute.quote_volume
        self.trades -= minute.trades
