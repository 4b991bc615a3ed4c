"""Opening, refusing and never half writing; on both databases."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, inspect, select, update
from sqlalchemy.exc import IntegrityError

from common.errors import ConfigError
from common.types import MAX_INT
from recorder.database import described, open_database
from recorder.digest import Changes, OrderChange, OrderRow, Position
from recorder.replica import RecordBrokenError
from recorder.store import Store
from recorder.tables import METADATA, ORDERS, POSITION

AFTER = Position(7, 3, 30, 1, 0)
ROW = OrderRow(1, 5, 1, "me", 1, 1, 1, 100, 9, 0, 1, 0, 9, 0, 0, 10, 10, 1)


def changes(
    before: Position, after: Position, orders: list[OrderRow], changed: list[OrderChange]
) -> Changes:
    return Changes(before, after, orders, changed, [], [], [])


def orders(engine: Engine) -> list[tuple[object, ...]]:
    with engine.begin() as connection:
        return [tuple(row) for row in connection.execute(select(ORDERS))]


def test_a_new_database_gets_every_table_once(engine: Engine) -> None:
    assert set(METADATA.tables) <= set(inspect(engine).get_table_names())
    Store(engine).open()
    assert Store(engine).load([1]) == (Position(), {1: []})


def test_a_change_leaves_what_it_does_not_name(engine: Engine) -> None:
    store = Store(engine)
    store.write(changes(Position(), AFTER, [ROW], []))
    change = OrderChange(1, None, 8, 2, 3, 5, 600, 0, 20, 4)
    missing = OrderChange(99, 1, 1, 2, 3, 5, 600, 0, 20, 4)
    store.write(changes(AFTER, replace(AFTER, seq=4), [], [change, missing]))
    stored = (1, 5, 1, "me", 1, 1, 1, 100, 8, 0, 2, 3, 5, 600, 0, 10, 20, 4, 0, 0, 0, 0, 0, 1)
    assert orders(engine) == [stored]
    assert store.load([])[0] == replace(AFTER, seq=4)


def test_a_stored_notional_stops_at_the_largest_number(engine: Engine) -> None:
    store = Store(engine)
    store.write(changes(Position(), AFTER, [replace(ROW, filled_notional=MAX_INT - 5)], []))
    change = OrderChange(1, filled_notional=MAX_INT)
    store.write(changes(AFTER, replace(AFTER, seq=4), [], [change]))
    with engine.begin() as connection:
        assert connection.scalar(select(ORDERS.c.filled_notional)) == MAX_INT


def test_a_transaction_that_fails_leaves_nothing(engine: Engine) -> None:
    store = Store(engine)
    with pytest.raises(IntegrityError):
        store.write(changes(Position(), AFTER, [ROW, ROW], []))
    assert not orders(engine)
    assert store.load([])[0] == Position()


def test_a_second_recorder_is_noticed_before_it_writes(engine: Engine) -> None:
    first, second = Store(engine), Store(engine)
    first.write(changes(Position(), AFTER, [ROW], []))
    with pytest.raises(RecordBrokenError, match="another recorder"):
        second.write(changes(Position(), AFTER, [ROW], []))
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
    store.write(changes(Position(), AFTER, [ROW], []))
    store.open(rebuild=True)
    assert store.load([])[0] == Position()
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
def test_a_password_is_never_told(url: str) -> None:
    engine = open_database(url)
    assert described(engine) == "postgresql://host:5433/db"


def test_the_folder_of_a_sqlite_file_is_made(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/a/b/history.db")
    Store(engine).open()
    engine.dispose()
    assert (tmp_path / "a" / "b" / "history.db").exists()
