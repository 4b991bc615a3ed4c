"""Answers equal a plain search over the rows, page by page. The refusal of a bad question names its
field."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, event

from crossbook.common.following.candles import SECOND_NS
from crossbook.common.messages.codec import encode
from crossbook.common.messages.history_queries import (
    ROWS_MAX,
    Candle,
    CandleRecords,
    CandlesQuestion,
    FillRecord,
    FillRecords,
    FillsQuestion,
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
from crossbook.recorder.digest import EventDigest, RecordPosition
from crossbook.recorder.questions import HistoryReader, read_question
from crossbook.recorder.store import Store
from tests.properties.market import INSTRUMENTS
from tests.recorder.matcher import RecordedMatcher
from tests.recorder.naive import Row, tables_of

IDS = [instrument.id for instrument in INSTRUMENTS]


class Past:
    """A recorded exchange, its rows, and the reader that answers about it."""

    def __init__(self, engine: Engine, batches: int = 300) -> None:
        matcher, chance = RecordedMatcher(42), Random(42)
        digest = EventDigest(INSTRUMENTS, RecordPosition(), {})
        for _ in range(batches):
            batch = matcher.apply(chance.randint(1, 12))
            if batch is not None:
                digest.add(batch)
        changes = digest.drain()
        assert changes is not None
        Store(engine).write(changes)
        self.seq = matcher.seq
        self.rows = tables_of(engine)
        self.reader = HistoryReader(engine)

    def answer_to(self, question: Any) -> Any:
        """The answer to an encoded question."""
        read = read_question(encode(question))
        assert not isinstance(read, MetricsRequest)
        return read if isinstance(read, HistoryReject) else self.reader.answer(read)


@pytest.fixture
def past(engine: Engine) -> Past:
    return Past(engine)


def pick(kind: Any, row: Row) -> Any:
    """A record of `kind` from a row."""
    return kind(**{name: row[name] for name in kind.__struct_fields__ if name != "fills"})


def newest(rows: list[Row], kind: Any, **where: Any) -> list[Any]:
    """Records of the rows with these values, newest first."""
    found = [row for row in rows if all(row[name] == value for name, value in where.items())]
    return [pick(kind, row) for row in reversed(found)]


def pages(past: Past, first: Any, key: Callable[[Any], int], after: str, rows: str) -> list[Any]:
    """All rows of a question that is repeated until there are no more."""
    found: list[Any] = []
    question = first
    while True:
        answer = past.answer_to(question)
        assert answer.seq == past.seq
        page = getattr(answer, rows)
        assert len(page) <= question.limit
        found += page
        if not answer.more:
            return found
        cursor = {after: key(page[-1]) + (after == "from_trade_id")}
        question = replace(first, **cursor)


def test_orders_are_listed_newest_first_in_pages(past: Past) -> None:
    orders = past.rows["orders"]
    for account in (1, 2, 3, 4, 99):
        expected = newest(orders, OrderRecord, account=account)
        for extra, chosen in (
            ({}, expected),
            ({"instrument": IDS[1]}, [o for o in expected if o.instrument == IDS[1]]),
            ({"open_only": True}, [o for o in expected if o.status <= 2]),
            ({"ended_only": True}, [o for o in expected if o.status > 2]),
            ({"client_order_id": "a"}, [o for o in expected if o.client_order_id == "a"]),
        ):  # fmt: skip
            question = OrdersQuestion(
                request_id=1, min_seq=past.seq, account=account, limit=7, **extra
            )
            found = pages(past, question, lambda o: o.order_id, "before_order_id", "orders")
            assert found == chosen, extra


def test_orders_from_a_number_or_time_on_come_oldest_first(past: Past) -> None:
    wanted = newest(past.rows["orders"], OrderRecord, account=2, instrument=IDS[0])[::-1]
    third, last = wanted[2], wanted[-3]
    assert third.created_ns < last.created_ns
    ranges: list[tuple[dict[str, int], list[Any]]] = [
        ({"from_order_id": third.order_id}, wanted[2:]),
        ({"from_order_id": third.order_id + 1}, wanted[3:]),
        ({"from_order_id": past.seq + 1}, []),
        ({"from_ns": 1}, wanted),
        ({"from_ns": third.created_ns}, within(wanted, third.created_ns, None)),
        ({"from_ns": third.created_ns + 1}, within(wanted, third.created_ns + 1, None)),
        ({"to_ns": last.created_ns}, within(wanted, 0, last.created_ns)[::-1]),
        ({"to_ns": 1}, []),
        ({"from_ns": 2**62}, []),
        (
            {"from_ns": third.created_ns, "to_ns": last.created_ns - 1},
            within(wanted, third.created_ns, last.created_ns - 1),
        ),
    ]
    for extra, chosen in ranges:
        plain = OrdersQuestion(1, 0, account=2, instrument=IDS[0], limit=1000)
        question = replace(plain, **extra)
        assert past.answer_to(question).orders == chosen, extra
        first = past.answer_to(replace(question, limit=2))
        assert (first.orders, first.more) == (chosen[:2], len(chosen) > 2), extra


def test_fills_from_a_trade_or_time_on_come_oldest_first(past: Past) -> None:
    wanted = newest(past.rows["fills"], FillRecord, account=2, instrument=IDS[0])[::-1]
    third, last = wanted[2], wanted[-3]
    order_id = last.order_id
    ranges: list[tuple[dict[str, int], list[Any]]] = [
        (
            {"from_trade_id": third.trade_id},
            [fill for fill in wanted if fill.trade_id >= third.trade_id],
        ),
        ({"from_trade_id": 1}, wanted),
        ({"from_trade_id": 10**9}, []),
        ({"from_ns": 1}, wanted),
        (
            {"from_trade_id": 1, "order_id": order_id},
            [fill for fill in wanted if fill.order_id == order_id],
        ),
        ({"from_ns": third.time_ns}, [fill for fill in wanted if fill.time_ns >= third.time_ns]),
        ({"to_ns": last.time_ns}, [f for f in wanted if f.time_ns <= last.time_ns][::-1]),
        (
            {"from_ns": third.time_ns + 1, "to_ns": last.time_ns - 1},
            [fill for fill in wanted if third.time_ns < fill.time_ns < last.time_ns],
        ),
    ]
    for extra, chosen in ranges:
        plain = FillsQuestion(1, 0, account=2, instrument=IDS[0], limit=1000)
        assert past.answer_to(replace(plain, **extra)).fills == chosen, extra


def within(orders: list[Any], from_ns: int, to_ns: int | None) -> list[Any]:
    """The orders that were entered between two times."""
    return [o for o in orders if from_ns <= o.created_ns <= (2**63 if to_ns is None else to_ns)]


def test_one_order_is_answered_with_its_fills(past: Past) -> None:
    traded = next(row for row in past.rows["orders"] if row["filled_lots"])
    fills = newest(past.rows["fills"], FillRecord, order_id=traded["order_id"])[::-1]
    answer = past.answer_to(
        OrdersQuestion(
            request_id=5, min_seq=0, account=traded["account"], order_id=traded["order_id"]
        )
    )
    assert isinstance(answer, OrderRecords)
    assert answer.request_id == 5
    assert [order.fills for order in answer.orders] == [fills]
    other = past.answer_to(
        OrdersQuestion(
            request_id=5, min_seq=0, account=traded["account"] + 50, order_id=traded["order_id"]
        )
    )
    assert other.orders == []


def test_fills_are_listed_newest_first_in_pages(past: Past) -> None:
    expected = newest(past.rows["fills"], FillRecord, account=2)
    assert len(expected) > 20
    order_id = expected[-1].order_id
    for extra, chosen in (
        ({}, expected),
        ({"instrument": IDS[0]}, [fill for fill in expected if fill.instrument == IDS[0]]),
        ({"order_id": order_id}, [fill for fill in expected if fill.order_id == order_id]),
    ):
        question = FillsQuestion(request_id=1, min_seq=past.seq, account=2, limit=6, **extra)
        assert pages(past, question, lambda fill: fill.fill_id, "before", "fills") == chosen


def test_trades_are_listed_as_they_happened(past: Past) -> None:
    expected = newest(past.rows["trades"], TradeRecord, instrument=IDS[0])[::-1]
    question = TradesQuestion(
        request_id=1, min_seq=past.seq, instrument=IDS[0], from_trade_id=1, limit=9
    )
    assert (
        pages(past, question, lambda trade: trade.trade_id, "from_trade_id", "trades") == expected
    )
    last = past.answer_to(
        TradesQuestion(request_id=1, min_seq=past.seq, instrument=IDS[0], limit=5)
    )
    assert last == TradeRecords(request_id=1, seq=past.seq, trades=expected[-5:], more=False)


def test_candles_are_those_of_a_range_or_the_last_ones(past: Past) -> None:
    rows = [row for row in past.rows["candles"] if row["interval_s"] == 60]
    expected = newest(rows, Candle, instrument=IDS[0])[::-1]
    assert len(expected) > 18
    last = past.answer_to(
        CandlesQuestion(request_id=1, min_seq=past.seq, instrument=IDS[0], interval_s=60, limit=5)
    )
    assert last == CandleRecords(request_id=1, seq=past.seq, candles=expected[-5:], more=True)
    begin, end = expected[3].open_ns, expected[15].open_ns
    ranged = past.answer_to(
        CandlesQuestion(
            request_id=1,
            min_seq=past.seq,
            instrument=IDS[0],
            interval_s=60,
            from_ns=begin - 1,
            to_ns=end,
            limit=10,
        )
    )
    assert ranged == CandleRecords(request_id=1, seq=past.seq, candles=expected[3:13], more=True)
    rest = past.answer_to(
        CandlesQuestion(
            request_id=1,
            min_seq=past.seq,
            instrument=IDS[0],
            interval_s=60,
            from_ns=expected[13].open_ns,
            to_ns=end,
            limit=10,
        )
    )
    assert rest == CandleRecords(request_id=1, seq=past.seq, candles=expected[13:16], more=False)
    before = past.answer_to(
        CandlesQuestion(
            request_id=1, min_seq=past.seq, instrument=IDS[0], interval_s=60, to_ns=end - 1, limit=2
        )
    )
    assert before.candles == expected[13:15]


def test_the_record_of_a_market_has_its_latest_candles_and_a_day_of_minutes(past: Past) -> None:
    mine = [row for row in past.rows["candles"] if row["instrument"] == IDS[0]]
    latest = {row["interval_s"]: pick(Candle, row) for row in mine}
    minutes = [pick(Candle, row) for row in mine if row["interval_s"] == 60]
    answer = past.answer_to(MarketQuestion(request_id=1, min_seq=past.seq, instrument=IDS[0]))
    day_ns = 86_400 * SECOND_NS
    assert answer == MarketRecord(
        request_id=1, seq=past.seq, instrument=IDS[0], latest=list(latest.values()),
        minutes=[minute for minute in minutes if minute.open_ns >= minutes[-1].open_ns - day_ns],
        last_lots=newest(past.rows["trades"], TradeRecord, instrument=IDS[0])[0].quantity_lots,
        incarnation=answer.incarnation,
    )  # fmt: skip
    assert answer.incarnation


def test_a_question_about_an_unrecorded_number_is_answered_as_not_yet(past: Past) -> None:
    answer = past.answer_to(MarketQuestion(request_id=4, min_seq=past.seq + 1, instrument=IDS[0]))
    assert isinstance(answer, NotYet)
    assert (answer.request_id, answer.seq) == (4, past.seq)


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ([9, 3, 0, 1], "tag"),
        ([1, 3, 0], "frame"),
        ([1, 3, 0, "x"], "account"),
        ([1, 3, 0, 1.5], "account"),
        ([1, 3, -1, 1], "min_seq"),
        ([1, 3, 0, 1, 0, 0, "n" * 37], "client_order_id"),
        ([1, 3, 0, 1, 0, 0, "", True, True], "ended_only"),
        ([2, 3, 0, 1, 0, 0, 0, 9, 4], "instrument"),
        ([3, 3, 0, 0], "instrument"),
        ([3, 3, 0, 1, 0, ROWS_MAX + 1], "limit"),
        ([3, 3, 0, 1, 0, 0], "limit"),
        ([4, 3, 0, 1, 59], "interval_s"),
        ([4, 3, 0, 1, 60, 50, 49], "to_ns"),
        ([5, 3, 0, 0], "instrument"),
        ([1, 3, 0, 1, "long" * 300], "frame"),
        ("text", "frame"),
    ],
)
def test_a_bad_question_names_its_field(
    sqlite_engine: Engine, question: object, field: str
) -> None:
    answer = Past(sqlite_engine, batches=1).answer_to(question)
    assert isinstance(answer, HistoryReject)
    assert answer.field == field
    assert answer.text
    # Bytes that are no message, or too long to be read, have no number either.
    sound = isinstance(question, list) and len(str(question)) < 999
    assert answer.request_id == (3 if sound else 0)


def test_a_database_that_does_not_answer_is_queried_again(sqlite_engine: Engine) -> None:
    past = Past(sqlite_engine, batches=1)
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE fills")
    answer = past.answer_to(FillsQuestion(request_id=8, min_seq=0, account=1))
    assert isinstance(answer, NotYet)
    assert answer.request_id == 8


def test_no_question_reads_a_whole_table(sqlite_engine: Engine) -> None:
    past = Past(sqlite_engine, batches=50)
    calls: list[tuple[str, Any]] = []

    @event.listens_for(sqlite_engine, "before_cursor_execute")
    def _note(_c: Any, _k: Any, statement: str, values: Any, _x: Any, _m: Any) -> None:
        if statement.startswith("SELECT") and "position" not in statement:
            calls.append((statement, values))

    for question in (
        OrdersQuestion(request_id=1, min_seq=0, account=1),
        OrdersQuestion(request_id=1, min_seq=0, account=1, instrument=IDS[0]),
        OrdersQuestion(request_id=1, min_seq=0, account=1, instrument=0, order_id=5),
        OrdersQuestion(request_id=1, min_seq=0, account=1, client_order_id="a"),
        OrdersQuestion(request_id=1, min_seq=0, account=1, open_only=True),
        OrdersQuestion(request_id=1, min_seq=0, account=1, ended_only=True, before_order_id=9),
        OrdersQuestion(request_id=1, min_seq=0, account=1, from_order_id=5, from_ns=6, to_ns=7),
        OrdersQuestion(request_id=1, min_seq=0, account=1, instrument=IDS[0], to_ns=10**18),
        FillsQuestion(request_id=1, min_seq=0, account=1),
        FillsQuestion(request_id=1, min_seq=0, account=1, instrument=IDS[0]),
        FillsQuestion(request_id=1, min_seq=0, account=1, instrument=IDS[0], from_trade_id=2),
        FillsQuestion(request_id=1, min_seq=0, account=1, from_ns=5, to_ns=10**18),
        FillsQuestion(request_id=1, min_seq=0, account=1, instrument=0, order_id=5, before=7),
        TradesQuestion(request_id=1, min_seq=0, instrument=IDS[0]),
        TradesQuestion(request_id=1, min_seq=0, instrument=IDS[0], from_trade_id=3),
        CandlesQuestion(request_id=1, min_seq=0, instrument=IDS[0], interval_s=60),
        CandlesQuestion(
            request_id=1, min_seq=0, instrument=IDS[0], interval_s=60, from_ns=5, to_ns=6
        ),
        MarketQuestion(request_id=1, min_seq=0, instrument=IDS[0]),
    ):
        past.answer_to(question)
    assert len(calls) > 14
    plans: dict[str, list[str]] = {}
    with sqlite_engine.begin() as connection:
        for statement, values in calls:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            plans[statement] = [row[3] for row in plan]
    for statement, steps in plans.items():
        assert all(step.startswith("SEARCH") for step in steps), (statement, steps)
    used = " ".join(step for steps in plans.values() for step in steps)
    for index in ("orders_of_account", "orders_of_instrument", "orders_open", "orders_by_name",
                  "fills_of_account", "fills_of_instrument", "fills_of_order"):  # fmt: skip
        assert f"INDEX {index} " in used, plans


def test_answers_have_whole_transactions_only(engine: Engine) -> None:
    past = Past(engine, batches=20)
    written: list[str] = []

    def write_between(_c: Any, _k: Any, statement: str, *_: Any) -> None:
        if "position" in statement and not written:
            written.append(statement)
            with engine.begin() as connection:
                connection.exec_driver_sql("DELETE FROM fills")

    event.listen(engine, "after_cursor_execute", write_between)
    first = past.answer_to(FillsQuestion(request_id=1, min_seq=0, account=1))
    event.remove(engine, "after_cursor_execute", write_between)
    assert written
    assert isinstance(first, FillRecords)
    assert first.fills
    assert not past.answer_to(FillsQuestion(request_id=1, min_seq=0, account=1)).fills
