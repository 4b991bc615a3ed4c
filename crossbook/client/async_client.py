"""The asyncio order-entry client: a `Session` and its socket on the running event loop.

The socket is driven through its file descriptor, as everywhere in this project: that costs a
fraction of `zmq.asyncio`. The descriptor is edge-triggered, so every look drains the socket.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Final, Self

import zmq

from crossbook.client import calls
from crossbook.client.asked import Outcome
from crossbook.client.client import DEFAULT_ADDRESS
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
from crossbook.common.messages.entry import (
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
from crossbook.errors import ClientClosed

_TICK_S: Final = 0.1
"""Seconds between two looks at deadlines."""


class AsyncClient:
    """Order entry for one account on one event loop. Calls may be made concurrently: those of one
    turn of the loop travel in one frame.

        async with AsyncClient(account=7) as client:
            ack = await client.submit("BTC-USDT", "buy", "0.5", "50000.00")
            async for execution in client.executions(timeout_s=1.0):
                print(execution)

    Calls answer and raise as those of `Client` do.
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
        self._socket: zmq.Socket[bytes] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pump_is_due = False
        self._unsent: deque[bytes] = deque()
        self._futures: dict[int, asyncio.Future[Outcome]] = {}
        self._waiters: list[asyncio.Future[None]] = []
        self._instruments: dict[str, Instrument] | None = None
        self._holes_told = 0

    async def __aenter__(self) -> Self:
        if self._context.closed:
            raise ClientClosed("client", self.address)
        self._loop = asyncio.get_running_loop()
        self._socket = sockets.orders_dealer(self._context, self.address)
        self._loop.add_reader(self._socket.fileno(), self._pump)
        self._tick()
        try:
            await self.logon()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls still waiting are cancelled, executions end."""
        if self._socket is None or self._loop is None:
            return
        self._loop.remove_reader(self._socket.fileno())
        if self._timer is not None:
            self._timer.cancel()
        self._socket.close()
        self._socket = None
        for future in self._futures.values():
            future.cancel()
        self._wake()
        if self._owns_context:
            # Waits up to the socket's linger time for the last frame to leave.
            await self._loop.run_in_executor(None, self._context.term)

    async def logon(self) -> None:
        """Open a session (again). Calls do so by themselves; executions need it."""
        self._running_loop()
        self.session.open()
        self._pump_soon()
        deadline_ns = self._deadline_ns()
        while not self.session.token:
            left_s = (deadline_ns - self._now_ns()) / 1e9
            if self.session.refused is not None or left_s <= 0:
                raise calls.logon_refused(self.session.refused, self.address)
            await self._wait(left_s)

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

    async def instruments(self) -> dict[str, Instrument]:
        """The instruments traded here by symbol, asked once."""
        if self._instruments is None:
            reply = await self._ask_one(ListInstruments(0))
            if not isinstance(reply, Instruments):
                raise calls.unexpected(reply)
            self._instruments = {each.symbol: each for each in reply.instruments}
        return self._instruments

    async def submit(
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
        """Enter an order; see `Client.submit`."""
        return await self._command(
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

    async def cancel(self, symbol: str, order_id: int = 0, client_order_id: str = "") -> Ack:
        """Cancel one open order by either of its ids."""
        return await self._command(cancel_order(symbol, order_id, client_order_id))

    async def amend(
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
        """Change an open order; see `Client.amend`."""
        return await self._command(
            amend_order(
                symbol, order_id, client_order_id, quantity=quantity, price=price,
                stop_price=stop_price, quantity_lots=quantity_lots, price_ticks=price_ticks,
                stop_price_ticks=stop_price_ticks,
            )
        )  # fmt: skip

    async def cancel_after(self, timeout_s: float) -> Ack:
        """Have all open orders of the account canceled unless this is called again within
        `timeout_s`; zero calls it off. Call it at a third of that time or more often."""
        return await self._command(cancel_after(timeout_s))

    async def balances(self) -> list[Balance]:
        """What the account has of each asset; empty where the exchange keeps no accounts."""
        reply = await self._ask_one(QueryBalances(0))
        if not isinstance(reply, Balances):
            raise calls.unexpected(reply)
        return reply.balances

    async def mass_cancel(self, symbol: str | None = None, side: Side | str | None = None) -> Ack:
        """Cancel all open orders of the account, of one symbol and side if given; `count` of the
        answer says how many. An empty symbol or side is refused."""
        return await self._command(mass_cancel(symbol, side))

    async def batch(
        self, requests: Sequence[New | Cancel | Amend | MassCancel]
    ) -> list[Ack | Reject]:
        """Send commands together; their answers, in the same order. A refusal raises nothing."""
        calls.check_commands(requests)
        numbers, outcomes = await self._ask(requests)
        return calls.acks_and_rejects(numbers, outcomes, self.address)

    async def open_orders(
        self, symbol: str = "", order_id: int = 0, client_order_id: str = ""
    ) -> list[OrderState]:
        """All open orders of the account that match, oldest first."""
        orders: list[OrderState] = []
        query: Query | None = Query(0, symbol, order_id, client_order_id)
        while query is not None:
            page, query = calls.next_page(query, await self._ask_one(query))
            orders += page.orders
        return orders

    async def ping(self) -> Pong:
        """Ask the gateway for a sign of life and the last sequence number it has seen."""
        reply = await self._ask_one(Ping(0))
        if not isinstance(reply, Pong):
            raise calls.unexpected(reply)
        return reply

    async def executions(self, timeout_s: float | None = None) -> AsyncIterator[Execution]:
        """Execution reports as they come, until `close`, or none came for `timeout_s`.

        While missed ones are asked for, nothing comes. Raises `ExecutionsMissed` once for every
        hole that is not filled so; reading goes on by calling this again.
        """
        self._running_loop()
        executions = self.session.executions
        while True:
            deadline_ns = self._now_ns() + int((timeout_s or 0) * 1e9)
            while not executions:
                self._tell_holes()
                left_s = None if timeout_s is None else (deadline_ns - self._now_ns()) / 1e9
                if self._socket is None or (left_s is not None and left_s <= 0):
                    return
                await self._wait(left_s)
            self._tell_holes()
            while executions:
                yield executions.popleft()

    async def catch_up(self, from_seq: int) -> list[Execution]:
        """All executions of the account from number `from_seq` on; see `Client.catch_up`."""
        self._running_loop()
        session = self.session
        deadline_ns = self._deadline_ns()
        await self._until_caught_up(deadline_ns)
        if session.recovering:
            raise calls.not_caught_up(self.address)
        recovery = session.catch_up(from_seq)
        self._pump_soon()
        await self._until_caught_up(deadline_ns)
        # Another call may be catching up by now: only our own is given up.
        if recovery.under_way:
            session.stop_catching_up()
        return calls.caught_up(recovery, self.address)

    async def _until_caught_up(self, deadline_ns: int) -> None:
        while self.session.recovering and self._now_ns() < deadline_ns:
            await self._wait((deadline_ns - self._now_ns()) / 1e9)

    async def _command(self, request: Request) -> Ack:
        numbers, outcomes = await self._ask([request])
        return calls.ack(numbers[0], outcomes[0], self.address)

    async def _ask_one(self, request: Request) -> Reply:
        numbers, outcomes = await self._ask([request])
        return calls.answer(numbers[0], outcomes[0], self.address)

    async def _ask(self, requests: Sequence[Request]) -> tuple[range, list[Outcome]]:
        """Ask, and wait until every request has its outcome."""
        loop = self._running_loop()
        numbers = self.session.ask(requests, self._deadline_ns())
        futures = [loop.create_future() for _ in numbers]
        self._futures.update(zip(numbers, futures, strict=True))
        self._pump_soon()
        try:
            return numbers, [await future for future in futures]
        finally:
            unfinished = [number for number in numbers if number in self._futures]
            self.session.forget(unfinished)
            for number in unfinished:
                del self._futures[number]

    def _pump_soon(self) -> None:
        """Pump once at the end of this turn of the loop, so that what is asked in it is sent
        together."""
        if not self._pump_is_due:
            self._pump_is_due = True
            self._running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        """Send what is due and take what has come, until there is neither."""
        self._pump_is_due = False
        socket, session = self._socket, self.session
        if socket is None:
            return
        worked = True
        while worked:
            worked = self._flush(socket)
            # Sending may have used up the descriptor's edge: always look for input as well.
            while frame := _receive(socket):
                session.receive(frame, self._now_ns())
                worked = True
        self._hand_over()

    def _flush(self, socket: "zmq.Socket[bytes]") -> bool:
        """Send what the socket takes; whether it was anything."""
        self._unsent += self.session.frames(self._now_ns())
        sent = False
        while self._unsent:
            try:
                socket.send(self._unsent[0], zmq.NOBLOCK)
            except zmq.Again:
                break
            self._unsent.popleft()
            sent = True
        return sent

    def _hand_over(self) -> None:
        for number, outcome in self.session.take_outcomes():
            future = self._futures.pop(number, None)
            if future is not None and not future.done():
                future.set_result(outcome)
        self._wake()

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _tick(self) -> None:
        """Look at the deadlines, and at the socket in case an edge was missed."""
        self.session.tick(self._now_ns())
        self._pump()
        self._timer = self._running_loop().call_later(_TICK_S, self._tick)

    async def _wait(self, timeout_s: float | None) -> None:
        """Wait until something has come, or for `timeout_s`."""
        waiter = self._running_loop().create_future()
        self._waiters.append(waiter)
        await asyncio.wait([waiter], timeout=timeout_s)

    def _tell_holes(self) -> None:
        session = self.session
        holes = session.holes + session.executions_dropped
        if holes != self._holes_told:
            self._holes_told = holes
            raise calls.missed(session)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None or self._socket is None:
            raise ClientClosed("client", self.address, "use it inside `async with`")
        return self._loop

    def _now_ns(self) -> int:
        assert self._loop is not None
        return int(self._loop.time() * 1e9)

    def _deadline_ns(self) -> int:
        return self._now_ns() + int(self.timeout_s * 1e9)


def _receive(socket: "zmq.Socket[bytes]") -> bytes:
    """The next frame, empty when there is none."""
    try:
        return socket.recv(zmq.NOBLOCK)
    except zmq.Again:
        return b""
