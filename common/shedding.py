"""Which connections are ended where all together hold too much. No I/O."""

from collections import Counter
from collections.abc import Iterable
from typing import Protocol, TypeVar


class Owned(Protocol):
    """A connection. `owner` is the address that it is counted for."""

    owner: str


Holder = TypeVar("Holder", bound=Owned)


def to_shed(excess: int, held: Iterable[tuple[Holder, int]]) -> list[Holder]:
    """The connections whose end frees `excess` bytes, of all connections with the bytes they hold.

    Those of the address with most come first, of one address the greatest. O(n log n).
    """
    holders = list(held)
    of_owner: Counter[str] = Counter()
    for holder, size in holders:
        of_owner[holder.owner] += size
    holders.sort(key=lambda each: (of_owner[each[0].owner], each[1]), reverse=True)
    ended = []
    for holder, size in holders:
        if excess <= 0:
            break
        excess -= size
        ended.append(holder)
    return ended
