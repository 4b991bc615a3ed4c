"""Databases to record into: a SQLite file, and a real PostgreSQL server where there is one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from crossbook.recorder.database import open_database
from crossbook.recorder.store import Store
from tests.recorder import postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """One server for all tests; each empties the tables."""
    bin_folder = postgres.programs()
    if bin_folder is None:
        pytest.skip(postgres.MISSING)
    with postgres.running(bin_folder) as server:
        yield server


def emptied(url: str) -> Iterator[Engine]:
    """A database with the recorder's tables, empty."""
    engine = open_database(url)
    Store(engine).open(rebuild=True)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    """An empty SQLite file."""
    yield from emptied(f"sqlite:///{tmp_path}/history.db")


@pytest.fixture
def postgresql_engine(postgres_server: postgres.Server) -> Iterator[Engine]:
    """A real PostgreSQL server; skips where there is none."""
    yield from emptied(postgres_server.url)


@pytest.fixture(params=["sqlite_engine", "postgresql_engine"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each kind of database in turn."""
    found: Engine = request.getfixturevalue(request.param)
    return found
