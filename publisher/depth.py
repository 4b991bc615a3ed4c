"""Levels of one side of a book, cheap to change and sorted only when they are published.

A burst of orders closes most levels that it opens. So a change touches two dicts, and the sorted
list of prices is updated once per published batch, where it still differs.
"""

from bisect import bisect_left, insort
from typing import Final

_RESORT: Final = 512
"""Opened and closed levels of one batch from which sorting anew is cheaper than updating."""


class DepthSide:
    """Shown lots per price of one side; `sign` is 1 for bids and -1 for asks.

    >>> bids = DepthSide(1)
    >>> bids.add(100, 5), bids.add(101, 2), bids.add(100, -1)
    (None, None, None)
    >>> bids.settle(), bids.top(10)
    ([(100, 4), (101, 2)], [(101, 2), (100, 4)])
    >>> bids.add(101, -2), bids.settle(), bids.top(10)
    (None, [(101, 0)], [(100, 4)])
    """

    __slots__ = ("_keys", "_sign", "_touched", "lots")

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self.lots: dict[int, int] = {}
        # price * sign of every level as of the last `settle`, best last.
        self._keys: list[int] = []
        # price -> lots as of the last `settle`, for prices changed since.
        self._touched: dict[int, int] = {}

    def add(self, price_ticks: int, lots: int) -> None:
        """Add lots at a price; negative `lots` remove some. O(1)."""
        levels, touched = self.lots, self._touched
        before = levels.get(price_ticks, 0)
        if price_ticks not in touched:
            touched[price_ticks] = before
        levels[price_ticks] = before + lots

    def settle(self) -> list[tuple[int, int]]:
        """Sort the levels, and return those that changed since the last `settle` as (price ticks,
        lots). The methods below refer to the book as of the last `settle`.
        """
        touched = self._touched
        if not touched:
            return []
        lots, keys, sign = self.lots, self._keys, self._sign
        changed: list[tuple[int, int]] = []
        mend = len(touched) <= _RESORT
        for price, before in touched.items():
            now = lots[price]
            if not now:
                del lots[price]
            if now == before:
                continue
            changed.append((price, now))
            if mend:
                if not before:
                    _open(keys, price * sign)
                elif not now:
                    _close(keys, price * sign)
        if not mend:
            self._keys = sorted(price * sign for price in lots)
        touched.clear()
        return changed

    def best(self) -> tuple[int, int]:
        """Price and lots of the best level, (0, 0) without any. O(1)."""
        if not self._keys:
            return (0, 0)
        price = self._keys[-1] * self._sign
        return (price, self.lots[price])

    def top(self, count: int) -> list[tuple[int, int]]:
        """The best `count` levels as (price ticks, lots), best first."""
        lots, sign = self.lots, self._sign
        return [(key * sign, lots[key * sign]) for key in self._keys[: -count - 1 : -1]]

    def levels(self) -> list[tuple[int, int]]:
        """Every level as (price ticks, lots), best first."""
        return self.top(len(self._keys))


def _open(keys: list[int], key: int) -> None:
    if keys and key < keys[-1]:
        insort(keys, key)
    else:
        keys.append(key)


def _close(keys: list[int], key: int) -> None:
    if keys[-1] == key:
        keys.pop()
    else:
        del keys[bisect_left(keys, key)]
