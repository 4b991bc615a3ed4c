"""Following the matcher's events: batches in order, each exactly once.

Batches arrive from a lossy socket and from resends, so they may be missing, repeated, late or cut
differently. `EventFollower` returns them dense and in order, and names the first gap. `RepeatTimer`
limits repeated requests for the same gap. Neither does any I/O or reads a clock.
"""

from bisect import insort
from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from crossbook.common.messages.events import EventBatch

HELD_MAX: Final = 10_000
"""Most batches held behind a gap; further ones are dropped and requested again later."""

_NOTHING: Final[tuple[EventBatch, ...]] = ()
_first_seq = attrgetter("first_seq")


class EventFollower:
    """One replica's position in the matcher's events.

    With `from_start` batches are held until `reset` sets the position of the replica's state.
    Without it the first batch sets the position.

    The owner calls `receive` for every batch, from the socket or from a resend of its own
    `incarnation`. Afterwards `restarted` and `gap` show whether something has to be requested.

    >>> follower = EventFollower(from_start=False)
    >>> [batch.last_seq for batch in follower.receive(EventBatch(7, 11, 12, 0, []))]
    [12]
    >>> follower.receive(EventBatch(7, 15, 16, 0, []))
    ()
    >>> follower.gap()
    (7, 13, 14)
    >>> [batch.last_seq for batch in follower.receive(EventBatch(7, 13, 14, 0, []))]
    [14, 16]
    """

    def __init__(self, from_start: bool, held_max: int = HELD_MAX) -> None:
        self.incarnation = 0
        self.seq = 0
        self.other_incarnation = 0
        self._from_start = from_start
        self._held_max = held_max
        self._held: list[EventBatch] = []
        self._seen = 0

    @property
    def restarted(self) -> bool:
        """Whether batches of `other_incarnation` wait, in which `seq` means nothing.

        It stays so, with the batches of that incarnation held, until `reset`.
        """
        return self.other_incarnation != 0

    @property
    def held(self) -> int:
        """Batches that wait for something missing before them."""
        return len(self._held)

    def receive(self, batch: EventBatch) -> Sequence[EventBatch]:
        """The batches that are now in order, oldest first; `seq` is then the last one's.

        Repeated parts are dropped, a batch seen in part is cut to its new part, and batches
        behind a gap are held. A heartbeat may be among those returned. O(1) for the batch that
        comes next.
        """
        if (
            batch.first_seq == self.seq + 1
            and batch.incarnation == self.incarnation
            and not self._held
        ):
            self.seq = batch.last_seq
            return (batch,)
        return self._take_slowly(batch)

    def gap(self) -> tuple[int, int, int] | None:
        """(incarnation, from seq, to seq) of the first gap in the known batches, if any."""
        if self.other_incarnation or not self.incarnation:
            return None
        if self._held:
            return (self.incarnation, self.seq + 1, self._held[0].first_seq - 1)
        if self._seen > self.seq:
            return (self.incarnation, self.seq + 1, self._seen)
        return None

    def reset(self, incarnation: int, seq: int) -> Sequence[EventBatch]:
        """Stand at `seq` of `incarnation`, as a snapshot does, and return what is ready after it.

        Held batches of any other incarnation are dropped. Should that one be the newer, its next
        batch or heartbeat shows it.
        """
        if incarnation != (self.other_incarnation or self.incarnation):
            self._held.clear()
            self._seen = 0
        self.incarnation, self.seq, self.other_incarnation = incarnation, seq, 0
        self._seen = max(self._seen, seq)
        return self._ready()

    def _take_slowly(self, batch: EventBatch) -> Sequence[EventBatch]:
        if batch.incarnation != self.incarnation:
            if self.incarnation or self._from_start:
                if batch.incarnation != self.other_incarnation:
                    self._held.clear()
                    self._seen = 0
                    self.other_incarnation = batch.incarnation
                self._hold(batch)
                return _NOTHING
            self.incarnation = batch.incarnation
            self.seq = batch.first_seq - 1
        elif self.other_incarnation:
            return _NOTHING
        self._hold(batch)
        return self._ready()

    def _hold(self, batch: EventBatch) -> None:
        self._seen = max(self._seen, batch.last_seq)
        if batch.last_seq < batch.first_seq or (
            not self.other_incarnation and batch.last_seq <= self.seq
        ):
            return
        insort(self._held, batch, key=_first_seq)
        if len(self._held) > self._held_max:
            # The farthest batch is dropped: it is needed last, and `_seen` has its number.
            self._held.pop()

    def _ready(self) -> Sequence[EventBatch]:
        """Remove the batches that continue `seq` from `_held`, and return them."""
        ready: list[EventBatch] = []
        used = 0
        for batch in self._held:
            if batch.first_seq > self.seq + 1:
                break
            used += 1
            if batch.last_seq > self.seq:
                ready.append(_after(batch, self.seq))
                self.seq = batch.last_seq
        del self._held[:used]
        return ready or _NOTHING


def _after(batch: EventBatch, seq: int) -> EventBatch:
    """`batch` without the events up to `seq`."""
    if batch.first_seq > seq:
        return batch
    events = [event for event in batch.events if event.seq > seq]
    return EventBatch(batch.incarnation, seq + 1, batch.last_seq, batch.time_ns, events)


class RepeatTimer:
    """Times of a request: at once for a new one, and again only after `interval_ns`.

    >>> timer = RepeatTimer(interval_ns=200)
    >>> [timer.due((7, 13), now_ns) for now_ns in (1_000, 1_100, 1_200)]
    [True, False, True]
    >>> timer.due((7, 15), now_ns=1_201)
    True
    """

    def __init__(self, interval_ns: int) -> None:
        self._interval_ns = interval_ns
        self._request: tuple[int, ...] | None = None
        self._requested_ns = 0

    def due(self, request: tuple[int, ...], now_ns: int) -> bool:
        """Whether to send `request` now; if so, it counts as requested.

        Name a gap by its incarnation and first number only: its end may move meanwhile.
        """
        if request == self._request and now_ns - self._requested_ns < self._interval_ns:
            return False
        self._request, self._requested_ns = request, now_ns
        return True

    def forget(self) -> None:
        """Make the next `due` true: the last request was not sent, or is out of date."""
        self._request = None
