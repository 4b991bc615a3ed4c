"""What one account may send in a time, over any interface. No I/O.

Orders, queries and catch-ups have a bucket each. A cancel takes a token like an order, and is still
accepted where an order no longer is, down to a debt of one burst: whoever sent too much can still
end what is open.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from crossbook.common.messages.entry import (
    Cancel,
    CancelAfter,
    CatchUp,
    ListInstruments,
    Logon,
    MassCancel,
    Ping,
    Query,
    QueryBalances,
    Reject,
    Request,
)
from crossbook.common.token_buckets import TokenBuckets
from crossbook.common.types import RejectReason
from crossbook.gateway.problem import throttled

ORDERS: Final = "orders"
QUERIES: Final = "queries"
CATCH_UPS: Final = "catch_ups"
SETTINGS: Final = {
    ORDERS: "ORDERS_PER_SECOND",
    QUERIES: "QUERIES_PER_SECOND",
    CATCH_UPS: "CATCH_UPS_PER_MINUTE",
}
"""Kinds of requests, and the setting of each."""

_KINDS: Final[dict[type, tuple[str, bool]]] = {
    Cancel: (ORDERS, True),
    MassCancel: (ORDERS, True),
    CancelAfter: (ORDERS, True),
    Query: (QUERIES, False),
    QueryBalances: (QUERIES, False),
    ListInstruments: (QUERIES, False),
    CatchUp: (CATCH_UPS, False),
    Ping: ("", False),
    Logon: ("", False),
}
"""The bucket of each request, and whether it is a cancel; the others are orders. Pings and logons
are free."""

_ORDER: Final = (ORDERS, False)


class AccountLimits:
    """The buckets of every account; a kind that has none is not limited.

    `throttled` counts refused requests by kind. `now_ns` is a clock that never goes back.
    """

    def __init__(
        self, orders: int, queries: int, catch_ups_a_minute: int, now_ns: Callable[[], int]
    ) -> None:
        self._now_ns = now_ns
        self.buckets: dict[str, TokenBuckets] = {}
        if orders:
            self.buckets[ORDERS] = TokenBuckets(orders, 2 * orders)
        if queries:
            self.buckets[QUERIES] = TokenBuckets(queries, 2 * queries)
        if catch_ups_a_minute:
            self.buckets[CATCH_UPS] = TokenBuckets(catch_ups_a_minute / 60, catch_ups_a_minute)
        self.throttled: Counter[str] = Counter()

    def admit(
        self, account: int, requests: Sequence[Request]
    ) -> tuple[Sequence[Request], list[Reject]]:
        """The requests of a session that may pass, in order, and the rejects of the others."""
        wanted = Counter(_KINDS.get(type(request), _ORDER) for request in requests)
        granted = {kind: self._take(account, *kind, count) for kind, count in wanted.items()}
        if granted == dict(wanted):
            return requests, []
        passed: list[Request] = []
        rejects: list[Reject] = []
        for request in requests:
            kind = _KINDS.get(type(request), _ORDER)
            if granted[kind]:
                granted[kind] -= 1
                passed.append(request)
            else:
                rejects.append(self._reject(account, kind[0], request))
        return passed, rejects

    def check(self, account: int | str, kind: str, is_cancel: bool = False) -> None:
        """Take a token for a request that is not one of a session; raises `Problem` 429. A request
        without an account is one of an address."""
        if not self._take(account, kind, is_cancel, 1):
            self.throttled[kind] += 1
            raise throttled(self._text(kind), self._wait_ms(account, kind))

    def left(self, key: int | str, kind: str) -> tuple[int, int]:
        """The tokens of an account, and the seconds until its bucket is full."""
        buckets, now_ns = self.buckets[kind], self._now_ns()
        return buckets.left(key, now_ns), buckets.full_in_s(key, now_ns)

    def _take(self, account: int | str, kind: str, is_cancel: bool, count: int) -> int:
        buckets = self.buckets.get(kind)
        if buckets is None:
            return count
        return buckets.take(account, count, self._now_ns(), buckets.burst if is_cancel else 0)

    def _wait_ms(self, account: int | str, kind: str) -> int:
        return self.buckets[kind].wait_ms(account, self._now_ns())

    def _reject(self, account: int, kind: str, request: Request) -> Reject:
        self.throttled[kind] += 1
        coid = getattr(request, "client_order_id", "")
        return Reject(
            request.request_seq,
            RejectReason.THROTTLED,
            "",
            self._text(kind),
            coid,
            0,
            self._wait_ms(account, kind),
        )

    def _text(self, kind: str) -> str:
        buckets = self.buckets[kind]
        return (
            f"an account may send {buckets.burst} {kind.replace('_', '-')} in {buckets.window_s} s "
            f"({SETTINGS[kind]})"
        )


UNLIMITED: Final = AccountLimits(0, 0, 0, lambda: 0)
"""No limits."""
