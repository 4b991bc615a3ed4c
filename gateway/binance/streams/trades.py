"""The face's streams of trades. No I/O."""

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Final

from crossbook.common.messages.feed import Trade, Trades
from crossbook.gateway.binance.streams.message import Encode, Message
from crossbook.gateway.binance.streams.stream import FaceStream, Subscriber, joined
from crossbook.gateway.streams.pace import StreamPace
from crossbook.gateway.streams.paced import NEW

TRADES_KEPT: Final = 10_000
"""Trades that are kept for clients that are behind."""

RUN: Final = 300
"""Trades after which a client that catches up has to have room again."""

_MS: Final = 1_000_000


class TradeEventStream(FaceStream):
    """`<symbol>@trade` and `@aggTrade`: every trade, none left out."""

    takes = (Trades,)

    def __init__(self, name: str, made: Callable[[Trade], Encode]) -> None:
        super().__init__(name, StreamPace(0, 100 * _MS, 5, 5 * _MS))
        self._made = made
        self._kept: deque[Message] = deque(maxlen=TRADES_KEPT)
        self._end = 0
        self._sent = 0

    @property
    def position(self) -> int:
        return self._sent

    def apply(self, update: Trades) -> None:
        """Apply a message of the feed."""
        for trade in update.trades:
            self._kept.append(Message(self.name, self._made(trade)))
        self._end += len(update.trades)

    def _due_ns(self) -> int | None:
        return self.pace.free_ns if self._sent < self._end else None

    def _work(self, now_ns: int) -> bool:
        if self._sent == self._end or now_ns < self.pace.free_ns:
            return False
        if self._sent < self._end - len(self._kept):
            # More came at once than are kept.
            self.all_behind(self._sent)
            self._sent = self._end
        while self._sent < self._end:
            before = self._sent
            run = self._run(before, self._end)
            self._sent += len(run)
            self.send_current(run, before)
        self.advance_behind()
        return True

    def catch_up(self, subscriber: Subscriber, position: int) -> int:
        """Send some of the trades it misses."""
        if position == NEW or position == self._sent:
            return self._sent
        if position < self._end - len(self._kept):
            return self.lost(subscriber)
        run = self._run(position, self._sent)
        subscriber.send(joined(run, subscriber.form))
        return position + len(run)

    def _run(self, position: int, end: int) -> list[Message]:
        first = self._end - len(self._kept)
        return list(islice(self._kept, position - first, min(end, position + RUN) - first))
