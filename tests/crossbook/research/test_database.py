"""Rows of a record on either kind of database, as of one moment, and unreadable records."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from crossbook.recorder.database import open_database
from crossbook.research import database
from crossbook.research.database import DatabaseSource
from crossbook.research.selection import ExportError, selection
from crossbook.research.sources import source_of
from crossbook.research.tables import CANDLES, FILLS, ORDERS, TRADES, Row
from tests.recorder import postgres
from tests.worlds.stored_exchange import StoredExchange, record, stored_exchange


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredExchange:
    """An exchange of some hundred commands."""
    return stored_exchange(tmp_path_factory.mktemp("data"), seed=3, batches=120)


@pytest.fixture(scope="module")
def on_postgresql(stored: StoredExchange) -> Iterator[str]:
    """The same record on a real server; skips where there is none."""
    bin_folder = postgres.programs()
    if bin_folder is None:
        pytest.skip(postgres.MISSING)
    with postgres.running(bin_folder) as server:
        record(server.url, stored.matcher)
        yield server.url


@pytest.mark.parametrize("table", [TRADES, CANDLES, ORDERS, FILLS], ids=lambda table: table.name)
def test_rows_on_a_server_are_those_of_a_file(
    stored: StoredExchange, on_postgresql: str, monkeypatch: pytest.MonkeyPatch, table: object
) -> None:
    """Also where a query needs several parts."""
    monkeypatch.setattr(database, "ROWS_AT_ONCE", 7)
    selected = selection(interval="1s")

    def rows_of(url: str) -> list[Row]:
        return list(DatabaseSource(url).rows(table, selected))  # type: ignore[arg-type]

    assert rows_of(on_postgresql) == rows_of(stored.database)


def test_an_export_is_of_one_moment(stored: StoredExchange) -> None:
    """Trades that are recorded while it is read are not in it."""
    rows = source_of(stored.database, TRADES).rows(TRADES, selection())
    first = next(rows)
    writer = open_database(stored.database)
    with writer.begin() as connection:
        total = connection.execute(text("SELECT count(*) FROM trades")).scalar()
        connection.execute(
            text(
                "INSERT INTO trades SELECT instrument, trade_id + 1000000, seq + 1000000, "
                "price_ticks, quantity_lots, aggressor_side, maker_order_id, taker_order_id, "
                "time_ns FROM trades"
            )
        )
    assert len([first, *rows]) == total
    with writer.begin() as connection:
        connection.execute(text("DELETE FROM trades WHERE trade_id > 1000000"))
    writer.dispose()


@pytest.fixture
def spoiled(stored: StoredExchange, tmp_path: Path) -> Callable[[str], str]:
    """Makes a copy of the record, spoiled by a statement; returns its URL."""

    def spoil(statement: str) -> str:
        url = f"sqlite:///{tmp_path}/copy.db"
        record(url, stored.matcher)
        engine = open_database(url)
        with engine.begin() as connection:
            connection.execute(text(statement))
        engine.dispose()
        return url

    return spoil


def test_a_record_of_another_version_is_refused(spoiled: Callable[[str], str]) -> None:
    url = spoiled("UPDATE position SET schema_version = 3")
    with pytest.raises(ExportError, match="of version 3, and this program reads version 6"):
        DatabaseSource(url)


def test_a_database_that_fails_while_it_is_read_is_named(spoiled: Callable[[str], str]) -> None:
    source = DatabaseSource(spoiled("ALTER TABLE trades DROP COLUMN maker_order_id"))
    with pytest.raises(ExportError, match=r"sqlite:///.*copy\.db: no such column"):
        list(source.rows(TRADES, selection()))


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    url = "postgresql://me:secret@127.0.0.1:1/db"
    with pytest.raises(ExportError, match=r"postgresql://127\.0\.0\.1:1/db: ") as caught:
        DatabaseSource(url)
    assert "secret" not in str(caught.value)
