"""Journals that begin late, end torn, are damaged, or belong to several shards."""

import shutil
from pathlib import Path

import pytest

from crossbook.matcher.journal.disk import FileDisk
from crossbook.research.journal import JournalSource
from crossbook.research.selection import ExportError, selection
from crossbook.research.sources import source_of
from crossbook.research.tables import L3, ORDERS, TRADES
from tests.matcher.recovery.test_verify import live
from tests.worlds.stored_exchange import StoredExchange, stored_exchange

EVERYTHING = selection()


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredExchange:
    """An exchange of some hundred commands."""
    return stored_exchange(tmp_path_factory.mktemp("data"), seed=3, batches=120)


@pytest.fixture
def copy(stored: StoredExchange, tmp_path: Path) -> Path:
    """A copy of its journal."""
    for path in stored.folder.glob("*.journal"):
        shutil.copy(path, tmp_path)
    return tmp_path


def test_a_torn_tail_ends_the_export_before_it(stored: StoredExchange, copy: Path) -> None:
    last = max(copy.glob("*.journal"))
    content = last.read_bytes()
    used = len(content.rstrip(b"\0"))
    last.write_bytes(content[: used - 3] + bytes(len(content) - used + 3))
    whole = list(JournalSource(stored.folder).rows(ORDERS, EVERYTHING))
    found = list(JournalSource(copy).rows(ORDERS, EVERYTHING))
    assert 0 < len(found) <= len(whole)
    assert [row[0] for row in found] == [row[0] for row in whole[: len(found)]]


@pytest.mark.parametrize("rows", [1, 7])
def test_orders_that_are_spooled_in_parts_are_the_same(
    stored: StoredExchange, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    whole = list(JournalSource(stored.folder).rows(ORDERS, EVERYTHING))
    monkeypatch.setattr("crossbook.research.journal.EVENTS_MAX", rows)
    assert list(JournalSource(stored.folder).rows(ORDERS, EVERYTHING)) == whole


def test_damage_is_named_and_nothing_is_exported(copy: Path) -> None:
    first = min(copy.glob("*.journal"))
    content = bytearray(first.read_bytes())
    content[len(content) // 3] ^= 1
    first.write_bytes(content)
    with pytest.raises(ExportError, match=f"{first.name} at byte"):
        JournalSource(copy)


def test_a_journal_without_its_beginning_has_trades_and_no_order_events(tmp_path: Path) -> None:
    disk = FileDisk(tmp_path)
    live(disk, batches=60, snapshots_at=(40,), keep_segments=False)
    disk.close()
    source = JournalSource(tmp_path)
    trades = list(source.rows(TRADES, EVERYTHING))
    assert trades
    entered = {row[0] for row in source.rows(ORDERS, EVERYTHING)}
    assert entered
    # An order from before is absent, and so are its later changes; its trades are there.
    assert {row[8] for row in trades} - entered
    with pytest.raises(ExportError, match="L3 events need the journal from its first record on"):
        list(source.rows(L3, EVERYTHING))


def test_further_shards_follow_the_first(stored: StoredExchange, copy: Path) -> None:
    shard = copy / "shard-1"
    shard.mkdir()
    for path in copy.glob("*.journal"):
        shutil.copy(path, shard)
    one = list(source_of(stored.folder, TRADES).rows(TRADES, EVERYTHING))
    assert list(source_of(copy, TRADES).rows(TRADES, EVERYTHING)) == one + one


def test_records_appended_during_an_export_are_not_read(tmp_path: Path) -> None:
    disk = FileDisk(tmp_path)
    live(disk, batches=20, snapshots_at=())
    source = JournalSource(tmp_path)
    before = list(source.rows(ORDERS, EVERYTHING))
    live(disk, batches=20, snapshots_at=())
    disk.close()
    assert list(source.rows(ORDERS, EVERYTHING)) == before
    assert len(list(JournalSource(tmp_path).rows(ORDERS, EVERYTHING))) > len(before)
