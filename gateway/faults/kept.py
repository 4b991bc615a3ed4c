"""Facts of requests that wait for an answer, a bounded number of them."""

from typing import Final, TypeVar

KEPT_MAX: Final = 65_536
"""Most values; the oldest one makes room."""

K = TypeVar("K")
V = TypeVar("V")


def keep(kept: dict[K, V], key: K, value: V, limit: int = KEPT_MAX) -> None:
    """Keep a value under a key.

    >>> kept = {1: "a", 2: "b"}
    >>> keep(kept, 3, "c", limit=2)
    >>> kept
    {2: 'b', 3: 'c'}
    """
    if len(kept) >= limit and key not in kept:
        del kept[next(iter(kept))]
    kept[key] = value
