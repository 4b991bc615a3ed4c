"""The last trades of one instrument, as frames."""

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Final

from crossbook.common.messages.feed import Trade
from crossbook.gateway.streams.frames import FrameMaker

TRADES_KEPT: Final = 10_000
"""Trades that are kept for clients that are behind."""

RUN_BYTES: Final = 65_536
"""Bytes after which a client that catches up has to have room again."""


class TradeTape:
    """Trades in order. A position counts the trades since the tape began, so it stays valid when
    trade ids jump. The trades before a jump are dropped: their positions are before `start`."""

    def __init__(self, frames: FrameMaker) -> None:
        self.frames = frames
        self.seq = 0
        self.end = 0
        """The position behind the last trade."""
        self.next_trade_id = 0
        """The id of the next trade; zero before `begin` and the first trade."""
        self._kept: deque[bytes] = deque(maxlen=TRADES_KEPT)

    @property
    def first_trade_id(self) -> int:
        """The id of the first trade held, or of the next trade."""
        return self.next_trade_id - len(self._kept)

    @property
    def start(self) -> int:
        """The position of the first trade held."""
        return self.end - len(self._kept)

    def begin(self, last_trade_id: int) -> None:
        """Start behind this trade, unless the tape has started."""
        if not self.next_trade_id:
            self.next_trade_id = last_trade_id + 1

    def add(self, trades: Iterable[Trade]) -> None:
        """Append trades of the feed. At a hole in their ids, or when the ids start anew, the trades
        before are dropped."""
        for trade in trades:
            if trade.trade_id != self.next_trade_id:
                self._kept.clear()
                # No client is at this position: all earlier ones are before the hole.
                self.end += 1
            self._kept.append(self.frames.trade(trade))
            self.end += 1
            self.next_trade_id = trade.trade_id + 1
            self.seq = trade.seq

    def position_of(self, trade_id: int) -> int:
        """The position of a trade, which may be before `start` or after `end`."""
        return self.end - (self.next_trade_id - trade_id)

    def since(self, position: int, end: int) -> tuple[bytes, int]:
        """Frames from a position at or after `start` up to `end`, about `RUN_BYTES` at most, and
        the position after them. Nothing at `end`."""
        start = self.start
        assert start <= position, f"position {position} is before {start}"
        run: list[bytes] = []
        size = 0
        for frame in islice(self._kept, position - start, max(position, end) - start):
            run.append(frame)
            size += len(frame)
            if size >= RUN_BYTES:
                break
        return b"".join(run), position + len(run)
