"""The face's streams of klines. No I/O.

The running kline is made of the exchange's candles of the interval's `candle_s`. The feed has the
latest of them only. So where a stream begins in the middle of a longer interval, or where candles
were missed, it requests the earlier ones from the record, and sends nothing until they are there.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from crossbook.common.messages.feed import Candles, Snapshot
from crossbook.common.messages.history_queries import Candle
from crossbook.gateway.binance.market.intervals import Interval
from crossbook.gateway.binance.market.klines import empty, grouped
from crossbook.gateway.binance.streams.events import EventMaker
from crossbook.gateway.binance.streams.message import Message
from crossbook.gateway.binance.streams.stream import FaceStream, Subscriber, joined
from crossbook.gateway.streams.pace import StreamPace
from crossbook.gateway.streams.paced import NEW

FINALS_KEPT: Final = 100
"""Ended klines that are kept for clients that are behind, and that are sent after a pause."""

ASK_AGAIN_NS: Final = 5_000_000_000
"""Wait before the record is asked again for earlier candles."""

_MS: Final = 1_000_000

AskPast = Callable[[int, int, Callable[[Sequence[Candle] | None], None]], None]
"""Requests the candles of an interval that begins at the first time, up to the second; the function
gets them, or None where there is no answer."""


class KlineStream(FaceStream):
    """`<symbol>@kline_<interval>`: the running kline, at once and when it changes; and each once
    more as ended, without trades too."""

    takes = (Candles, Snapshot)

    def __init__(
        self,
        name: str,
        events: EventMaker,
        interval: Interval,
        least_ns: int,
        ask_past: AskPast,
    ) -> None:
        super().__init__(name, StreamPace(least_ns, 1_000 * _MS, 10))
        self.interval = interval
        self._events = events
        self._ask_past = ask_past
        self._parts: dict[int, Candle] = {}
        self._begin_ns = 0
        self._close_ticks = 0
        self._time_ns = 0
        self._is_whole = False
        self._asked_ns = 0
        self._last_trade_id = 0
        self._number = 0
        self._dirty = False
        # Ended klines, with the position of a client that has them.
        self._finals: deque[tuple[int, Message]] = deque(maxlen=FINALS_KEPT)
        self._shown: Message | None = None

    @property
    def position(self) -> int:
        return self._number

    @property
    def has_begun(self) -> bool:
        """Whether there was a trade."""
        return bool(self._close_ticks or self._parts)

    def begin(self, latest: Candle, time_ns: int) -> None:
        """Begin with the latest candle of the feed; `time_ns` is the exchange's time."""
        interval = self.interval
        self._time_ns = time_ns = max(time_ns, latest.open_ns)
        self._begin_ns = interval.begin_of(time_ns)
        self._last_trade_id = latest.last_trade_id
        self._close_ticks = latest.close_ticks
        self._is_whole = True
        self._dirty = True
        if interval.begin_of(latest.open_ns) == self._begin_ns:
            self._parts = {latest.open_ns: latest}
            if latest.open_ns != self._begin_ns and latest.first_trade_id > 1:
                self._ask()

    def put(self, candle: Candle) -> None:
        """Apply a candle of the length `candle_s`."""
        if not self.has_begun:
            self.begin(candle, self._time_ns)
            return
        begin_ns = self.interval.begin_of(candle.open_ns)
        if self._parts.get(candle.open_ns) == candle:
            return
        if begin_ns < self._begin_ns:
            self._see_ended(candle)
            return
        if begin_ns > self._begin_ns:
            self._end_before(begin_ns)
        if candle.open_ns not in self._parts and candle.first_trade_id > self._last_trade_id + 1:
            # Trades of candles between were not in the feed.
            self._ask()
        self._parts[candle.open_ns] = candle
        self._last_trade_id = max(self._last_trade_id, candle.last_trade_id)
        self._dirty = True

    def apply(self, update: Candles | Snapshot) -> None:
        """Apply a message of the feed."""
        for candle in update.candles:
            if candle.interval_s == self.interval.candle_s:
                self.put(candle)
        self.advance(update.time_ns)

    def advance(self, time_ns: int) -> None:
        """The exchange's time has come to this, and the candles of all trades before it were
        applied."""
        self._time_ns = max(self._time_ns, time_ns)
        if self.has_begun:
            begin_ns = self.interval.begin_of(self._time_ns)
            if begin_ns > self._begin_ns:
                self._end_before(begin_ns)
            if not self._is_whole and self._time_ns - self._asked_ns > ASK_AGAIN_NS:
                self._ask()

    def _see_ended(self, candle: Candle) -> None:
        """Take the last close from a candle of an interval before the running one."""
        if candle.last_trade_id > self._last_trade_id:
            self._last_trade_id = candle.last_trade_id
            self._close_ticks = candle.close_ticks
            self._dirty = True

    def _end_before(self, begin_ns: int) -> None:
        """End the running kline and those after it, up to the one that begins at this time."""
        interval = self.interval
        self._time_ns = max(self._time_ns, begin_ns)
        # Of many intervals without trades the last ones.
        first_ns = max(interval.end_of(self._begin_ns), interval.after(begin_ns, -FINALS_KEPT))
        ended = self._running()
        self._close_ticks = ended.close_ticks
        if self._is_whole:
            self._end(ended)
        while first_ns < begin_ns:
            self._end(empty(interval, first_ns, self._close_ticks))
            first_ns = interval.end_of(first_ns)
        self._parts = {}
        self._begin_ns = begin_ns
        self._is_whole = True
        self._dirty = True

    def _end(self, candle: Candle) -> None:
        made = self._events.kline(self.interval, candle, True, self._time_ns)
        self._finals.append((self._number + 1, Message(self.name, made)))

    def _running(self) -> Candle:
        """The kline that runs, of the candles that are there."""
        parts = [self._parts[open_ns] for open_ns in sorted(self._parts)]
        if not parts:
            return empty(self.interval, self._begin_ns, self._close_ticks)
        return grouped(self.interval, parts)[0]

    def _ask(self) -> None:
        """Request the candles of the running interval from the record."""
        self._is_whole = False
        self._asked_ns = self._time_ns
        begin_ns = self._begin_ns

        def answered(candles: Sequence[Candle] | None) -> None:
            if candles is None or begin_ns != self._begin_ns:
                return
            for candle in candles:
                known = self._parts.get(candle.open_ns)
                if known is None or known.last_trade_id < candle.last_trade_id:
                    self._parts[candle.open_ns] = candle
                    self._last_trade_id = max(self._last_trade_id, candle.last_trade_id)
            self._is_whole = self._dirty = True
            if self.live:
                self.advance_behind()

        self._ask_past(begin_ns, self._time_ns, answered)

    def _due_ns(self) -> int | None:
        return self.pace.free_ns if self._dirty and self._is_whole else None

    def _work(self, now_ns: int) -> bool:
        if not self._dirty or not self._is_whole or now_ns < self.pace.free_ns:
            return False
        before = self._number
        self._show()
        self.send_current(self._after(before), before)
        self.advance_behind()
        return True

    def catch_up(self, subscriber: Subscriber, position: int) -> int:
        """Send the klines that ended since, and the running one."""
        if not self._is_whole:
            return position
        if position == NEW and self._shown is None and self.has_begun:
            self._show()
        if position != self._number and self._shown is not None:
            messages = self._after(self._number if position == NEW else position)
            subscriber.send(joined(messages, subscriber.form))
        return self._number

    def _show(self) -> None:
        """Make the event of the running kline, with a position of its own."""
        self._dirty = False
        self._number += 1
        made = self._events.kline(self.interval, self._running(), False, self._time_ns)
        self._shown = Message(self.name, made)

    def _after(self, position: int) -> list[Message]:
        ended = [made for number, made in self._finals if position < number <= self._number]
        return ended if self._shown is None else [*ended, self._shown]
