"""A record on both databases is opened, refused, and never half written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import astuple, replace
from sqlalchemy import Connection, Engine, inspect, select, text, update
from sqlalchemy.exc import IntegrityError

from crossbook.common.errors import ConfigError
from crossbook.common.instruments import example
from crossbook.common.messages.history_queries import (
    AmendmentRecords,
    AmendmentsQuestion,
    Candle,
    CandleRecords,
    CandlesQuestion,
    OrderRecords,
    OrdersQuestion,
)
from crossbook.common.types import MAX_INT
from crossbook.recorder.database import claim_database, described, open_database
from crossbook.recorder.digest import Changes, OrderRow, OrderUpdate, RecordPosition, ReductionRow
from crossbook.recorder.questions import HistoryReader
from crossbook.recorder.replica import RecordBrokenError
from crossbook.recorder.store import Store, latest_candles
from crossbook.recorder.sums import BOUGHT
from crossbook.recorder.tables import (
    AMENDMENTS,
    CANDLES,
    INSTRUMENTS,
    METADATA,
    ORDERS,
    POSITION,
    SCHEMA_VERSION,
)

AFTER = RecordPosition(incarnation=7, seq=3, time_ns=30, first_seq=1, last_fill_id=0)
ROW = OrderRow(
    order_id=1,
    account=5,
    instrument=1,
    client_order_id="me",
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


def changes(
    before: RecordPosition,
    after: RecordPosition,
    orders: list[OrderRow],
    changed: list[OrderUpdate],
) -> Changes:
    return Changes(
        before=before, after=after, orders=orders, changed=changed, trades=[], fills=[], candles=[]
    )


def orders(engine: Engine) -> list[tuple[object, ...]]:
    with engine.begin() as connection:
        return [tuple(row) for row in connection.execute(select(ORDERS))]


def test_in_a_new_database_every_table_is_made_once(engine: Engine) -> None:
    assert set(METADATA.tables) <= set(inspect(engine).get_table_names())
    Store(engine).open()
    assert Store(engine).load([1]) == (RecordPosition(), {1: []})


def test_a_change_leaves_the_columns_it_does_not_name(engine: Engine) -> None:
    store = Store(engine)
    store.write(changes(RecordPosition(), AFTER, [ROW], []))
    change = OrderUpdate(
        order_id=1,
        price_ticks=None,
        quantity_lots=8,
        status=2,
        filled_lots=3,
        remaining_lots=5,
        filled_notional=600,
        reason=0,
        updated_ns=20,
        updated_seq=4,
    )
    missing = OrderUpdate(
        order_id=99,
        price_ticks=1,
        quantity_lots=1,
        status=2,
        filled_lots=3,
        remaining_lots=5,
        filled_notional=600,
        reason=0,
        updated_ns=20,
        updated_seq=4,
    )
    store.write(changes(AFTER, replace(AFTER, seq=4), [], [change, missing]))
    stored = (1, 5, 1, "me", 1, 1, 1, 100, 8, 0, 2, 3, 5, 600, 0, 10, 20, 4, 0, 0, 0, 0, 0, 1, 0)
    assert orders(engine) == [stored]
    assert store.load([])[0] == replace(AFTER, seq=4)


EDGES = (1, 10**18 - 1, 10**18, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 1, 2**64, 10**36 + 1)


@pytest.mark.parametrize("first", EDGES)
@pytest.mark.parametrize("added", EDGES)
def test_a_stored_notional_is_exact_however_large(
    sqlite_engine: Engine, first: int, added: int
) -> None:
    notional_survives(sqlite_engine, first, added)


def test_a_stored_notional_is_exact_on_either_database(engine: Engine) -> None:
    notional_survives(engine, 2**63 - 1, 10**18 - 1)


def notional_survives(engine: Engine, first: int, added: int) -> None:
    """Store a value and add another, twice; assert that their sum comes back."""
    store, reader = Store(engine), HistoryReader(engine)
    store.write(changes(RecordPosition(), AFTER, [replace(ROW, filled_notional=first)], []))
    for seq, expected in ((4, first + added), (5, first + 2 * added)):
        change = OrderUpdate(1, filled_notional=added)
        before, after = replace(AFTER, seq=seq - 1), replace(AFTER, seq=seq)
        store.write(changes(before, after, [], [change]))
        answer = reader.answer(OrdersQuestion(request_id=1, min_seq=seq, account=ROW.account))
        assert isinstance(answer, OrderRecords)
        assert [order.filled_notional for order in answer.orders] == [expected]


@pytest.mark.parametrize("lots", EDGES)
def test_a_stored_candle_is_exact_however_large(engine: Engine, lots: int) -> None:
    candle = Candle(
        interval_s=60,
        open_ns=120,
        open_ticks=5,
        high_ticks=9,
        low_ticks=4,
        close_ticks=6,
        volume_lots=lots,
        quote_volume=lots + 1,
        trades=3,
        first_trade_id=7,
        last_trade_id=9,
        seq=3,
        taker_buy_lots=max(0, lots - 1),
        taker_buy_quote_volume=lots,
    )
    store = Store(engine)
    found = Changes(
        before=RecordPosition(),
        after=AFTER,
        orders=[],
        changed=[],
        trades=[],
        fills=[],
        candles=[(1, candle)],
    )
    store.write(found)
    assert store.latest(1) == [candle]
    answer = HistoryReader(engine).answer(
        CandlesQuestion(request_id=1, min_seq=3, instrument=1, interval_s=60)
    )
    assert isinstance(answer, CandleRecords)
    assert answer.candles == [candle]


def without_bought(connection: Connection) -> None:
    """Make candles those of version 4."""
    for column in BOUGHT:
        connection.execute(text(f"ALTER TABLE candles DROP COLUMN {column}"))


def test_candles_without_what_takers_bought_are_read_and_go_on(engine: Engine) -> None:
    earlier = Candle(60, 120, 5, 9, 4, 6, 10, 50, 3, 7, 9, 3)
    later = replace(earlier, open_ns=180, taker_buy_lots=4, taker_buy_quote_volume=20)
    found = changes(RecordPosition(), AFTER, [], [])
    Store(engine).write(replace(found, candles=[(1, earlier)]))
    with engine.begin() as connection:
        without_bought(connection)
        AMENDMENTS.drop(connection)
        connection.execute(update(POSITION).values(schema_version=4))
    store = Store(engine)
    store.open()
    assert store.latest(1) == [earlier]
    after = replace(AFTER, seq=AFTER.seq + 1)
    store.write(replace(found, before=AFTER, after=after, candles=[(1, later)]))
    assert store.latest(1) == [later]
    with engine.begin() as connection:
        assert connection.scalar(select(POSITION.c.schema_version)) == SCHEMA_VERSION


def test_tables_without_amendments_receive_them_and_keep_their_candles(engine: Engine) -> None:
    found = changes(RecordPosition(), AFTER, [ROW], [])
    candle = Candle(60, 120, 5, 9, 4, 6, 10, 50, 3, 7, 9, 3, 4, 20)
    Store(engine).write(replace(found, candles=[(1, candle)]))
    with engine.begin() as connection:
        AMENDMENTS.drop(connection)
        connection.execute(update(POSITION).values(schema_version=5))
    store = Store(engine)
    store.open()
    assert store.latest(1) == [candle]
    after = replace(AFTER, seq=AFTER.seq + 1)
    made = [
        ReductionRow(1, 4, None, 7, 40),
        ReductionRow(1, 5, 7, 6, 50),
        ReductionRow(1, 6, 6, 6, 60),
        ReductionRow(2, 7, None, 1, 70),
    ]
    change = OrderUpdate(1, quantity_lots=6)
    store.write(
        replace(found, before=AFTER, after=after, orders=[], changed=[change], amendments=made)
    )
    question = AmendmentsQuestion(1, 0, ROW.account, 1)
    answer = HistoryReader(engine).answer(question)
    assert isinstance(answer, AmendmentRecords)
    assert [astuple(each) for each in answer.amendments] == [(1, 4, 9, 7, 40), (1, 5, 7, 6, 50)]
    other = HistoryReader(engine).answer(replace(question, account=ROW.account + 1))
    assert isinstance(other, AmendmentRecords)
    assert other.amendments == []


def old_tables(engine: Engine, notional: int) -> None:
    """Tables of version 2 with one order and one candle."""
    with engine.begin() as connection:
        METADATA.drop_all(connection)
        METADATA.create_all(connection)
        INSTRUMENTS.drop(connection)
        AMENDMENTS.drop(connection)
        connection.execute(
            POSITION.insert().values({**dict.fromkeys(POSITION.columns.keys(), 0), "id": 1})
        )
        connection.execute(update(POSITION).values(schema_version=2))
        row = dict(zip(ORDERS.columns.keys(), (*astuple(ROW), 0), strict=True))
        connection.execute(ORDERS.insert().values({**row, "filled_notional": notional}))
        candle = dict.fromkeys(CANDLES.columns.keys(), 1)
        connection.execute(CANDLES.insert().values({**candle, "quote_volume": notional}))
        for table, column in (
            ("orders", "filled_notional_high"),
            ("candles", "volume_high"),
            ("candles", "quote_volume_high"),
            *(("candles", column) for column in BOUGHT),
        ):
            connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))


@pytest.mark.parametrize("notional", [0, 10**18 - 1, 10**18, 5 * 10**18 + 3, 2**63 - 2])
def test_tables_with_one_column_a_sum_are_brought_forward(engine: Engine, notional: int) -> None:
    old_tables(engine, notional)
    store = Store(engine)
    store.open()
    Store(engine).open()
    with engine.begin() as connection:
        assert connection.scalar(select(POSITION.c.schema_version)) == SCHEMA_VERSION
        low, high = connection.execute(
            select(ORDERS.c.filled_notional, ORDERS.c.filled_notional_high)
        ).one()
        assert (low, high) == (notional % 10**18, notional // 10**18)
        assert latest_candles(connection, 1)[0].quote_volume == notional


def test_tables_without_instruments_receive_them_with_the_next_transaction(engine: Engine) -> None:
    with engine.begin() as connection:
        INSTRUMENTS.drop(connection)
        without_bought(connection)
        connection.execute(update(POSITION).values(schema_version=3))
    store = Store(engine)
    store.open()
    found = changes(RecordPosition(), AFTER, [ROW], [])
    for each in (found, replace(found, before=AFTER, orders=[])):
        store.write(replace(each, instruments=[example()]))
    with engine.begin() as connection:
        assert connection.execute(select(INSTRUMENTS)).all() == [
            (1, "BTC-USDT", "BTC", "USDT", "0.01", "0.00001", 8, 8)
        ]
        assert connection.scalar(select(POSITION.c.schema_version)) == SCHEMA_VERSION


def test_tables_that_hold_a_cut_sum_are_refused_with_the_remedy(engine: Engine) -> None:
    old_tables(engine, MAX_INT)
    with pytest.raises(
        ConfigError, match=r"orders\.filled_notional .* cut off at 2\^63-1.*--rebuild"
    ):
        Store(engine).open()
    with engine.begin() as connection:
        assert connection.scalar(select(POSITION.c.schema_version)) == 2


def test_a_failed_transaction_leaves_nothing(engine: Engine) -> None:
    store = Store(engine)
    with pytest.raises(IntegrityError):
        store.write(changes(RecordPosition(), AFTER, [ROW, ROW], []))
    assert not orders(engine)
    assert store.load([])[0] == RecordPosition()


def test_a_second_recorder_is_noticed_before_it_writes(engine: Engine) -> None:
    first, second = Store(engine), Store(engine)
    first.write(changes(RecordPosition(), AFTER, [ROW], []))
    with pytest.raises(RecordBrokenError, match="another recorder"):
        second.write(changes(RecordPosition(), AFTER, [ROW], []))
    assert len(orders(engine)) == 1


def test_tables_of_another_version_are_refused_with_the_remedy(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(POSITION).values(schema_version=99))
    with pytest.raises(ConfigError, match=r"version 99.*--rebuild"):
        Store(engine).open()
    Store(engine).open(rebuild=True)
    Store(engine).open()


def test_rebuilding_empties_the_tables(engine: Engine) -> None:
    store = Store(engine)
    store.write(changes(RecordPosition(), AFTER, [ROW], []))
    store.open(rebuild=True)
    assert store.load([])[0] == RecordPosition()
    assert not orders(engine)


@pytest.mark.parametrize(
    "url",
    [
        "nonsense secret",
        "mysql://me:secret@host/db",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql+nosuchdriver//me:secret",
        "",
    ],
)
def test_a_wrong_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match="DATABASE_URL") as caught:
        open_database(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret@host:5433/db",
        "postgresql+psycopg://me:secret@host:5433/db?password=secret",
        "postgres://me:secret@host:5433/db",
    ],
)
def test_a_password_is_never_printed(url: str) -> None:
    engine = open_database(url)
    assert described(engine) == "postgresql://host:5433/db"


def test_the_folder_of_a_sqlite_file_is_made(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/a/b/history.db")
    Store(engine).open()
    engine.dispose()
    assert (tmp_path / "a" / "b" / "history.db").exists()


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_a_sqlite_file_and_those_beside_it_are_the_owners_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        engine = open_database(f"sqlite:///{tmp_path}/made/history.db")
        Store(engine).open()
        names = ("history.db", "history.db-wal", "history.db-shm")
        modes = [(tmp_path / "made" / name).stat().st_mode & 0o777 for name in (".", *names)]
        assert modes == [0o700, 0o600, 0o600, 0o600]
        for name in names:
            (tmp_path / "made" / name).chmod(0o644)
        open_database(f"sqlite:///{tmp_path}/made/history.db").dispose()
        assert {(tmp_path / "made" / name).stat().st_mode & 0o777 for name in names} == {0o600}
        engine.dispose()
    finally:
        os.umask(before)


def test_a_sqlite_file_has_one_recorder_at_a_time(tmp_path: Path) -> None:
    source = """
import sys
from crossbook.recorder.database import claim_database, open_database
claim_database(open_database(sys.argv[1]))
print("has it", flush=True)
sys.stdin.read()
"""
    url = f"sqlite:///{tmp_path}/history.db"
    command = [sys.executable, "-c", source, url]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "has it\n"
        with pytest.raises(ConfigError, match=rf"DATABASE_URL: .*in use by process {first.pid}"):
            claim_database(open_database(url))
        first.kill()
        first.wait(30)
    claim_database(open_database(url))


@pytest.mark.parametrize(
    "there",
    [
        RecordPosition(incarnation=8, seq=3, time_ns=30, first_seq=1, last_fill_id=0),
        RecordPosition(incarnation=7, seq=2, time_ns=30, first_seq=1, last_fill_id=0),
        RecordPosition(incarnation=7, seq=4, time_ns=30, first_seq=1, last_fill_id=0),
    ],
)
def test_a_record_at_another_incarnation_or_number_is_not_written_on(
    sqlite_engine: Engine, there: RecordPosition
) -> None:
    store = Store(sqlite_engine)
    store.write(changes(RecordPosition(), there, [], []))
    with pytest.raises(RecordBrokenError, match="another recorder"):
        store.write(changes(AFTER, replace(AFTER, seq=9), [ROW], []))
    assert not orders(sqlite_engine)
    assert store.load([])[0] == there
    store.write(changes(there, replace(there, seq=9), [ROW], []))
    assert len(orders(sqlite_engine)) == 1
