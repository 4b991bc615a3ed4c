"""Price-time priority in its plainest form: the results that a recording's commands must have.

No code of the exchange is used here, so that the book can judge both: the exchange by the
recording, and a recording by the rule it claims to follow.
"""

import hashlib
from typing import Final

from sortedcontainers import SortedDict

from crossbook.common.types import Side
from crossbook.replay.recording import RecordedCommand, RecordedFill, digest_line

_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)


class PlainBook:
    """Resting orders by side and price, each level a queue; ids are the recording's.

    >>> book = PlainBook()
    >>> book.apply(RecordedCommand(0, 0, "new", 7, 1, 100, 5))
    []
    >>> book.apply(RecordedCommand(1, 0, "exec", 8, 2, 99, 3))
    [RecordedFill(maker_id=7, price_ticks=100, quantity_lots=3)]
    """

    def __init__(self) -> None:
        # Prices of bids are negated: the smallest key is the best on either side.
        self._sides: dict[int, SortedDict[int, dict[int, int]]] = {
            _BUY: SortedDict(), _SELL: SortedDict()
        }  # fmt: skip
        self._places: dict[int, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def apply(self, command: RecordedCommand) -> list[RecordedFill]:
        """Apply a command; returns its fills. Costs O(log levels + fills).

        A cancel or reduction of an order that is not there does nothing.
        """
        if command.op in ("cancel", "reduce"):
            self._reduce(command.order_id, command.quantity_lots or None)
            return []
        sign = 1 if command.side == _BUY else -1
        against = self._sides[_SELL if command.side == _BUY else _BUY]
        lots = command.quantity_lots
        fills: list[RecordedFill] = []
        while lots and against:
            key, level = against.peekitem(0)
            if (key * sign - command.price_ticks) * sign > 0:
                break
            maker_id, remaining_lots = next(iter(level.items()))
            taken = min(lots, remaining_lots)
            fills.append(RecordedFill(maker_id, key * sign, taken))
            self._reduce(maker_id, taken)
            lots -= taken
        if lots and command.op == "new":
            key = -command.price_ticks * sign
            self._sides[command.side].setdefault(key, {})[command.order_id] = lots
            self._places[command.order_id] = (command.side, key)
        return fills

    def levels(self, side: int, limit: int | None = None) -> list[tuple[int, int]]:
        """(price ticks, lots) of a side, best first, at most `limit` of them."""
        sign = -1 if side == _BUY else 1
        return [
            (key * sign, sum(level.values())) for key, level in self._sides[side].items()[:limit]
        ]

    def orders(self) -> list[tuple[int, int, int, int]]:
        """(side, price ticks, id, open lots), bids first, in priority order."""
        return [
            (side, key * sign, order_id, lots)
            for side, sign in ((_BUY, -1), (_SELL, 1))
            for key, level in self._sides[side].items()
            for order_id, lots in level.items()
        ]

    def order(self, order_id: int) -> tuple[int, int, int] | None:
        """(side, price ticks, open lots) of an order that rests."""
        place = self._places.get(order_id)
        if place is None:
            return None
        side, key = place
        return side, -key if side == _BUY else key, self._sides[side][key][order_id]

    def digest(self) -> str:
        """The SHA-256 a recording gives for this book."""
        text = "".join(digest_line(*order) for order in self.orders())
        return hashlib.sha256(text.encode()).hexdigest()

    def _reduce(self, order_id: int, lots: int | None) -> None:
        """Remove lots of an order, all of them for None."""
        place = self._places.get(order_id)
        if place is None:
            return
        side, key = place
        level = self._sides[side][key]
        left = 0 if lots is None else level[order_id] - lots
        if left > 0:
            level[order_id] = left
            return
        del level[order_id], self._places[order_id]
        if not level:
            del self._sides[side][key]
