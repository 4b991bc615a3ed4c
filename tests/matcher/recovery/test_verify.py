"""Verification: no finding in a sound directory, and a finding for everything that does not fit."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crossbook.common.instruments import Instrument
from crossbook.common.messages.codec import encode
from crossbook.common.messages.commands import CancelOrder
from crossbook.common.messages.events import EventBatch
from crossbook.common.rules import Rules
from crossbook.matcher.journal.disk import Disk, FileDisk
from crossbook.matcher.journal.journal import Journal
from crossbook.matcher.journal.record import Record
from crossbook.matcher.journal.segment import segment_name
from crossbook.matcher.recovery import dump as journal_print
from crossbook.matcher.recovery import verify as journal_verify
from crossbook.matcher.recovery.recovery import recover
from crossbook.matcher.recovery.snapshot import state_hash
from crossbook.matcher.recovery.snapshot_store import SnapshotStore
from crossbook.matcher.recovery.verify import Disagreement, verify
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import Sequencer
from tests.properties.generator import StepGenerator
from tests.properties.market import INSTRUMENTS
from tests.simulation.fake_disk import FakeDisk
from tests.worlds.exposition import parts

INCARNATION = 77
SEGMENT = 8 * 1024


def live(
    disk: Disk,
    batches: int = 60,
    snapshots_at: Iterable[int] = (20, 40),
    instruments: Iterable[Instrument] = INSTRUMENTS,
    keep_segments: bool = True,
    rules: Rules | None = None,
) -> str:
    """Run a matcher on a disk for a while; returns the state hash in the end."""
    recovered = recover(
        disk, instruments, INCARNATION, SEGMENT, "batch", snapshots_kept=5, rules=rules
    )
    engine, journal = recovered.engine, recovered.journal
    sequencer = Sequencer(engine, journal, EventResendBuffer(10**6))
    store = SnapshotStore(disk, 5)
    # Gateway zero: every command takes a number, so that each batch takes ten.
    steps = StepGenerator(engine.seq + 3).steps(batches * 10)
    flow = [replace(step[1], gateway=0, request_seq=0) for step in steps]
    for batch in range(batches):
        payloads = [encode(flow[batch * 10 : batch * 10 + 5]), b"\xc1 no message"]
        sequencer.apply([*payloads, encode(flow[batch * 10 + 5 : batch * 10 + 10])], batch)
        if batch in snapshots_at:
            store.save(engine, INCARNATION, sequencer.time_ns)
    if not keep_segments:
        journal.drop_before(int(store.names()[0].partition(".")[0]) + 1)
    journal.close()
    return state_hash(engine)


@pytest.fixture
def disk() -> FakeDisk:
    made = FakeDisk()
    live(made)
    return made


def test_a_sound_directory_is_verified(disk: FakeDisk) -> None:
    before = disk.copy()
    verdict = verify(disk)
    assert verdict.problem == ""
    assert (verdict.incarnation, verdict.first_seq, verdict.last_seq) == (INCARNATION, 1, 600)
    assert (verdict.records, verdict.replayed_from, verdict.snapshots) == (60, 1, [210, 410])
    assert verdict.segments == len(disk.names()) - 2 > 2
    assert verdict.torn_bytes == 0
    assert all(disk.read(name) == before.read(name) for name in before.names())


def test_the_state_is_the_one_the_matcher_had() -> None:
    disk = FakeDisk()
    assert live(disk) == verify(disk).state_hash


def test_several_lives_and_configurations_are_verified() -> None:
    disk = FakeDisk()
    live(disk)
    cheaper = [replace(instrument, taker_fee_rate=0) for instrument in INSTRUMENTS]
    live(disk, batches=0, instruments=cheaper)
    recovered = recover(disk, cheaper, INCARNATION, SEGMENT, "batch", snapshots_kept=5)
    SnapshotStore(disk, 5).save(recovered.engine, INCARNATION, 0)
    live(disk, instruments=cheaper)
    verdict = verify(disk)
    assert verdict.problem == ""
    assert verdict.snapshots == [210, 410, 600, 810, 1010]


def test_removed_segments_are_replaced_by_a_snapshot() -> None:
    disk = FakeDisk()
    live(disk, keep_segments=False)
    verdict = verify(disk)
    assert verdict.problem == ""
    assert (verdict.replayed_from, verdict.snapshots) == (211, [210, 410])
    assert verdict.first_seq > 1
    disk.delete(next(name for name in disk.names() if name.endswith(".snapshot")))
    disk.delete(next(name for name in disk.names() if name.endswith(".snapshot")))
    assert "no snapshot reaches" in verify(disk).problem


def test_a_torn_tail_is_no_problem_and_is_reported(disk: FakeDisk) -> None:
    name = _last_segment(disk)
    content = disk.read(name)
    used = len(content.rstrip(b"\0"))
    disk.put(name, content[: used - 3] + bytes(len(content) - used + 3))
    verdict = verify(disk)
    assert verdict.problem == ""
    assert (verdict.last_seq, verdict.records) == (590, 59)
    assert verdict.torn_bytes > 0


def test_damage_is_reported_with_its_place(disk: FakeDisk) -> None:
    content = disk.read(segment_name(1))
    disk.put(segment_name(1), content[:5000] + b"x" + content[5001:])
    problem = verify(disk).problem
    assert segment_name(1) in problem
    assert "at byte" in problem


def test_a_missing_end_is_found_by_a_later_snapshot(disk: FakeDisk) -> None:
    while int(_last_segment(disk).partition(".")[0]) > 410:
        disk.delete(_last_segment(disk))
    disk.delete(_last_segment(disk))
    assert "its end is missing" in verify(disk).problem


def _changed_events(record: Record) -> Record:
    """Other events than its commands give, under correct checksums."""
    last = record.last_seq
    events = encode(
        EventBatch(
            incarnation=INCARNATION,
            first_seq=record.first_seq,
            last_seq=last,
            time_ns=record.time_ns,
            events=[],
        )
    )
    return replace(record, events=events)


def _changed_commands(record: Record) -> Record:
    command = CancelOrder(gateway=0, request_seq=0, account=1, instrument=1, order_id=1)
    return replace(record, payloads=[encode([command] * 10)])


@pytest.mark.parametrize("change", [_changed_events, _changed_commands])
def test_events_that_the_commands_do_not_cause_are_reported(
    disk: FakeDisk, change: Callable[[Record], Record]
) -> None:
    recorded = Journal.open(disk, 0, b"", 0, read_only=True)
    forged = FakeDisk()
    journal = None
    for header, record in recorded.read(1):
        if journal is None:
            journal = Journal.open(forged, INCARNATION, header.configuration, SEGMENT)
        journal.append(change(record) if record.first_seq == 301 else record)
    assert "replaying 301..310 gave other events than were recorded" in verify(forged).problem


class Pruned(FakeDisk):
    """A disk whose first snapshot is removed once its name was listed."""

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """Fail as if the matcher had removed the file meanwhile."""
        if name == self.gone:
            raise FileNotFoundError(name)
        return super().read(name, offset, length)

    gone = ""


def test_a_snapshot_that_a_running_matcher_removes_is_passed_over() -> None:
    disk = Pruned()
    live(disk)
    disk.gone = next(name for name in disk.names() if name.endswith(".snapshot"))
    verdict = verify(disk)
    assert (verdict.problem, verdict.snapshots) == ("", [410])
    assert (verdict.last_seq, verdict.records) == (600, 60)


def test_a_snapshot_of_another_state_is_reported(disk: FakeDisk) -> None:
    other = FakeDisk()
    recovered = recover(other, INSTRUMENTS, INCARNATION, SEGMENT, "batch", 5)
    recovered.engine.seq = 210
    name = SnapshotStore(other, 5).save(recovered.engine, INCARNATION, 0)
    disk.put(name, other.read(name))
    assert "the snapshot at 210 is not the state" in verify(disk).problem


def test_a_snapshot_with_other_requests_is_reported(disk: FakeDisk) -> None:
    store = SnapshotStore(disk, 5)
    engine = store.load(store.read(store.names()[0]))
    engine.last_request[9] = 5
    store.save(engine, INCARNATION, 0)
    assert "holds other requests" in verify(disk).problem


def test_a_snapshot_that_is_damaged_or_foreign_is_reported(disk: FakeDisk) -> None:
    name = next(name for name in disk.names() if name.endswith(".snapshot"))
    content = disk.read(name)
    disk.put(name, content[:-1] + b"x")
    assert f"{name}: the checksum is wrong" in verify(disk).problem
    store = SnapshotStore(disk, 5)
    disk.put(name, content)
    store.save(store.load(store.read(name)), INCARNATION + 1, 0)
    assert "another incarnation" in verify(disk).problem


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    disk = FileDisk(tmp_path / "data")
    live(disk)
    disk.close()
    return tmp_path / "data"


def test_the_program_prints_its_findings(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert journal_verify.main([str(directory)]) == 0
    out = capsys.readouterr().out
    assert "sequence 1 to 600" in out
    assert "60 records twice from sequence 1" in out
    assert journal_verify.main([str(directory), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["problem"] == ""
    path = directory / segment_name(1)
    path.write_bytes(path.read_bytes()[:-1])
    assert journal_verify.main([str(directory)]) == 1
    assert "WRONG" in capsys.readouterr().out


def test_the_programs_need_something_to_look_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for program in (journal_verify, journal_print):
        assert program.main([str(tmp_path / "none")]) == 2
        assert "No such file" in capsys.readouterr().err
    assert journal_verify.main([str(tmp_path)]) == 2
    assert "holds no journal" in capsys.readouterr().err


def test_records_are_printed_with_names(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert journal_print.main([str(directory), "--from", "95", "--to", "111"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["first_seq"], line["last_seq"]) for line in lines] == [
        (91, 100), (101, 110), (111, 120),
    ]  # fmt: skip
    assert lines[0]["segment"].endswith(".journal")
    assert len(lines[0]["commands"]) == 11
    malformed = lines[0]["commands"][5]
    assert (malformed["type"], malformed["payload"][:4]) == ("malformed", "c120")
    assert {"type", "gateway", "request_seq", "account"} <= set(lines[0]["commands"][0])
    assert {event["seq"] for line in lines for event in line["events"]} == set(range(91, 121))
    assert all(event["type"][0].isupper() for line in lines for event in line["events"])


def test_a_damaged_journal_is_not_printed(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = directory / segment_name(1)
    content = path.read_bytes()
    path.write_bytes(content[:5000] + b"x" + content[5001:])
    assert journal_print.main([str(directory)]) == 1
    assert segment_name(1) in capsys.readouterr().err


def _last_segment(disk: FakeDisk) -> str:
    return [name for name in disk.names() if name.endswith(".journal")][-1]


def test_a_journal_goes_on_from_the_oldest_snapshot_that_reaches_it() -> None:
    snapshots: list[Any] = [parts(seq=seq) for seq in (9, 10, 11, 12)]
    start: Any = journal_verify._start
    journal = parts(base_seq=0, first_seq=11)
    assert start(journal, snapshots).seq == 10
    assert start(journal, snapshots[2:]).seq == 11
    with pytest.raises(Disagreement, match="begins at 11 and no snapshot reaches 10"):
        start(journal, snapshots[:1])
    assert start(parts(base_seq=0, first_seq=1), snapshots) is None
