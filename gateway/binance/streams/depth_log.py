"""The changes of one instrument's book between two events of a depth stream. No I/O.

The numbering is that of the matcher: the book `u` of an event is the book after command `u`, at
every gateway and in every life of it. The matcher's numbers have holes for one instrument, so an
event covers all numbers since the event before: `U` is `u` of that one plus 1.

An event has every level that was touched, also one that is back where it was: a client may have
loaded a snapshot of a moment in between, perhaps from another gateway.
"""

from collections import deque
from itertools import islice
from typing import Final

from msgspec import Struct

from crossbook.common.following.local_book import LocalBook
from crossbook.common.messages.feed import DepthUpdate, Snapshot
from crossbook.gateway.binance.streams.events import EventMaker
from crossbook.gateway.binance.streams.message import Message

ENTRIES_KEPT: Final = 256
"""Events that a client may miss and still get one event from its own position."""

PRICES_KEPT: Final = 50_000
"""Most changed prices kept over all events but the last few."""

CUTS_MAX: Final = 8
"""Events that snapshots may end between two events of the pace."""

UNSENT_MAX: Final = CUTS_MAX + 1
"""Most entries that have not been sent."""


class Entry(Struct, gc=False):
    """The levels that changed in the numbers `first_id`..`last_id`."""

    first_id: int
    last_id: int
    bids: dict[int, int]
    asks: dict[int, int]
    time_ns: int


class DepthLog:
    """The present book, the changes that wait, and the last entries.

    `end` counts the entries and is a client's position; `number` is the last number covered.
    `is_started` is False before `start`.
    """

    def __init__(self, name: str, events: EventMaker) -> None:
        self.is_started = False
        self.end = 0
        self.number = 0
        self._name = name
        self._events = events
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        self._new_bids: dict[int, int] = {}
        self._new_asks: dict[int, int] = {}
        self._new_number = 0
        self._new_ns = 0
        self._kept: deque[Entry] = deque()
        self._kept_prices = 0
        self._cuts = 0
        self._since: dict[tuple[int, int], Message] = {}

    @property
    def waits(self) -> bool:
        """Whether changes wait to be logged."""
        return bool(self._new_bids or self._new_asks)

    @property
    def begin(self) -> int:
        """The position before the first entry held."""
        return self.end - len(self._kept)

    def start(self, book: LocalBook) -> None:
        """Begin with a book, unless the log has begun. O(levels)."""
        if not self.is_started:
            self.is_started = True
            self._bids, self._asks = dict(book.bids()), dict(book.asks())
            self.number = book.seq

    def apply(self, update: DepthUpdate) -> bool:
        """Let changes of the feed wait; False where they belong to another past, because their
        number is not above the last one. O(changes)."""
        if not self.is_started:
            return True
        if update.seq <= max(self.number, self._new_number):
            return False
        for levels, new, book in (
            (update.bids, self._new_bids, self._bids),
            (update.asks, self._new_asks, self._asks),
        ):
            for price, lots in levels:
                new[price] = lots
                if lots:
                    book[price] = lots
                else:
                    book.pop(price, None)
        self._new_number, self._new_ns = update.seq, update.time_ns
        return True

    def load(self, snapshot: Snapshot) -> bool:
        """Let the differences from this book of the feed wait; False where the book belongs to
        another past, because its number is lower than one that was sent. O(levels)."""
        if not self.is_started:
            return True
        if snapshot.seq < max(self.number, self._new_number):
            return False
        for levels, new, book in (
            (dict(snapshot.bids), self._new_bids, self._bids),
            (dict(snapshot.asks), self._new_asks, self._asks),
        ):
            new.update((price, 0) for price in book if price not in levels)
            new.update((price, lots) for price, lots in levels.items() if book.get(price) != lots)
            book.clear()
            book.update(levels)
        self._new_number, self._new_ns = snapshot.seq, snapshot.time_ns
        return True

    def flush(self) -> None:
        """Log the changes that wait as one entry, where there are any. O(1)."""
        if not self.waits:
            return
        bids, asks = self._new_bids, self._new_asks
        self._new_bids, self._new_asks = {}, {}
        entry = Entry(self.number + 1, self._new_number, bids, asks, self._new_ns)
        self.number = entry.last_id
        self.end += 1
        self._kept.append(entry)
        self._kept_prices += len(bids) + len(asks)
        while len(self._kept) > ENTRIES_KEPT or (
            self._kept_prices > PRICES_KEPT and len(self._kept) > UNSENT_MAX
        ):
            gone = self._kept.popleft()
            self._kept_prices -= len(gone.bids) + len(gone.asks)
        self._since.clear()

    def cut(self) -> bool:
        """End the entry here for a snapshot of the book; False where that was done too often since
        `paced`."""
        if self.waits and self._cuts < CUTS_MAX:
            self._cuts += 1
            self.flush()
        return not self.waits

    def paced(self) -> None:
        """The entries so far have been sent."""
        self._cuts = 0

    def entries(self, position: int) -> list[Message]:
        """An event for each entry after a position, of which `UNSENT_MAX` are held in any case."""
        assert position >= self.begin, f"position {position} is before {self.begin}"
        entries = islice(self._kept, position - self.begin, None)
        return [self._message(entry) for entry in entries]

    def since(self, position: int, end: int) -> Message | None:
        """One event for all entries from a position to `end`, which has sent them; None where they
        are not held. A level that is back where it was is in it."""
        if position < self.begin:
            return None
        found = self._since.get((position, end))
        if found is None:
            entries = list(islice(self._kept, position - self.begin, end - self.begin))
            whole = Entry(entries[0].first_id, entries[-1].last_id, {}, {}, entries[-1].time_ns)
            for entry in entries:
                whole.bids.update(entry.bids)
                whole.asks.update(entry.asks)
            found = self._since[position, end] = self._message(whole)
        return found

    def _message(self, entry: Entry) -> Message:
        bids = sorted(entry.bids.items(), reverse=True)
        asks = sorted(entry.asks.items())
        made = self._events.depth(entry.first_id, entry.last_id, bids, asks, entry.time_ns)
        return Message(self._name, made)
