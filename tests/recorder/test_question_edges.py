"""Answers at the edges of their ranges: the row just inside is in the answer, the one just outside
is not."""

from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine

from crossbook.common.messages.history_queries import (
    Candle,
    CandlesQuestion,
    FillsQuestion,
    HistoryReject,
    MarketQuestion,
    NotYet,
    OrdersQuestion,
    TradesQuestion,
)
from crossbook.recorder.digest import Changes, OrderRow, RecordPosition
from crossbook.recorder.questions import QUESTION_BYTES_MAX, HistoryReader, read_question
from crossbook.recorder.store import Store

MINUTE_NS = 60_000_000_000
DAY_NS = 1_440 * MINUTE_NS
SEQ = 50
ORDER = OrderRow(
    order_id=0,
    account=5,
    instrument=1,
    client_order_id="",
    side=1,
    order_type=1,
    time_in_force=1,
    price_ticks=100,
    quantity_lots=9,
    quote_amount=0,
    status=1,
    filled_lots=0,
    remaining_lots=9,
    filled_notional=0,
    reason=0,
    created_ns=10,
    updated_ns=10,
    updated_seq=1,
)


def candle(open_ns: int, interval_s: int = 60) -> Candle:
    """A candle whose numbers are all different."""
    return Candle(
        interval_s=interval_s,
        open_ns=open_ns,
        open_ticks=11,
        high_ticks=14,
        low_ticks=10,
        close_ticks=12,
        volume_lots=21,
        quote_volume=231,
        trades=3,
        first_trade_id=7,
        last_trade_id=9,
        seq=40,
    )


def reader(engine: Engine, **rows: list[Any]) -> HistoryReader:
    """A reader of a record with these rows."""
    found: dict[str, list[Any]] = {"orders": [], "trades": [], "fills": [], "candles": [], **rows}
    Store(engine).write(
        Changes(
            before=RecordPosition(),
            after=RecordPosition(incarnation=7, seq=SEQ, time_ns=99, first_seq=1, last_fill_id=0),
            orders=found["orders"],
            changed=[],
            trades=found["trades"],
            fills=found["fills"],
            candles=found["candles"],
        )
    )
    return HistoryReader(engine)


def test_a_candle_comes_back_with_every_number_in_its_place(engine: Engine) -> None:
    recorded = candle(5 * MINUTE_NS)
    history = reader(engine, candles=[(1, recorded), (2, candle(6 * MINUTE_NS))])
    stored: Any = history.answer(
        CandlesQuestion(request_id=1, min_seq=SEQ, instrument=1, interval_s=60)
    )
    assert stored.candles == [recorded]
    market: Any = history.answer(MarketQuestion(request_id=1, min_seq=SEQ, instrument=1))
    assert (market.latest, market.minutes, market.incarnation) == ([recorded], [recorded], 7)


@pytest.mark.parametrize(
    ("from_ns", "to_ns", "expected"),
    [
        (20, 40, [20, 30, 40]),
        (21, 39, [30]),
        (19, 41, [20, 30, 40]),
        (30, 30, [30]),
        (31, 39, []),
        (0, 30, [10, 20, 30]),
        (0, 29, [10, 20]),
        (30, 0, [30, 40, 50]),
        (31, 0, [40, 50]),
    ],
)
def test_a_range_of_candles_has_both_its_ends(
    sqlite_engine: Engine, from_ns: int, to_ns: int, expected: list[int]
) -> None:
    rows = [(1, candle(open_ns)) for open_ns in (10, 20, 30, 40, 50)]
    history = reader(sqlite_engine, candles=[*rows, (1, candle(30, 1)), (2, candle(35))])
    stored: Any = history.answer(
        CandlesQuestion(
            request_id=1, min_seq=SEQ, instrument=1, interval_s=60, from_ns=from_ns, to_ns=to_ns
        )
    )
    assert [each.open_ns for each in stored.candles] == expected
    assert not stored.more


def test_a_range_may_end_where_it_begins_and_not_before(
    sqlite_engine: Engine,
) -> None:
    history = reader(sqlite_engine)
    assert (
        history.fault(
            CandlesQuestion(
                request_id=1, min_seq=SEQ, instrument=1, interval_s=60, from_ns=30, to_ns=30
            )
        )
        is None
    )
    refused = history.fault(
        CandlesQuestion(
            request_id=1, min_seq=SEQ, instrument=1, interval_s=60, from_ns=30, to_ns=29
        )
    )
    assert refused is not None
    assert refused.field == "to_ns"


@pytest.mark.parametrize(("limit", "more"), [(2, True), (3, False), (4, False)])
def test_there_is_more_only_when_a_row_was_left_out(
    sqlite_engine: Engine, limit: int, more: bool
) -> None:
    orders = [replace(ORDER, order_id=n) for n in (1, 2, 3)]
    trades = [(1, n, 1, 5, 5, 1, 1, 2, 9) for n in (1, 2, 3)]
    fills = [(n, 1, n, 1, 5, 1, "", 1, 5, 5, 1, 1, 9) for n in (1, 2, 3)]
    candles = [(1, candle(n)) for n in (1, 2, 3)]
    history = reader(sqlite_engine, orders=orders, trades=trades, fills=fills, candles=candles)
    questions = (
        OrdersQuestion(request_id=1, min_seq=SEQ, account=5, limit=limit),
        FillsQuestion(request_id=1, min_seq=SEQ, account=5, limit=limit),
        TradesQuestion(request_id=1, min_seq=SEQ, instrument=1, from_trade_id=1, limit=limit),
        CandlesQuestion(
            request_id=1, min_seq=SEQ, instrument=1, interval_s=60, from_ns=1, limit=limit
        ),
        CandlesQuestion(request_id=1, min_seq=SEQ, instrument=1, interval_s=60, limit=limit),
    )
    for question in questions:
        stored: Any = history.answer(question)
        assert stored.more is more, question


@pytest.mark.parametrize("cursor", [1, 2, 3, 4])
def test_a_listing_goes_on_just_behind_its_cursor(sqlite_engine: Engine, cursor: int) -> None:
    orders = [replace(ORDER, order_id=n) for n in (1, 2, 3)]
    trades = [(1, n, 1, 5, 5, 1, 1, 2, 9) for n in (1, 2, 3)]
    fills = [(n, 1, n, 1, 5, 1, "", 1, 5, 5, 1, 1, 9) for n in (1, 2, 3)]
    history = reader(sqlite_engine, orders=orders, trades=trades, fills=fills)
    before: Any = history.answer(
        OrdersQuestion(request_id=1, min_seq=SEQ, account=5, before_order_id=cursor)
    )
    assert [each.order_id for each in before.orders] == list(range(min(cursor, 4) - 1, 0, -1))
    fills_before: Any = history.answer(
        FillsQuestion(request_id=1, min_seq=SEQ, account=5, before=cursor)
    )
    assert [each.fill_id for each in fills_before.fills] == list(range(cursor - 1, 0, -1))
    onwards: Any = history.answer(
        TradesQuestion(request_id=1, min_seq=SEQ, instrument=1, from_trade_id=cursor)
    )
    assert [each.trade_id for each in onwards.trades] == list(range(cursor, 4))


def test_neighbours_of_the_requested_account_order_and_instrument_are_left_out(
    sqlite_engine: Engine,
) -> None:
    orders = [
        replace(ORDER, order_id=3 * account + instrument, account=account, instrument=instrument)
        for account in (4, 5, 6) for instrument in (1, 2, 3)
    ]  # fmt: skip
    fills = [
        (10 * account + order, 1, 1, instrument, account, order, "", 1, 5, 5, 1, 1, 9)
        for account in (4, 5, 6) for order, instrument in ((1, 1), (2, 2), (3, 3))
    ]  # fmt: skip
    trades = [(instrument, 1, 1, 5, 5, 1, 1, 2, 9) for instrument in (1, 2, 3)]
    history = reader(sqlite_engine, orders=orders, fills=fills, trades=trades)
    for question, expected in (
        (OrdersQuestion(request_id=1, min_seq=SEQ, account=5), [18, 17, 16]),
        (OrdersQuestion(request_id=1, min_seq=SEQ, account=5, open_only=True), [18, 17, 16]),
        (OrdersQuestion(request_id=1, min_seq=SEQ, account=5, instrument=2), [17]),
        (OrdersQuestion(request_id=1, min_seq=SEQ, account=5, order_id=17), [17]),
        (OrdersQuestion(request_id=1, min_seq=SEQ, account=5, order_id=20), []),
    ):
        stored: Any = history.answer(question)
        assert [each.order_id for each in stored.orders] == expected, question
    for of_fills, ids in (
        (FillsQuestion(request_id=1, min_seq=SEQ, account=5), [53, 52, 51]),
        (FillsQuestion(request_id=1, min_seq=SEQ, account=5, order_id=2), [52]),
        (FillsQuestion(request_id=1, min_seq=SEQ, account=5, instrument=2), [52]),
    ):
        found: Any = history.answer(of_fills)
        assert [each.fill_id for each in found.fills] == ids, of_fills
    one: Any = history.answer(TradesQuestion(request_id=1, min_seq=SEQ, instrument=2))
    assert len(one.trades) == 1


def test_the_minutes_of_a_market_go_back_a_day_from_the_latest(sqlite_engine: Engine) -> None:
    latest = 5 * DAY_NS
    ages = (DAY_NS + MINUTE_NS, DAY_NS + 1, DAY_NS, DAY_NS - MINUTE_NS, MINUTE_NS, 0)
    candles = [(1, candle(latest - age)) for age in ages]
    others = [(1, candle(latest, 300)), (2, candle(latest)), (1, candle(latest + 1, 1))]
    history = reader(sqlite_engine, candles=candles + others)
    stored: Any = history.answer(MarketQuestion(request_id=1, min_seq=SEQ, instrument=1))
    assert [latest - each.open_ns for each in stored.minutes] == list(ages[2:])


def test_a_market_without_trades_has_an_empty_record(sqlite_engine: Engine) -> None:
    trades = [(2, 1, 1, 5, 5, 1, 1, 2, 9)]
    stored: Any = reader(sqlite_engine, trades=trades).answer(
        MarketQuestion(request_id=1, min_seq=SEQ, instrument=1)
    )
    assert (stored.latest, stored.minutes, stored.last_lots) == ([], [], 0)


@pytest.mark.parametrize(("min_seq", "known"), [(SEQ - 1, True), (SEQ, True), (SEQ + 1, False)])
def test_an_answer_begins_at_the_requested_number(
    sqlite_engine: Engine, min_seq: int, known: bool
) -> None:
    stored = reader(sqlite_engine).answer(
        TradesQuestion(request_id=1, min_seq=min_seq, instrument=1)
    )
    assert isinstance(stored, NotYet) is not known


def test_a_question_is_read_up_to_its_longest() -> None:
    longest = read_question(bytes(QUESTION_BYTES_MAX))
    assert isinstance(longest, HistoryReject)
    assert "at most" not in longest.text
    longer = read_question(bytes(QUESTION_BYTES_MAX + 1))
    assert isinstance(longer, HistoryReject)
    assert "at most 1024 are taken" in longer.text


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_an_order_is_found_by_its_own_name_only(sqlite_engine: Engine, name: str) -> None:
    orders = [replace(ORDER, order_id=n, client_order_id=c) for n, c in enumerate("abc", 1)]
    stored: Any = reader(sqlite_engine, orders=orders).answer(
        OrdersQuestion(request_id=1, min_seq=SEQ, account=5, client_order_id=name)
    )
    assert [each.client_order_id for each in stored.orders] == [name]


def test_an_order_has_its_own_fills_and_a_market_its_own_trades_and_candles(
    sqlite_engine: Engine,
) -> None:
    orders = [replace(ORDER, order_id=n) for n in (1, 2, 3)]
    fills = [(n, 1, n, 1, 5, n, "", 1, 5, 5, 1, 1, 9) for n in (1, 2, 3)]
    trades = [(i, n + 5 * i, 1, 5, 10 * i, 1, 1, 2, 9) for i in (1, 2, 3) for n in (1, 2)]
    minutes = [(i, candle(i * MINUTE_NS, s)) for i in (1, 2, 3) for s in (1, 60, 300)]
    history = reader(sqlite_engine, orders=orders, fills=fills, trades=trades, candles=minutes)
    one: Any = history.answer(OrdersQuestion(request_id=1, min_seq=SEQ, account=5, order_id=2))
    assert [each.fill_id for each in one.orders[0].fills] == [2]
    listed: Any = history.answer(
        CandlesQuestion(request_id=1, min_seq=SEQ, instrument=2, interval_s=60)
    )
    assert listed.candles == [candle(2 * MINUTE_NS)]
    market: Any = history.answer(MarketQuestion(request_id=1, min_seq=SEQ, instrument=2))
    assert (market.minutes, market.last_lots) == ([candle(2 * MINUTE_NS)], 20)
