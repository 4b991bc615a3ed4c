"""The streams that send only the latest of what they show: the ticker, and candles."""

from collections import deque
from typing import Final

from crossbook.common.messages.feed import MarketState, Ticker
from crossbook.common.messages.history_queries import Candle
from crossbook.gateway.streams.base import Stream
from crossbook.gateway.streams.frames import FrameMaker
from crossbook.gateway.streams.pace import StreamPace
from crossbook.gateway.streams.paced import NEW
from crossbook.gateway.streams.state_tape import StateTape
from crossbook.gateway.web.channel import Connection

_MS: Final = 1_000_000

LATEST_LEAST_NS: Final = 250 * _MS
"""Least time between two sendings of a ticker or candle."""

FINALS_KEPT: Final = 100
"""Final candles of one length that are kept for clients that are behind."""


class _LatestStream(Stream):
    """A stream whose position counts the messages sent; `_dirty` while the latest one waits."""

    def __init__(self, frames: FrameMaker, least_ns: int = LATEST_LEAST_NS) -> None:
        # Down to once a second when one sending costs more than 100 ms.
        super().__init__(frames, StreamPace(least_ns, 1_000 * _MS, 10))
        self._number = 0
        self._dirty = False

    @property
    def position(self) -> int:
        return self._number

    def _due_ns(self) -> int | None:
        if self._dirty:
            return self.pace.free_ns
        return 0 if self.beat_due else None

    def _send_with_beat(self, frame: bytes, before: int) -> bool:
        """Send what follows position `before`, and the heartbeat unless the latest waits; return
        whether there was anything."""
        frame += self.pop_beat() if not self._dirty else b""
        if not frame:
            return False
        self.send_current(frame, before)
        self.advance_behind()
        return True


class TickerStream(_LatestStream):
    """`/ws/ticker/SYMBOL`: the state with every change, and the latest of the last 24 hours."""

    def __init__(self, frames: FrameMaker, least_ns: int = LATEST_LEAST_NS) -> None:
        super().__init__(frames, least_ns)
        self._ticker: Ticker | None = None
        self._states = StateTape()

    @property
    def seq(self) -> int:
        latest = (self._ticker, self._states.latest)
        return max(message.seq if message is not None else 0 for message in latest)

    def apply_state(self, state: MarketState) -> None:
        """Apply a state of the feed."""
        self._states.add(state)
        if not len(self):
            self._states.drain()

    def apply(self, ticker: Ticker) -> None:
        """Apply a message of the feed."""
        self._ticker = ticker
        self._dirty = True

    def _due_ns(self) -> int | None:
        return 0 if self._states.waits else super()._due_ns()

    def _work(self, now_ns: int) -> bool:
        before = self._number
        frame = b"".join(map(self.frames.state, self._states.drain()))
        self._number += bool(frame)
        if self._dirty and self._ticker is not None and now_ns >= self.pace.free_ns:
            frame += self.frames.ticker(self._ticker)
            self._dirty = False
            self._number += 1
        return self._send_with_beat(frame, before)

    def catch_up(self, connection: Connection, position: int) -> int:
        """Send the latest state and ticker."""
        state, ticker = self._states.latest, self._ticker
        if position != self._number:
            frame = self.frames.state(state) if state is not None else b""
            frame += self.frames.ticker(ticker) if ticker is not None else b""
            if frame:
                connection.send(frame)
        return self._number


class CandleStream(_LatestStream):
    """`/ws/candles/SYMBOL?interval=`: the latest candle, and each once more when it is final: when
    its time is over, or with the first trade of a later one."""

    def __init__(self, frames: FrameMaker, interval: str, least_ns: int = LATEST_LEAST_NS) -> None:
        super().__init__(frames, least_ns)
        self.interval = interval
        self._candle: Candle | None = None
        # The position from which on a client has the latest candle as final; zero while it runs.
        self._ended_at = 0
        self._finals: deque[tuple[int, bytes]] = deque(maxlen=FINALS_KEPT)

    @property
    def seq(self) -> int:
        return self._candle.seq if self._candle is not None else 0

    def apply(self, candle: Candle, has_ended: bool = False) -> None:
        """Apply a candle of this length; one that is older than the latest changes nothing."""
        before = self._candle
        if before is not None and candle.open_ns < before.open_ns:
            return
        if candle == before and has_ended == bool(self._ended_at):
            # The feed repeats it beside one of another length.
            return
        # What changes now is sent with this number, to every client at an earlier position.
        number = self._number + 1
        if before is not None and candle.open_ns > before.open_ns:
            whole = candle.first_trade_id == before.last_trade_id + 1
            if self._ended_at or whole:
                final = self.frames.candle(before, self.interval, True)
                self._finals.append((self._ended_at or number, final))
            if not whole:
                self._finals.append((number, self._missed()))
        self._candle = candle
        self._ended_at = number if has_ended else 0
        self._dirty = True
        if not len(self):
            self._finals.clear()

    def _work(self, now_ns: int) -> bool:
        before, frame = self._number, b""
        if self._dirty and now_ns >= self.pace.free_ns:
            self._dirty = False
            self._number += 1
            frame = self._after(before)
        return self._send_with_beat(frame, before)

    def catch_up(self, connection: Connection, position: int) -> int:
        """Send the candles that became final since, and the latest."""
        if position != self._number:
            frame = self._after(self._number if position == NEW else position)
            if frame:
                connection.send(frame)
        return self._number

    def _missed(self) -> bytes:
        """The frame in place of candles of which trades are missing."""
        return self.frames.resync(interval=self.interval)

    def _after(self, position: int) -> bytes:
        finals = [frame for number, frame in self._finals if position < number <= self._number]
        if self._candle is not None:
            is_final = bool(self._ended_at)
            finals.append(self.frames.candle(self._candle, self.interval, is_final))
        return b"".join(finals)
