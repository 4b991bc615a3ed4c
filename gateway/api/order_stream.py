"""`/ws/orders`: the execution reports of an account as they happen, and order entry.

The first message is a welcome. A request is `{"id", "method", "params"}`; each gets one answer or
error with its `id`. Messages: docs/reference/streams.md.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct

from crossbook.common.messages.entry import CatchUp, CaughtUp, Execution, Reject, Reply, Welcome
from crossbook.common.process.log import logger
from crossbook.common.shards import shard_of
from crossbook.common.types import MAX_INT, RejectReason
from crossbook.gateway.api import documents
from crossbook.gateway.api.bodies import decoder, order_number, whole_number
from crossbook.gateway.api.identity import acting_account
from crossbook.gateway.api.render import Renderer
from crossbook.gateway.api.trading import OrderName, Trading
from crossbook.gateway.orders.local_sessions import LocalSessions
from crossbook.gateway.orders.session import OrderSession
from crossbook.gateway.problem import ErrorDetail, Problem, internal, malformed, refused
from crossbook.gateway.query import pairs_of, values_of
from crossbook.gateway.web.channel import (
    POLICY_VIOLATION,
    TRY_AGAIN_LATER,
    Connection,
    Handshake,
    HandshakeRefusal,
    refusal_of,
    text_frame,
)
from crossbook.gateway.words import SideWord

PATH: Final = "/ws/orders"

REQUESTS_MAX: Final = 1_000
"""Most requests of one connection that wait for their answer; one more is refused with `BUSY`."""

FRAMES_KEPT: Final = 1_024
"""Most execution reports kept for the other streams of their account."""

_CATCH_UP_SEQ: Final = 1
_PARAMETERS: Final = ("account", "cancel_on_disconnect", "from_seq")


class StreamRequest(Struct, forbid_unknown_fields=True):
    """A request of a client."""

    id: Annotated[str, Meta(max_length=64)]
    method: Annotated[str, Meta(max_length=32)]
    params: Raw = Raw(b"{}")


class OrderReference(Struct, forbid_unknown_fields=True):
    """Parameters of `cancel`: an order by one of its ids."""

    order_id: str | None = None
    client_order_id: documents.ClientOrderId | None = None

    @property
    def name(self) -> OrderName:
        """The one id given; raises `Problem` for both and for none."""
        if (self.order_id is None) == (self.client_order_id is None):
            raise malformed("order_id", "give either order_id or client_order_id")
        return self.client_order_id or order_number(self.order_id or "")


class Amendment(OrderReference, forbid_unknown_fields=True):
    """Parameters of `amend`."""

    quantity: documents.Amount | None = None
    price: documents.Amount | None = None
    stop_price: documents.Amount | None = None


class OrderFilter(Struct, forbid_unknown_fields=True):
    """Parameters of `cancel_all`; without them it cancels all orders."""

    symbol: documents.Symbol | None = None
    side: SideWord | None = None


class Success(Struct, tag_field="type", tag="answer"):
    """A request succeeded; `result` is the document that REST returns."""

    id: str
    status: int
    result: documents.OrderAnswer | documents.MassCancelAnswer | documents.CancelAfterAnswer


class Failure(Struct, tag_field="type", tag="error", omit_defaults=True):
    """A request failed, with the status and error of REST. `id` is null where it is malformed."""

    id: str | None
    status: int
    error: ErrorDetail


class Greeting(Struct, tag_field="type", tag="welcome", omit_defaults=True):
    """Executions of `account` follow from here on; `seq` is the last number received. With several
    shards `seqs` has that of each."""

    account: int
    seq: int
    seqs: list[int] | None = None


class Resync(Struct, tag_field="type", tag="resync", omit_defaults=True):
    """Executions are missing: look up orders and fills, or connect again with `from_seq`."""

    account: int
    seq: int
    seqs: list[int] | None = None


class CaughtUpTo(Struct, tag_field="type", tag="caught_up"):
    """Everything in `from_seq`..`to_seq` has been sent again. `complete` is false where the matcher
    no longer holds all of it, where it was too much for one answer, and where `from_seq` is beyond
    the last number, which is then `to_seq`."""

    from_seq: int
    to_seq: int
    complete: bool


_encode = msgspec.json.Encoder().encode
_request = decoder(StreamRequest)
_order = decoder(documents.OrderRequest)
_amendment = decoder(Amendment)
_order_reference = decoder(OrderReference)
_order_filter = decoder(OrderFilter)
_timeout = decoder(documents.CancelAfterRequest)


class StreamOptions(Struct, frozen=True):
    """What a handshake asks for: the account it names; the numbers from which executions are sent
    again, at most one of each shard; and whether open orders of the account are canceled when its
    last connection is gone."""

    account: int | None
    from_seqs: Sequence[int] = ()
    cancel_on_disconnect: bool = False


MayTrade = Callable[[], None]
"""Raises `Problem` where a request that changes something is refused."""


class OrderStream:
    """The channel of one connection, acting for one account."""

    def __init__(
        self,
        sessions: LocalSessions,
        trading: Trading,
        reports: "ReportFrames",
        account: int,
        options: StreamOptions,
        may_trade: MayTrade,
    ) -> None:
        self._sessions = sessions
        self._trading = trading
        self._reports = reports
        self._account = account
        self._options = options
        self._may_trade = may_trade
        self._session: OrderSession | None = None
        self._connection: Connection | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def opened(self, connection: Connection) -> None:
        """Send the welcome, and the executions of the account from then on."""
        self._connection = connection
        self._session = self._sessions.open(
            self._account, self._deliver, self._options.cancel_on_disconnect
        )
        if self._session is None:
            connection.close(TRY_AGAIN_LATER, self._sessions.why_full(self._account))
            return
        self._send(Greeting(self._account, self._sessions.seq, self._seqs()))
        for from_seq in self._options.from_seqs:
            self._sessions.send(self._session, CatchUp(_CATCH_UP_SEQ, from_seq))

    def received(self, connection: Connection, text: str) -> None:
        """Serve a request; its answer is sent once it is durable."""
        request_id = None
        try:
            request = _request(text.encode())
            request_id = request.id
            self._may_trade()
            if len(self._tasks) >= REQUESTS_MAX:
                full = f"{REQUESTS_MAX} requests of this connection wait for an answer"
                raise refused(RejectReason.BUSY, "", full)
        except Problem as problem:
            self._send(Failure(request_id, problem.status, problem.detail))
            return
        task = asyncio.get_running_loop().create_task(self._serve(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def drained(self, connection: Connection) -> None:
        """Nothing to do: no message is left out, and a client that is full is closed."""

    def closed(self, connection: Connection) -> None:
        """End the session once every request has its outcome. No request is withdrawn, and all of
        them come before the cancels that the end of the last connection may cause."""
        self._connection = None
        for task in self._tasks:
            task.add_done_callback(self._end)
        self._end()

    def _end(self, _: object = None) -> None:
        """End the session of a connection that is gone, unless requests of it wait."""
        if self._session is not None and not self._tasks:
            session, self._session = self._session, None
            self._sessions.close(session)

    async def _serve(self, request: StreamRequest) -> None:
        answer: Success | Failure
        try:
            answer = await self._answer(request)
        except Problem as problem:
            answer = Failure(request.id, problem.status, problem.detail)
        except Exception:
            logger().exception("request_failed", path=PATH, method=request.method)
            answer = Failure(request.id, 500, internal().detail)
        self._send(answer)

    async def _answer(self, request: StreamRequest) -> Success:
        account, trading, params = self._account, self._trading, bytes(request.params)
        if request.method == "submit":
            status, accepted = await trading.submit(account, _order(params))
            return Success(request.id, status, accepted)
        if request.method == "cancel":
            return Success(
                request.id, 200, await trading.cancel(account, _order_reference(params).name)
            )
        if request.method == "amend":
            new = _amendment(params)
            terms = documents.AmendRequest(new.quantity, new.price, new.stop_price)
            amended = await trading.amend(account, new.name, terms)
            return Success(request.id, 200, amended)
        if request.method == "cancel_after":
            return Success(request.id, 200, await trading.cancel_after(account, _timeout(params)))
        if request.method == "cancel_all":
            chosen = _order_filter(params)
            all_canceled = await trading.cancel_all(account, chosen.symbol, chosen.side)
            return Success(request.id, 200, all_canceled)
        raise malformed("method", "methods are submit, amend, cancel, cancel_all and cancel_after")

    def _deliver(self, replies: Sequence[Reply]) -> None:
        """Send what happened to the account."""
        for reply in replies:
            if isinstance(reply, Execution):
                self._send_frame(self._reports.frame(reply))
            elif isinstance(reply, CaughtUp):
                self._send(CaughtUpTo(reply.from_seq, reply.to_seq, reply.complete))
            elif isinstance(reply, Welcome | Reject):
                # The gateway missed executions, or a catch-up was not possible.
                self._send(Resync(self._account, self._sessions.seq, self._seqs()))

    def _seqs(self) -> list[int] | None:
        """The last number received of each shard, where there are several."""
        seqs = self._sessions.seqs
        return seqs if len(seqs) > 1 else None

    def _send(self, message: Struct) -> None:
        self._send_frame(text_frame(_encode(message)))

    def _send_frame(self, frame: bytes) -> None:
        connection = self._connection
        if connection is None:
            return
        if connection.full:
            connection.close(POLICY_VIOLATION, "too slow: connect again with from_seq")
            return
        connection.send(frame)


class ReportFrames:
    """The execution reports of the streams, rendered once for all streams of an account."""

    def __init__(self, render: Renderer) -> None:
        self._render = render
        self._frames: dict[int, tuple[Execution, bytes]] = {}

    def frame(self, execution: Execution) -> bytes:
        """The frame of a report."""
        kept = self._frames.get(id(execution))
        if kept is not None:
            # What is kept here keeps its id.
            return kept[1]
        if len(self._frames) >= FRAMES_KEPT:
            self._frames.clear()
        frame = text_frame(_encode(self._render.execution(execution)))
        self._frames[id(execution)] = execution, frame
        return frame


class OrderStreams:
    """Opens the channels of handshakes on `/ws/orders`."""

    def __init__(
        self,
        sessions: LocalSessions,
        trading: Trading,
        render: Renderer,
        default_account: int,
        check: Callable[[str, int], None] | None = None,
    ) -> None:
        self._sessions = sessions
        self._trading = trading
        self._reports = ReportFrames(render)
        self._default_account = default_account
        self._check = check

    def route(self, handshake: Handshake, account: int | None) -> OrderStream | HandshakeRefusal:
        """The channel of a handshake that names this account in its header, or its refusal. Where
        there is a `check`, it gets the client's address and the account before each request, and
        raises `Problem` where that is refused."""
        try:
            options = stream_options(handshake.query, account)
        except Problem as problem:
            return refusal_of(problem)
        acting = self._default_account if options.account is None else options.account
        if self._check is None:
            return self.open(acting, options)
        return self.open(acting, options, partial(self._check, handshake.peer, acting))

    def open(
        self, account: int, options: StreamOptions, may_trade: MayTrade = lambda: None
    ) -> OrderStream:
        """The channel of an account. `may_trade` is called before each request and raises
        `Problem` where it is refused."""
        return OrderStream(
            self._sessions, self._trading, self._reports, account, options, may_trade
        )


def stream_options(query: str, from_header: int | None) -> StreamOptions:
    """The options in the query string of a handshake, whose account is there or in its header;
    raises `Problem`."""
    values = values_of(query, _PARAMETERS, repeated=("from_seq",))
    cancels = values.get("cancel_on_disconnect", "false")
    if cancels not in ("true", "false"):
        raise malformed("cancel_on_disconnect", "true or false")
    from_seqs = _from_seqs(query)
    account = acting_account(from_header, values.get("account"))
    return StreamOptions(account, from_seqs, cancels == "true")


def _from_seqs(query: str) -> list[int]:
    """The values of `from_seq`, at most one of each shard; raises `Problem`."""
    found: dict[int, int] = {}
    for name, value in pairs_of(query):
        if name != "from_seq":
            continue
        from_seq = whole_number(value)
        if from_seq is None:
            raise malformed(name, f"not a sequence number, 0 to {MAX_INT}")
        if shard_of(from_seq) in found:
            raise malformed(name, "given twice for one shard")
        found[shard_of(from_seq)] = from_seq
    return list(found.values())
