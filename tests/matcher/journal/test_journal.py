"""The journal: appended records come back, over restarts, rotations and configurations."""

import errno
import os
import signal
import subprocess
import sys
from itertools import takewhile
from pathlib import Path
from random import Random

import psutil
import pytest

from crossbook.matcher.journal.disk import FileDisk
from crossbook.matcher.journal.journal import (
    FIRST_SEGMENT_BYTES,
    READ_BYTES,
    Journal,
    JournalDamaged,
    JournalFailed,
    SyncPolicy,
)
from crossbook.matcher.journal.record import Record
from crossbook.matcher.journal.segment import segment_name
from tests.simulation.fake_disk import Died, FakeDisk
from tests.worlds.journals import (
    CONFIGURATION,
    INCARNATION,
    SEGMENT_BYTES,
    fill,
    open_journal,
    record,
    records_of,
)


def test_an_empty_disk_begins_a_incarnation_and_writes_nothing() -> None:
    disk = FakeDisk()
    journal = open_journal(disk)
    assert (journal.incarnation, journal.first_seq, journal.last_seq) == (INCARNATION, 1, 0)
    assert journal.last_time_ns == 0
    assert records_of(journal) == []
    journal.sync()
    journal.close()
    assert disk.names() == []


def test_appended_records_come_back_after_a_restart() -> None:
    disk = FakeDisk()
    written = fill(open_journal(disk), 5, count=3)
    journal = open_journal(disk, incarnation=INCARNATION + 1)
    assert records_of(journal) == written
    assert (journal.incarnation, journal.first_seq, journal.last_seq) == (INCARNATION, 1, 15)
    assert journal.last_time_ns == written[-1].time_ns
    assert journal.cut_bytes == 0
    written += fill(journal, 5)
    assert records_of(open_journal(disk)) == written


def test_reading_begins_with_the_record_that_holds_the_number() -> None:
    journal = open_journal(FakeDisk())
    written = fill(journal, 300, count=3)
    assert len(journal.segment_names) > 5
    for seq in range(1, journal.last_seq + 2):
        assert next(journal.read(seq), (None, None))[1] == next(
            (one for one in written if one.last_seq >= seq), None
        )
    assert records_of(journal, 448) == written[149:]


def test_reading_goes_on_to_records_appended_meanwhile() -> None:
    journal = open_journal(FakeDisk())
    written = fill(journal, 3)
    reading = journal.read(1)
    found = [next(reading)[1] for _ in range(3)]
    written += fill(journal, 200)
    assert found + [one for _, one in reading] == written
    assert records_of(journal, journal.last_seq + 1) == []


def test_a_tail_goes_on_with_records_appended_after_its_end() -> None:
    journal = open_journal(FakeDisk())
    tail = journal.tail(3)
    assert [next(tail), next(tail)] == [None, None]
    written = fill(journal, 150)
    found = [one[1] for one in takewhile(bool, tail) if one]
    assert found == written[2:]
    assert next(tail) is None
    written += fill(journal, 1)
    assert [one and one[1] for one in (next(tail), next(tail))] == [written[-1], None]


def test_records_larger_than_a_read_and_than_a_segment_come_back() -> None:
    disk = FakeDisk()
    journal = open_journal(disk)
    written = fill(journal, 2) + fill(journal, 2, size=READ_BYTES * 3) + fill(journal, 2)
    assert records_of(journal) == written
    assert records_of(open_journal(disk)) == written
    assert records_of(journal, 4) == written[3:]


def test_a_segment_is_full_before_the_next_begins() -> None:
    disk = FakeDisk()
    journal = open_journal(disk)
    fill(journal, 200)
    for name in journal.segment_names[:-1]:
        content = disk.read(name)
        assert len(content) == SEGMENT_BYTES
        assert len(content) - len(content.rstrip(b"\0")) < 150
    assert journal.segment_names == disk.names()
    assert disk.names()[0] == segment_name(1)


def test_the_first_segment_of_a_journal_is_small_and_every_later_one_whole() -> None:
    whole = 2 * FIRST_SEGMENT_BYTES
    disk = FakeDisk()
    journal = open_journal(disk, segment_bytes=whole)
    journal.append(record(1))
    journal.append(record(2, size=FIRST_SEGMENT_BYTES))
    # Opened again, it has a first segment already.
    journal = open_journal(disk, segment_bytes=whole)
    journal.append(record(3, size=whole - FIRST_SEGMENT_BYTES))
    sizes = [len(disk.read(name)) for name in journal.segment_names]
    assert sizes == [FIRST_SEGMENT_BYTES, whole, whole]


def test_a_record_that_fits_to_the_byte_is_in_the_segment() -> None:
    disk = FakeDisk()
    fill(open_journal(disk), 5)
    used = len(disk.read(segment_name(1)).rstrip(b"\0"))
    for segment_bytes, first_of_second in ((used, 6), (used - 1, 5)):
        disk = FakeDisk()
        journal = open_journal(disk, segment_bytes=segment_bytes)
        written = fill(journal, 6)
        assert disk.names()[:2] == [segment_name(1), segment_name(first_of_second)]
        assert records_of(open_journal(disk)) == written


def test_another_configuration_begins_a_segment_at_the_next_append() -> None:
    disk = FakeDisk()
    fill(open_journal(disk), 3)
    journal = open_journal(disk, configuration=b"other")
    assert len(disk.names()) == 1
    fill(journal, 2)
    assert disk.names() == [segment_name(1), segment_name(4)]
    found = [header.configuration for header, _ in open_journal(disk).read(1)]
    assert found == [CONFIGURATION] * 3 + [b"other"] * 2


@pytest.mark.parametrize("configuration", [CONFIGURATION, b"another one, and a longer one"])
def test_a_segment_begun_for_a_record_that_never_came_is_used_or_replaced(
    configuration: bytes,
) -> None:
    disk = FakeDisk()
    journal = open_journal(disk)
    written = fill(journal, 2)
    # The record needs a segment of its own; the power goes when that has been made.
    disk.die_in(1, Random(0))
    with pytest.raises(Died):
        journal.append(record(3, size=SEGMENT_BYTES))
    disk.crash(Random(2))
    assert disk.names() == [segment_name(1), segment_name(3)]
    journal = open_journal(disk, configuration=configuration)
    assert (journal.last_seq, records_of(journal)) == (2, written)
    assert journal.last_time_ns == written[-1].time_ns
    written += fill(journal, 3)
    assert records_of(open_journal(disk)) == written
    assert disk.names() == [segment_name(1), segment_name(3)]


def test_dropping_keeps_every_segment_that_holds_a_wanted_number() -> None:
    disk = FakeDisk()
    journal = open_journal(disk)
    written = fill(journal, 200, count=2)
    starts = [int(name.partition(".")[0]) for name in journal.segment_names]
    assert journal.drop_before(starts[1] - 1) == []
    assert journal.drop_before(starts[2]) == [segment_name(start) for start in starts[:2]]
    assert journal.first_seq == starts[2]
    assert records_of(journal) == [one for one in written if one.first_seq >= starts[2]]
    again = open_journal(disk)
    assert (again.first_seq, again.last_seq) == (starts[2], 400)
    again.drop_before(10_000)
    assert again.first_seq == starts[-1]
    fill(again, 100)


def test_a_record_that_does_not_follow_ends_the_journal() -> None:
    journal = open_journal(FakeDisk())
    written = fill(journal, 1)
    with pytest.raises(JournalFailed, match="record 3 does not follow"):
        journal.append(record(3))
    with pytest.raises(JournalFailed, match="failed before"):
        journal.append(record(2))
    assert records_of(journal) == written


@pytest.mark.parametrize("sync", ["batch", "interval", "never"])
def test_sync_makes_durable_under_every_policy_and_batch_needs_none(sync: SyncPolicy) -> None:
    for seed in range(30):
        disk = FakeDisk()
        journal = open_journal(disk, sync=sync)
        written = fill(journal, 150)
        if sync != "batch":
            journal.sync()
        disk.crash(Random(seed))
        assert records_of(open_journal(disk)) == written


@pytest.mark.parametrize("sync", ["batch", "interval", "never"])
def test_durable_records_are_not_synced_again(sync: SyncPolicy) -> None:
    disk = FakeDisk()
    journal = open_journal(disk, sync=sync)
    fill(journal, 3)
    journal.sync()
    before = disk.operations
    journal.sync()
    assert disk.operations == before


@pytest.mark.parametrize("sync", ["batch", "interval", "never"])
@pytest.mark.parametrize("is_synced", [True, False])
def test_a_record_that_was_synced_is_damaged_and_not_torn_when_it_is_zeros(
    sync: SyncPolicy, is_synced: bool
) -> None:
    disk = FakeDisk()
    journal = open_journal(disk, sync=sync)
    fill(journal, 2)
    journal.sync()
    start = len(disk.read(segment_name(1)).rstrip(b"\0"))
    fill(journal, 1)
    end = len(disk.read(segment_name(1)).rstrip(b"\0"))
    if is_synced:
        journal.sync()
    fill(journal, 1)
    content = disk.read(segment_name(1))
    disk.put(segment_name(1), content[: start + 8] + bytes(end - start - 8) + content[end:])
    if is_synced or sync == "batch":
        with pytest.raises(JournalDamaged):
            open_journal(disk)
    else:
        assert open_journal(disk).last_seq == 2


def test_close_syncs_and_then_nothing_is_appended() -> None:
    disk = FakeDisk()
    journal = open_journal(disk, sync="never")
    written = fill(journal, 10)
    journal.close()
    disk.crash(Random(1))
    assert records_of(open_journal(disk)) == written
    with pytest.raises(JournalFailed, match="it was closed"):
        journal.append(record(11))


def test_a_closed_journal_has_none_of_its_files_open(tmp_path: Path) -> None:
    disk = FileDisk(tmp_path)
    journal = open_journal(disk)
    fill(journal, 1)
    name = str(tmp_path / segment_name(1))
    assert name in [file.path for file in psutil.Process().open_files()]
    journal.close()
    assert name not in [file.path for file in psutil.Process().open_files()]
    disk.close()


def test_a_read_only_journal_reads_and_changes_nothing() -> None:
    disk = FakeDisk()
    written = fill(open_journal(disk), 10)
    content = disk.read(segment_name(1))
    used = len(content.rstrip(b"\0"))
    torn = content[: used - 5] + bytes(len(content) - used + 5)
    disk.put(segment_name(1), torn)
    journal = open_journal(disk, read_only=True)
    assert records_of(journal) == written[:-1]
    assert journal.cut_bytes > 0
    assert disk.read(segment_name(1)) == torn
    with pytest.raises(JournalFailed, match="read only"):
        journal.append(record(10))


def test_opening_makes_cached_records_durable() -> None:
    """A record that a killed process wrote and did not sync is replayed and published, so it must
    not be lost later."""
    for seed in range(30):
        disk = FakeDisk()
        journal = open_journal(disk, sync="never")
        written = fill(journal, 3)
        disk.kill()
        assert records_of(open_journal(disk)) == written
        disk.crash(Random(seed))
        assert records_of(open_journal(disk)) == written


def append_until_it_fails(journal: Journal, written: list[Record]) -> None:
    for _ in range(1000):
        written += fill(journal, 1)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("operation", ["write", "sync", "claim"])
def test_a_failure_ends_the_journal_and_loses_nothing_acknowledged(
    operation: str, error: int
) -> None:
    for after in range(3):
        disk = FakeDisk()
        journal = open_journal(disk)
        written = fill(journal, 20)
        assert operation in ("write", "sync", "claim")
        disk.fail(operation, error, after)  # type: ignore[arg-type]
        with pytest.raises(JournalFailed, match=os.strerror(error)) as caught:
            append_until_it_fails(journal, written)
        assert caught.value.last_seq == journal.last_seq == len(written)
        for _ in range(2):
            with pytest.raises(JournalFailed, match="failed before"):
                journal.append(record(journal.last_seq + 1))
            with pytest.raises(JournalFailed, match="failed before"):
                journal.sync()
        disk.crash(Random(after))
        found = records_of(open_journal(disk))
        assert found[: len(written)] == written
        assert len(found) <= len(written) + 1


def test_a_full_disk_ends_the_journal_at_the_next_segment() -> None:
    disk = FakeDisk(capacity=3 * SEGMENT_BYTES)
    journal = open_journal(disk)
    written: list[Record] = []
    with pytest.raises(JournalFailed, match="No space left"):
        append_until_it_fails(journal, written)
    assert len(disk.names()) == 3
    assert records_of(open_journal(disk)) == written


FILL_SOURCE = """
import resource, signal, sys; from pathlib import Path
from crossbook.matcher.journal.disk import FileDisk
from crossbook.matcher.journal.journal import Journal, JournalFailed
from crossbook.matcher.journal.record import Record
limit = int(sys.argv[2])
if limit:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
disk = FileDisk(Path(sys.argv[1]))
journal = Journal.open(disk, 77, b"", 256 * 1024)
try:
    while True:
        seq = journal.last_seq + 1
        size = limit if seq == 40 else 5000
        journal.append(Record(seq, seq, 0, [b"x" * size], b"y"))
        print(seq, flush=True)
except JournalFailed as error:
    print(error)
"""


def run_until_full(directory: Path, limit: int = 0) -> list[str]:
    command = [sys.executable, "-c", FILL_SOURCE, str(directory), str(limit)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return run.stdout.splitlines()


def check_full(directory: Path, lines: list[str], reason: str) -> None:
    *acknowledged, error = lines
    assert reason in error
    disk = FileDisk(directory, read_only=True)
    found = [one.last_seq for one in records_of(open_journal(disk, read_only=True))]
    assert [int(line) for line in acknowledged] == found[: len(acknowledged)]
    assert len(acknowledged) > 10


def test_a_file_size_limit_of_the_system_ends_the_journal(tmp_path: Path) -> None:
    lines = run_until_full(tmp_path, limit=300 * 1024)
    check_full(tmp_path, lines, "File too large")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_file_system_that_is_full_ends_the_journal(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, timeout=30).returncode:
        pytest.skip("this system lets even root mount nothing")
    try:
        lines = run_until_full(tmp_path)
        check_full(tmp_path, lines, "No space left on device")
        # The matcher starts again once there is room, and goes on at the same number.
        full = FileDisk(tmp_path)
        journal = open_journal(full, segment_bytes=256 * 1024)
        names = journal.segment_names
        journal.drop_before(journal.last_seq)
        assert len(journal.segment_names) < len(names)
        fill(journal, 100, size=5000)
        journal.close()
        full.close()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True, timeout=30)


def test_the_journal_works_on_a_real_directory(tmp_path: Path) -> None:
    disk = FileDisk(tmp_path)
    journal = open_journal(disk, segment_bytes=64 * 1024)
    written = fill(journal, 60, size=5000, count=4)
    assert len(journal.segment_names) > 4
    journal.close()
    disk.close()
    disk = FileDisk(tmp_path)
    journal = open_journal(disk)
    assert isinstance(journal, Journal)
    assert records_of(journal) == written
    disk.close()


APPEND_SOURCE = """
import sys; from pathlib import Path
from crossbook.matcher.journal.disk import FileDisk
from tests.worlds.journals import fill, open_journal
journal = open_journal(FileDisk(Path(sys.argv[1])))
while journal.last_seq < 200:
    fill(journal, 1)
    print(journal.last_seq, flush=True)
"""


@pytest.mark.parametrize(
    ("point", "acknowledged", "there"),
    [
        ("matcher.half_written:30", 29, 29),
        ("matcher.written:30", 29, 30),
        ("matcher.between_segments:2", 41, 41),
    ],
)
def test_a_process_killed_while_appending_leaves_its_acknowledged_records(
    tmp_path: Path, point: str, acknowledged: int, there: int
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", APPEND_SOURCE, str(tmp_path)],
        env={**os.environ, "CROSSBOOK_CRASH_AT": point},
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[3],
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert killed.stdout.split()[-1] == str(acknowledged)
    disk = FileDisk(tmp_path)
    journal = open_journal(disk)
    assert journal.last_seq == there
    assert bool(journal.cut_bytes) == ("half" in point)
    written = records_of(journal) + fill(journal, 20)
    journal.close()
    disk.close()
    disk = FileDisk(tmp_path)
    assert records_of(open_journal(disk)) == written
    assert len(disk.names()) == 2
    disk.close()


def test_the_cut_of_a_torn_tail_is_counted_to_the_byte() -> None:
    for kept in (1, 20, 90):
        disk = FakeDisk()
        journal = open_journal(disk)
        fill(journal, 3)
        used = journal.used_bytes
        fill(journal, 1)
        content = disk.read(segment_name(1))
        disk.put(segment_name(1), content[: used + kept].ljust(len(content), b"\0"))
        assert open_journal(disk).cut_bytes == len(content[: used + kept].rstrip(b"\0")) - used


def test_a_part_reads_no_segment_before_the_one_that_holds_its_beginning() -> None:
    disk = FakeDisk()
    journal = open_journal(disk)
    written = fill(journal, 200)
    starts = [int(name.partition(".")[0]) for name in journal.segment_names]
    for name in journal.segment_names[:2]:
        disk.put(name, b"no journal")
    part = Journal.part(disk, starts[2], starts[3])
    assert records_of(part) == written[starts[2] - 1 : starts[3]]


class PreparingDisk(FakeDisk):
    """A disk that records the sizes of the files to prepare."""

    def __init__(self) -> None:
        super().__init__()
        self.prepared: list[int] = []

    def prepare(self, size: int) -> None:
        """Record the size."""
        self.prepared.append(size)


def test_the_next_file_is_made_in_advance_at_the_start_and_with_every_segment() -> None:
    disk = PreparingDisk()
    journal = open_journal(disk)
    fill(journal, 200)
    assert disk.prepared == [SEGMENT_BYTES] * (1 + len(journal.segment_names))
    open_journal(disk, read_only=True)
    assert len(disk.prepared) == 1 + len(journal.segment_names)
