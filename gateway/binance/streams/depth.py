"""The face's streams of a book: its changes, and its best levels. No I/O."""

from collections.abc import Callable
from typing import Final

from crossbook.common.following.local_book import LocalBook
from crossbook.common.messages.feed import DepthUpdate, Snapshot
from crossbook.gateway.binance.streams.depth_log import DepthLog
from crossbook.gateway.binance.streams.events import EventMaker
from crossbook.gateway.binance.streams.latest import LatestStream
from crossbook.gateway.binance.streams.message import Message
from crossbook.gateway.binance.streams.stream import FaceStream, Subscriber
from crossbook.gateway.streams.pace import StreamPace
from crossbook.gateway.streams.paced import NEW

ANOTHER_PAST: Final = "the exchange lost its data and begins anew: connect again"

_MS: Final = 1_000_000

BookOf = Callable[[], LocalBook | None]
"""Returns the book of an instrument; None while it is incomplete or old."""


def depth_pace(pace_ms: int) -> StreamPace:
    """As the name of the stream gives it, down to half as often where one sending costs much."""
    return StreamPace(pace_ms * _MS, 2 * pace_ms * _MS, 3)


class DepthStream(FaceStream):
    """`<symbol>@depth` and `@depth@100ms`: the changes of a book, their numbers without a hole.

    The first event of a client begins with the number after that of the book when the stream, with
    its first client, began, or after that of the event before. So it covers the time of the
    client's subscription, and every later snapshot falls on it or behind it.
    """

    takes = (DepthUpdate, Snapshot)

    def __init__(self, name: str, events: EventMaker, pace_ms: int, book: BookOf) -> None:
        super().__init__(name, depth_pace(pace_ms))
        self.log = DepthLog(name, events)
        self._book = book
        self._sent = 0

    @property
    def position(self) -> int:
        return self._sent

    def add(self, subscriber: Subscriber) -> None:
        self.start()
        super().add(subscriber)

    def apply(self, update: DepthUpdate | Snapshot) -> None:
        """Apply a message of the feed."""
        log = self.log
        fits = log.apply(update) if isinstance(update, DepthUpdate) else log.load(update)
        if not fits:
            self.lose_all(ANOTHER_PAST)

    def start(self) -> None:
        """Begin with the present book, unless the stream has begun or there is none. Call it when
        all updates that the book contains were applied."""
        if not self.log.is_started and (book := self._book()) is not None:
            self.log.start(book)

    def _due_ns(self) -> int | None:
        return self.pace.free_ns if self.log.waits or self._sent < self.log.end else None

    def _work(self, now_ns: int) -> bool:
        log = self.log
        if now_ns < self.pace.free_ns:
            return False
        log.flush()
        log.paced()
        before = self._sent
        if before == log.end:
            return False
        messages = log.entries(before)
        self._sent = log.end
        self.send_current(messages, before)
        self.advance_behind()
        return True

    def catch_up(self, subscriber: Subscriber, position: int) -> int:
        """Send one event from its position."""
        if position == NEW:
            return self._sent
        if position == self._sent:
            return position
        missed = self.log.since(position, self._sent)
        if missed is None:
            return self.lost(subscriber)
        subscriber.send(missed.frame(subscriber.form))
        return self._sent


class PartialDepthStream(LatestStream):
    """`<symbol>@depth5`, `10` and `20`: the best levels, whole, at once and when one changed."""

    takes = (DepthUpdate, Snapshot)

    def __init__(
        self, name: str, events: EventMaker, levels: int, pace_ms: int, book: BookOf
    ) -> None:
        super().__init__(name, depth_pace(pace_ms))
        self._events = events
        self._levels = levels
        self._book = book
        self._shown: tuple[list[tuple[int, int]], list[tuple[int, int]]] | None = None

    def apply(self, update: DepthUpdate | Snapshot) -> None:
        """Apply a message of the feed."""
        self.dirty = True

    def set_live(self, live: bool) -> None:
        self.dirty = True
        super().set_live(live)

    def make(self) -> Message | None:
        """The best levels, unless they are those sent last."""
        book = self._book()
        if book is None:
            return None
        levels = book.bids(self._levels), book.asks(self._levels)
        if levels == self._shown:
            return None
        self._shown = levels
        return Message(self.name, self._events.partial_depth(book.seq, *levels))
