"""The stream of a book: snapshots, conflated updates, best prices and changes of the state."""

from typing import Final

from crossbook.common.messages.feed import BestBidOffer, DepthUpdate, MarketState, Snapshot
from crossbook.gateway.streams.base import Stream
from crossbook.gateway.streams.conflated_book import UNFLUSHED_MAX, ConflatedBook
from crossbook.gateway.streams.frames import FrameMaker
from crossbook.gateway.streams.pace import StreamPace
from crossbook.gateway.streams.paced import NEW
from crossbook.gateway.streams.state_tape import StateTape
from crossbook.gateway.web.channel import Connection

_MS: Final = 1_000_000
_NEVER_NS: Final = 1 << 62


def _update_pace() -> StreamPace:
    """20 updates a second, down to 11 when one costs more than 17 ms of processor time."""
    return StreamPace(50 * _MS, 90 * _MS, 3)


def _best_pace() -> StreamPace:
    """At once, as long as that takes no more than a fifth of the time."""
    return StreamPace(0, _NEVER_NS, 5, 5 * _MS)


class BookStream(Stream):
    """`/ws/market-data/SYMBOL`: snapshot, best prices and state, then conflated updates, best
    prices and changes of the state.

    A change of the state is sent at once, together with the changes of the book that wait: before
    them where the book may be crossed in the new state, else after them. So no client has a crossed
    book without the state that explains it.

    Best bid and offer are sent at once while that is cheap (`_best_pace`), else with the next
    update of the book.
    """

    def __init__(self, frames: FrameMaker) -> None:
        super().__init__(frames, _update_pace())
        self.book = ConflatedBook(frames)
        self._states = StateTape()
        self._state = b""
        self._best_pace = _best_pace()
        self._best_due = False
        self._flushed = False

    @property
    def position(self) -> int:
        return self.book.number

    @property
    def seq(self) -> int:
        return self.book.seq

    def apply(self, update: DepthUpdate | BestBidOffer | Snapshot) -> None:
        """Apply a message of the feed."""
        if isinstance(update, BestBidOffer):
            self.book.best = update
            self._best_due = True
        elif isinstance(update, DepthUpdate):
            self.book.apply(update)
        else:
            before = self.book.number
            self.book.load(update)
            # The best prices are those of the loaded book, once that is shown.
            self._best_due = self.book.dirty
            if self.book.number != before:
                self.all_behind(before)
        if not len(self):
            self._best_due = False
            if self.book.waiting > UNFLUSHED_MAX:
                self.book.settle()

    def apply_state(self, state: MarketState) -> None:
        """Apply a state of the feed, after the book that came with it or before it."""
        self._states.add(state)
        if not len(self):
            self.book.settle()
            self._drain_states()

    def opened(self, connection: Connection) -> None:
        if not len(self) and self.book.loaded:
            # No client saw the changes that wait: the snapshot is to contain them.
            self.book.settle()
        super().opened(connection)

    def _due_ns(self) -> int | None:
        due = None
        if self.book.dirty:
            due = self.pace.free_ns
        if self._best_due and self.book.best is not None:
            due = min(self._best_pace.free_ns, due if due is not None else _NEVER_NS)
        if self._states.waits or (self.beat_due and due is None):
            due = 0
        return due

    def _work(self, now_ns: int) -> bool:
        book = self.book
        before = book.number
        update = b""
        is_free = now_ns >= self.pace.free_ns or self._states.changes
        self._flushed = book.dirty and is_free
        if self._flushed:
            update = book.flush() or b""
        best = b""
        if self._best_due and (self._flushed or self._best_is_free(now_ns)):
            best = book.bbo()
            self._best_due = False
        # A heartbeat waits for an update that is about to be sent.
        beat = self.pop_beat() if self._flushed or not book.dirty else b""
        states = self._drain_states()
        if self._states.may_be_crossed:
            frame = states + update + best + beat
        else:
            frame = update + best + states + beat
        if not frame:
            return False
        self.send_current(frame, before)
        if update and self.behind:
            self.advance_behind()
        return True

    def written(self, begun_ns: int, cost_ns: int) -> None:
        if self._flushed:
            self.pace.sent(begun_ns, cost_ns)
        self._best_pace.sent(begun_ns, cost_ns)

    def catch_up(self, connection: Connection, position: int) -> int:
        """Send one update from its position, or a snapshot; then the best prices, and the state."""
        book = self.book
        frame = b""
        if position != book.number:
            missed = book.since(position) if position != NEW else None
            if missed is None:
                held, frame = book.snapshot()
                if position != NEW:
                    self.resyncs += 1
                    frame = self.frames.resync() + frame
                missed = book.since(held) or b""
            frame += missed
        frame += book.bbo()
        if self._states.may_be_crossed:
            connection.send(self._state + frame)
        else:
            connection.send(frame + self._state)
        return book.number

    def _drain_states(self) -> bytes:
        """The frames of the states that wait, which count as sent."""
        if not self._states.waits:
            return b""
        if self._states.changes:
            self.book.forget_snapshot()
        frames = [self.frames.state(state) for state in self._states.drain()]
        self._state = frames[-1]
        return b"".join(frames)

    def _best_is_free(self, now_ns: int) -> bool:
        return self.book.best is not None and now_ns >= self._best_pace.free_ns
