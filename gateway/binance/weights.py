"""Limits of the Binance-spot face: the weight of an address in a minute. No I/O.

The limit is the exchange's own `ADDRESS_REQUESTS_PER_SECOND`, over a minute. Every request takes a
token of the address's bucket as well, which the native interfaces share.
"""

from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct

from crossbook.common.times import SECOND_NS
from crossbook.common.token_buckets import TokenBuckets
from crossbook.gateway.binance.problem import Refusal, too_many_requests

MINUTE_NS: Final = 60 * SECOND_NS

NO_LIMIT: Final = 2**31 - 1
"""The limit that is shown where the exchange has none: clients need a number."""

IGNORED_MAX: Final = 100
"""Refused requests of an address in one minute after which it is banned."""

BAN_S: Final = 120
"""Seconds of a ban."""

ADDRESSES_MAX: Final = 100_000
"""Most addresses that are counted; beyond it the one that was counted first begins anew."""


class _Used(Struct, gc=False):
    """The weight that an address has used in a minute."""

    minute: int = -1
    weight: int = 0
    ignored: int = 0
    banned_until_ns: int = 0


class AddressWeights:
    """The weights of all addresses; `per_minute` zero is no limit. `refused` counts refused
    requests.

    >>> weights = AddressWeights(per_minute=10)
    >>> weights.take("192.0.2.7", 6, 0), weights.take("192.0.2.7", 4, 1)
    (6, 10)
    """

    def __init__(self, per_minute: int, buckets: TokenBuckets | None = None) -> None:
        self.per_minute = per_minute
        self.refused = 0
        self._buckets = buckets
        self._used: dict[str, _Used] = {}

    def __len__(self) -> int:
        """The number of addresses that are counted."""
        return len(self._used)

    def admit(self, address: str, now_ns: int, monotonic_ns: int) -> None:
        """Take a token of an address, before anything of its request is read. Raises `Refusal` 429
        where it has none, and 418 while it is banned. O(1)."""
        used = self._used.get(address)
        if used is not None and used.banned_until_ns > now_ns:
            self.refused += 1
            raise _banned(used.banned_until_ns, now_ns)
        buckets = self._buckets
        if buckets is not None and not buckets.take(address, 1, monotonic_ns):
            text = f"{buckets.burst} requests per {buckets.window_s} SECOND"
            raise self._refusal(address, text, buckets.wait_ns(address, monotonic_ns), now_ns)

    def take(self, address: str, weight: int, now_ns: int) -> int:
        """Count the weight of a request; return what the address has used in this minute. Raises
        `Refusal` 429 where that is too much. O(1)."""
        used = self._of(address, now_ns)
        if self.per_minute and used.weight + weight > self.per_minute:
            text = f"{self.per_minute} request weight per 1 MINUTE"
            wait_ns = (used.minute + 1) * MINUTE_NS - now_ns
            raise self._refusal(address, text, wait_ns, now_ns)
        used.weight += weight
        return used.weight

    def used(self, address: str, now_ns: int) -> int:
        """The weight that an address has used in this minute."""
        used = self._used.get(address)
        return used.weight if used is not None and used.minute == now_ns // MINUTE_NS else 0

    def documents(self) -> list[dict[str, Any]]:
        """The limits of addresses in the form of `rateLimits`."""
        limit = self.per_minute or NO_LIMIT
        shown = [rate_limit("REQUEST_WEIGHT", "MINUTE", 1, limit)]
        if self._buckets is not None:
            bound = rate_limit(
                "RAW_REQUESTS", "SECOND", self._buckets.window_s, self._buckets.burst
            )
            shown.append(bound)
        return shown

    def _of(self, address: str, now_ns: int) -> _Used:
        used = self._used.get(address)
        if used is None:
            while len(self._used) >= ADDRESSES_MAX:
                del self._used[next(iter(self._used))]
            used = self._used[address] = _Used()
        minute = now_ns // MINUTE_NS
        if used.minute != minute:
            used.minute, used.weight, used.ignored = minute, 0, 0
        return used

    def _refusal(self, address: str, limit: str, wait_ns: int, now_ns: int) -> Refusal:
        used = self._of(address, now_ns)
        self.refused += 1
        used.ignored += 1
        if used.ignored > IGNORED_MAX:
            used.banned_until_ns = now_ns + BAN_S * SECOND_NS
            return _banned(used.banned_until_ns, now_ns)
        text = (
            f"Too much request weight used; current limit is {limit}. Please use WebSocket Streams "
            "for live updates to avoid polling the API."
        )
        return too_many_requests(text, max(1, -(-wait_ns // SECOND_NS)))


def rate_limit(kind: str, interval: str, number: int, limit: int) -> dict[str, Any]:
    """One limit in the form of `rateLimits`."""
    return {
        "rateLimitType": kind,
        "interval": interval,
        "intervalNum": number,
        "limit": limit,
    }


def _banned(until_ns: int, now_ns: int) -> Refusal:
    until = datetime.fromtimestamp(until_ns // SECOND_NS, UTC)
    text = (
        f"Way too much request weight used; IP banned until {until_ns // 1_000_000} "
        f"({until:%H:%M:%S} UTC). Please use WebSocket Streams for live updates to avoid bans."
    )
    return too_many_requests(text, max(1, -(-(until_ns - now_ns) // SECOND_NS)), is_banned=True)
