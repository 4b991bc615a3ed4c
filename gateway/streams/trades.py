"""The stream of an instrument's trades."""

from typing import Final

from crossbook.common.messages.feed import Snapshot, Trades
from crossbook.gateway.streams.base import Stream
from crossbook.gateway.streams.frames import FrameMaker
from crossbook.gateway.streams.pace import StreamPace
from crossbook.gateway.streams.paced import NEW
from crossbook.gateway.streams.trade_tape import TradeTape
from crossbook.gateway.web.channel import Connection

_MS: Final = 1_000_000


class TradeStream(Stream):
    """`/ws/trades/SYMBOL`: every trade, from now or from `from_trade_id` on."""

    def __init__(self, frames: FrameMaker) -> None:
        super().__init__(frames, StreamPace(0, 100 * _MS, 5, 5 * _MS))
        self.tape = TradeTape(frames)
        self._sent = 0
        self._from: dict[Connection, int] = {}

    @property
    def position(self) -> int:
        return self._sent

    @property
    def seq(self) -> int:
        return self.tape.seq

    def apply(self, update: Trades | Snapshot) -> None:
        """Apply a message of the feed."""
        if isinstance(update, Trades):
            self.tape.add(update.trades)
        else:
            self.tape.begin(update.last_trade_id)
        if not len(self):
            self._sent = self.tape.end
        elif self._sent < self.tape.start:
            # Trades are missing, or more came at once than the tape holds.
            self.all_behind(self._sent)
            self._sent = self.tape.start

    def start_from(self, connection: Connection, trade_id: int) -> None:
        """Add a client that is to get the trades from `trade_id` on."""
        self._from[connection] = trade_id
        self.opened(connection)

    def closed(self, connection: Connection) -> None:
        super().closed(connection)
        self._from.pop(connection, None)

    def _due_ns(self) -> int | None:
        if self._sent < self.tape.end:
            return self.pace.free_ns
        return 0 if self.beat_due else None

    def _work(self, now_ns: int) -> bool:
        end = self.tape.end
        if self._sent == end:
            beat = self.pop_beat()
            if beat:
                self.send_current(beat, end)
            return bool(beat)
        if now_ns < self.pace.free_ns:
            return False
        while self._sent < end:
            before = self._sent
            run, self._sent = self.tape.since(before, end)
            self.send_current(run, before)
        self.advance_behind()
        return True

    def catch_up(self, connection: Connection, position: int) -> int:
        """Send some of the trades it misses, or first a resync where the tape has dropped some."""
        tape = self.tape
        if position == NEW:
            first = self._from.pop(connection, 0)
            if not first:
                return self._sent
            position = tape.position_of(first)
        if position < tape.start:
            self.resyncs += 1
            connection.send(self.frames.resync(from_trade_id=tape.first_trade_id))
            position = tape.start
        run, position = tape.since(position, self._sent)
        if run:
            connection.send(run)
        return position
