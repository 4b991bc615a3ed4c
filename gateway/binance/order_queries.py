"""Queries of the Binance-spot face: orders and own trades, from the record.

Every method takes an account and the parameters of a request, and returns a document. They raise
`Refusal` and `Problem`.
"""

from typing import Any, Final

from crossbook.common.instruments import Instrument
from crossbook.common.messages.history_queries import (
    AmendmentRecords,
    AmendmentsQuestion,
    FillRecords,
    FillsQuestion,
    OrderRecord,
    OrderRecords,
    OrdersQuestion,
)
from crossbook.common.times import DAY_NS
from crossbook.gateway.binance.order_documents import (
    amendment,
    id_in_name,
    own_trade,
    recorded,
    shown_name,
)
from crossbook.gateway.binance.parameters import Parameters
from crossbook.gateway.binance.problem import (
    BAD_COMBINATION,
    NO_SUCH_ORDER,
    TOO_LONG_A_TIME,
    Refusal,
    missing,
    no_such_order,
    none_of,
    refusal_of,
)
from crossbook.gateway.binance.venue import FaceVenue
from crossbook.gateway.problem import Problem

ROWS: Final = 500
"""Rows of an answer where the request names no number."""

ROWS_MOST: Final = 1_000

HOURS_MOST: Final = 24


class OrderQueries:
    """Looks up orders and trades."""

    def __init__(self, venue: FaceVenue) -> None:
        self._venue = venue

    async def order(self, account: int, asked: Parameters) -> Any:
        """`GET order`: one order, open or ended."""
        instrument = self._venue.instrument(asked)
        order_id, name = asked.integer("orderId", 1), asked.old_name("origClientOrderId")
        if order_id is None and name is None:
            raise none_of("origClientOrderId", "orderId")
        try:
            record = await self._record(account, order_id, name)
        except Problem as problem:
            raise refusal_of(problem, NO_SUCH_ORDER) from None
        if record.instrument != instrument.id or (
            name is not None and name != shown_name(record.client_order_id, record.order_id)
        ):
            raise no_such_order()
        return recorded(asked, instrument, record)

    async def open_orders(self, account: int, asked: Parameters) -> Any:
        """`GET openOrders`: those of a symbol or of all, oldest first."""
        symbol = None
        if "symbol" in asked.values:
            symbol = self._venue.instrument(asked).symbol
        found, _ = await self._venue.open_records(account, symbol)
        instruments = self._venue.lookup.instruments.values()
        by_id = {each.id: each for each in instruments}
        return [recorded(asked, by_id[each.instrument], each) for each in reversed(found)]

    async def all_orders(self, account: int, asked: Parameters) -> Any:
        """`GET allOrders`: orders of a symbol, oldest first."""
        instrument = self._venue.instrument(asked)
        from_id, limit = asked.integer("orderId"), asked.count("limit", ROWS, ROWS_MOST)
        from_ns, to_ns = _stretch(asked)
        answer = await self._venue.history.fetch(
            account,
            self._home(instrument),
            lambda request_id, seq: OrdersQuestion(
                request_id, seq, account, instrument.id, limit=limit,
                from_order_id=from_id or 0, from_ns=from_ns, to_ns=to_ns,
            ),
            OrderRecords,
        )  # fmt: skip
        records = answer.orders if from_id or from_ns else answer.orders[::-1]
        return [recorded(asked, instrument, record) for record in records]

    async def my_trades(self, account: int, asked: Parameters) -> Any:
        """`GET myTrades`: own fills of a symbol, oldest first."""
        instrument = self._venue.instrument(asked)
        order_id, from_id = asked.integer("orderId"), asked.integer("fromId")
        limit = asked.count("limit", ROWS, ROWS_MOST)
        from_ns, to_ns = _stretch(asked)
        if from_id is not None and (from_ns or to_ns):
            raise Refusal(BAD_COMBINATION, "Combination of optional parameters invalid.")
        first = 0 if from_id is None else max(1, from_id)
        answer = await self._venue.history.fetch(
            account,
            self._home(instrument),
            lambda request_id, seq: FillsQuestion(
                request_id, seq, account, instrument.id, order_id or 0, limit=limit,
                from_trade_id=first, from_ns=from_ns, to_ns=to_ns,
            ),
            FillRecords,
        )  # fmt: skip
        records = answer.fills if first or from_ns else answer.fills[::-1]
        return [own_trade(asked, instrument, record) for record in records]

    async def amendments(self, account: int, asked: Parameters) -> Any:
        """`GET order/amendments`: those that made an order smaller in its place, oldest first."""
        instrument = self._venue.instrument(asked)
        order_id = asked.integer("orderId", 1)
        if order_id is None:
            raise missing("orderId")
        from_id, limit = asked.integer("fromExecutionId"), asked.count("limit", ROWS, ROWS_MOST)
        try:
            record = await self._record(account, order_id, None)
        except Problem as problem:
            raise refusal_of(problem, NO_SUCH_ORDER) from None
        if record.instrument != instrument.id:
            raise no_such_order()
        answer = await self._venue.history.fetch(
            account,
            self._home(instrument),
            lambda request_id, seq: AmendmentsQuestion(
                request_id, seq, account, order_id, from_id or 0, limit
            ),
            AmendmentRecords,
        )
        return [amendment(asked, instrument, record, each) for each in answer.amendments]

    async def _record(self, account: int, order_id: int | None, name: str | None) -> OrderRecord:
        lookup = self._venue.lookup
        if order_id is not None:
            return await lookup.record(account, order_id)
        assert name is not None
        try:
            return await lookup.record_named(account, name)
        except Problem as problem:
            number = id_in_name(name)
            if number is None or problem.status != 404:
                raise
        return await lookup.record(account, number)

    def _home(self, instrument: Instrument) -> int:
        return self._venue.history.shards(instrument.symbol)[0]


def _stretch(asked: Parameters) -> tuple[int, int]:
    """The bounds `startTime` and `endTime` in nanoseconds; zero for one that is not given. Raises
    `Refusal` for more than a day between them."""
    start_ns, end_ns = asked.span_ns()
    if (
        start_ns is not None
        and end_ns is not None
        and end_ns - start_ns > HOURS_MOST * DAY_NS // 24 + asked.unit_of("endTime")
    ):
        text = f"More than {HOURS_MOST} hours between startTime and endTime."
        raise Refusal(TOO_LONG_A_TIME, text)
    return start_ns or 0, end_ns or 0
