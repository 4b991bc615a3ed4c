"""The rows that are deleted after HISTORY_DAYS, and the rows that are kept for ever."""

from itertools import count
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine

from crossbook.common.following.candles import SECOND_NS
from crossbook.common.messages.history_queries import Candle
from crossbook.recorder import retention as retention_module
from crossbook.recorder.digest import Changes, OrderRow, RecordPosition, ReductionRow
from crossbook.recorder.retention import BUSY_NS, DAY_NS, IDLE_NS, Retention
from crossbook.recorder.store import Store
from tests.recorder.naive import tables_of

NOW_NS = 100 * DAY_NS
HOUR_NS = 3_600 * SECOND_NS
DAYS = 7
OPEN, PARTIAL, FILLED, CANCELED = 1, 2, 3, 4
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
    status=OPEN,
    filled_lots=0,
    remaining_lots=9,
    filled_notional=0,
    reason=0,
    created_ns=0,
    updated_ns=0,
    updated_seq=1,
)


def fill(instrument: int, trade_id: int, time_ns: int) -> tuple[object, ...]:
    return (trade_id * 10 + instrument, 1, trade_id, instrument, 5, 1, "", 1, 5, 5, 1, 1, time_ns)


def trade(instrument: int, trade_id: int, time_ns: int) -> tuple[object, ...]:
    return (instrument, trade_id, 1, 5, 5, 1, 1, 2, time_ns)


def candle(interval_s: int, open_ns: int) -> Candle:
    return Candle(
        interval_s=interval_s,
        open_ns=open_ns,
        open_ticks=1,
        high_ticks=1,
        low_ticks=1,
        close_ticks=1,
        volume_lots=1,
        quote_volume=1,
        trades=1,
        first_trade_id=1,
        last_trade_id=1,
        seq=1,
    )


def record(engine: Engine) -> None:
    """Rows of every kind on each of 20 days, of two instruments."""
    days = [NOW_NS - age * DAY_NS - HOUR_NS for age in range(20, -1, -1)]
    ids = count(1)
    orders = []
    for day_ns in days:
        for status, ended_ns in ((OPEN, day_ns), (PARTIAL, NOW_NS), (FILLED, day_ns),
                                 (CANCELED, NOW_NS)):  # fmt: skip
            orders.append(
                replace(ORDER, order_id=next(ids), status=status, created_ns=day_ns,
                        updated_ns=ended_ns)
            )  # fmt: skip
    pairs = [(instrument, n, day_ns) for n, day_ns in enumerate(days, 1) for instrument in (1, 2)]
    candles = [(i, candle(s, day_ns)) for i in (1, 2) for s in (1, 60, 86_400) for day_ns in days]
    Store(engine).write(
        Changes(
            before=RecordPosition(),
            after=RecordPosition(incarnation=7, seq=1, time_ns=NOW_NS, first_seq=1, last_fill_id=0),
            orders=orders,
            changed=[],
            trades=[trade(*pair) for pair in pairs],
            fills=[fill(*pair) for pair in pairs],
            candles=candles,
            amendments=[
                ReductionRow(each.order_id, seq, 9 - seq, 8 - seq, each.created_ns)
                for each in orders
                for seq in (1, 2)
            ],
        )
    )


def forget(engine: Engine, days: int) -> list[int]:
    """The number of rows that each of many steps deletes."""
    retention = Retention(engine, [1, 2], days)
    retention.time_ns = NOW_NS
    return [retention.step(n * IDLE_NS) for n in range(60)]


def test_only_rows_that_ended_long_enough_ago_are_deleted(engine: Engine) -> None:
    record(engine)
    before = tables_of(engine)
    forget(engine, DAYS)
    after = tables_of(engine)
    since_ns = NOW_NS - DAYS * DAY_NS
    assert after == {
        "orders": [
            row for row in before["orders"]
            if row["status"] in (OPEN, PARTIAL) or row["updated_ns"] >= since_ns
        ],
        "fills": [row for row in before["fills"] if row["time_ns"] >= since_ns],
        "trades": [row for row in before["trades"] if row["time_ns"] >= since_ns],
        "candles": [
            row for row in before["candles"]
            if row["interval_s"] > 1 or row["open_ns"] >= since_ns
        ],
        "amendments": [
            row for row in before["amendments"]
            if row["order_id"] in {order["order_id"] for order in after["orders"]}
        ],
    }  # fmt: skip
    assert len(after["amendments"]) == 2 * len(after["orders"])
    assert len(after["orders"]) < len(before["orders"])


def test_a_step_deletes_a_bounded_number_of_rows(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_module, "ROWS_AT_ONCE", 3)
    record(engine)
    before = tables_of(engine)
    steps = forget(engine, DAYS)
    after = tables_of(engine)
    assert max(steps) <= 3 + 2 * (3 + 3) + 3
    counted = before.keys() - {"amendments"}
    assert sum(len(after[name]) for name in counted) + sum(steps) == sum(
        len(before[name]) for name in counted
    )
    assert not [row for row in after["fills"] if row["time_ns"] < NOW_NS - DAYS * DAY_NS]


def test_with_zero_days_every_row_is_kept(engine: Engine) -> None:
    record(engine)
    before = tables_of(engine)
    assert not any(forget(engine, 0))
    assert tables_of(engine) == before


def test_steps_follow_each_other_at_an_interval(engine: Engine) -> None:
    record(engine)
    retention = Retention(engine, [1, 2], DAYS)
    assert not retention.step(0), "nothing recorded yet in this life"
    retention.time_ns = NOW_NS
    assert retention.step(0) > 0
    retention.time_ns = NOW_NS + 2 * DAY_NS
    assert not retention.step(BUSY_NS - 1)
    assert retention.step(BUSY_NS) > 0
    assert not retention.step(2 * BUSY_NS)
    retention.time_ns = NOW_NS + 4 * DAY_NS
    assert not retention.step(3 * BUSY_NS)
    assert retention.step(2 * BUSY_NS + IDLE_NS) > 0


EDGE_NS = NOW_NS - DAYS * DAY_NS
"""Rows from before this time are deleted; rows of this very time are kept."""


def write(engine: Engine, **rows: list[Any]) -> None:
    """Insert rows into an empty record."""
    found: dict[str, list[Any]] = {"orders": [], "trades": [], "fills": [], "candles": [], **rows}
    Store(engine).write(
        Changes(
            before=RecordPosition(),
            after=RecordPosition(incarnation=7, seq=1, time_ns=NOW_NS, first_seq=1, last_fill_id=0),
            orders=found["orders"],
            changed=[],
            trades=found["trades"],
            fills=found["fills"],
            candles=found["candles"],
        )
    )


def left(engine: Engine, table: str, column: str) -> list[int]:
    """Delete all old rows; return a column of the others."""
    forget(engine, DAYS)
    return [row[column] for row in tables_of(engine)[table]]


def test_rows_just_inside_the_edge_stay_and_rows_just_outside_are_deleted(engine: Engine) -> None:
    times = [EDGE_NS - DAY_NS // 2, EDGE_NS - 1, EDGE_NS, EDGE_NS + 1, EDGE_NS + DAY_NS // 2]
    numbered = list(enumerate(times, 1))
    write(
        engine,
        fills=[fill(1, n, time_ns) for n, time_ns in numbered],
        trades=[trade(1, n, time_ns) for n, time_ns in numbered],
        candles=[(1, candle(s, time_ns)) for s in (1, 60) for time_ns in times],
    )
    assert left(engine, "trades", "trade_id") == [3, 4, 5]
    assert [row["trade_id"] for row in tables_of(engine)["fills"]] == [3, 4, 5]
    candles = [(row["interval_s"], row["open_ns"]) for row in tables_of(engine)["candles"]]
    assert candles == [*((1, time_ns) for time_ns in times[2:]), *((60, t) for t in times)]


@pytest.mark.parametrize("began_ns", [EDGE_NS - DAY_NS, EDGE_NS - 1, EDGE_NS])
@pytest.mark.parametrize("ended_ns", [EDGE_NS - 1, EDGE_NS, EDGE_NS + 1])
@pytest.mark.parametrize("status", [OPEN, PARTIAL, FILLED, CANCELED])
def test_an_order_is_deleted_when_it_ended_before_the_edge_and_not_before(
    sqlite_engine: Engine, began_ns: int, ended_ns: int, status: int
) -> None:
    order = replace(ORDER, order_id=1, status=status, created_ns=began_ns, updated_ns=ended_ns)
    write(sqlite_engine, orders=[order])
    goes = status in (FILLED, CANCELED) and ended_ns < EDGE_NS and began_ns < EDGE_NS
    assert left(sqlite_engine, "orders", "order_id") == ([] if goes else [1])


@pytest.mark.parametrize("old", [1, 2])
def test_each_instrument_drops_its_own_rows(engine: Engine, old: int) -> None:
    young = 3 - old
    trades = [trade(old, n, EDGE_NS - 5 + n) for n in (1, 2, 3)]
    trades += [trade(young, n, EDGE_NS + n) for n in (1, 2, 3)]
    candles = [(old, candle(1, EDGE_NS - n)) for n in (1, 2, 3)]
    candles += [(young, candle(1, EDGE_NS + n)) for n in (0, 1)]
    # A row of an instrument that this recorder does not have.
    trades.append(trade(3, 1, EDGE_NS - DAY_NS))
    write(engine, trades=trades, candles=candles)
    assert left(engine, "trades", "instrument") == [young, young, young, 3]
    assert [row["instrument"] for row in tables_of(engine)["candles"]] == [young, young]


def test_a_step_that_is_full_leaves_the_other_instruments_for_the_next(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_module, "ROWS_AT_ONCE", 3)
    trades = [trade(i, n, EDGE_NS - DAY_NS) for i in (1, 2) for n in (1, 2, 3)]
    write(engine, trades=trades)
    retention = Retention(engine, [1, 2], DAYS)
    retention.time_ns = NOW_NS
    assert [retention.step(n * BUSY_NS) for n in range(3)] == [3, 3, 0]


def test_orders_are_read_a_step_at_a_time_and_again_from_the_first(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_module, "ROWS_AT_ONCE", 3)
    old = replace(ORDER, status=FILLED, created_ns=EDGE_NS - 5, updated_ns=EDGE_NS - 5)
    # The first three stay: they are open, or ended lately.
    stays = [(1, OPEN, EDGE_NS - 5), (2, FILLED, EDGE_NS), (3, PARTIAL, EDGE_NS - 5)]
    orders = [replace(old, order_id=n, status=s, updated_ns=at) for n, s, at in stays]
    orders += [replace(old, order_id=n) for n in range(4, 9)]
    orders.append(replace(old, order_id=9, created_ns=EDGE_NS, updated_ns=EDGE_NS))
    write(sqlite_engine, orders=orders)
    retention = Retention(sqlite_engine, [1], DAYS)
    retention.time_ns = NOW_NS
    assert [retention.step(n * BUSY_NS) for n in range(5)] == [0, 3, 2, 0, 0]
    assert [row["order_id"] for row in tables_of(sqlite_engine)["orders"]] == [1, 2, 3, 9]
    # A day later a pass begins with the first again.
    retention.time_ns += DAY_NS
    assert retention.step(4 * BUSY_NS + IDLE_NS - 1) == 0
    assert [retention.step((4 + n) * BUSY_NS + IDLE_NS) for n in range(2)] == [1, 1]
    assert [row["order_id"] for row in tables_of(sqlite_engine)["orders"]] == [1, 3]


def test_nothing_is_deleted_before_the_time_is_known(engine: Engine) -> None:
    write(engine, trades=[trade(1, 1, 1)])
    retention = Retention(engine, [1], DAYS)
    assert not retention.step(0)
    retention.time_ns = DAYS * DAY_NS + 1
    assert not retention.step(0)
    retention.time_ns = DAYS * DAY_NS + 2
    assert retention.step(IDLE_NS) == 1


def test_every_move_of_a_manual_clock_is_followed_at_once(engine: Engine) -> None:
    record(engine)
    retention = Retention(engine, [1, 2], DAYS, is_manual=True)
    retention.time_ns = NOW_NS - 20 * DAY_NS
    assert retention.step(0) == 0
    assert retention.step(BUSY_NS) == 0
    retention.time_ns = NOW_NS
    assert retention.step(BUSY_NS) > 0
