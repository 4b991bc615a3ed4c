"""The last trades of one instrument, as frames, and where each client stands in them."""

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Final

from crossbook.common.messages.feed import Trade
from crossbook.gateway.streams.frames import FrameMaker

TRADES_KEPT: Final = 10_000
"""Trades that can still be sent to who missed them."""

RUN_BYTES: Final = 65_536
"""About how much a client that catches up is sent at once."""


class TradeTape:
    """Trades in order. A position counts trades from the tape's own beginning, so that it stays
    true when trade ids jump: what lies before a jump is forgotten, and `since` says so."""

    def __init__(self, frames: FrameMaker) -> None:
        self.frames = frames
        self.seq = 0
        self.end = 0
        """The position behind the last trade."""
        self.next_trade_id = 0
        """The id of the next trade; zero before anything is known."""
        self._kept: deque[bytes] = deque(maxlen=TRADES_KEPT)

    @property
    def first_trade_id(self) -> int:
        """The id of the first trade held, or of the next to come."""
        return self.next_trade_id - len(self._kept)

    @property
    def start(self) -> int:
        """The position of the first trade held."""
        return self.end - len(self._kept)

    def begin(self, last_trade_id: int) -> None:
        """The feed starts behind this trade."""
        if not self.next_trade_id:
            self.next_trade_id = last_trade_id + 1

    def add(self, trades: Iterable[Trade]) -> None:
        """Trades of the feed, next in order. After a hole in their ids, or when they count anew,
        everything before is forgotten."""
        for trade in trades:
            if trade.trade_id != self.next_trade_id:
                self._kept.clear()
                # No client stands here: all positions before are behind a hole.
                self.end += 1
            self._kept.append(self.frames.trade(trade))
            self.end += 1
            self.next_trade_id = trade.trade_id + 1
            self.seq = trade.seq

    def place_of(self, trade_id: int) -> int:
        """The position of a trade, which may be before `start` or behind `end`."""
        return self.end - (self.next_trade_id - trade_id)

    def since(self, place: int, end: int) -> tuple[bytes, int]:
        """Frames from a position at or behind `start` up to `end`, and the position after them.

        As much as is worth sending at once; nothing at `end`.
        """
        start = self.start
        assert start <= place, f"position {place} is before {start}"
        run: list[bytes] = []
        size = 0
        for frame in islice(self._kept, place - start, max(place, end) - start):
            run.append(frame)
            size += len(frame)
            if size >= RUN_BYTES:
                break
        return b"".join(run), place + len(run)
