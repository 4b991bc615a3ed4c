"""Order books as consumers keep them: by level (L2) and by order (L3), and the L2 checksum.

They are built from the feed or the matcher's events, never from the matcher's own book; tests check
that both are equal.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from zlib import crc32

from sortedcontainers import SortedDict

from crossbook.common.instruments import Instrument
from crossbook.common.messages.feed import OrderChange
from crossbook.common.types import Side

CHECKSUM_LEVELS = 10
_BUY = int(Side.BUY)


class Depth:
    """Lots per price of one instrument.

    >>> depth = Depth()
    >>> depth.set_level(Side.BUY, 100, 5)
    >>> depth.set_level(Side.BUY, 101, 2)
    >>> depth.levels(Side.BUY, 10)
    [(101, 2), (100, 5)]
    """

    def __init__(self) -> None:
        # Keyed so that the best price comes first on either side.
        self._bids: SortedDict[int, int] = SortedDict()
        self._asks: SortedDict[int, int] = SortedDict()

    def set_level(self, side: int, price_ticks: int, lots: int) -> None:
        """Show `lots` at a price; zero removes the level. O(log levels)."""
        book, key = (self._bids, -price_ticks) if side == _BUY else (self._asks, price_ticks)
        if lots:
            book[key] = lots
        else:
            book.pop(key, None)

    def lots_at(self, side: int, price_ticks: int) -> int:
        """Lots at a price, zero where there is no level."""
        book, key = (self._bids, -price_ticks) if side == _BUY else (self._asks, price_ticks)
        return int(book.get(key, 0))

    def levels(self, side: int, limit: int | None = None) -> list[tuple[int, int]]:
        """The best `limit` levels (all when None) as (price ticks, lots), best first."""
        if side == _BUY:
            return [(-key, lots) for key, lots in islice(self._bids.items(), limit)]
        return list(islice(self._asks.items(), limit))

    def best(self, side: int) -> tuple[int, int]:
        """Price and lots of the best level, (0, 0) on an empty side."""
        book = self._bids if side == _BUY else self._asks
        if not book:
            return (0, 0)
        key, lots = book.peekitem(0)
        return (-key if side == _BUY else key, lots)

    def clear(self) -> None:
        """Empty both sides."""
        self._bids.clear()
        self._asks.clear()

    def load(self, bids: Iterable[tuple[int, int]], asks: Iterable[tuple[int, int]]) -> None:
        """Replace the book by these levels, in any order."""
        self._bids = SortedDict((-price, lots) for price, lots in bids)
        self._asks = SortedDict(asks)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Depth):
            return NotImplemented
        return bool(self._bids == other._bids and self._asks == other._asks)

    __hash__ = None  # type: ignore[assignment]


class OrderDepth:
    """Every resting order of one instrument, in priority order, with `depth` kept beside it."""

    def __init__(self) -> None:
        self.depth = Depth()
        self._orders: dict[int, tuple[int, int, int]] = {}
        # (side, price) -> its orders; a dict keeps arrival order and removes in O(1).
        self._levels: dict[tuple[int, int], dict[int, int]] = {}

    def __len__(self) -> int:
        return len(self._orders)

    def get(self, order_id: int) -> tuple[int, int, int] | None:
        """(side, price ticks, shown lots) of a resting order."""
        return self._orders.get(order_id)

    def set_order(
        self, order_id: int, side: int, price_ticks: int, shown_lots: int, requeue: bool = False
    ) -> None:
        """Show an order with `shown_lots`; zero removes it.

        An unknown order, one whose price changed and one with `requeue` join the back of their
        level; any other keeps its place.
        """
        known = self._orders.get(order_id)
        if known is not None and (requeue or not shown_lots or known[1] != price_ticks):
            self._remove(order_id, known)
            known = None
        if not shown_lots:
            return
        level = self._levels.get((side, price_ticks))
        if level is None:
            level = self._levels[(side, price_ticks)] = {}
        self._orders[order_id] = (side, price_ticks, shown_lots)
        level[order_id] = shown_lots
        before = known[2] if known is not None else 0
        total = self.depth.lots_at(side, price_ticks) + shown_lots - before
        self.depth.set_level(side, price_ticks, total)

    def apply(self, change: OrderChange) -> None:
        """Apply one L3 change of the feed."""
        self.set_order(
            change.order_id, change.side, change.price_ticks, change.shown_lots, change.requeued
        )

    def clear(self) -> None:
        """Empty the book."""
        self.depth.clear()
        self._orders.clear()
        self._levels.clear()

    def orders(self, side: int) -> Iterator[tuple[int, int, int]]:
        """(order id, price ticks, shown lots) of a side in priority order."""
        for price_ticks, _ in self.depth.levels(side):
            for order_id, lots in self._levels[(side, price_ticks)].items():
                yield (order_id, price_ticks, lots)

    def _remove(self, order_id: int, known: tuple[int, int, int]) -> None:
        side, price_ticks, lots = known
        del self._orders[order_id]
        level = self._levels[(side, price_ticks)]
        del level[order_id]
        if not level:
            del self._levels[(side, price_ticks)]
        self.depth.set_level(side, price_ticks, self.depth.lots_at(side, price_ticks) - lots)


class BookChecksum:
    """CRC32 of the top ten levels of an instrument's book, Kraken v2's algorithm.

    Asks low to high, then bids high to low; each level is its price then its quantity, printed
    at the instrument's fixed precision without point and leading zeros. That text is the integer
    number of last printed digits, so no decimal text is needed.
    """

    def __init__(self, instrument: Instrument) -> None:
        self._tick = instrument.grid.price.step
        self._lot = instrument.grid.quantity.step

    def of(self, depth: Depth) -> int:
        """The checksum of the present `depth`."""
        return self.of_levels(
            depth.levels(Side.BUY, CHECKSUM_LEVELS), depth.levels(Side.SELL, CHECKSUM_LEVELS)
        )

    def of_levels(self, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> int:
        """The checksum of these levels, (price ticks, lots) best first, at most ten a side."""
        tick, lot = self._tick, self._lot
        text = "".join([f"{price * tick}{lots * lot}" for price, lots in asks + bids])
        return crc32(text.encode())
