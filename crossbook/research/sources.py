"""The places an export reads: a recorder's database, or a journal's folder."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Protocol, TypeAlias

from crossbook.common.instruments import Instrument
from crossbook.common.process.config import Settings, load_settings
from crossbook.research.database import DatabaseSource
from crossbook.research.journal import JournalSource
from crossbook.research.selection import ExportError, Selection
from crossbook.research.tables import L3, Row, Table


class Source(Protocol):
    """A store of one shard."""

    name: str

    def instruments(self) -> list[Instrument]:
        """Every instrument that has rows there."""

    def rows(self, table: Table, selected: Selection) -> Iterator[Row]:
        """The selected rows of a table, in its order. They stream: memory does not grow with
        their number."""


class HasDataDir(Protocol):
    """An exchange that names its folder, such as one of `crossbook.testing`."""

    @property
    def data_dir(self) -> Path:
        """Its `DATA_DIR`."""


Place: TypeAlias = str | Path | HasDataDir | None
"""A database's URL, a journal's folder, an exchange that names its `data_dir`, or None for the
settings of the environment and `.env`."""


class Sources:
    """Several shards as one source: the rows of one shard after those of the other."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self.name = ", ".join(each.name for each in sources)

    def instruments(self) -> list[Instrument]:
        """The instruments of every shard."""
        return [each for source in self._sources for each in source.instruments()]

    def rows(self, table: Table, selected: Selection) -> Iterator[Row]:
        """The selected rows; raises `ExportError` at once for a symbol that no shard has."""
        selected.check_symbols(self.instruments())
        return chain.from_iterable(source.rows(table, selected) for source in self._sources)


def source_of(place: Place, table: Table) -> Source:
    """The source of a table's rows.

    A folder is a journal, with those of further shards inside it. Without a place, L3 events come
    from the journal of the settings, and the other tables from their database. Raises
    `ExportError` and `ConfigError`.
    """
    if place is None:
        shards = load_settings("client").each_shard()
        return Sources([_of_settings(each, table) for each in shards])
    if isinstance(place, str) and "://" in place:
        return Sources([_database(place)])
    if not isinstance(place, str | Path):
        place = place.data_dir
    return Sources([JournalSource(each) for each in journal_folders(Path(place))])


def journal_folders(folder: Path) -> list[Path]:
    """A data directory and those of further shards in it."""
    shards = sorted(folder.glob("shard-*"), key=lambda path: int(path.name[6:] or 0))
    return [folder, *shards]


def _of_settings(settings: Settings, table: Table) -> Source:
    return JournalSource(settings.data_dir) if table is L3 else _database(settings.database())


def _database(url: str) -> Source:
    scheme = url.partition("://")[0]
    if scheme in ("http", "https"):
        raise ExportError(
            "an exchange's address gives no table: name its database "
            "(sqlite:///DATA_DIR/history.db) or its DATA_DIR",
            "database",
        )
    return DatabaseSource(url)
