"""A copy of a matcher's files is whole, though the originals change while it is made."""

from pathlib import Path

import pytest

from crossbook.matcher.journal.disk import FileDisk
from crossbook.matcher.journal.journal import JournalDamaged
from crossbook.matcher.recovery.backup import ATTEMPTS, back_up, main
from crossbook.matcher.recovery.snapshot_store import snapshot_name
from crossbook.matcher.recovery.verify import verify
from tests.matcher.recovery.test_verify import live
from tests.simulation.fake_disk import FakeDisk
from tests.worlds.journals import fill, open_journal, records_of


class LiveDisk(FakeDisk):
    """A disk on which something happens at the first reads of some files."""

    def __init__(self) -> None:
        super().__init__()
        self.happens: list[tuple[str, object]] = []

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """The content of the file, after the changes that its first read triggers."""
        for ending, happen in list(self.happens):
            if name.endswith(ending) and callable(happen):
                self.happens.remove((ending, happen))
                happen()
                break
        return super().read(name, offset, length)


def test_the_copy_verifies_and_leads_to_the_same_state() -> None:
    source, target = FakeDisk(), FakeDisk()
    state = live(source)
    original = verify(source)
    copied = back_up(source, target)
    assert (copied.first_seq, copied.last_seq) == (original.first_seq, original.last_seq)
    assert copied.snapshots == original.snapshots == [210, 410]
    verdict = verify(target)
    assert (verdict.problem, verdict.state_hash) == ("", state)
    assert target.names() == source.names()


def test_records_appended_meanwhile_are_left_out_whole() -> None:
    source, target = LiveDisk(), FakeDisk()
    journal = open_journal(source)
    before = fill(journal, 50)
    journal_file = journal.segment_names[-1]
    source.happens = [(journal_file, lambda: None), (journal_file, lambda: fill(journal, 80))]
    copied = back_up(source, target)
    assert journal.last_seq == 130
    assert copied.last_seq == 50
    assert records_of(open_journal(target, read_only=True)) == before


def test_a_torn_tail_is_no_part_of_the_copy() -> None:
    source, target = FakeDisk(), FakeDisk()
    journal = open_journal(source)
    fill(journal, 5)
    name, used, _ = journal.extents()[-1]
    source.write(name, used, b"half")
    back_up(source, target)
    found = open_journal(target, read_only=True)
    assert (found.last_seq, found.cut_bytes) == (5, 0)


def test_a_snapshot_of_later_numbers_than_the_journals_is_left_out() -> None:
    source, target = FakeDisk(), FakeDisk()
    live(source)
    last_seq = verify(source).last_seq
    source.put(snapshot_name(last_seq + 1), b"taken after the journal was read")
    assert back_up(source, target).snapshots == [210, 410]


@pytest.mark.parametrize("gone", [".journal", ".snapshot"])
def test_the_copy_is_begun_anew_when_files_go_meanwhile(gone: str) -> None:
    source, target = LiveDisk(), FakeDisk()
    live(source, keep_segments=False)

    def prune() -> None:
        open_journal(source).drop_before(411)
        source.delete(snapshot_name(210))

    source.happens = [(gone, prune)]
    if gone == ".journal":
        # The directory was listed before; its first file is not read again.
        source.happens = [(source.names()[0], prune)]
    copied = back_up(source, target)
    assert copied.snapshots == [410]
    assert target.names() == source.names(), "nothing of the first attempt is left"
    assert verify(target).problem == ""


def test_a_journal_whose_first_snapshot_is_missing_is_not_copied() -> None:
    source, target = FakeDisk(), FakeDisk()
    live(source, keep_segments=False)
    for name in source.names():
        if name.endswith(".snapshot"):
            source.delete(name)
    with pytest.raises(FileNotFoundError, match="snapshot before the journal"):
        back_up(source, target)


def test_damage_is_reported_and_not_copied() -> None:
    source, target = FakeDisk(), FakeDisk()
    journal = open_journal(source)
    fill(journal, 200)
    first = journal.segment_names[0]
    data = bytearray(source.read(first))
    data[200] ^= 1
    source.put(first, bytes(data))
    with pytest.raises(JournalDamaged):
        back_up(source, target)


def test_a_backup_gives_up_after_some_attempts() -> None:
    source, target = LiveDisk(), FakeDisk()
    live(source)
    tries = []

    def vanish() -> None:
        tries.append(1)
        source.happens = [(".snapshot", vanish)]
        raise FileNotFoundError

    source.happens = [(".snapshot", vanish)]
    with pytest.raises(FileNotFoundError):
        back_up(source, target)
    assert len(tries) == ATTEMPTS


def test_the_program_copies_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    disk = FileDisk(folder)
    live(disk)
    disk.close()
    assert main([str(folder), str(folder.parent / "copy")]) == 0
    assert '"last_seq":600' in capsys.readouterr().out
    assert verify(FileDisk(folder.parent / "copy", read_only=True)).problem == ""
    assert main([str(folder.parent / "none"), str(folder.parent / "other")]) == 2
    assert "none: No such file" in capsys.readouterr().err
