"""Limits of the Binance-spot face: the orders of an account in ten seconds and in a day. No I/O.

The limits are the exchange's own `ORDERS_PER_SECOND`, over these windows. The bucket of the
account, which all interfaces share, holds beside them.
"""

from typing import Any, Final

from msgspec import Struct

from crossbook.common.times import DAY_NS, SECOND_NS
from crossbook.gateway.binance.problem import TOO_MANY_ORDERS, Refusal
from crossbook.gateway.binance.weights import NO_LIMIT, rate_limit

SHORT_S: Final = 10
"""Seconds of the shorter window."""

DAY_S: Final = 86_400

ACCOUNTS_MAX: Final = 100_000
"""Most accounts that are counted; beyond it the one that was counted first begins anew."""

_SHORT_NS: Final = SHORT_S * SECOND_NS


class Counts(Struct, gc=False):
    """The orders of one account in the present ten seconds and on the present day."""

    window: int = -1
    in_window: int = 0
    day: int = -1
    in_day: int = 0


class OrderCounts:
    """The accepted orders of all accounts that came over this face; `per_second` zero is no limit.

    >>> counts = OrderCounts(per_second=1)
    >>> counts.check(7, 0)
    >>> counts.add(7, 0).in_window
    1
    """

    def __init__(self, per_second: int) -> None:
        self.in_window_most = per_second * SHORT_S
        self.in_day_most = per_second * DAY_S
        self._counts: dict[int, Counts] = {}

    def __len__(self) -> int:
        """The number of accounts that are counted."""
        return len(self._counts)

    def check(self, account: int, now_ns: int) -> None:
        """Raise `Refusal` 429 where the account may enter no further order now. O(1)."""
        if not self.in_window_most:
            return
        counts = self.of(account, now_ns)
        if counts.in_window >= self.in_window_most:
            wait_ns = (counts.window + 1) * _SHORT_NS - now_ns
            raise _too_many(f"{self.in_window_most} orders per {SHORT_S} SECOND", wait_ns)
        if counts.in_day >= self.in_day_most:
            wait_ns = (counts.day + 1) * DAY_NS - now_ns
            raise _too_many(f"{self.in_day_most} orders per 1 DAY", wait_ns)

    def add(self, account: int, now_ns: int) -> Counts:
        """Count an order that was accepted. O(1)."""
        counts = self.of(account, now_ns)
        counts.in_window += 1
        counts.in_day += 1
        return counts

    def of(self, account: int, now_ns: int) -> Counts:
        """The orders of an account in the present windows."""
        counts = self._counts.get(account)
        if counts is None:
            while len(self._counts) >= ACCOUNTS_MAX:
                del self._counts[next(iter(self._counts))]
            counts = self._counts[account] = Counts()
        window, day = now_ns // _SHORT_NS, now_ns // DAY_NS
        if counts.window != window:
            counts.window, counts.in_window = window, 0
        if counts.day != day:
            counts.day, counts.in_day = day, 0
        return counts

    def documents(self) -> list[dict[str, Any]]:
        """The limits of accounts in the form of `rateLimits`."""
        return [
            rate_limit("ORDERS", "SECOND", SHORT_S, self.in_window_most or NO_LIMIT),
            rate_limit("ORDERS", "DAY", 1, self.in_day_most or NO_LIMIT),
        ]

    def counted(self, account: int, now_ns: int) -> list[dict[str, Any]]:
        """The same, with the counts of an account."""
        counts = self.of(account, now_ns)
        short, day = self.documents()
        return [{**short, "count": counts.in_window}, {**day, "count": counts.in_day}]


def _too_many(limit: str, wait_ns: int) -> Refusal:
    text = f"Too many new orders; current limit is {limit}."
    return Refusal(TOO_MANY_ORDERS, text, 429, None, max(1, -(-wait_ns // SECOND_NS)))
