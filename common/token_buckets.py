"""Token buckets by key, in whole nanoseconds. No I/O and no clock.

Each bucket is one number, the time at which it is full again (the generic cell rate algorithm). A
bucket that is full is not kept.
"""

from collections.abc import Hashable
from typing import Final

CONNECTIONS_S: Final = 10
"""Seconds whose connections an address may make at once."""

BUCKETS_MAX: Final = 100_000
"""Most buckets kept; beyond it the one that was used first is full again."""


class TokenBuckets:
    """A bucket of `burst` tokens for each key, to which `per_s` tokens a second are added.

    >>> buckets = TokenBuckets(per_s=10, burst=2)
    >>> buckets.take("ann", 3, now_ns=0)
    2
    >>> buckets.wait_ns("ann", now_ns=0)
    100000000
    >>> buckets.take("ann", 3, now_ns=100_000_000), buckets.left("ann", 100_000_000)
    (1, 0)
    """

    def __init__(self, per_s: float, burst: int) -> None:
        self.burst = burst
        self.window_s = max(1, round(burst / per_s))
        """Seconds in which an empty bucket is full."""
        self._token_ns = round(1_000_000_000 / per_s)
        self._full_ns = burst * self._token_ns
        self._full_at: dict[Hashable, int] = {}

    def __len__(self) -> int:
        """The number of buckets kept."""
        return len(self._full_at)

    def take(self, key: Hashable, wanted: int, now_ns: int, debt: int = 0) -> int:
        """Take tokens; return how many, at most `wanted`, as if there were `debt` tokens more."""
        full_at = max(self._full_at.get(key, 0), now_ns)
        room_ns = now_ns + self._full_ns + debt * self._token_ns - full_at
        taken = min(wanted, room_ns // self._token_ns)
        if taken <= 0:
            return 0
        self._full_at[key] = full_at + taken * self._token_ns
        if len(self._full_at) > BUCKETS_MAX:
            self._forget(now_ns)
        return taken

    def left(self, key: Hashable, now_ns: int) -> int:
        """The tokens in a bucket."""
        missing_ns = max(0, self._full_at.get(key, 0) - now_ns)
        return max(0, (self._full_ns - missing_ns) // self._token_ns)

    def full_in_s(self, key: Hashable, now_ns: int) -> int:
        """Seconds, rounded up, until a bucket is full."""
        return max(0, -((now_ns - self._full_at.get(key, 0)) // 1_000_000_000))

    def wait_ns(self, key: Hashable, now_ns: int) -> int:
        """Nanoseconds until there is a token."""
        return max(0, self._full_at.get(key, 0) + self._token_ns - self._full_ns - now_ns)

    def wait_ms(self, key: Hashable, now_ns: int) -> int:
        """Milliseconds, rounded up and at least one, until there is a token."""
        return max(1, -(-self.wait_ns(key, now_ns) // 1_000_000))

    @classmethod
    def of_connections(cls, per_s: int) -> "TokenBuckets | None":
        """The buckets of addresses for new connections; None without a limit."""
        return cls(per_s, CONNECTIONS_S * per_s) if per_s else None

    def _forget(self, now_ns: int) -> None:
        """Drop the buckets that are full, and further ones that were used first: a tenth at least,
        so that this costs O(1) a bucket."""
        kept = [(key, full_at) for key, full_at in self._full_at.items() if full_at > now_ns]
        self._full_at = dict(kept[-(BUCKETS_MAX * 9 // 10) :])
