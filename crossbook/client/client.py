"""The blocking order-entry client: a `Session` and its socket, nothing else."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Final, Self

import zmq

from crossbook.client import calls
from crossbook.client.asked import Outcome, payloads
from crossbook.client.request import (
    Amount,
    amend_order,
    cancel_after,
    cancel_order,
    mass_cancel,
    new_order,
)
from crossbook.client.session import Session
from crossbook.common.instruments import Instrument
from crossbook.common.messages.codec import decode_replies, decoded
from crossbook.common.messages.entry import (
    TOKEN_BYTES,
    Ack,
    Amend,
    Balance,
    Balances,
    Cancel,
    Execution,
    Instruments,
    ListInstruments,
    MassCancel,
    New,
    OrderState,
    Ping,
    Pong,
    Query,
    QueryBalances,
    Reject,
    Reply,
    Request,
)
from crossbook.common.process import sockets
from crossbook.common.types import OrderType, Prevention, Side, TimeInForce
from crossbook.errors import ClientClosed, SendQueueFull

DEFAULT_ADDRESS: Final = "tcp://127.0.0.1:5560"
"""Where a gateway listens unless told otherwise."""

_TICK_MS: Final = 200
"""Longest wait between two looks at deadlines."""


class Client:
    """Order entry for one account, for use by one thread.

        with Client(account=7) as client:
            ack = client.submit("BTC-USDT", "buy", "0.5", "50000.00")
            client.cancel("BTC-USDT", ack.order_id)

    Every call returns the exchange's answer, or raises `OrderRejected` when it refused,
    `OutcomeUnknown` when no answer came in `timeout_s`, `GatewayUnavailable` when nothing was
    sent, `ClientClosed` after `close`. A lost session is opened again by itself. With `recover`,
    executions missed meanwhile are asked for and come in order, each once, with those that tell
    of orders whose answer was lost; and new orders with a client order id are sent again, which
    enters them once. With `cancel_on_disconnect` the gateway cancels all open orders of the
    account once it finds the account's last connection gone.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        account: int = 1,
        timeout_s: float = 5.0,
        context: "zmq.Context[zmq.Socket[bytes]] | None" = None,
        recover: bool = True,
        cancel_on_disconnect: bool = False,
    ) -> None:
        self.address = address
        self.timeout_s = timeout_s
        self.session = Session(account, recover, cancel_on_disconnect)
        self._owns_context = context is None
        self._context: zmq.Context[zmq.Socket[bytes]] = context or zmq.Context()
        try:
            self.socket = sockets.orders_dealer(self._context, address)
        except BaseException:
            if self._owns_context:
                self._context.term()
            raise
        self._instruments: dict[str, Instrument] | None = None
        self._unsent: deque[bytes] = deque()
        self._holes_told = 0
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
        """Close the connection; what was sent in the last second still leaves."""
        if not self.closed:
            self.closed = True
            self.socket.close()
            if self._owns_context:
                self._context.term()

    def logon(self) -> None:
        """Open a session (again). Calls do so by themselves; executions need it."""
        self._check_open()
        self.session.open()
        deadline_ns = self._deadline_ns()
        while not self.session.token:
            if self.session.refused is not None or time.monotonic_ns() >= deadline_ns:
                raise calls.logon_refused(self.session.refused, self.address)
            self._step(deadline_ns)

    @property
    def last_seq(self) -> int:
        """The highest of the matcher's numbers seen: where a later `catch_up` may begin. Where
        the exchange has several shards, see `last_seqs`."""
        return self.session.last_seq

    @property
    def last_seqs(self) -> list[int]:
        """The highest number seen of every shard heard of: each shard is caught up with by its
        own."""
        return self.session.last_seqs

    @property
    def account(self) -> int:
        """The account this client trades for."""
        return self.session.account

    @property
    def instruments(self) -> dict[str, Instrument]:
        """The instruments traded here by symbol, asked once."""
        if self._instruments is None:
            return self.list_instruments()
        return self._instruments

    def list_instruments(self) -> dict[str, Instrument]:
        """The instruments traded here by symbol, asked anew: some may have been added."""
        reply = self._ask_one(ListInstruments(0))
        if not isinstance(reply, Instruments):
            raise calls.unexpected(reply)
        self._instruments = {each.symbol: each for each in reply.instruments}
        return self._instruments

    def submit(
        self,
        symbol: str,
        side: Side | str,
        quantity: Amount | None = None,
        price: Amount | None = None,
        *,
        order_type: OrderType | str = OrderType.LIMIT,
        time_in_force: TimeInForce | str = TimeInForce.GTC,
        client_order_id: str = "",
        quote_amount: Amount | None = None,
        stop_price: Amount | None = None,
        display_quantity: Amount | None = None,
        expire_time: int | None = None,
        post_only: bool = False,
        prevention: Prevention | str = Prevention.EXPIRE_TAKER,
        quantity_lots: int | None = None,
        price_ticks: int | None = None,
        quote_units: int | None = None,
        stop_price_ticks: int | None = None,
        display_lots: int | None = None,
    ) -> Ack:
        """Enter an order. Its fills follow as executions.

        `quantity`, `price` and the other amounts are decimal text or `Decimal`, never a bare
        number: `price="65000"`. The same as whole numbers: `quantity_lots`, `price_ticks`,
        `stop_price_ticks`, `display_lots`, and `quote_units`, the quote asset's smallest units.
        A market order has no price; by `quote_amount` it has no quantity either. A stop
        (`order_type` "stop", "stop_limit", "take_profit", "take_profit_limit") waits for the last
        trade to reach `stop_price`; an iceberg shows `display_quantity` at a time; with
        `time_in_force` "gtd" the order expires at `expire_time` (nanoseconds).

        With a `client_order_id` it is safe to call this again after `OutcomeUnknown`, with the
        same arguments: the order is entered once, and `repeated` of the answer says that it had
        been, with its first `order_id` and its status now. Use an id for one order only.
        """
        return self._command(
            new_order(
                symbol, side, quantity, price, order_type=order_type,
                time_in_force=time_in_force, client_order_id=client_order_id,
                quote_amount=quote_amount, stop_price=stop_price,
                display_quantity=display_quantity, expire_time=expire_time,
                post_only=post_only, prevention=prevention, quantity_lots=quantity_lots,
                price_ticks=price_ticks, quote_units=quote_units,
                stop_price_ticks=stop_price_ticks, display_lots=display_lots,
            )
        )  # fmt: skip

    def cancel(self, symbol: str, order_id: int = 0, client_order_id: str = "") -> Ack:
        """Cancel one open order by either of its ids."""
        return self._command(cancel_order(symbol, order_id, client_order_id))

    def amend(
        self,
        symbol: str,
        order_id: int = 0,
        client_order_id: str = "",
        *,
        quantity: Amount | None = None,
        price: Amount | None = None,
        stop_price: Amount | None = None,
        quantity_lots: int | None = None,
        price_ticks: int | None = None,
        stop_price_ticks: int | None = None,
    ) -> Ack:
        """Change price, total quantity (filled part included) or both of an open order; amounts
        as in `submit`, and a term that is not given stays as it is."""
        return self._command(
            amend_order(
                symbol, order_id, client_order_id, quantity=quantity, price=price,
                stop_price=stop_price, quantity_lots=quantity_lots, price_ticks=price_ticks,
                stop_price_ticks=stop_price_ticks,
            )
        )  # fmt: skip

    def cancel_after(self, timeout_s: float) -> Ack:
        """Have all open orders of the account canceled unless this is called again within
        `timeout_s`; zero calls it off. Call it at a third of that time or more often."""
        return self._command(cancel_after(timeout_s))

    def balances(self) -> list[Balance]:
        """What the account has of each asset; empty where the exchange keeps no accounts."""
        reply = self._ask_one(QueryBalances(0))
        if not isinstance(reply, Balances):
            raise calls.unexpected(reply)
        return reply.balances

    def mass_cancel(self, symbol: str | None = None, side: Side | str | None = None) -> Ack:
        """Cancel all open orders of the account, of one symbol and side if given; `count` of the
        answer says how many. An empty symbol or side is refused."""
        return self._command(mass_cancel(symbol, side))

    def batch(self, requests: Sequence[New | Cancel | Amend | MassCancel]) -> list[Ack | Reject]:
        """Send commands together; their answers, in the same order. A refusal raises nothing.

        The request sequences in `requests` are replaced. Make requests with
        `crossbook.new_order`, `cancel_order`, `amend_order`. A `Reject` with OUTCOME_UNKNOWN
        among the answers is no refusal: query that order.
        """
        calls.check_commands(requests)
        numbers, outcomes = self._ask(requests)
        return calls.acks_and_rejects(numbers, outcomes, self.address)

    def open_orders(
        self, symbol: str = "", order_id: int = 0, client_order_id: str = ""
    ) -> list[OrderState]:
        """All open orders of the account that match, oldest first."""
        orders: list[OrderState] = []
        query: Query | None = Query(0, symbol, order_id, client_order_id)
        while query is not None:
            page, query = calls.next_page(query, self._ask_one(query))
            orders += page.orders
        return orders

    def ping(self) -> Pong:
        """Ask the gateway for a sign of life and the last sequence number it has seen."""
        reply = self._ask_one(Ping(0))
        if not isinstance(reply, Pong):
            raise calls.unexpected(reply)
        return reply

    def executions(self, timeout_s: float = 0.0) -> Iterator[Execution]:
        """Execution reports as they come; ends when none has come for `timeout_s`.

        While missed ones are asked for, nothing comes. Raises `ExecutionsMissed` once for every
        hole that is not filled so; reading goes on by calling this again.
        """
        self._check_open()
        executions = self.session.executions
        deadline_ns = time.monotonic_ns() + int(timeout_s * 1e9)
        while True:
            self._step(deadline_ns, wait=not executions)
            self._tell_holes()
            if executions:
                while executions:
                    yield executions.popleft()
                deadline_ns = time.monotonic_ns() + int(timeout_s * 1e9)
            elif time.monotonic_ns() >= deadline_ns:
                return

    def catch_up(self, from_seq: int) -> list[Execution]:
        """All executions of the account from number `from_seq` on, in order.

        Accepts, cancels and amends are among them, whoever asked for them. Reports that came and
        were not read yet are part of the list, and `executions` goes on behind it. Raises
        `ExecutionsMissed` when the exchange no longer holds all of it, or has not come as far as
        `from_seq`, which may be one more than the last number; `ValueError` for no number.
        """
        self._check_open()
        session = self.session
        deadline_ns = self._deadline_ns()
        while session.recovering and time.monotonic_ns() < deadline_ns:
            self._step(deadline_ns)
        if session.recovering:
            raise calls.not_caught_up(self.address)
        recovery = session.catch_up(from_seq)
        while session.recovering and time.monotonic_ns() < deadline_ns:
            self._step(deadline_ns)
        if session.recovering:
            session.stop_catching_up()
        return calls.caught_up(recovery, self.address)

    # The pipelined face: for load tools and replays that number and match requests themselves.

    def reserve(self, count: int) -> int:
        """The first of `count` request numbers for `send`."""
        return self.session.reserve(count)

    def send(self, requests: Sequence[Request]) -> None:
        """Queue requests, numbered by `reserve`, without waiting for answers.

        Needs `logon` first. Raises `SendQueueFull` when the gateway takes no more. Answers,
        time-outs and a lost session are the caller's business: see `receive`.
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
        """All replies that have come, waiting up to `timeout_ms` for the first.

        Executions and the answers to `send` alike. A `Reject` with NOT_LOGGED_ON means the
        session is gone: call `logon`, then send again what was refused.
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
        for frame in self._drain():
            replies += decoded(decode_replies, frame)
        return replies

    def fileno(self) -> int:
        """Descriptor for an event loop: edge-triggered, so read with `receive` until empty."""
        self._check_open()
        return self.socket.fileno()

    def _command(self, request: Request) -> Ack:
        numbers, outcomes = self._ask([request])
        return calls.ack(numbers[0], outcomes[0], self.address)

    def _ask_one(self, request: Request) -> Reply:
        numbers, outcomes = self._ask([request])
        return calls.answer(numbers[0], outcomes[0], self.address)

    def _ask(self, requests: Sequence[Request]) -> tuple[range, list[Outcome]]:
        """Ask, and wait until every request has its outcome."""
        self._check_open()
        deadline_ns = self._deadline_ns()
        numbers = self.session.ask(requests, deadline_ns)
        outcomes: dict[int, Outcome] = {}
        try:
            while len(outcomes) < len(numbers):
                self._step(deadline_ns)
                outcomes.update(self.session.take_outcomes())
        finally:
            # Interrupted while waiting: what is not sent yet must not be sent by a later call.
            if len(outcomes) < len(numbers):
                self.session.forget(numbers)
        return numbers, [outcomes[number] for number in numbers]

    def _step(self, deadline_ns: int, wait: bool = True) -> None:
        """Send what is due, take what has come, and look at the deadlines."""
        session = self.session
        now_ns = time.monotonic_ns()
        session.tick(now_ns)
        self._unsent += session.frames(now_ns)
        self._flush()
        if wait:
            left_ms = max(0, -((now_ns - deadline_ns) // 1_000_000))
            self.socket.poll(min(left_ms, _TICK_MS))
        for frame in self._drain():
            session.receive(frame, time.monotonic_ns())
        session.tick(time.monotonic_ns())

    def _flush(self) -> None:
        """Send what the socket takes; the rest is kept for the next step."""
        while self._unsent:
            try:
                self.socket.send(self._unsent[0], zmq.NOBLOCK)
            except zmq.Again:
                return
            self._unsent.popleft()

    def _drain(self) -> Iterator[bytes]:
        while True:
            try:
                yield self.socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return

    def _check_open(self) -> None:
        if self.closed:
            raise ClientClosed("client", self.address)

    def _deadline_ns(self) -> int:
        return time.monotonic_ns() + int(self.timeout_s * 1e9)

    def _tell_holes(self) -> None:
        session = self.session
        holes = session.holes + session.executions_dropped
        if holes != self._holes_told:
            self._holes_told = holes
            raise calls.missed(session)
