"""Snapshots of a running matcher: begins one when it is due, and removes files no longer needed.

Another process makes the snapshot from the files, so that matching does not stand still for it.
"""

import time
from typing import Protocol

from crossbook.common.process.counters import TIMES_NS, Buckets
from crossbook.common.process.crash_points import reached
from crossbook.common.process.log import logger
from crossbook.matcher.journal.journal import Journal
from crossbook.matcher.journal.segment import SUFFIX
from crossbook.matcher.recovery.snapshot_store import SnapshotStore


class SnapshotWriter(Protocol):
    """Writes one snapshot at a time: `crossbook.matcher.recovery.snapshot_process`; tests replace
    it."""

    def begin(self, seq: int) -> None:
        """Start writing the snapshot of a number that ends a journaled batch; raises `OSError`."""

    def outcome(self, *, wait: bool = False) -> str | None:
        """None while it is being written, the empty text once it is written, else the fault."""

    def abandon(self) -> None:
        """Give up the snapshot that is being written."""


class Snapshotter:
    """Begins a snapshot every so many commands, one at a time, and removes old files.

    `written` and `failed` count snapshots, `pauses` are the nanoseconds that matching stood still
    for them, `last_seq` is the number of the last one begun or recovered from.
    """

    def __init__(
        self,
        store: SnapshotStore,
        journal: Journal,
        writer: SnapshotWriter,
        every: int,
        keep_segments: int,
        last_seq: int,
    ) -> None:
        self._store = store
        self._journal = journal
        self._writer = writer
        self._every = every
        self._keep_segments = keep_segments
        self._last_seq = last_seq
        self._is_writing = False
        self.written = 0
        self.failed = 0
        self.pauses = Buckets(TIMES_NS)

    @property
    def last_seq(self) -> int:
        """The number of the last snapshot begun, or recovered from."""
        return self._last_seq

    def tick(self) -> None:
        """Begin a snapshot when one is due, or finish the one that is being written.

        Call it between batches. Raises `JournalFailed` when the journal cannot be synced first.
        """
        if self._is_writing:
            self._record(self._writer.outcome())
        elif self._journal.last_seq - self._last_seq >= self._every:
            self._begin()

    def finish(self) -> None:
        """Wait for the snapshot that is being written, if one is."""
        if self._is_writing:
            self._record(self._writer.outcome(wait=True))

    def stop(self) -> None:
        """Give up the snapshot that is being written: the next start begins it anew."""
        if self._is_writing:
            self._is_writing = False
            self._writer.abandon()

    def _begin(self) -> None:
        began_ns = time.monotonic_ns()
        # After a crash the journal must reach at least as far as the snapshot.
        self._journal.sync()
        self._last_seq = seq = self._journal.last_seq
        try:
            self._writer.begin(seq)
        except OSError as error:
            self._fail(str(error))
            return
        self._is_writing = True
        pause_ns = time.monotonic_ns() - began_ns
        self.pauses.add(pause_ns)
        reached("matcher.snapshot_started")
        logger().info("snapshot_started", seq=seq, pause_us=pause_ns // 1_000)

    def _record(self, outcome: str | None) -> None:
        if outcome is None:
            return
        self._is_writing = False
        if outcome:
            self._fail(outcome)
            return
        self.written += 1
        reached("matcher.snapshot_written")
        oldest = self._store.prune()
        logger().info("snapshot_written", seq=self._last_seq, oldest_kept=oldest)
        if self._keep_segments:
            self._drop_segments(oldest)

    def _fail(self, reason: str) -> None:
        self.failed += 1
        logger().error("snapshot_failed", seq=self._last_seq, reason=reason)

    def _drop_segments(self, oldest_snapshot_seq: int) -> None:
        """Remove the segments that no kept snapshot needs, except the newest few of them."""
        begins = [int(name.removesuffix(SUFFIX)) for name in self._journal.segment_names]
        unneeded_until = [begin for begin in begins[1:] if begin <= oldest_snapshot_seq + 1]
        if len(unneeded_until) > self._keep_segments:
            dropped = self._journal.drop_before(unneeded_until[-1 - self._keep_segments])
            logger().info("segments_dropped", segments=dropped)
