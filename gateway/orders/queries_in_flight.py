"""The queries of sessions between their sender and the matcher's answer. No I/O.

A query changes nothing, so it is sent once: when it has no answer in time its sender gets `BUSY`.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from crossbook.common.messages.entry import Balances, OpenOrders, Reject, Reply
from crossbook.common.messages.matcher_queries import (
    AccountBalances,
    BalancesRequest,
    Orders,
    OrdersRequest,
)
from crossbook.common.types import RejectReason
from crossbook.gateway.orders.outbox import Outbox
from crossbook.gateway.orders.session import OrderSession

QUERIES_MAX: Final = 10_000
"""Most queries waiting for the matcher's answer."""

QUERY_NS: Final = 5_000_000_000
"""Nanoseconds after which a query is given up."""

SessionQuery: TypeAlias = OrdersRequest | BalancesRequest


class QueriesInFlight:
    """Queries without an answer, oldest first. Each gets one reply, which goes to `outbox`.

    The link sends the `unsent` queries that `collect` returns, and hands the answers to `receive`.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._waiting: dict[int, tuple[OrderSession, int, int]] = {}
        self._query_id = 0
        self._now_ns = 0
        self.unsent: list[SessionQuery] = []

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether no query may be added now."""
        return len(self._waiting) >= QUERIES_MAX

    def add(
        self, session: OrderSession, request_seq: int, make_query: Callable[[int], SessionQuery]
    ) -> None:
        """Add the query that `make_query` makes of an id. Raises what `make_query` raises, and
        adds nothing then. The caller checks `is_full`."""
        query = make_query(self._query_id + 1)
        self._query_id += 1
        self._waiting[self._query_id] = (session, request_seq, self._now_ns)
        self.unsent.append(query)

    def collect(self) -> list[SessionQuery]:
        """Remove and return the unsent queries, for the link to send; they stay in flight."""
        unsent, self.unsent = self.unsent, []
        return unsent

    def refuse(self, query: SessionQuery, text: str) -> None:
        """End a query that could not be sent."""
        self._refuse(query.request_id, text)

    def receive(self, answer: Orders | AccountBalances) -> None:
        """Reply with the matcher's answer; one to a query that has ended is dropped."""
        waiting = self._waiting.pop(answer.request_id, None)
        if waiting is None:
            return
        session, request_seq, _ = waiting
        if isinstance(answer, Orders):
            reply: Reply = OpenOrders(request_seq, answer.seq, answer.orders, answer.more)
        else:
            reply = Balances(request_seq, answer.seq, answer.balances)
        self._outbox.add(session.identity, reply)

    def tick(self, now_ns: int) -> None:
        """Let time pass: queries without an answer for `QUERY_NS` end."""
        self._now_ns = now_ns
        for query_id, (_, _, added_ns) in list(self._waiting.items()):
            if now_ns - added_ns < QUERY_NS:
                break
            self._refuse(query_id, "the matcher did not answer in time")

    def _refuse(self, query_id: int, text: str) -> None:
        session, request_seq, _ = self._waiting.pop(query_id)
        reject = Reject(request_seq, RejectReason.BUSY, "", text)
        self._outbox.refuse(session.identity, reject)
