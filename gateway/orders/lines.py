"""Lines of accounts: what waits for a few places, account after account. No I/O."""

from collections import OrderedDict, deque
from collections.abc import Container, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Lines(Generic[Item]):
    """At most `limit` items, each behind those of its account; the accounts take turns.

    An account may fill as much as it leaves free, so no account ever fills all of it.

    >>> lines = Lines[str](8)
    >>> for account, item in ((1, "a"), (1, "b"), (1, "c"), (2, "x")):
    ...     lines.add(account, item)
    >>> lines.take(), lines.take(), lines.take(but=(1,))
    ('a', 'x', None)
    >>> list(lines.drain()), len(lines)
    (['b', 'c'], 0)
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lines: OrderedDict[int, deque[Item]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def has_room(self, account: int) -> bool:
        """Whether an account may add an item."""
        return len(self._lines.get(account, ())) < self._limit - self._count

    def add(self, account: int, item: Item) -> None:
        """Add an item at the end of its account's line. The caller checks `has_room`."""
        line = self._lines.get(account)
        if line is None:
            self._lines[account] = deque((item,))
        else:
            line.append(item)
        self._count += 1

    def take(self, but: Container[int] = ()) -> Item | None:
        """Remove and return the first item of the next account that is not one of `but`; None
        where there is none. Costs O(accounts in `but`)."""
        for account, line in self._lines.items():
            if account in but:
                continue
            item = line.popleft()
            self._count -= 1
            if line:
                self._lines.move_to_end(account)
            else:
                del self._lines[account]
            return item
        return None

    def drain(self) -> Iterator[Item]:
        """Remove and return all items."""
        lines, self._lines, self._count = self._lines, OrderedDict(), 0
        for line in lines.values():
            yield from line
