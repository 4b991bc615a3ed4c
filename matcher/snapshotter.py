"""Snapshots while the matcher works: a forked child writes what the engine was at the fork.

The matcher stands still only for the fork itself, which copies page tables, not pages. Its child
holds no socket it uses and ends without running anything of the parent's.
"""

import os
import time

from common.crash import reached
from common.log import logger
from common.tally import TIMES_NS, Buckets
from matcher.engine import Engine
from matcher.journal import Journal
from matcher.segment import SUFFIX
from matcher.sequencer import Sequencer
from matcher.snapshot_store import SnapshotStore


class Snapshotter:
    """Takes a snapshot every so many commands, one at a time, and removes what is too old.

    `written` and `failed` count them, `pauses` are the nanoseconds that matching stood still for
    them, `last_seq` is the number of the last one begun or recovered from.
    """

    def __init__(
        self,
        store: SnapshotStore,
        engine: Engine,
        journal: Journal,
        sequencer: Sequencer,
        every: int,
        keep_segments: int,
        last_seq: int,
    ) -> None:
        self._store = store
        self._engine = engine
        self._journal = journal
        self._sequencer = sequencer
        self._every = every
        self._keep_segments = keep_segments
        self._last_seq = last_seq
        self._child = 0
        self._child_seq = 0
        self.written = 0
        self.failed = 0
        self.pauses = Buckets(TIMES_NS)

    @property
    def last_seq(self) -> int:
        """The number of the last snapshot begun, or recovered from."""
        return self._last_seq

    def tick(self) -> None:
        """Begin a snapshot when one is due, and see to the one that is being written.

        Call it between batches. Raises `JournalFailed` when the journal cannot be synced first.
        """
        if self._child:
            self._reap(os.WNOHANG)
        elif self._engine.seq - self._last_seq >= self._every:
            self._begin()

    def finish(self) -> None:
        """Wait for the snapshot that is being written, if one is."""
        if self._child:
            self._reap(0)

    def _begin(self) -> None:
        # A snapshot must never know more than the journal that follows it.
        self._journal.sync()
        self._last_seq = self._engine.seq
        started_ns = time.monotonic_ns()
        child = os.fork()
        if not child:
            self._write_and_exit()
        self._child, self._child_seq = child, self._engine.seq
        pause_ns = time.monotonic_ns() - started_ns
        self.pauses.add(pause_ns)
        reached("matcher.snapshot_started")
        logger().info("snapshot_started", seq=self._child_seq, pause_us=pause_ns // 1_000)

    def _write_and_exit(self) -> None:
        status = 1
        try:
            reached("matcher.snapshot_half")
            self._store.save(self._engine, self._journal.stream, self._sequencer.time_ns)
            status = 0
        except OSError as error:
            logger().error("snapshot_not_written", reason=str(error))
        finally:
            os._exit(status)

    def _reap(self, options: int) -> None:
        child, status = os.waitpid(self._child, options)
        if not child:
            return
        self._child = 0
        if status:
            self.failed += 1
            logger().error("snapshot_failed", seq=self._child_seq, status=status)
            return
        self.written += 1
        reached("matcher.snapshot_written")
        oldest = self._store.prune()
        logger().info("snapshot_written", seq=self._child_seq, oldest_kept=oldest)
        if self._keep_segments:
            self._drop_segments(oldest)

    def _drop_segments(self, oldest_snapshot_seq: int) -> None:
        """Remove segments no kept snapshot needs, but for the newest few of those."""
        begins = [int(name.removesuffix(SUFFIX)) for name in self._journal.segment_names]
        unneeded_until = [begin for begin in begins[1:] if begin <= oldest_snapshot_seq + 1]
        if len(unneeded_until) > self._keep_segments:
            dropped = self._journal.drop_before(unneeded_until[-1 - self._keep_segments])
            logger().info("segments_dropped", segments=dropped)
