"""The blocking order-entry client: a session and its socket."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self, TypeVar

import zmq

from crossbook.client import failures
from crossbook.client.answers import Ack, Balance, Execution, OrderState, Reject
from crossbook.client.order_entry import OrderEntry, received
from crossbook.client.own_orders import Orders
from crossbook.client.pending import Outcome, payloads
from crossbook.client.procedures import Outcomes, Procedure
from crossbook.common.errors import CrossbookError
from crossbook.common.instruments import Instrument
from crossbook.common.messages.codec import decode_replies, decoded
from crossbook.common.messages.entry import (
    TOKEN_BYTES,
    Pong,
    Reply,
    Request,
)
from crossbook.common.process import sockets
from crossbook.errors import ClientClosed, SendQueueFull

_T = TypeVar("_T")

_TICK_MS: Final = 200
"""Longest wait between two checks of deadlines."""


class Client(
    OrderEntry[
        Ack, list[Ack | Reject], list[OrderState], list[Balance], dict[str, Instrument], Pong
    ]
):
    """Order entry for one account, for use by one thread.

        with Client(account=7) as client:
            ack = client.submit("BTC-USDT", "buy", "0.5", "50000.00")
            client.cancel("BTC-USDT", ack.order_id)

    Every call returns the exchange's answer, or raises: `OrderRejected` for a refusal,
    `OutcomeUnknown` when no answer came in `timeout_s`, `GatewayUnavailable` when nothing was
    sent, `ClientClosed` after `close`. A lost session is opened again automatically. With
    `recover`, executions missed meanwhile are requested and arrive in order, each once, those of
    orders whose answer was lost included; and new orders with a client order id are sent again,
    which enters them once. With `cancel_on_disconnect` the gateway cancels all open orders of the
    account when the account's last connection is gone.

    Address and account that are not given are those of the command line: `GATEWAY_ORDERS` and
    `ACCOUNT` of the environment or `.env`; then `CLIENT_KEY_FILE` holds too. `keys` is the path of
    a key file, for an exchange with `AUTH=on`.
    """

    def _prepare(self) -> None:
        try:
            self.socket = sockets.orders_dealer(self._context, self.address, self._keyring)
        except BaseException:
            if self._owns_context:
                self._context.term()
            raise
        self.closed = False

    def __enter__(self) -> Self:
        try:
            self.logon()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; requests of the last second are still sent."""
        if not self.closed:
            self.closed = True
            self.socket.close()
            if self._owns_context:
                self._context.term()

    def logon(self) -> None:
        """Open a session (again). Calls open one when they need it; `executions` does not."""
        self._check_open()
        self.session.open()
        deadline_ns = self._deadline_ns()
        while not self.session.token:
            if self.session.refused is not None or time.monotonic_ns() >= deadline_ns:
                raise self._logon_refused()
            self._step(deadline_ns)

    def _logon_refused(self) -> CrossbookError:
        refused = self.session.refused
        fault = self._handshake_fault() if refused is None else ""
        return failures.logon_refused(refused, self.address, fault)

    @property
    def instruments(self) -> dict[str, Instrument]:
        """The instruments traded here by symbol, requested once."""
        known = self._known.by_symbol
        return self.list_instruments() if known is None else known

    def executions(self, timeout_s: float = 0.0) -> Iterator[Execution]:
        """Execution reports as they arrive; ends after `timeout_s` without one.

        Nothing is returned while missed ones are being requested. Raises `ExecutionsMissed` once
        for every hole that cannot be filled; call this again to go on reading.
        """
        self._check_open()
        executions = self.session.executions
        deadline_ns = time.monotonic_ns() + int(timeout_s * 1e9)
        while True:
            self._step(deadline_ns, wait=not executions)
            self._raise_missed()
            if executions:
                while executions:
                    self._describe(executions[0].symbol)
                    yield self._known.execution(executions.popleft())
                deadline_ns = time.monotonic_ns() + int(timeout_s * 1e9)
            elif time.monotonic_ns() >= deadline_ns:
                return

    def orders(self) -> Orders:
        """The account's own orders, kept from its answers and executions, those of other sessions
        too. Call it before the first order: fills before that are in no average price.

        The first call queries the exchange, and so does one after a gap that could not be filled or
        a request without an answer. The same object is returned each time. It changes whenever the
        client receives something, which is inside calls like this one.
        """
        self._check_open()
        orders = self._observed()
        self._step(self._deadline_ns(), wait=False)
        deadline_ns = self._deadline_ns()
        while self.session.recovering and time.monotonic_ns() < deadline_ns:
            self._step(deadline_ns)
        if orders.in_doubt:
            self._perform(self._loading(orders))
        return orders

    def catch_up(self, from_seq: int) -> list[Execution]:
        """All executions of the account from number `from_seq` on, in order.

        Accepts, cancels and amends are among them, those of other sessions of the account too.
        Reports that were not read yet are part of the list, and `executions` continues behind it.
        Raises `ExecutionsMissed` when the exchange no longer has all of them, or when `from_seq`
        is beyond the number that follows its last one; `ValueError` for what is no number.
        """
        self._check_open()
        session = self.session
        self._describe("")
        deadline_ns = self._deadline_ns()
        while session.recovering and time.monotonic_ns() < deadline_ns:
            self._step(deadline_ns)
        if session.recovering:
            raise failures.not_caught_up(self.address)
        recovery = session.catch_up(from_seq)
        while session.recovering and time.monotonic_ns() < deadline_ns:
            self._step(deadline_ns)
        if session.recovering:
            session.stop_catching_up()
        return self._caught_up(recovery)

    # Pipelined use: for load tools and replays that number and match requests themselves.

    def reserve(self, count: int) -> int:
        """The first of `count` request numbers for `send`."""
        return self.session.reserve(count)

    def send(self, requests: Sequence[Request]) -> None:
        """Queue requests, numbered by `reserve`, without waiting for answers.

        Needs `logon` first. Raises `SendQueueFull` when the gateway accepts no more. The caller
        handles answers, time-outs and a lost session: see `receive`.
        """
        self._check_open()
        token = self.session.token.to_bytes(TOKEN_BYTES, "big")
        sent = 0
        for payload, count in payloads(requests):
            try:
                self.socket.send(token + payload, zmq.NOBLOCK)
            except zmq.Again:
                raise SendQueueFull(sent, self.address) from None
            sent += count

    def receive(self, timeout_ms: int = 0) -> list[Reply]:
        """All replies that have arrived, waiting up to `timeout_ms` for the first: executions and
        the answers to `send`.

        A `Reject` with NOT_LOGGED_ON means that the session is gone: call `logon`, then send the
        refused requests again.
        """
        self._check_open()
        session = self.session
        replies: list[Reply] = []
        if session.executions or session.stray:
            replies += session.stray
            replies += session.executions
            session.stray.clear()
            session.executions.clear()
        elif timeout_ms and not self.socket.poll(timeout_ms):
            return replies
        for frame in received(self.socket):
            replies += decoded(decode_replies, frame)
        return replies

    def fileno(self) -> int:
        """Descriptor for an event loop: edge-triggered, so read with `receive` until empty."""
        self._check_open()
        return self.socket.fileno()

    def _describe(self, symbol: str) -> None:
        """Have the instrument of an execution; without it the execution has no decimals."""
        if not self._known.has(symbol):
            with suppress(CrossbookError):
                self.list_instruments()

    def _perform(self, procedure: Procedure[_T]) -> _T:
        try:
            requests = next(procedure)
            while True:
                requests = procedure.send(self._request(requests))
        except StopIteration as end:
            result: _T = end.value
            return result

    def _request(self, requests: Sequence[Request]) -> Outcomes:
        """Send, and wait until every request has its outcome."""
        self._check_open()
        deadline_ns = self._deadline_ns()
        request_seqs = self.session.enqueue(requests, deadline_ns)
        outcomes: dict[int, Outcome] = {}
        try:
            while len(outcomes) < len(request_seqs):
                self._step(deadline_ns)
                outcomes.update(self.session.drain_outcomes())
        finally:
            # Interrupted while waiting: a later call must not send what is not sent yet.
            if len(outcomes) < len(request_seqs):
                self.session.forget(request_seqs)
        return Outcomes(request_seqs, [outcomes[request_seq] for request_seq in request_seqs])

    def _step(self, deadline_ns: int, wait: bool = True) -> None:
        """Send what is due, receive what has arrived, and check the deadlines."""
        session = self.session
        now_ns = time.monotonic_ns()
        session.tick(now_ns)
        self._unsent += session.frames(now_ns)
        self._flush(self.socket)
        if wait:
            left_ms = max(0, -((now_ns - deadline_ns) // 1_000_000))
            self.socket.poll(min(left_ms, _TICK_MS))
        for frame in received(self.socket):
            session.receive(frame, time.monotonic_ns())
        session.tick(time.monotonic_ns())

    def _check_open(self) -> None:
        if self.closed:
            raise ClientClosed("client", self.address)

    def _deadline_ns(self) -> int:
        return time.monotonic_ns() + int(self.timeout_s * 1e9)
