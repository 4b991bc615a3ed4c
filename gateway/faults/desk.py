"""Faults of ZeroMQ order entry: in front of a desk, between its frames and its replies.

Sessions of HTTP and WebSocket clients pass untouched; their faults apply at their own interface.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

from msgspec import Struct

from crossbook.common.faults.order_entry import (
    AnswerFault,
    ExecutionFacts,
    ExecutionFault,
    RequestFacts,
)
from crossbook.common.faults.table import FaultTable
from crossbook.common.messages.codec import decode_requests, encode
from crossbook.common.messages.entry import (
    TOKEN_BYTES,
    Ack,
    Amend,
    Balances,
    Cancel,
    CancelAfter,
    CatchUp,
    Execution,
    ListInstruments,
    Logon,
    MassCancel,
    New,
    OpenOrders,
    Ping,
    Query,
    QueryBalances,
    Reject,
    Reply,
    Request,
)
from crossbook.common.shards import shard_of
from crossbook.gateway.faults.fate import answer_fate, execution_fate, request_fate
from crossbook.gateway.faults.kept import keep
from crossbook.gateway.faults.refusal import unknown_reject
from crossbook.gateway.orders.front_desk import FrontDesk
from crossbook.gateway.orders.local_sessions import LOCAL_PREFIX
from crossbook.gateway.orders.session import OrderSession

METHODS: Final[dict[type, str]] = {
    New: "submit",
    Cancel: "cancel",
    Amend: "amend",
    MassCancel: "cancel_all",
    CancelAfter: "cancel_after",
    Query: "query",
    QueryBalances: "query_balances",
    CatchUp: "catch_up",
    ListInstruments: "list_instruments",
    Logon: "log_on",
    Ping: "ping",
}
"""Word of each request for the selector `method`."""

_ANSWERS: Final = (Ack, Reject, OpenOrders, Balances)

Later = Callable[[float, Callable[[], None]], object]
"""Calls after so many seconds, as `loop.call_later` does."""


class _Delivery(Struct):
    """The replies of one round to one address."""

    now: list[Reply]
    is_closed: bool = False


class FaultyDesk:
    """`desk`, behind the rules of `table`: what is not below is that of the desk.

    `wake` has to be set to the call that makes the service send replies soon.
    """

    def __init__(self, desk: FrontDesk, table: FaultTable, later: Later) -> None:
        self._desk = desk
        self._table = table
        self._later = later
        self._tracked: dict[tuple[bytes, int], RequestFacts] = {}
        self._resent: dict[tuple[bytes, int], int] = {}
        self._released: dict[bytes, list[Reply]] = {}
        self.wake: Callable[[], None] = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._desk, name)

    def receive_frame(self, identity: bytes, frame: bytes, message: object = None) -> None:
        """Apply the faults before the requests of a client frame; the others are received."""
        if not len(self._table):
            self._desk.receive_frame(identity, frame)
            return
        token, payload = frame[:TOKEN_BYTES], frame[TOKEN_BYTES:]
        requests, rejects = decode_requests(payload)
        if rejects:
            self._desk.receive_frame(identity, frame)
            return
        session = self._desk.sessions.by_token.get(token)
        kept: list[Request] = []
        for request in requests:
            facts = _facts(request, session)
            delay_s = self._meet(identity, request, facts)
            if delay_s is None:
                continue
            self._track(identity, request, facts)
            if delay_s:
                self._receive_later(delay_s, identity, token, request)
            else:
                kept.append(request)
        if len(kept) == len(requests):
            self._desk.receive_frame(identity, frame)
        elif kept:
            self._desk.receive_frame(identity, token + encode(kept))

    def collect_replies(self) -> dict[bytes, list[Reply]]:
        """Remove and return the replies that are ready to be sent, with their faults."""
        collected = self._desk.collect_replies()
        released, self._released = self._released, {}
        if not len(self._table) and not self._tracked and not released:
            return collected
        sessions: dict[bytes, OrderSession] = {}
        if self._table.has(ExecutionFault):
            by_token = self._desk.sessions.by_token
            sessions = {session.identity: session for session in by_token.values()}
        found: dict[bytes, list[Reply]] = {}
        for identity, replies in collected.items():
            if identity.startswith(LOCAL_PREFIX) or not replies:
                found[identity] = replies
                continue
            delivery = self._deliver(identity, replies, sessions.get(identity))
            if delivery.is_closed:
                self._desk.sessions.close_address(identity)
                released.pop(identity, None)
            elif delivery.now:
                found[identity] = delivery.now
        for identity, replies in released.items():
            found[identity] = [*found.get(identity, ()), *replies]
        return found

    def _meet(self, identity: bytes, request: Request, facts: RequestFacts) -> float | None:
        """The delay of a request that is served, in seconds; None for one that is not."""
        fate = request_fate(self._table, facts)
        if fate.refused is not None:
            reject = fate.refused.reject(request.request_seq, facts.client_order_id)
            self._after(fate.delay_s, partial(self._desk.outbox.refuse, identity, reject))
        elif fate.is_closed:
            self._after(fate.delay_s, partial(self._desk.sessions.close_address, identity))
        else:
            return fate.delay_s
        return None

    def _after(self, delay_s: float, act: Callable[[], None]) -> None:
        """Act at once, or after a delay."""
        if not delay_s:
            act()
            return

        def act_and_wake() -> None:
            act()
            self.wake()

        self._later(delay_s, act_and_wake)

    def _receive_later(
        self, delay_s: float, identity: bytes, token: bytes, request: Request
    ) -> None:
        frame = token + encode(request)
        self._after(delay_s, lambda: self._desk.receive_frame(identity, frame))

    def _track(self, identity: bytes, request: Request, facts: RequestFacts) -> None:
        if isinstance(request, CatchUp):
            # Up to this number of its shard, executions are sent again on request.
            shard = shard_of(request.from_seq)
            keep(self._resent, (identity, shard), self._desk.seq_of(shard))
        if not request.request_seq or not self._table.has(AnswerFault):
            return
        keep(self._tracked, (identity, request.request_seq), facts)

    def _deliver(
        self, identity: bytes, replies: Sequence[Reply], session: OrderSession | None
    ) -> _Delivery:
        """Apply the faults of replies to one address."""
        delivery = _Delivery([])
        for reply in replies:
            if isinstance(reply, _ANSWERS):
                facts = self._tracked.pop((identity, reply.request_seq), None)
                if facts is not None:
                    self._answer(identity, reply, facts, delivery)
                    continue
            elif (
                isinstance(reply, Execution)
                and session is not None
                and reply.seq > self._resent.get((identity, shard_of(reply.seq)), 0)
            ):
                self._execution(identity, reply, session, delivery)
                if delivery.is_closed:
                    return delivery
                continue
            delivery.now.append(reply)
        return delivery

    def _answer(
        self, identity: bytes, reply: Reply, facts: RequestFacts, delivery: _Delivery
    ) -> None:
        fate = answer_fate(self._table, facts, isinstance(reply, Ack))
        if fate.is_unknown:
            reply = unknown_reject(reply.request_seq, facts.client_order_id)
        if fate.count:
            self._send(fate.delay_s, identity, [reply] * fate.count, delivery)

    def _execution(
        self, identity: bytes, reply: Execution, session: OrderSession, delivery: _Delivery
    ) -> None:
        token = int.from_bytes(session.token, "big")
        facts = ExecutionFacts("zeromq", session.account, reply.symbol, token, session.user)
        place = _place_of_answer(delivery.now, reply)
        fate = execution_fate(self._table, facts, place is not None)
        if fate.is_closed:
            delivery.is_closed = True
        elif fate.is_out_of_order and place is not None:
            delivery.now.insert(place, reply)
        elif fate.is_sent:
            self._send(fate.delay_s, identity, [reply], delivery)

    def _send(
        self, delay_s: float, identity: bytes, replies: Iterable[Reply], delivery: _Delivery
    ) -> None:
        """Send replies in this round, or after a delay."""
        if not delay_s:
            delivery.now += replies
            return

        def release() -> None:
            self._released.setdefault(identity, []).extend(replies)
            # An address with nothing else to be sent still gets a message.
            self._desk.outbox.extend(identity, ())

        self._after(delay_s, release)


def _facts(request: Any, session: OrderSession | None) -> RequestFacts:
    return RequestFacts(
        "zeromq",
        session.account if session is not None else getattr(request, "account", 0),
        "",
        METHODS.get(type(request), ""),
        getattr(request, "symbol", ""),
        getattr(request, "client_order_id", ""),
        int.from_bytes(session.token, "big") if session is not None else 0,
        session.user if session is not None else "",
    )


def _place_of_answer(replies: Sequence[Reply], execution: Execution) -> int | None:
    """The index of the answer to the request that caused an execution; None without one."""
    if not execution.request_seq:
        return None
    for index, reply in enumerate(replies):
        if isinstance(reply, Ack) and reply.request_seq == execution.request_seq:
            return index
    return None
