"""Opening and describing the databases: SQLite and PostgreSQL.

The record can be rebuilt from the journal, so neither database waits for the disk: a power cut
loses whole transactions at the end, and the recorder continues from there.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from crossbook.common.errors import ConfigError
from crossbook.common.process.claim import Claim, Claimed, claim_beside
from crossbook.common.process.private import close_files, private_file, private_folder

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"

BUSY_S: Final = 2
"""Time that SQLite waits for another connection's lock."""

CONNECT_S: Final = 5

_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    # macOS only: a checkpoint waits for the drive too, as it does on other systems.
    "PRAGMA checkpoint_fullfsync=ON",
    "PRAGMA cache_size=-65536",
    "PRAGMA wal_autocheckpoint=8192",
    "PRAGMA journal_size_limit=67108864",
    "PRAGMA temp_store=MEMORY",
)


def open_database(url: str, *, read_only: bool = False, durable: bool = True) -> Engine:
    """An engine for `DATABASE_URL`, not yet connected; with `read_only` its SQLite file must exist
    and is never changed. A SQLite file that is not `durable` is never synced.

    Raises `ConfigError`, without the URL in it, because that may hold a password.
    """
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError):
        raise ConfigError(
            "DATABASE_URL: not a URL such as sqlite:///data/history.db or "
            "postgresql://USER:PASSWORD@HOST/DATABASE"
        ) from None
    if backend == SQLITE:
        return _sqlite_to_read(parsed) if read_only else _sqlite(parsed, durable)
    if backend in (POSTGRESQL, "postgres"):
        return _postgresql(parsed)
    raise ConfigError(f"DATABASE_URL: {backend} is not supported; sqlite and postgresql are")


def claim_database(engine: Engine) -> Claim | None:
    """Claim a SQLite file for this process, until the claim is closed or the process ends.

    A server needs no claim: a second writer moves the position, which stops the first one. Raises
    `ConfigError` where another process has the file.
    """
    if engine.dialect.name != SQLITE:
        return None
    path = Path(engine.url.database or "")
    try:
        return claim_beside(path)
    except Claimed as error:
        raise ConfigError(
            f"DATABASE_URL: {error}; end that recorder, or give this one another DATABASE_URL"
        ) from error
    except OSError as error:
        raise ConfigError(f"DATABASE_URL: {path}: {error.strerror}") from error


def described(engine: Engine) -> str:
    """The place of the database for logs, without user, password and options."""
    url = engine.url
    place = f"{url.host or ''}:{url.port}" if url.port else url.host or ""
    database = (url.database or "").removeprefix("file:")
    return f"{url.get_backend_name()}://{place}/{database}"


def reason_of(error: Exception) -> str:
    """A driver's error in one line, without statement and values."""
    origin = getattr(error, "orig", None) or error
    return " ".join(str(origin).split())


def _sqlite(url: URL, durable: bool) -> Engine:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise ConfigError("DATABASE_URL: SQLite needs the path of a file, sqlite:///PATH")
    try:
        private_folder(Path(url.database).parent)
        # SQLite gives the files it makes beside this one the mode of this one. An existing file is
        # not opened: to close it again would end SQLite's locks on it.
        if not os.path.lexists(url.database):
            os.close(private_file(url.database, os.O_RDWR))
        close_files(Path(url.database + end) for end in ("", "-wal", "-shm"))
    except OSError as error:
        raise ConfigError(f"DATABASE_URL: {url.database}: {error.strerror}") from error
    first = () if durable else ("PRAGMA synchronous=OFF",)
    return _whole_transactions(url.set(drivername=SQLITE), (*first, *_PRAGMAS, *first))


def _sqlite_to_read(url: URL) -> Engine:
    path = Path(url.database or "").absolute()
    if not path.is_file():
        raise ConfigError(f"DATABASE_URL: {path}: no such file")
    place = path.as_uri().replace("file://", "file:", 1)
    return _whole_transactions(
        url.set(drivername=SQLITE, database=place, query={"mode": "ro", "uri": "true"}), ()
    )


def _whole_transactions(url: URL, pragmas: Iterable[str]) -> Engine:
    """An engine of a SQLite file whose transactions begin with their first statement."""
    engine = create_engine(url, connect_args={"timeout": BUSY_S})

    # The driver begins a transaction at the first write only: two reads could see different
    # states.
    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: object) -> None:
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def _postgresql(url: URL) -> Engine:
    try:
        return create_engine(
            url.set(drivername="postgresql+psycopg"),
            paramstyle="format",
            isolation_level="REPEATABLE READ",
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": CONNECT_S,
                "options": "-c synchronous_commit=off",
                "application_name": "crossbook-recorder",
            },
        )
    except ImportError:
        raise ConfigError(
            "DATABASE_URL: PostgreSQL needs a driver: pip install 'crossbook[postgres]'"
        ) from None
