"""Trading through the API: commands of any account, each with its durable outcome.

REST routes and `/ws/orders` call the same methods. They take bodies, return documents and raise
`Problem` where a request is refused. The status of a `Problem` is all there is of HTTP here.
"""

import asyncio
from typing import Final

from crossbook.common.messages.entry import (
    Ack,
    Balances,
    Cancel,
    CancelAfter,
    MassCancel,
    New,
    OpenOrders,
    OrderState,
    Query,
    QueryBalances,
    Reject,
)
from crossbook.common.types import ExecutionKind, RejectReason
from crossbook.gateway.api import documents
from crossbook.gateway.api.bodies import amend_of, order_of
from crossbook.gateway.api.lookup import Lookup
from crossbook.gateway.api.render import Renderer
from crossbook.gateway.limits.account_limits import ORDERS, UNLIMITED, AccountLimits
from crossbook.gateway.orders.local_sessions import LocalAnswer, LocalRequest, LocalSessions
from crossbook.gateway.problem import Problem, outcome_unknown, refused, unknown_order
from crossbook.gateway.words import SIDES, fee_percent, numbers_of, order_id_text, timestamp

OrderName = int | str
"""An order by its order id, or by its client order id."""

_SIDES: Final = numbers_of(SIDES)

ANSWER_S: Final = 5.0
"""Seconds a command waits for its answer; after that its outcome is unknown."""


class Trading:
    """Enters, amends and cancels orders."""

    def __init__(
        self,
        sessions: LocalSessions,
        lookup: Lookup,
        render: Renderer,
        limits: AccountLimits = UNLIMITED,
    ) -> None:
        self.limits = limits
        self._sessions = sessions
        self._lookup = lookup
        self._render = render

    async def submit(
        self, account: int, body: documents.OrderRequest
    ) -> tuple[int, documents.OrderAnswer]:
        """Enter an order; returns 201 and its outcome, or 200 and the earlier order it repeats."""
        answer = await self.enter(account, order_of(body))
        ack = answer.reply
        assert isinstance(ack, Ack), ack
        if not ack.repeated:
            return 201, self._render.answer("accepted", body.symbol, ack, answer.executions)
        try:
            record = await self._lookup.record(account, ack.order_id)
        except Problem:
            return 200, self._render.answer("accepted", body.symbol, ack)
        return 200, self._render.repeated(record, ack.seq)

    def count(self, account: int, is_cancel: bool = False) -> None:
        """Count a request of the account that is sent by `command`; raises `Problem` 429 where it
        has sent too many."""
        self.limits.check(account, ORDERS, is_cancel)

    async def enter(self, account: int, order: New) -> LocalAnswer:
        """Enter an order in the terms of order entry; returns its acknowledgement, also that of the
        earlier order it repeats, and the executions it caused at once."""
        self.count(account)
        return await self.command(account, order, order.client_order_id)

    async def submit_all(self, account: int, body: documents.BatchRequest) -> documents.BatchAnswer:
        """Enter several orders together; each has its own outcome."""
        outcomes = await asyncio.gather(
            *(self.submit(account, order) for order in body.orders), return_exceptions=True
        )
        results: list[documents.BatchResult] = []
        for outcome in outcomes:
            if isinstance(outcome, Problem):
                results.append(documents.BatchResult(None, outcome.detail))
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                results.append(documents.BatchResult(outcome[1], None))
        return documents.BatchAnswer(results)

    async def cancel(self, account: int, name: OrderName) -> documents.OrderAnswer:
        """Cancel an open order; raises `Problem` 404 when there is none."""
        self.count(account, is_cancel=True)
        order = await self.find_open(account, name)
        answer = await self.command(account, Cancel(0, order.symbol, order.order_id))
        assert isinstance(answer.reply, Ack), answer
        return self._render.answer("canceled", order.symbol, answer.reply)

    async def cancel_all(
        self, account: int, symbol: str | None, side: str | None
    ) -> documents.MassCancelAnswer:
        """Cancel all open orders, of one instrument or one side where those are given."""
        request = MassCancel(0, symbol or "", _SIDES[side] if side else 0)
        self.count(account, is_cancel=True)
        answer = await self.command(account, request)
        ack = answer.reply
        assert isinstance(ack, Ack), ack
        canceled = [
            order_id_text(execution.order_id)
            for execution in answer.executions
            if execution.kind == ExecutionKind.CANCELED
        ]
        return documents.MassCancelAnswer(
            "canceled", ack.count, canceled, timestamp(ack.time_ns), ack.seq
        )

    async def amend(
        self, account: int, name: OrderName, body: documents.AmendRequest
    ) -> documents.OrderAnswer:
        """Change price or total quantity of an open order (RULES "Amend")."""
        self.count(account)
        order = await self.find_open(account, name)
        answer = await self.command(account, amend_of(order.symbol, order.order_id, body))
        assert isinstance(answer.reply, Ack), answer
        ended = not answer.reply.remaining_lots and not answer.executions
        return self._render.answer(
            "canceled" if ended else "amended", order.symbol, answer.reply, answer.executions
        )

    async def cancel_after(
        self, account: int, body: documents.CancelAfterRequest
    ) -> documents.CancelAfterAnswer:
        """Cancel all open orders at a deadline, unless this is called again before it."""
        self.count(account, is_cancel=True)
        answer = await self.command(account, CancelAfter(0, body.timeout_s * 1_000))
        ack = answer.reply
        assert isinstance(ack, Ack), ack
        deadline = ack.time_ns + body.timeout_s * 1_000_000_000
        return documents.CancelAfterAnswer(
            "set" if body.timeout_s else "off",
            timestamp(deadline) if body.timeout_s else None,
            timestamp(ack.time_ns),
            ack.seq,
        )

    async def balances(self, account: int) -> documents.AccountDocument:
        """The balances of the account, and its fees."""
        answer = await self.command(account, QueryBalances(0))
        reply = answer.reply
        assert isinstance(reply, Balances), reply
        fees = [
            documents.Fees(
                each.symbol, fee_percent(each.maker_fee_rate), fee_percent(each.taker_fee_rate)
            )
            for each in self._render.instruments.values()
        ]
        held = [self._render.balance(balance) for balance in reply.balances]
        return documents.AccountDocument(account, reply.seq, held, fees)

    async def command(
        self, account: int, request: LocalRequest, client_order_id: str = ""
    ) -> LocalAnswer:
        """The answer to a command; raises `Problem` when it is refused."""
        answer = await self._answer(account, request, client_order_id)
        reply = answer.reply
        if isinstance(reply, Reject):
            if reply.reason == RejectReason.OUTCOME_UNKNOWN:
                raise outcome_unknown(client_order_id)
            raise refused(reply.reason, reply.field, reply.text, reply.retry_after_ms)
        return answer

    async def _answer(
        self, account: int, request: LocalRequest, client_order_id: str = ""
    ) -> LocalAnswer:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[LocalAnswer] = loop.create_future()

        def done(answer: LocalAnswer) -> None:
            if not future.done():
                future.set_result(answer)

        request_seq = self._sessions.submit(account, request, done)
        timer = loop.call_later(ANSWER_S, future.cancel)
        try:
            return await future
        except asyncio.CancelledError:
            self._sessions.give_up(request_seq)
            if timer.when() <= loop.time():
                raise outcome_unknown(client_order_id) from None
            raise
        finally:
            timer.cancel()

    async def find_open(self, account: int, name: OrderName) -> OrderState:
        """An open order of the account; raises `Problem` 404 when there is none."""
        if isinstance(name, int):
            field, query = "order_id", Query(0, order_id=name)
        else:
            field, query = "client_order_id", Query(0, client_order_id=name)
        answer = await self.command(account, query)
        reply = answer.reply
        assert isinstance(reply, OpenOrders), reply
        if not reply.orders:
            raise unknown_order(field)
        return reply.orders[0]
