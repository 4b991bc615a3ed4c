"""Answers about history, each from one transaction together with the number it is true as of.

The connection is the reader's own: it sees only whole transactions of the writer, and neither waits
for the other.
"""

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Column, Connection, Engine, Select, select
from sqlalchemy.exc import SQLAlchemyError

from crossbook.common.errors import CodecError
from crossbook.common.following.candles import SECOND_NS
from crossbook.common.messages.codec import decode_history_question, decoded
from crossbook.common.messages.explain import blame, fields_by_tag
from crossbook.common.messages.history_queries import (
    CANDLE_INTERVALS_S,
    ROWS_MAX,
    AmendmentRecord,
    AmendmentRecords,
    AmendmentsQuestion,
    Candle,
    CandleRecords,
    CandlesQuestion,
    FillRecord,
    FillRecords,
    FillsQuestion,
    HistoryAnswer,
    HistoryQuestion,
    HistoryReject,
    MarketQuestion,
    MarketRecord,
    NotYet,
    OrderRecord,
    OrderRecords,
    OrdersQuestion,
    TradeRecord,
    TradeRecords,
    TradesQuestion,
)
from crossbook.common.messages.process_metrics import MetricsRequest
from crossbook.recorder.bounds import NONE, first_key
from crossbook.recorder.database import reason_of
from crossbook.recorder.store import latest_candles, position_of
from crossbook.recorder.sums import candle_of, order_of
from crossbook.recorder.tables import (
    AMENDMENTS,
    CANDLES,
    FILLS,
    IS_ENDED,
    IS_NAMED,
    IS_OPEN,
    ORDERS,
    OWNER,
    TRADES,
)

QUESTION_BYTES_MAX: Final = 1_024
"""Longest question decoded."""

MINUTE_S: Final = 60
DAY_NS: Final = 86_400 * SECOND_NS

_FIELDS: Final = fields_by_tag(HistoryQuestion | MetricsRequest)
_ORDER: Final = [
    *(ORDERS.c[name] for name in OrderRecord.__struct_fields__[:-1]),
    ORDERS.c.filled_notional_high,
]
_FILL: Final = [FILLS.c[name] for name in FillRecord.__struct_fields__]
_TRADE: Final = [TRADES.c[name] for name in TradeRecord.__struct_fields__]
_AMENDMENT: Final = [AMENDMENTS.c[name] for name in AmendmentRecord.__struct_fields__]
_CANDLE: Final = list(CANDLES.c)[1:]


def read_question(payload: bytes) -> HistoryQuestion | MetricsRequest | HistoryReject:
    """The decoded question, or a `HistoryReject` for unsound bytes."""
    if len(payload) > QUESTION_BYTES_MAX:
        text = f"{len(payload)} bytes, at most {QUESTION_BYTES_MAX} are taken"
        return HistoryReject(0, "frame", text)
    try:
        question: HistoryQuestion | MetricsRequest = decoded(decode_history_question, payload)
    except CodecError as error:
        at_fault = blame(payload, str(error), _FIELDS)
        return HistoryReject(at_fault.request_id, at_fault.field, str(error))
    return question


class HistoryReader:
    """Answers questions from the database, at most `ROWS_MAX` rows each."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._answers: dict[type, Callable[[Any, Connection, int], HistoryAnswer]] = {
            OrdersQuestion: self._orders,
            FillsQuestion: self._fills,
            TradesQuestion: self._trades,
            CandlesQuestion: self._candles,
            MarketQuestion: self._market,
            AmendmentsQuestion: self._amendments,
        }

    def fault(self, question: HistoryQuestion) -> HistoryReject | None:
        """The fault of a question that is sound as a message, if it has one."""
        field = text = ""
        if (
            isinstance(question, TradesQuestion | CandlesQuestion | MarketQuestion)
            and not question.instrument
        ):
            field, text = "instrument", "name an instrument"
        elif isinstance(question, OrdersQuestion):
            if question.open_only and question.ended_only:
                field, text = "ended_only", "not together with open_only"
        elif isinstance(question, FillsQuestion):
            if question.from_trade_id and not question.instrument:
                field, text = "instrument", "name the instrument of from_trade_id"
        elif isinstance(question, CandlesQuestion):
            if question.interval_s not in CANDLE_INTERVALS_S:
                lengths = ", ".join(map(str, CANDLE_INTERVALS_S))
                field, text = "interval_s", f"{question.interval_s} is none of {lengths}"
            elif question.to_ns and question.to_ns < question.from_ns:
                field, text = "to_ns", f"{question.to_ns} is before from_ns"
        return HistoryReject(question.request_id, field, text) if field else None

    def answer(self, question: HistoryQuestion) -> HistoryAnswer:
        """The answer, or `NotYet` while the record is below `min_seq` or the database does not
        answer."""
        wrong = self.fault(question)
        if wrong is not None:
            return wrong
        try:
            with self._engine.begin() as connection:
                seq = position_of(connection).seq
                if seq < question.min_seq:
                    return not_yet(question, seq)
                return self._answers[type(question)](question, connection, seq)
        except SQLAlchemyError as error:
            text = f"the database does not answer: {reason_of(error)}"
            return NotYet(question.request_id, 0, text)

    def _orders(self, question: OrdersQuestion, connection: Connection, seq: int) -> OrderRecords:
        columns = ORDERS.c
        owner = OWNER if question.open_only else columns.account
        query = select(*_ORDER).where(owner == question.account)
        if question.instrument:
            query = query.where(columns.instrument == question.instrument)
        if question.order_id:
            query = query.where(columns.order_id == question.order_id)
        if question.client_order_id:
            query = query.where(columns.client_order_id == question.client_order_id, IS_NAMED)
        if question.open_only:
            query = query.where(IS_OPEN)
        elif question.ended_only:
            query = query.where(IS_ENDED)
        if question.before_order_id:
            query = query.where(columns.order_id < question.before_order_id)
        bounds = _Bounds(columns.order_id, columns.created_ns, question.from_ns, question.to_ns)
        query = bounds.narrow(connection, query, question.from_order_id or None)
        rows, more = _limited(connection, query, question.limit)
        orders = [order_of(row) for row in rows]
        if question.order_id and orders:
            fills = self._fills_of(connection, question.order_id)
            orders = [replace(orders[0], fills=fills)]
        return OrderRecords(question.request_id, seq, orders, more)

    def _fills_of(self, connection: Connection, order_id: int) -> list[FillRecord]:
        """The last fills of an order, oldest first."""
        query = (
            select(*_FILL)
            .where(FILLS.c.order_id == order_id)
            .order_by(FILLS.c.fill_id.desc())
            .limit(ROWS_MAX)
        )
        return [FillRecord(*row) for row in connection.execute(query)][::-1]

    def _fills(self, question: FillsQuestion, connection: Connection, seq: int) -> FillRecords:
        columns = FILLS.c
        owner = OWNER if question.order_id else columns.account
        query = select(*_FILL).where(owner == question.account)
        if question.order_id:
            query = query.where(columns.order_id == question.order_id)
        if question.instrument:
            query = query.where(columns.instrument == question.instrument)
        if question.before:
            query = query.where(columns.fill_id < question.before)
        least = None
        if question.from_trade_id:
            least = _first_fill(connection, question.instrument, question.from_trade_id)
            query = query.where(columns.trade_id >= question.from_trade_id)
        bounds = _Bounds(columns.fill_id, columns.time_ns, question.from_ns, question.to_ns)
        query = bounds.narrow(connection, query, least)
        rows, more = _limited(connection, query, question.limit)
        return FillRecords(question.request_id, seq, [FillRecord(*row) for row in rows], more)

    def _trades(self, question: TradesQuestion, connection: Connection, seq: int) -> TradeRecords:
        trade_id = TRADES.c.trade_id
        query = select(*_TRADE).where(TRADES.c.instrument == question.instrument)
        if question.from_trade_id:
            query = query.where(trade_id >= question.from_trade_id).order_by(trade_id)
            rows, more = _limited(connection, query, question.limit)
        else:
            rows, _ = _limited(connection, query.order_by(trade_id.desc()), question.limit)
            rows, more = rows[::-1], False
        return TradeRecords(question.request_id, seq, [TradeRecord(*row) for row in rows], more)

    def _candles(
        self, question: CandlesQuestion, connection: Connection, seq: int
    ) -> CandleRecords:
        columns = CANDLES.c
        query = select(*_CANDLE).where(
            columns.instrument == question.instrument, columns.interval_s == question.interval_s
        )
        if question.to_ns:
            query = query.where(columns.open_ns <= question.to_ns)
        if question.from_ns:
            query = query.where(columns.open_ns >= question.from_ns).order_by(columns.open_ns)
            rows, more = _limited(connection, query, question.limit)
        else:
            rows, more = _limited(
                connection, query.order_by(columns.open_ns.desc()), question.limit
            )
            rows = rows[::-1]
        return CandleRecords(question.request_id, seq, [candle_of(row) for row in rows], more)

    def _amendments(
        self, question: AmendmentsQuestion, connection: Connection, seq: int
    ) -> AmendmentRecords:
        owned = select(ORDERS.c.order_id).where(
            ORDERS.c.order_id == question.order_id, ORDERS.c.account == question.account
        )
        columns = AMENDMENTS.c
        query = (
            select(*_AMENDMENT)
            .where(columns.order_id.in_(owned), columns.seq >= question.from_seq)
            .order_by(columns.seq)
        )
        rows, more = _limited(connection, query, question.limit)
        found = [AmendmentRecord(*row) for row in rows]
        return AmendmentRecords(question.request_id, seq, found, more)

    def _market(self, question: MarketQuestion, connection: Connection, seq: int) -> MarketRecord:
        columns = CANDLES.c
        latest = latest_candles(connection, question.instrument)
        minutes: list[Candle] = []
        last_ns = max((c.open_ns for c in latest if c.interval_s == MINUTE_S), default=0)
        if last_ns:
            query = (
                select(*_CANDLE)
                .where(
                    columns.instrument == question.instrument,
                    columns.interval_s == MINUTE_S,
                    columns.open_ns >= last_ns - DAY_NS,
                )
                .order_by(columns.open_ns)
            )
            minutes = [candle_of(row) for row in connection.execute(query)]
        last_lots = connection.execute(
            select(TRADES.c.quantity_lots)
            .where(TRADES.c.instrument == question.instrument)
            .order_by(TRADES.c.trade_id.desc())
            .limit(1)
        ).scalar()
        return MarketRecord(
            question.request_id, seq, question.instrument, latest, minutes, last_lots or 0,
            position_of(connection).incarnation,
        )  # fmt: skip


def not_yet(question: HistoryQuestion, seq: int) -> NotYet:
    """The record has come only to `seq`."""
    text = f"the record is at {seq}, not at {question.min_seq} yet"
    return NotYet(question.request_id, seq, text)


class _Bounds(Struct, frozen=True):
    """The part of a listing by time: rows whose `value` is in `from_ns`..`to_ns` (zero: no
    bound)."""

    key: "Column[int]"
    value: "Column[int]"
    from_ns: int
    to_ns: int

    def narrow(
        self, connection: Connection, query: "Select[Any]", least: int | None
    ) -> "Select[Any]":
        """The query with its bounds and its order: oldest first from the key `least` or `from_ns`
        on, where there is one of them, else newest first."""
        if self.from_ns:
            first = first_key(connection, self.key, self.value, self.from_ns)
            least = max(least or 0, first)
        if self.to_ns:
            beyond = first_key(connection, self.key, self.value, self.to_ns + 1)
            query = query.where(self.key < beyond)
        if least is None:
            return query.order_by(self.key.desc())
        return query.where(self.key >= least).order_by(self.key)


def _first_fill(connection: Connection, instrument: int, trade_id: int) -> int:
    """The key from which on all fills of an instrument are of this trade or a later one."""
    seq = connection.execute(
        select(TRADES.c.seq)
        .where(TRADES.c.instrument == instrument, TRADES.c.trade_id >= trade_id)
        .order_by(TRADES.c.trade_id)
        .limit(1)
    ).scalar()
    return NONE if seq is None else first_key(connection, FILLS.c.fill_id, FILLS.c.seq, seq)


def _limited(connection: Connection, query: "Select[Any]", limit: int) -> tuple[list[Any], bool]:
    """At most `limit` rows, and whether more exist."""
    rows = list(connection.execute(query.limit(limit + 1)))
    return rows[:limit], len(rows) > limit
