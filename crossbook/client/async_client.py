"""The asyncio order-entry client: a session and its socket on the running event loop.

The socket is driven through its file descriptor, as everywhere in this project: that costs a
fraction of `zmq.asyncio`. The descriptor is edge-triggered, so every read drains the socket.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import zmq

from crossbook.client import failures
from crossbook.client.answers import Ack, Balance, Execution, OrderState, Reject
from crossbook.client.order_entry import OrderEntry, received
from crossbook.client.own_orders import Orders
from crossbook.client.pending import Outcome
from crossbook.client.procedures import Outcomes, Procedure
from crossbook.common.errors import CrossbookError
from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import Pong, Request
from crossbook.common.process import sockets
from crossbook.errors import ClientClosed

_T = TypeVar("_T")
_Result = Coroutine[Any, Any, _T]

_TICK_S: Final = 0.1
"""Seconds between two checks of deadlines."""


class AsyncClient(
    OrderEntry[
        _Result[Ack],
        _Result[list[Ack | Reject]],
        _Result[list[OrderState]],
        _Result[list[Balance]],
        _Result[dict[str, Instrument]],
        _Result[Pong],
    ]
):
    """Order entry for one account on one event loop. Calls may be made concurrently: those of one
    turn of the loop travel in one frame.

        async with AsyncClient(account=7) as client:
            ack = await client.submit("BTC-USDT", "buy", "0.5", "50000.00")
            async for execution in client.executions(timeout_s=1.0):
                print(execution)

    The calls return and raise as those of `Client` do, and its settings are theirs.
    """

    def _prepare(self) -> None:
        self._socket: zmq.Socket[bytes] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pump_is_due = False
        self._futures: dict[int, asyncio.Future[Outcome]] = {}
        self._waiters: list[asyncio.Future[None]] = []

    async def __aenter__(self) -> Self:
        if self._context.closed:
            raise ClientClosed("client", self.address)
        self._loop = asyncio.get_running_loop()
        self._socket = sockets.orders_dealer(self._context, self.address, self._keyring)
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
        """Close the connection; waiting calls are cancelled, `executions` ends."""
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
        """Open a session (again). Calls open one when they need it; `executions` does not."""
        self._running_loop()
        self.session.open()
        self._pump_soon()
        deadline_ns = self._deadline_ns()
        while not self.session.token:
            left_s = (deadline_ns - self._now_ns()) / 1e9
            if self.session.refused is not None or left_s <= 0:
                raise await self._logon_refused()
            await self._wait(left_s)

    async def _logon_refused(self) -> CrossbookError:
        refused, fault = self.session.refused, ""
        if refused is None:
            fault = await asyncio.to_thread(self._handshake_fault)
        return failures.logon_refused(refused, self.address, fault)

    async def instruments(self) -> dict[str, Instrument]:
        """The instruments traded here by symbol, requested once."""
        known = self._known.by_symbol
        return await self.list_instruments() if known is None else known

    async def executions(self, timeout_s: float | None = None) -> AsyncIterator[Execution]:
        """Execution reports as they arrive; ends with `close`, or after `timeout_s` without one.

        Nothing is returned while missed ones are being requested. Raises `ExecutionsMissed` once
        for every hole that cannot be filled; call this again to go on reading.
        """
        self._running_loop()
        executions = self.session.executions
        while True:
            deadline_ns = self._now_ns() + int((timeout_s or 0) * 1e9)
            while not executions:
                self._raise_missed()
                left_s = None if timeout_s is None else (deadline_ns - self._now_ns()) / 1e9
                if self._socket is None or (left_s is not None and left_s <= 0):
                    return
                await self._wait(left_s)
            self._raise_missed()
            while executions:
                await self._describe(executions[0].symbol)
                # Another consumer may have taken it meanwhile.
                if executions:
                    yield self._known.execution(executions.popleft())

    async def orders(self) -> Orders:
        """The account's own orders, kept from its answers and executions, those of other sessions
        too. Call it before the first order: fills before that are in no average price.

        The first call queries the exchange, and so does one after a gap that could not be filled or
        a request without an answer. The same object is returned each time. It changes whenever the
        client receives something.
        """
        self._running_loop()
        orders = self._observed()
        await self._until_caught_up(self._deadline_ns())
        if orders.in_doubt:
            await self._perform(self._loading(orders))
        return orders

    async def catch_up(self, from_seq: int) -> list[Execution]:
        """All executions of the account from number `from_seq` on; see `Client.catch_up`."""
        self._running_loop()
        session = self.session
        deadline_ns = self._deadline_ns()
        await self._describe("")
        await self._until_caught_up(deadline_ns)
        if session.recovering:
            raise failures.not_caught_up(self.address)
        recovery = session.catch_up(from_seq)
        self._pump_soon()
        await self._until_caught_up(deadline_ns)
        # Another call may be catching up by now: only our own is given up.
        if recovery.under_way:
            session.stop_catching_up()
        return self._caught_up(recovery)

    async def _until_caught_up(self, deadline_ns: int) -> None:
        while self.session.recovering and self._now_ns() < deadline_ns:
            await self._wait((deadline_ns - self._now_ns()) / 1e9)

    async def _describe(self, symbol: str) -> None:
        """Have the instrument of an execution; without it the execution has no decimals."""
        if not self._known.has(symbol):
            with suppress(CrossbookError):
                await self.list_instruments()

    async def _perform(self, procedure: Procedure[_T]) -> _T:
        try:
            requests = next(procedure)
            while True:
                requests = procedure.send(await self._request(requests))
        except StopIteration as end:
            result: _T = end.value
            return result

    async def _request(self, requests: Sequence[Request]) -> Outcomes:
        """Send, and wait until every request has its outcome."""
        loop = self._running_loop()
        request_seqs = self.session.enqueue(requests, self._deadline_ns())
        futures = [loop.create_future() for _ in request_seqs]
        self._futures.update(zip(request_seqs, futures, strict=True))
        self._pump_soon()
        try:
            return Outcomes(request_seqs, [await future for future in futures])
        finally:
            unfinished = [each for each in request_seqs if each in self._futures]
            self.session.forget(unfinished)
            for request_seq in unfinished:
                del self._futures[request_seq]

    def _pump_soon(self) -> None:
        """Pump once at the end of this turn of the loop, so that the requests of one turn are sent
        together."""
        if not self._pump_is_due:
            self._pump_is_due = True
            self._running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        """Send what is due and receive what has arrived, until there is neither."""
        self._pump_is_due = False
        socket, session = self._socket, self.session
        if socket is None:
            return
        worked = True
        while worked:
            self._unsent += session.frames(self._now_ns())
            worked = self._flush(socket)
            # Sending may have used up the descriptor's edge, so input is always read as well.
            for frame in received(socket):
                session.receive(frame, self._now_ns())
                worked = True
        self._hand_over()

    def _hand_over(self) -> None:
        for request_seq, outcome in self.session.drain_outcomes():
            future = self._futures.pop(request_seq, None)
            if future is not None and not future.done():
                future.set_result(outcome)
        self._wake()

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _tick(self) -> None:
        """Check the deadlines, and the socket in case an edge was missed."""
        self.session.tick(self._now_ns())
        self._pump()
        self._timer = self._running_loop().call_later(_TICK_S, self._tick)

    async def _wait(self, timeout_s: float | None) -> None:
        """Wait until something has arrived, at most `timeout_s`."""
        waiter = self._running_loop().create_future()
        self._waiters.append(waiter)
        await asyncio.wait([waiter], timeout=timeout_s)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None or self._socket is None:
            raise ClientClosed("client", self.address, "use it inside `async with`")
        return self._loop

    def _now_ns(self) -> int:
        assert self._loop is not None
        return int(self._loop.time() * 1e9)

    def _deadline_ns(self) -> int:
        return self._now_ns() + int(self.timeout_s * 1e9)
