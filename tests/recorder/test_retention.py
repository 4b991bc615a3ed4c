"""What is forgotten after HISTORY_DAYS, and what never is."""

from itertools import count

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine

from common.candles import SECOND_NS
from common.history import Candle
from recorder import retention as retention_module
from recorder.digest import Changes, OrderRow, Position
from recorder.retention import BUSY_NS, DAY_NS, IDLE_NS, Retention
from recorder.store import Store
from tests.recorder.naive import tables_of

NOW_NS = 100 * DAY_NS
HOUR_NS = 3_600 * SECOND_NS
DAYS = 7
OPEN, PARTIAL, FILLED, CANCELED = 1, 2, 3, 4
ORDER = OrderRow(0, 5, 1, "", 1, 1, 1, 100, 9, 0, OPEN, 0, 9, 0, 0, 0, 0, 1)


def fill(instrument: int, trade_id: int, time_ns: int) -> tuple[object, ...]:
    return (trade_id * 10 + instrument, 1, trade_id, instrument, 5, 1, "", 1, 5, 5, 1, 1, time_ns)


def trade(instrument: int, trade_id: int, time_ns: int) -> tuple[object, ...]:
    return (instrument, trade_id, 1, 5, 5, 1, 1, 2, time_ns)


def candle(interval_s: int, open_ns: int) -> Candle:
    return Candle(interval_s, open_ns, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)


def record(engine: Engine) -> None:
    """Something on every one of 20 days, of two instruments."""
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
            Position(), Position(7, 1, NOW_NS, 1, 0), orders, [],
            [trade(*pair) for pair in pairs], [fill(*pair) for pair in pairs], candles,
        )
    )  # fmt: skip


def forget(engine: Engine, days: int) -> list[int]:
    """Rows removed in each of many steps."""
    retention = Retention(engine, [1, 2], days)
    retention.time_ns = NOW_NS
    return [retention.step(n * IDLE_NS) for n in range(60)]


def test_only_what_ended_long_enough_ago_is_forgotten(engine: Engine) -> None:
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
    }  # fmt: skip
    assert len(after["orders"]) < len(before["orders"])


def test_a_step_removes_a_little(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention_module, "ROWS_AT_ONCE", 3)
    record(engine)
    before = tables_of(engine)
    steps = forget(engine, DAYS)
    after = tables_of(engine)
    assert max(steps) <= 3 + 2 * (3 + 3) + 3
    assert sum(len(rows) for rows in after.values()) + sum(steps) == sum(
        len(rows) for rows in before.values()
    )
    assert not [row for row in after["fills"] if row["time_ns"] < NOW_NS - DAYS * DAY_NS]


def test_zero_days_keep_everything(engine: Engine) -> None:
    record(engine)
    before = tables_of(engine)
    assert not any(forget(engine, 0))
    assert tables_of(engine) == before


def test_steps_follow_each_other_at_a_distance(engine: Engine) -> None:
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
