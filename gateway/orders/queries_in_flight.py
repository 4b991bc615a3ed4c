"""The queries of sessions between their sender and the matcher's answer. No I/O.

A query changes nothing, so it is sent once: when it has no answer in time its sender gets `BUSY`.
The matcher answers queries between its batches of commands, so only a few are sent at a time.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from msgspec import Struct

from crossbook.common.messages.entry import Balances, OpenOrders, Reject, Reply
from crossbook.common.messages.matcher_queries import (
    AccountBalances,
    BalancesRequest,
    Orders,
    OrdersRequest,
)
from crossbook.common.types import RejectReason
from crossbook.gateway.orders.lines import Lines
from crossbook.gateway.orders.outbox import Outbox
from crossbook.gateway.orders.session import OrderSession

QUERIES_MAX: Final = 10_000
"""Most queries without an answer."""

SENT_MOST: Final = 4
"""Most queries at the matcher, one of each account: a listing of a thousand orders takes each of
matcher and gateway about a millisecond, in which they do nothing else."""

QUERY_NS: Final = 5_000_000_000
"""Nanoseconds after which a query is given up."""

SessionQuery: TypeAlias = OrdersRequest | BalancesRequest


class _Waiting(Struct, gc=False):
    """A query without an answer."""

    session: OrderSession
    request_seq: int
    query: SessionQuery
    added_ns: int
    is_sent: bool = False


class QueriesInFlight:
    """Queries without an answer, oldest first. Each gets one reply, which goes to `outbox`.

    Accounts take turns: the link sends those that `collect` returns, a few at a time, and hands the
    answers to `receive`. `has_unsent` is true while `collect` has something to return.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._waiting: dict[int, _Waiting] = {}
        self._lines: Lines[int] = Lines(QUERIES_MAX)
        self._sent: set[int] = set()
        self._query_id = 0
        self._now_ns = 0
        self.has_unsent = False

    def __len__(self) -> int:
        return len(self._waiting)

    def has_room(self, account: int) -> bool:
        """Whether a query of an account may be added now."""
        return self._lines.has_room(account)

    def add(
        self, session: OrderSession, request_seq: int, make_query: Callable[[int], SessionQuery]
    ) -> None:
        """Add the query that `make_query` makes of an id. Raises what `make_query` raises, and
        adds nothing then. The caller checks `has_room`."""
        query = make_query(self._query_id + 1)
        self._query_id += 1
        self._waiting[self._query_id] = _Waiting(session, request_seq, query, self._now_ns)
        self._lines.add(session.account, self._query_id)
        self._look()

    def collect(self) -> list[SessionQuery]:
        """Remove and return the queries whose turn it is, for the link to send; they stay in
        flight."""
        self.has_unsent = False
        found: list[SessionQuery] = []
        while len(self._sent) < SENT_MOST and (number := self._lines.take(self._sent)) is not None:
            waiting = self._waiting.get(number)
            # One that was given up meanwhile is no longer there.
            if waiting is not None:
                waiting.is_sent = True
                self._sent.add(waiting.session.account)
                found.append(waiting.query)
        return found

    def refuse(self, query: SessionQuery, text: str) -> None:
        """End a query that could not be sent."""
        self._refuse(query.request_id, text)

    def receive(self, answer: Orders | AccountBalances) -> None:
        """Reply with the matcher's answer; one to a query that has ended is dropped."""
        waiting = self._remove(answer.request_id)
        if waiting is None:
            return
        if isinstance(answer, Orders):
            reply: Reply = OpenOrders(waiting.request_seq, answer.seq, answer.orders, answer.more)
        else:
            reply = Balances(waiting.request_seq, answer.seq, answer.balances)
        self._outbox.add(waiting.session.identity, reply)

    def tick(self, now_ns: int) -> None:
        """Let time pass: queries without an answer for `QUERY_NS` end."""
        self._now_ns = now_ns
        for query_id, waiting in list(self._waiting.items()):
            if now_ns - waiting.added_ns < QUERY_NS:
                break
            self._refuse(query_id, "the matcher did not answer in time")

    def _refuse(self, query_id: int, text: str) -> None:
        waiting = self._remove(query_id)
        assert waiting is not None, f"query {query_id} has ended before"
        reject = Reject(waiting.request_seq, RejectReason.BUSY, "", text)
        self._outbox.refuse(waiting.session.identity, reject)

    def _remove(self, query_id: int) -> _Waiting | None:
        waiting = self._waiting.pop(query_id, None)
        if waiting is not None and waiting.is_sent:
            self._sent.discard(waiting.session.account)
            self._look()
        return waiting

    def _look(self) -> None:
        self.has_unsent = len(self._lines) > 0 and len(self._sent) < SENT_MOST
