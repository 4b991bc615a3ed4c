"""One instrument's book as the WebSocket streams show it: conflated, with its last changes.

Updates of the feed wait until `flush` shows them together. Every message (snapshot, update,
catch-up) is about the book as last shown. So a snapshot fits the next update whenever it was made,
and a client that missed some flushes gets one update from its own position, as long as those
flushes are kept.
"""

from collections import deque
from itertools import islice
from typing import Final

from msgspec import Struct

from crossbook.common.following.depth import CHECKSUM_LEVELS, BookChecksum, Depth
from crossbook.common.messages.feed import BestBidOffer, DepthUpdate, Snapshot
from crossbook.common.types import Side
from crossbook.gateway.streams.frames import FrameMaker, Levels

FLUSHES_KEPT: Final = 256
"""Flushes a client may miss and still get one update."""

PRICES_KEPT: Final = 50_000
"""Most changed prices kept over all flushes."""

UNFLUSHED_MAX: Final = 4_096
"""Changed prices that wait while there is no client, before they are shown without a frame."""

SNAPSHOT_FLUSHES: Final = 32
"""Flushes for which a snapshot's frame is sent to new clients; an update makes them current."""

_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)


class _Flush(Struct, gc=False):
    """The prices that one flush changed."""

    first_seq: int
    prev_seq: int
    bids: list[int]
    asks: list[int]


class ConflatedBook:
    """The book as shown, the changes that wait to be shown, and the last flushes.

    `number` counts the books shown and is a client's position; `seq` is the matcher's sequence
    number of the book shown. `loaded` is False before the first snapshot of the feed.
    """

    def __init__(self, frames: FrameMaker) -> None:
        self.frames = frames
        self.loaded = False
        self.number = 0
        self.seq = 0
        self.best: BestBidOffer | None = None
        self.depth = Depth()
        self._checksum = BookChecksum(frames.instrument)
        self._time_ns = 0
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        self._first_seq = 0
        self._received_seq = 0
        self._received_ns = 0
        self._kept: deque[_Flush] = deque()
        self._kept_prices = 0
        self._since: dict[int, bytes] = {}
        self._snapshot: tuple[int, bytes] | None = None

    @property
    def dirty(self) -> bool:
        """Whether changes wait to be shown."""
        return bool(self._bids or self._asks)

    @property
    def waiting(self) -> int:
        """Prices that wait to be shown."""
        return len(self._bids) + len(self._asks)

    def apply(self, update: DepthUpdate) -> None:
        """Let changes of the feed wait for the next flush. O(changes)."""
        if not self.dirty:
            self._first_seq = update.first_seq
        self._bids.update(update.bids)
        self._asks.update(update.asks)
        self._received_seq = update.seq
        self._received_ns = update.time_ns

    def load(self, snapshot: Snapshot) -> None:
        """Start, or start anew, with this book of the feed.

        Its differences from the book shown wait for the next flush, so clients get an update. A
        book older than the one shown belongs to another past: every position becomes unknown.
        O(levels).
        """
        self.best = None
        if not self.loaded or snapshot.seq < self.seq:
            self._begin(snapshot)
            return
        for side, levels in ((_BUY, snapshot.bids), (_SELL, snapshot.asks)):
            changed = dict.fromkeys((price for price, _ in self.depth.levels(side)), 0)
            changed.update(levels)
            if side == _BUY:
                self._bids = changed
            else:
                self._asks = changed
        self._first_seq = self.seq + 1
        self._received_seq = snapshot.seq
        self._received_ns = snapshot.time_ns

    def flush(self) -> bytes | None:
        """Show the changes that wait. Returns the update from the book shown before, or None when
        all levels are back where they were. O(changes log levels)."""
        shown = self._show()
        if shown is None:
            return None
        seqs = (shown.first_seq, self.seq, shown.prev_seq)
        return self._update(seqs, shown.bids, shown.asks)

    def forget_snapshot(self) -> None:
        """Make the next snapshot anew: the one held may belong to a state that is over."""
        self._snapshot = None

    def settle(self) -> None:
        """As `flush`, without a frame."""
        self._show()

    def since(self, number: int) -> bytes | None:
        """One update from position `number` to the book shown; None when that is not kept."""
        behind = self.number - number
        if not 0 < behind <= len(self._kept):
            return None
        frame = self._since.get(number)
        if frame is None:
            missed = list(islice(self._kept, len(self._kept) - behind, None))
            bids = {price for flush in missed for price in flush.bids}
            asks = {price for flush in missed for price in flush.asks}
            seqs = (missed[0].first_seq, self.seq, missed[0].prev_seq)
            frame = self._since[number] = self._update(
                seqs, sorted(bids, reverse=True), sorted(asks)
            )
        return frame

    def snapshot(self) -> tuple[int, bytes]:
        """A snapshot's position and frame. `since` leads from there to the book shown, unless the
        snapshot is of that book."""
        held = self._snapshot
        if held is not None:
            behind = self.number - held[0]
            if behind <= min(SNAPSHOT_FLUSHES, len(self._kept)):
                return held
        frame = self.frames.snapshot(
            self.seq,
            self.depth.levels(_BUY),
            self.depth.levels(_SELL),
            self._checksum.of(self.depth),
            self._time_ns,
        )
        self._snapshot = (self.number, frame)
        return self._snapshot

    def bbo(self) -> bytes:
        """The frame of the best bid and offer: the feed's latest, or those of the book shown."""
        best = self.best
        if best is None:
            best = BestBidOffer(
                self.frames.symbol,
                self.seq,
                *self.depth.best(_BUY),
                *self.depth.best(_SELL),
                self._time_ns,
            )
        return self.frames.bbo(best)

    def _begin(self, snapshot: Snapshot) -> None:
        self.loaded = True
        self.number += 1
        self.depth.load(snapshot.bids, snapshot.asks)
        self.seq = self._received_seq = snapshot.seq
        self._time_ns = self._received_ns = snapshot.time_ns
        self._bids, self._asks = {}, {}
        self._kept.clear()
        self._kept_prices = 0
        self._since.clear()
        self._snapshot = None

    def _show(self) -> _Flush | None:
        """Move the changes that wait into the book shown; None when they change nothing."""
        depth = self.depth
        bids = [price for price, lots in self._bids.items() if depth.lots_at(_BUY, price) != lots]
        asks = [price for price, lots in self._asks.items() if depth.lots_at(_SELL, price) != lots]
        for price in bids:
            depth.set_level(_BUY, price, self._bids[price])
        for price in asks:
            depth.set_level(_SELL, price, self._asks[price])
        self._bids, self._asks = {}, {}
        if not bids and not asks:
            return None
        bids.sort(reverse=True)
        asks.sort()
        flush = _Flush(self._first_seq, self.seq, bids, asks)
        self._kept.append(flush)
        self._kept_prices += len(bids) + len(asks)
        while len(self._kept) > FLUSHES_KEPT or self._kept_prices > PRICES_KEPT:
            gone = self._kept.popleft()
            self._kept_prices -= len(gone.bids) + len(gone.asks)
        self._since.clear()
        self.number += 1
        self.seq, self._time_ns = self._received_seq, self._received_ns
        return flush

    def _update(self, seqs: tuple[int, int, int], bids: list[int], asks: list[int]) -> bytes:
        depth = self.depth
        shown: tuple[Levels, Levels] = (
            [(price, depth.lots_at(_BUY, price)) for price in bids],
            [(price, depth.lots_at(_SELL, price)) for price in asks],
        )
        checksum = self._checksum.of_levels(
            depth.levels(_BUY, CHECKSUM_LEVELS), depth.levels(_SELL, CHECKSUM_LEVELS)
        )
        return self.frames.update(seqs, *shown, checksum, self._time_ns)
