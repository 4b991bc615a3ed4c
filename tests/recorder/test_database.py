"""Settings of opened databases, and the damage that a loss of power may do to the files of
SQLite."""

from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from sqlalchemy import Engine, inspect, text

from crossbook.recorder.database import open_database
from crossbook.recorder.store import position_of
from tests.recorder.matcher import RecordedMatcher
from tests.recorder.naive import tables_expected, tables_of
from tests.recorder.test_record import Recorder
from tests.simulation.fake_disk import survivors

NORMAL: Final = 1
OFF: Final = 0
"""Value of `PRAGMA synchronous`: the log is synced before it is copied into the database, and not
at every write."""

TRANSACTIONS: Final = 30
CUTS: Final = 60


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", NORMAL),
        ("cache_size", -65536),
        ("wal_autocheckpoint", 8192),
        ("journal_size_limit", 64 * 1024 * 1024),
        ("temp_store", 2),
    ],
)
def test_every_connection_to_sqlite_has_its_settings(
    sqlite_engine: Engine, pragma: str, value: object
) -> None:
    for _ in range(2):
        with sqlite_engine.connect() as one, sqlite_engine.connect() as other:
            for connection in (one, other):
                assert connection.execute(text(f"PRAGMA {pragma}")).scalar() == value


def test_a_database_that_is_not_durable_is_never_synced(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/history.db", durable=False)
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar() == OFF
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    engine.dispose()


def test_postgresql_does_not_wait_for_its_disk_and_reads_one_state(
    postgresql_engine: Engine,
) -> None:
    with postgresql_engine.connect() as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar() == "off"
        assert connection.execute(text("SHOW transaction_isolation")).scalar() == "repeatable read"


def test_two_reads_of_one_transaction_return_one_state(engine: Engine) -> None:
    with engine.begin() as reading:
        before = reading.execute(text("SELECT seq FROM position")).scalar()
        with engine.begin() as writing:
            writing.execute(text("UPDATE position SET seq = 77"))
        assert reading.execute(text("SELECT seq FROM position")).scalar() == before == 0
    with engine.begin() as again:
        assert again.execute(text("SELECT seq FROM position")).scalar() == 77


def test_a_power_cut_takes_whole_transactions_and_the_record_goes_on(tmp_path: Path) -> None:
    """The log of SQLite is cut or torn anywhere behind its last sync."""
    matcher, chance = RecordedMatcher(4), Random(4)
    engine = open_database(f"sqlite:///{tmp_path}/history.db")
    recorder = Recorder(engine, matcher, chance)
    recorded: dict[int, Any] = {0: tables_of(engine)}
    for _ in range(TRANSACTIONS):
        matcher.apply(8)
        recorder.settle()
        recorded[matcher.seq] = tables_of(engine)
    database = (tmp_path / "history.db").read_bytes()
    log = (tmp_path / "history.db-wal").read_bytes()
    engine.dispose()
    found = set()
    for cut in range(CUTS):
        rng = Random(cut)
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / "history.db").write_bytes(database)
        (folder / "history.db-wal").write_bytes(left_of(log, rng))
        engine = open_database(f"sqlite:///{folder}/history.db")
        with engine.begin() as connection:
            assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
            seq = position_of(connection).seq if inspect(engine).has_table("position") else 0
        again = Recorder(engine, matcher, rng)
        found.add(seq)
        assert tables_of(engine) == recorded[seq], f"cut {cut}"
        again.settle()
        assert tables_of(engine) == tables_expected(matcher.record), f"cut {cut}"
        engine.dispose()
    assert len(found) > 10


def left_of(log: bytes, rng: Random) -> bytes:
    """One possible content of a log of which only the first part was synced."""
    synced = rng.randrange(len(log))
    content = bytearray(log[:synced])
    for start, piece in survivors(rng, synced, log[synced:]):
        content.extend(bytes(max(0, start - len(content))))
        content[start : start + len(piece)] = piece
    return bytes(content)
