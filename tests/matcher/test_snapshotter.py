"""Snapshots of a running matcher: written by a child, pruned, old segments removed if asked."""

from pathlib import Path

from common.codec import encode
from common.commands import Command, NewOrder
from common.instruments import example
from common.types import Side
from matcher.disk import FileDisk
from matcher.history import EventHistory
from matcher.recovery import recover
from matcher.sequencer import Sequencer
from matcher.snapshot import capture
from matcher.snapshot_store import SnapshotStore
from matcher.snapshotter import Snapshotter

SEGMENT = 16 * 1024
EVERY = 500


class Running:
    """A matcher without sockets on a real directory."""

    def __init__(self, directory: Path, keep_segments: int) -> None:
        self.disk = FileDisk(directory)
        recovered = recover(self.disk, [example()], 77, SEGMENT, "never", snapshots_kept=2)
        self.engine, self.journal = recovered.engine, recovered.journal
        self.sequencer = Sequencer(self.engine, self.journal, EventHistory(1))
        self.store = SnapshotStore(self.disk, 2)
        self.snapshotter = Snapshotter(
            self.store, self.engine, self.journal, self.sequencer, EVERY, keep_segments,
            recovered.snapshot_seq,
        )  # fmt: skip

    def work(self, orders: int) -> None:
        for n in range(0, orders, 50):
            batch: list[Command] = [
                NewOrder(0, 0, 7, 1, Side.BUY, 1, 1, 50_000 + i % 90, 1_000)
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


def test_the_child_writes_what_the_engine_was_at_the_fork(tmp_path: Path) -> None:
    running = Running(tmp_path, keep_segments=0)
    running.work(EVERY)
    before = capture(running.engine)
    running.work(100)
    snapshot = running.store.read(running.store.names()[-1])
    assert snapshot.seq == EVERY
    assert snapshot.engine == before
    running.stop()


def test_segments_no_kept_snapshot_needs_go_only_when_asked(tmp_path: Path) -> None:
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
