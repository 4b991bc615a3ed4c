"""Order entry of the Binance-spot face: place, test, cancel, replace, amend.

Every method takes an account and the parameters of a request, and returns a document. REST and the
WebSocket API call the same ones. They raise `Refusal`.
"""

from collections.abc import Sequence
from typing import Any, Final

from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import (
    Ack,
    Amend,
    Cancel,
    Execution,
    MassCancel,
    OpenOrders,
    OrderState,
    Query,
)
from crossbook.common.types import ExecutionKind, OrderStatus
from crossbook.gateway.binance import order_documents
from crossbook.gateway.binance.decimals import rate_text
from crossbook.gateway.binance.order_requests import Wanted, order_of, quantity_of
from crossbook.gateway.binance.parameters import Parameters
from crossbook.gateway.binance.problem import (
    AMEND_REJECTED,
    CANCEL_REJECTED,
    INVALID_MESSAGE,
    INVALID_RESTRICTIONS,
    ORDER_REJECTED,
    REPLACE_FAILED,
    REPLACE_PARTLY_FAILED,
    TOO_MANY_ORDERS,
    UNKNOWN_ORDER_SENT,
    Refusal,
    duplicate_order,
    not_valid,
    refusal_of,
)
from crossbook.gateway.binance.venue import FaceVenue
from crossbook.gateway.limits.account_limits import ORDERS
from crossbook.gateway.problem import Problem

CANCELED_MOST: Final = 10_000
"""Most orders that one request cancels and lists: more than an account may have open by default."""

NOT_KNOWN: Final = -1
"""A traded amount while the record does not answer: below zero, as Binance shows it."""

_PAGE: Final = 1_000
_CANCELED: Final = int(ExecutionKind.CANCELED)
_RESTRICTIONS: Final = {
    "ONLY_NEW": int(OrderStatus.NEW),
    "ONLY_PARTIALLY_FILLED": int(OrderStatus.PARTIALLY_FILLED),
}
_REPLACED: Final = ("cancelOrderId", "cancelOrigClientOrderId")
_OF_THE_ORDER: Final = (ORDER_REJECTED, INVALID_MESSAGE)
"""Codes by which a matching engine refuses an order."""

_MODES: Final = ("STOP_ON_FAILURE", "ALLOW_FAILURE")
_EXCEEDED_MODES: Final = ("DO_NOTHING", "CANCEL_ONLY")
_REPLACE_PARTLY: Final = "Order cancel-replace partially failed."
_REPLACE: Final = "Order cancel-replace failed."


class OrderActions:
    """Enters, cancels and amends orders."""

    def __init__(self, venue: FaceVenue) -> None:
        self._venue = venue

    async def place(self, account: int, asked: Parameters) -> Any:
        """`POST order`: the order in the form that was asked for."""
        instrument = self._venue.instrument(asked)
        wanted = order_of(asked, instrument)
        self._venue.counts.check(account, self._venue.now_ns())
        return await self._place(account, asked, instrument, wanted)

    async def test(self, account: int, asked: Parameters) -> Any:
        """`POST order/test`: nothing, for an order that could be read."""
        instrument = self._venue.instrument(asked)
        order_of(asked, instrument)
        if not asked.boolean("computeCommissionRates"):
            return {}
        return {
            "standardCommissionForOrder": {
                "maker": rate_text(instrument.maker_fee_rate),
                "taker": rate_text(instrument.taker_fee_rate),
            },
            "specialCommissionForOrder": {"maker": rate_text(0), "taker": rate_text(0)},
            "taxCommissionForOrder": {"maker": rate_text(0), "taker": rate_text(0)},
            "discount": {
                "enabledForAccount": False,
                "enabledForSymbol": False,
                "discountAsset": instrument.quote,
                "discount": rate_text(0),
            },
        }

    async def cancel(self, account: int, asked: Parameters) -> Any:
        """`DELETE order`: the canceled order."""
        instrument = self._venue.instrument(asked)
        name, status = asked.name("newClientOrderId"), _restriction(asked)
        self._count_cancel(account)
        state = await self._venue.open_order(account, asked, instrument)
        return await self._cancel(account, asked, instrument, state, name, status)

    async def cancel_all(self, account: int, asked: Parameters) -> Any:
        """`DELETE openOrders`: the canceled orders of a symbol."""
        instrument = self._venue.instrument(asked)
        self._count_cancel(account)
        states = await self._open_orders(account, instrument)
        if not states:
            raise Refusal(CANCEL_REJECTED, UNKNOWN_ORDER_SENT)
        executions = await self._mass_cancel(account, instrument)
        documents = []
        for execution in executions:
            state = states.get(execution.order_id)
            if state is None:
                # It was entered between the two requests: what it shows is what its end shows.
                state = _as_it_ended(execution)
            traded = await self._traded(account, instrument, state, execution.filled_lots)
            documents.append(
                order_documents.mass_canceled(asked, instrument, state, execution, traded)
            )
        if not documents:
            raise Refusal(CANCEL_REJECTED, UNKNOWN_ORDER_SENT)
        return documents

    async def amend(self, account: int, asked: Parameters) -> Any:
        """`PUT order/amend/keepPriority`: the order with a smaller quantity, in its place."""
        instrument = self._venue.instrument(asked)
        lots = quantity_of(asked, "newQty", instrument)
        asked.name("newClientOrderId")
        try:
            self._venue.trading.count(account)
        except Problem as problem:
            raise self._too_many(problem) from None
        state = await self._venue.open_order(account, asked, instrument, action=AMEND_REJECTED)
        if lots == state.quantity_lots:
            raise Refusal(AMEND_REJECTED, "The requested action would change no state; rejecting.")
        if lots > state.quantity_lots or lots <= state.filled_lots:
            text = "Order amend (quantity increase) is not supported."
            if lots <= state.filled_lots:
                text = "Order amend (quantity decrease below the filled part) is not supported."
            raise Refusal(AMEND_REJECTED, text)
        try:
            request = Amend(0, instrument.symbol, state.order_id, "", lots)
            answer = await self._venue.trading.command(account, request)
        except Problem as problem:
            raise refusal_of(problem, AMEND_REJECTED) from None
        ack = answer.reply
        assert isinstance(ack, Ack), ack
        traded = await self._traded(account, instrument, state, ack.filled_lots)
        return order_documents.amended(asked, instrument, state, ack, lots, traded)

    async def cancel_replace(self, account: int, asked: Parameters) -> Any:
        """`POST order/cancelReplace`: both outcomes. Raises `Refusal` with both in `data` where one
        failed (-2021) or none succeeded (-2022)."""
        instrument = self._venue.instrument(asked)
        wanted = order_of(asked, instrument)
        stops = _one_of(asked, "cancelReplaceMode", _MODES) == _MODES[0]
        cancels_only = False
        if "orderRateLimitExceededMode" in asked.values:
            word = _one_of(asked, "orderRateLimitExceededMode", _EXCEEDED_MODES)
            cancels_only = word == _EXCEEDED_MODES[1]
        name, status = asked.name("cancelNewClientOrderId"), _restriction(asked)
        exceeded: Refusal | None = None
        try:
            self._venue.counts.check(account, self._venue.now_ns())
        except Refusal as refusal:
            if not cancels_only:
                raise
            exceeded = refusal
        self._count_cancel(account)
        canceled, cancel_refusal = None, None
        try:
            state = await self._venue.open_order(account, asked, instrument, _REPLACED)
            canceled = await self._cancel(account, asked, instrument, state, name, status)
        except Refusal as refusal:
            if refusal.code != CANCEL_REJECTED:
                raise
            cancel_refusal = refusal
        placed, order_refusal = None, exceeded
        if exceeded is None and (canceled is not None or not stops):
            try:
                placed = await self._place(account, asked, instrument, wanted)
            except Refusal as refusal:
                order_refusal = refusal
                if canceled is not None and refusal.code in _OF_THE_ORDER:
                    for listener in self._venue.on_rejected:
                        listener(account, instrument, wanted.order, refusal.msg)
        was_tried = placed is not None or order_refusal is not None
        result = {
            "cancelResult": "SUCCESS" if canceled is not None else "FAILURE",
            "newOrderResult": _result(placed, was_tried),
            "cancelResponse": _response(canceled, cancel_refusal),
            "newOrderResponse": _response(placed, order_refusal),
        }
        return _replaced(result, canceled, placed, cancel_refusal, order_refusal)

    async def _place(
        self, account: int, asked: Parameters, instrument: Instrument, wanted: Wanted
    ) -> dict[str, Any]:
        venue = self._venue
        try:
            answer = await venue.trading.enter(account, wanted.order)
        except Problem as problem:
            raise self._too_many(problem) from None
        ack = answer.reply
        assert isinstance(ack, Ack), ack
        if ack.repeated:
            # The exchange repeats the outcome of the earlier order. Clients of this face retry by
            # the refusal instead.
            raise duplicate_order()
        venue.counts.add(account, venue.now_ns())
        return order_documents.placed(asked, instrument, wanted, ack, answer.executions)

    async def _cancel(
        self,
        account: int,
        asked: Parameters,
        instrument: Instrument,
        state: OrderState,
        name: str | None,
        status: int | None,
    ) -> dict[str, Any]:
        if status is not None and state.status != status:
            text = "Order was not canceled due to cancel restrictions."
            raise Refusal(CANCEL_REJECTED, text)
        try:
            request = Cancel(0, instrument.symbol, state.order_id)
            with self._venue.cancel_names.given(state.order_id, name):
                answer = await self._venue.trading.command(account, request)
        except Problem as problem:
            raise refusal_of(problem, CANCEL_REJECTED) from None
        ack = answer.reply
        assert isinstance(ack, Ack), ack
        traded = await self._traded(account, instrument, state, ack.filled_lots)
        return order_documents.canceled(asked, instrument, state, ack, traded, name)

    async def _traded(
        self, account: int, instrument: Instrument, state: OrderState, filled_lots: int
    ) -> int:
        """What an order has traded, in units of the quote asset."""
        if not filled_lots:
            return 0
        try:
            record = await self._venue.lookup.record(account, state.order_id)
        except Problem:
            # The command was carried out: its answer does not depend on the record.
            return NOT_KNOWN
        return record.filled_notional

    async def _open_orders(self, account: int, instrument: Instrument) -> dict[int, OrderState]:
        """The open orders of an instrument by id, oldest first."""
        states: dict[int, OrderState] = {}
        after = 0
        while len(states) < CANCELED_MOST:
            query = Query(0, instrument.symbol, after_order_id=after, limit=_PAGE)
            try:
                reply = (await self._venue.trading.command(account, query)).reply
            except Problem as problem:
                raise refusal_of(problem, CANCEL_REJECTED) from None
            assert isinstance(reply, OpenOrders), reply
            states |= {state.order_id: state for state in reply.orders}
            if not reply.more or not reply.orders:
                break
            after = reply.orders[-1].order_id
        return states

    async def _mass_cancel(self, account: int, instrument: Instrument) -> Sequence[Execution]:
        try:
            request = MassCancel(0, instrument.symbol)
            answer = await self._venue.trading.command(account, request)
        except Problem as problem:
            raise refusal_of(problem, CANCEL_REJECTED) from None
        return [each for each in answer.executions if each.kind == _CANCELED]

    def _count_cancel(self, account: int) -> None:
        try:
            self._venue.trading.count(account, is_cancel=True)
        except Problem as problem:
            raise refusal_of(problem, CANCEL_REJECTED) from None

    def _too_many(self, problem: Problem) -> Refusal:
        """The refusal of an order; where the account has sent too many, with its limit."""
        if problem.status != 429:
            return refusal_of(problem)
        buckets = self._venue.trading.limits.buckets[ORDERS]
        limit = f"{buckets.burst} orders per {buckets.window_s} SECOND"
        text = f"Too many new orders; current limit is {limit}."
        return Refusal(TOO_MANY_ORDERS, text, 429, None, problem.retry_after_s)


def _restriction(asked: Parameters) -> int | None:
    """The status that an order must have to be canceled; None for any."""
    word = asked.text("cancelRestrictions")
    if word is None:
        return None
    if word not in _RESTRICTIONS:
        raise Refusal(INVALID_RESTRICTIONS, "Invalid cancelRestrictions")
    return _RESTRICTIONS[word]


def _one_of(asked: Parameters, name: str, words: Sequence[str]) -> str:
    word = asked.needed(name)
    if word not in words:
        raise not_valid(name)
    return word


def _result(document: Any, was_tried: bool) -> str:
    if document is not None:
        return "SUCCESS"
    return "FAILURE" if was_tried else "NOT_ATTEMPTED"


def _response(document: Any, refusal: Refusal | None) -> Any:
    return refusal.document() if document is None and refusal is not None else document


def _replaced(
    result: dict[str, Any],
    canceled: Any,
    placed: Any,
    cancel_refusal: Refusal | None,
    order_refusal: Refusal | None,
) -> dict[str, Any]:
    """The outcome where both succeeded; raises `Refusal` otherwise."""
    if canceled is not None and placed is not None:
        return result
    status, wait_s = 409, None
    if order_refusal is not None and order_refusal.status == 429:
        status, wait_s = 429, order_refusal.retry_after_s
    if canceled is None and placed is None:
        status = 400 if status == 409 else status
        raise Refusal(REPLACE_FAILED, _REPLACE, status, result, wait_s)
    raise Refusal(REPLACE_PARTLY_FAILED, _REPLACE_PARTLY, status, result, wait_s)


def _as_it_ended(execution: Execution) -> OrderState:
    total = execution.quantity_lots + execution.filled_lots
    return OrderState(
        execution.symbol,
        execution.order_id,
        execution.client_order_id,
        execution.side,
        execution.price_ticks,
        total,
        execution.filled_lots,
        0,
        execution.status,
        execution.time_ns,
        execution.order_type,
        trigger_ticks=execution.trigger_ticks,
    )
