"""The market-data streams: the book with its best prices, trades, candles, the ticker."""

from collections import deque
from typing import Final

from crossbook.common.messages.feed import (
    BestBidOffer,
    DepthUpdate,
    MarketState,
    Snapshot,
    Ticker,
    Trades,
)
from crossbook.common.messages.history_queries import Candle
from crossbook.gateway.streams.base import NEW, Pace, Stream
from crossbook.gateway.streams.conflated_book import UNFLUSHED_MAX, Board
from crossbook.gateway.streams.frames import FrameMaker
from crossbook.gateway.streams.state_tape import StateTape
from crossbook.gateway.streams.trade_tape import TradeTape
from crossbook.gateway.web.channel import Connection

_MS: Final = 1_000_000
_NEVER_NS: Final = 1 << 62

FINALS_KEPT: Final = 100
"""Finished candles of one length that can still be sent to who missed them."""


def _book_pace() -> Pace:
    """20 updates a second, and down to 11 when one costs more than 17 ms of processor time."""
    return Pace(50 * _MS, 90 * _MS, 3)


def _prompt_pace() -> Pace:
    """At once, as long as no more than a fifth of the time goes into it."""
    return Pace(0, _NEVER_NS, 5, 5 * _MS)


class BookStream(Stream):
    """`/ws/market-data/SYMBOL`: snapshot, best prices and state, then conflated updates, best
    prices and changes of the state.

    A change of the state leaves at once with all that waits of the book: before it where the book
    may be crossed from then on, else behind it. So no client has a crossed book without the
    reason.

    Best bid and offer leave at once while sending them is cheap (`_prompt_pace`), else together
    with the book's next update.
    """

    def __init__(self, frames: FrameMaker) -> None:
        super().__init__(frames)
        self.board = Board(frames)
        self._states = StateTape()
        self._state = b""
        self._pace = _book_pace()
        self._best_pace = _prompt_pace()
        self._best_due = False
        self._flushed = False

    @property
    def position(self) -> int:
        return self.board.number

    @property
    def seq(self) -> int:
        return self.board.seq

    def take(self, update: DepthUpdate | BestBidOffer | Snapshot) -> None:
        """A message of the feed."""
        if isinstance(update, BestBidOffer):
            self.board.best = update
            self._best_due = True
        elif isinstance(update, DepthUpdate):
            self.board.take(update)
        else:
            before = self.board.number
            self.board.load(update)
            # The best prices are those of the book, once it is shown.
            self._best_due = self.board.dirty
            if self.board.number != before:
                self.all_behind(before)
        if not self.level and not self.behind:
            self._best_due = False
            if self.board.waiting > UNFLUSHED_MAX:
                self.board.settle()

    def take_state(self, state: MarketState) -> None:
        """The state of the instrument, of the feed; after the books it came with or behind."""
        self._states.take(state)
        if not self.level and not self.behind:
            self.board.settle()
            self._tell_states()

    def opened(self, connection: Connection) -> None:
        if not self.level and not self.behind and self.board.loaded:
            # Nobody has been watching: let the snapshot be of now.
            self.board.settle()
        super().opened(connection)

    def due_ns(self) -> int | None:
        if not self.live or not len(self):
            return None
        due = None
        if self.board.dirty:
            due = self._pace.free_ns
        if self._best_due and self.board.best is not None:
            due = min(self._best_pace.free_ns, due if due is not None else _NEVER_NS)
        if self._states.waits or (self.beat_due and due is None):
            due = 0
        return due

    def work(self, now_ns: int) -> bool:
        if not self.live or not len(self):
            return False
        board = self.board
        before = board.number
        update = b""
        is_free = now_ns >= self._pace.free_ns or self._states.changes
        self._flushed = board.dirty and is_free
        if self._flushed:
            update = board.flush() or b""
        best = b""
        if self._best_due and (self._flushed or self._best_may_leave(now_ns)):
            best = board.bbo()
            self._best_due = False
        # A heartbeat leaves with the update that is about to come, if one is.
        beat = self.take_beat() if self._flushed or not board.dirty else b""
        states = self._tell_states()
        if self._states.may_be_crossed:
            frame = states + update + best + beat
        else:
            frame = update + best + states + beat
        if not frame:
            return False
        self.send_level(frame, before)
        if update and self.behind:
            self.advance_behind()
        return True

    def written(self, begun_ns: int, cost_ns: int) -> None:
        if self._flushed:
            self._pace.sent(begun_ns, cost_ns)
        self._best_pace.sent(begun_ns, cost_ns)

    def catch_up(self, connection: Connection, position: int) -> int:
        """State, and one update from where it stands, or a fresh snapshot; then the best prices."""
        board = self.board
        frame = b""
        if position != board.number:
            missed = board.since(position) if position != NEW else None
            if missed is None:
                held, frame = board.snapshot()
                if position != NEW:
                    self.resyncs += 1
                    frame = self.frames.resync() + frame
                missed = board.since(held) or b""
            frame += missed
        frame += board.bbo()
        if self._states.may_be_crossed:
            connection.send(self._state + frame)
        else:
            connection.send(frame + self._state)
        return board.number

    def _tell_states(self) -> bytes:
        """What waits of the state, which counts as sent."""
        if not self._states.waits:
            return b""
        if self._states.changes:
            self.board.forget_snapshot()
        frames = [self.frames.state(state) for state in self._states.drain()]
        self._state = frames[-1]
        return b"".join(frames)

    def _best_may_leave(self, now_ns: int) -> bool:
        return self.board.best is not None and now_ns >= self._best_pace.free_ns


class TradeStream(Stream):
    """`/ws/trades/SYMBOL`: every trade, from now or from `from_trade_id` on."""

    def __init__(self, frames: FrameMaker) -> None:
        super().__init__(frames)
        self.tape = TradeTape(frames)
        self._pace = Pace(0, 100 * _MS, 5, 5 * _MS)
        self._sent = 0
        self._from: dict[Connection, int] = {}

    @property
    def position(self) -> int:
        return self._sent

    @property
    def seq(self) -> int:
        return self.tape.seq

    def take(self, update: Trades | Snapshot) -> None:
        """A message of the feed."""
        if isinstance(update, Trades):
            self.tape.add(update.trades)
        else:
            self.tape.begin(update.last_trade_id)
        if not len(self):
            self._sent = self.tape.end
        elif self._sent < self.tape.start:
            # Trades are missing, or more came at once than are held.
            self.all_behind(self._sent)
            self._sent = self.tape.start

    def start_from(self, connection: Connection, trade_id: int) -> None:
        """A client comes that wants the trades from `trade_id` on."""
        self._from[connection] = trade_id
        self.opened(connection)

    def closed(self, connection: Connection) -> None:
        super().closed(connection)
        self._from.pop(connection, None)

    def due_ns(self) -> int | None:
        if not self.live or not len(self):
            return None
        if self._sent < self.tape.end:
            return self._pace.free_ns
        return 0 if self.beat_due else None

    def work(self, now_ns: int) -> bool:
        if not self.live or not len(self):
            return False
        end = self.tape.end
        if self._sent == end:
            beat = self.take_beat()
            if beat:
                self.send_level(beat, end)
            return bool(beat)
        if now_ns < self._pace.free_ns:
            return False
        while self._sent < end:
            before = self._sent
            run, self._sent = self.tape.since(before, end)
            self.send_level(run, before)
        self.advance_behind()
        return True

    def written(self, begun_ns: int, cost_ns: int) -> None:
        self._pace.sent(begun_ns, cost_ns)

    def catch_up(self, connection: Connection, position: int) -> int:
        """Some of the trades it misses, or where the trades go on that are still held."""
        tape = self.tape
        if position == NEW:
            wanted = self._from.pop(connection, 0)
            if not wanted:
                return self._sent
            position = tape.place_of(wanted)
        if position < tape.start:
            self.resyncs += 1
            connection.send(self.frames.resync(from_trade_id=tape.first_trade_id))
            position = tape.start
        run, place = tape.since(position, self._sent)
        if run:
            connection.send(run)
        return place


class TickerStream(Stream):
    """`/ws/ticker/SYMBOL`: the state and its changes, and the last 24 hours, the latest only."""

    def __init__(self, frames: FrameMaker) -> None:
        super().__init__(frames)
        self._ticker: Ticker | None = None
        self._states = StateTape()
        self._pace = Pace(250 * _MS, 1_000 * _MS, 10)
        self._number = 0
        self._dirty = False

    @property
    def position(self) -> int:
        return self._number

    @property
    def seq(self) -> int:
        told = (self._ticker, self._states.latest)
        return max(message.seq if message is not None else 0 for message in told)

    def take_state(self, state: MarketState) -> None:
        """The state of the instrument, of the feed."""
        self._states.take(state)
        if not len(self):
            self._states.drain()

    def take(self, ticker: Ticker) -> None:
        """A message of the feed."""
        self._ticker = ticker
        self._dirty = True

    def due_ns(self) -> int | None:
        if not self.live or not len(self):
            return None
        if self._states.waits:
            return 0
        if self._dirty:
            return self._pace.free_ns
        return 0 if self.beat_due else None

    def work(self, now_ns: int) -> bool:
        if not self.live or not len(self):
            return False
        before = self._number
        frame = b"".join(map(self.frames.state, self._states.drain()))
        self._number += bool(frame)
        if self._dirty and self._ticker is not None and now_ns >= self._pace.free_ns:
            frame += self.frames.ticker(self._ticker)
            self._dirty = False
            self._number += 1
        frame += self.take_beat() if not self._dirty else b""
        if not frame:
            return False
        self.send_level(frame, before)
        self.advance_behind()
        return True

    def written(self, begun_ns: int, cost_ns: int) -> None:
        self._pace.sent(begun_ns, cost_ns)

    def catch_up(self, connection: Connection, position: int) -> int:
        """The latest."""
        state, ticker = self._states.latest, self._ticker
        if position != self._number:
            frame = self.frames.state(state) if state is not None else b""
            frame += self.frames.ticker(ticker) if ticker is not None else b""
            if frame:
                connection.send(frame)
        return self._number


class CandleStream(Stream):
    """`/ws/candles/SYMBOL?interval=`: the candle of now, and each once more when it is final."""

    def __init__(self, frames: FrameMaker, interval: str) -> None:
        super().__init__(frames)
        self.interval = interval
        self._candle: Candle | None = None
        self._pace = Pace(250 * _MS, 1_000 * _MS, 10)
        self._number = 0
        self._dirty = False
        self._finals: deque[tuple[int, bytes]] = deque(maxlen=FINALS_KEPT)

    @property
    def position(self) -> int:
        return self._number

    @property
    def seq(self) -> int:
        return self._candle.seq if self._candle is not None else 0

    def take(self, candle: Candle) -> None:
        """A candle of this length, as it stands."""
        before = self._candle
        if before is not None and candle.open_ns < before.open_ns:
            return
        if before is not None and candle.open_ns > before.open_ns:
            # It is sent with the next number, to everyone who stands before that.
            whole = candle.first_trade_id == before.last_trade_id + 1
            said = self.frames.candle(before, self.interval, True) if whole else self._missed()
            self._finals.append((self._number + 1, said))
        self._candle = candle
        self._dirty = True
        if not len(self):
            self._finals.clear()

    def due_ns(self) -> int | None:
        if not self.live or not len(self):
            return None
        if self._dirty:
            return self._pace.free_ns
        return 0 if self.beat_due else None

    def work(self, now_ns: int) -> bool:
        if not self.live or not len(self):
            return False
        before, frame = self._number, b""
        if self._dirty and now_ns >= self._pace.free_ns:
            self._dirty = False
            self._number += 1
            frame = self._after(before)
        frame += self.take_beat() if not self._dirty else b""
        if not frame:
            return False
        self.send_level(frame, before)
        self.advance_behind()
        return True

    def written(self, begun_ns: int, cost_ns: int) -> None:
        self._pace.sent(begun_ns, cost_ns)

    def catch_up(self, connection: Connection, position: int) -> int:
        """What became final since, and the candle of now."""
        if position != self._number:
            frame = self._after(self._number if position == NEW else position)
            if frame:
                connection.send(frame)
        return self._number

    def _missed(self) -> bytes:
        """What is said instead of a final candle when the feed did not tell all of its trades."""
        return self.frames.resync(interval=self.interval)

    def _after(self, position: int) -> bytes:
        finals = [frame for number, frame in self._finals if position < number <= self._number]
        if self._candle is not None:
            finals.append(self.frames.candle(self._candle, self.interval, False))
        return b"".join(finals)
