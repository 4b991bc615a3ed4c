"""Snapshots of a running matcher: made from its files by another process, pruned, old segments
removed by the setting."""

import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crossbook.common.instruments import Instrument, example
from crossbook.common.messages.codec import encode
from crossbook.common.messages.commands import Command, NewOrder
from crossbook.common.types import Side
from crossbook.matcher.journal.disk import FileDisk
from crossbook.matcher.recovery import snapshot_process
from crossbook.matcher.recovery.recovery import RecoveryFailed, recover
from crossbook.matcher.recovery.snapshot import capture
from crossbook.matcher.recovery.snapshot_process import SnapshotProcess, rebuild
from crossbook.matcher.recovery.snapshot_store import SnapshotStore
from crossbook.matcher.recovery.snapshotter import Snapshotter
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import Sequencer
from tests.simulation.fake_disk import FakeDisk
from tests.worlds.journals import fill, open_journal

SEGMENT = 16 * 1024
EVERY = 500


class Running:
    """A matcher without sockets on a real directory."""

    def __init__(
        self, directory: Path, keep_segments: int, instrument: Instrument | None = None
    ) -> None:
        self.disk = FileDisk(directory)
        instruments = [instrument or example()]
        recovered = recover(self.disk, instruments, 77, SEGMENT, "never", snapshots_kept=2)
        self.engine, self.journal = recovered.engine, recovered.journal
        self.sequencer = Sequencer(self.engine, self.journal, EventResendBuffer(1))
        self.store = SnapshotStore(self.disk, 2)
        self.snapshotter = Snapshotter(
            self.store, self.journal, SnapshotProcess(directory), EVERY, keep_segments,
            recovered.snapshot_seq,
        )  # fmt: skip

    def work(self, orders: int) -> None:
        for n in range(0, orders, 50):
            batch: list[Command] = [
                NewOrder(
                    gateway=0,
                    request_seq=0,
                    account=7,
                    instrument=1,
                    side=Side.BUY,
                    order_type=1,
                    time_in_force=1,
                    price_ticks=50_000 + i % 90,
                    quantity_lots=1_000,
                )
                for i in range(n, n + 50)
            ]
            self.sequencer.apply([encode(batch)], n)
            self.snapshotter.tick()
            self.snapshotter.finish()

    def stop(self) -> None:
        self.journal.close()
        self.disk.close()


def test_a_snapshot_is_taken_every_so_many_commands_and_the_last_few_kept(tmp_path: Path) -> None:
    running = Running(tmp_path, keep_segments=0)
    running.work(EVERY - 50)
    assert running.store.names() == []
    running.work(EVERY * 4)
    assert [int(name.partition(".")[0]) for name in running.store.names()] == [1500, 2000]
    assert running.journal.first_seq == 1
    running.stop()


def test_a_snapshot_contains_the_engine_as_of_its_beginning(tmp_path: Path) -> None:
    running = Running(tmp_path, keep_segments=0)
    running.work(EVERY)
    before = capture(running.engine)
    running.work(100)
    snapshot = running.store.read(running.store.names()[-1])
    assert snapshot.seq == EVERY
    assert snapshot.engine == before
    running.stop()


def test_records_appended_meanwhile_are_not_read(tmp_path: Path) -> None:
    running = Running(tmp_path, keep_segments=0)
    running.work(EVERY)
    seq, before = running.engine.seq, capture(running.engine)
    running.work(100)
    path = tmp_path / running.journal.segment_names[-1]
    data = path.read_bytes()
    # Half a record: the matcher is writing the other half.
    path.write_bytes(data[: len(data.rstrip(b"\0")) - 9].ljust(len(data), b"\0"))
    engine, journal = rebuild(running.disk, seq)
    assert (capture(engine), journal.last_seq) == (before, seq)
    running.stop()


def test_only_segments_behind_the_last_snapshot_are_read(tmp_path: Path) -> None:
    running = Running(tmp_path, keep_segments=0)
    running.work(EVERY * 3)
    for name in running.journal.segment_names[:2]:
        (tmp_path / name).write_bytes(b"no journal")
    assert capture(rebuild(running.disk, running.engine.seq)[0]) == capture(running.engine)
    running.stop()


def test_a_snapshot_that_is_there_already_is_written_as_it_was(tmp_path: Path) -> None:
    running = Running(tmp_path, keep_segments=0)
    running.work(EVERY)
    (name,) = running.store.names()
    written = running.disk.read(name)
    running.stop()
    # Other fees begin a segment: no later one holds the number of the snapshot.
    running = Running(tmp_path, 0, replace(example(), maker_fee_rate=900))
    running.work(50)
    assert running.journal.segment_names[-1].startswith(f"{EVERY + 1:020d}")
    engine, journal = rebuild(running.disk, EVERY)
    running.store.save(engine, journal.incarnation, journal.last_time_ns)
    assert running.disk.read(name) == written
    running.stop()


def test_a_snapshot_whose_journal_is_missing_is_not_written_again(tmp_path: Path) -> None:
    running = Running(tmp_path, keep_segments=0)
    running.work(EVERY)
    for segment in running.journal.segment_names:
        (tmp_path / segment).unlink()
    with pytest.raises(RecoveryFailed, match=f"leads to 0, not to {EVERY}"):
        rebuild(running.disk, EVERY)
    running.disk.close()


def test_a_snapshot_that_cannot_be_made_is_logged_and_the_matcher_works_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running = Running(tmp_path, keep_segments=0)
    running.work(EVERY - 50)
    path = tmp_path / running.journal.segment_names[0]
    sound = path.read_bytes()
    path.write_bytes(b"x" + sound[1:])
    running.work(100)
    assert (running.snapshotter.written, running.snapshotter.failed) == (0, 1)
    assert running.store.names() == []
    assert "this is no journal segment" in capsys.readouterr().out
    path.write_bytes(sound)
    running.work(EVERY)
    assert (running.snapshotter.written, running.snapshotter.failed) == (1, 1)
    running.stop()


def test_a_stop_does_not_wait_and_leaves_nothing_behind(tmp_path: Path) -> None:
    running = Running(tmp_path, keep_segments=0)
    running.work(EVERY - 50)
    running.sequencer.apply(
        [
            encode(
                [
                    NewOrder(
                        gateway=0,
                        request_seq=0,
                        account=7,
                        instrument=1,
                        side=Side.BUY,
                        order_type=1,
                        time_in_force=1,
                        price_ticks=100,
                        quantity_lots=1,
                    )
                ]
                * 50
            )
        ],
        1,
    )
    running.snapshotter.tick()
    running.snapshotter.stop()
    running.snapshotter.finish()
    assert (running.snapshotter.written, running.snapshotter.failed) == (0, 0)
    running.stop()
    again = Running(tmp_path, keep_segments=0)
    again.snapshotter.tick()
    again.snapshotter.finish()
    assert again.snapshotter.written == 1
    again.stop()


def test_segments_no_kept_snapshot_needs_go_only_with_the_setting(tmp_path: Path) -> None:
    running = Running(tmp_path, keep_segments=1)
    running.work(EVERY * 6)
    names = running.journal.segment_names
    oldest = int(running.store.names()[0].partition(".")[0])
    unneeded = [name for name in names[1:] if int(name.partition(".")[0]) <= oldest + 1]
    assert running.journal.first_seq > 1
    assert len(unneeded) == 1
    state = capture(running.engine)
    running.stop()
    again = Running(tmp_path, keep_segments=1)
    assert capture(again.engine) == state
    again.stop()


class Held:
    """A snapshot process that ends when the test ends it."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._word = directory / "word"
        os.mkfifo(self._word)
        program = directory / "program"
        program.write_text(f'#!/bin/sh\nread word < {self._word}\neval "$word"\n')
        program.chmod(0o700)
        monkeypatch.setattr(
            "crossbook.matcher.recovery.snapshot_process.sys.executable", str(program)
        )
        self.process = SnapshotProcess(directory)
        self.process.begin(7)
        # The pipe is held open, so that neither side waits for the other to open it.
        self._pipe = os.open(self._word, os.O_RDWR)

    def outcome(self) -> str | None:
        """The outcome of one check, which must not wait."""
        outcomes: list[str | None] = []
        check = threading.Thread(
            target=lambda: outcomes.append(self.process.outcome()), daemon=True
        )
        check.start()
        check.join(10.0)
        assert outcomes, "a check waits for the process"
        return outcomes[0]

    def end(self, word: str) -> str | None:
        """End the process so; returns the outcome."""
        os.write(self._pipe, f"{word}\n".encode())
        return self.process.outcome(wait=True)

    def close(self) -> None:
        """End the process if it still runs."""
        self.process.abandon()
        os.close(self._pipe)


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    made = Held(tmp_path, monkeypatch)
    yield made
    made.close()


def test_a_look_at_a_snapshot_being_written_does_not_wait_for_it(held: Held) -> None:
    assert held.outcome() is None
    assert held.outcome() is None
    assert held.end("exit 0") == ""


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("echo no room >&2; exit 1", "no room"),
        ("exit 3", "the process ended with 3"),
        ("kill -9 $$", "the process ended with -9"),
    ],
)
def test_a_snapshot_process_that_failed_has_a_reason(held: Held, word: str, reason: str) -> None:
    assert held.outcome() is None
    assert held.end(word) == reason


def test_an_abandoned_process_is_ended_and_nothing_of_it_is_left_open(tmp_path: Path) -> None:
    process = SnapshotProcess(tmp_path)
    process.begin(1)
    child = process._child
    assert child is not None
    assert child.stderr is not None
    process.abandon()
    assert child.returncode is not None
    assert child.stderr.closed
    process.abandon()


def test_the_process_steps_back_and_reports_its_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps: list[int] = []
    monkeypatch.setattr(snapshot_process, "step_back", steps.append)
    monkeypatch.setattr(gc, "disable", lambda: steps.append(0))
    running = Running(tmp_path, keep_segments=0)
    running.work(50)
    assert snapshot_process.main([str(tmp_path), str(running.engine.seq)]) == 0
    assert steps == [snapshot_process.NICENESS, 0]
    assert len(running.store.names()) == 1
    assert snapshot_process.main([str(tmp_path), "51"]) == 1
    assert "the journal leads to 50, not to 51" in capsys.readouterr().err
    running.stop()


class Refusing:
    """A writer that cannot begin the first time."""

    def __init__(self) -> None:
        self.begun: list[int] = []

    def begin(self, seq: int) -> None:
        """Refuse the first time, accept the second."""
        self.begun.append(seq)
        if len(self.begun) == 1:
            raise OSError("no process to be had")

    def outcome(self, *, wait: bool = False) -> None:
        """None: the snapshot is not written yet."""

    def abandon(self) -> None:
        """Do nothing: no process runs."""


def test_a_process_that_cannot_be_started_is_logged_and_tried_when_the_next_is_due(
    capsys: pytest.CaptureFixture[str],
) -> None:
    journal = open_journal(FakeDisk())
    writer: Any = Refusing()
    snapshotter = Snapshotter(writer, journal, writer, 10, 0, 0)
    for count, failed, begun in ((10, 1, [10]), (9, 1, [10]), (1, 1, [10, 20]), (50, 1, [10, 20])):
        fill(journal, count)
        snapshotter.tick()
        assert (snapshotter.failed, writer.begun) == (failed, begun)
    assert (snapshotter.written, snapshotter.last_seq) == (0, 20)
    assert "no process to be had" in capsys.readouterr().out


class WrittenAtOnce:
    """A store and a writer whose oldest snapshot is of this number."""

    def __init__(self, oldest: int) -> None:
        self._oldest = oldest

    def begin(self, seq: int) -> None:
        """Accept the snapshot, which is written at once."""

    def outcome(self, *, wait: bool = False) -> str:
        """No fault: the snapshot is written."""
        return ""

    def abandon(self) -> None:
        """Do nothing: no process runs."""

    def prune(self) -> int:
        """The number of the oldest snapshot that is left."""
        return self._oldest


@pytest.mark.parametrize(("beyond", "first"), [(-2, 1), (-1, 2), (0, 2)])
def test_segments_are_deleted_up_to_the_need_of_the_oldest_snapshot(
    beyond: int, first: int
) -> None:
    journal = open_journal(FakeDisk())
    fill(journal, 300)
    begins = [int(name.partition(".")[0]) for name in journal.segment_names]
    store: Any = WrittenAtOnce(begins[3] + beyond)
    snapshotter = Snapshotter(store, journal, store, EVERY // 10, 1, 0)
    snapshotter.tick()
    snapshotter.tick()
    assert journal.first_seq == begins[first]
    assert sum(snapshotter.pauses.counts) == 1
