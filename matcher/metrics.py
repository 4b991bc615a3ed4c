"""The metric families of the matcher; docs/reference/metrics.md describes each."""

from collections.abc import Iterator
from typing import Protocol

from prometheus_client.metrics_core import Metric

from crossbook.common.process.counters import Buckets
from crossbook.common.process.exposition import Exposition
from crossbook.matcher.build import running
from crossbook.matcher.journal.disk import FileDisk
from crossbook.matcher.journal.journal import Journal
from crossbook.matcher.recovery.snapshotter import Snapshotter
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import Sequencer
from crossbook.matcher.timekeeper import Timekeeper


class BatchCounts(Protocol):
    """The histograms of the loop: `crossbook.matcher.service.Batches`."""

    messages: Buckets
    commands: Buckets
    times: Buckets


class MatcherMetrics(Exposition):
    """The families of a matcher."""

    def __init__(
        self,
        sequencer: Sequencer,
        journal: Journal,
        resend_buffer: EventResendBuffer,
        snapshotter: Snapshotter,
        disk: FileDisk,
        timekeeper: Timekeeper,
        batches: BatchCounts,
    ) -> None:
        super().__init__("matcher")
        self._sequencer = sequencer
        self._journal = journal
        self._resend_buffer = resend_buffer
        self._snapshotter = snapshotter
        self._disk = disk
        self._timekeeper = timekeeper
        self._batches = batches

    def families(self) -> Iterator[Metric]:
        """All families with their present values."""
        sequencer, batches = self._sequencer, self._batches
        yield self.gauge(
            "build", "1 for the build of the engine that runs", {running(): 1}, "build"
        )
        yield self.gauge("sequence", "Number of the last command applied", sequencer.seq)
        yield self.counter("commands", "Commands applied", sequencer.commands)
        yield self.counter("events", "Events of these commands", sequencer.events)
        yield self.counter(
            "malformed", "Messages that were no list of commands", sequencer.malformed
        )
        yield self.sizes("batch_messages", "Messages in a batch", batches.messages)
        yield self.sizes("batch_commands", "Commands in a batch", batches.commands)
        yield self.seconds(
            "batch_seconds", "From receiving a batch until it was sent", batches.times
        )
        yield self.seconds("sync_seconds", "Time of one sync of the journal", self._disk.syncs)
        yield self.counter("resends", "Resend answers, by source", sequencer.resent, "source")
        yield from self._time()
        yield from self._kept()

    def _time(self) -> Iterator[Metric]:
        keeper = self._timekeeper
        time_ns = max(keeper.now_ns(), self._sequencer.time_ns)
        refused = "1 while the machine's clock is refused as too far ahead"
        yield self.gauge("clock_refused", refused, int(keeper.refused))
        yield self.counter(
            "clock_refusals", "Refusals of the machine's clock that began", keeper.refusals
        )
        manual = "1 with CLOCK=manual, where only an administrator moves the time"
        yield self.gauge("clock_manual", manual, int(keeper.is_manual))
        ahead = "Lead of the machine's clock over the time stamped"
        yield self.gauge("clock_ahead_seconds", ahead, (keeper.clock_ns - time_ns) / 1e9)

    def _kept(self) -> Iterator[Metric]:
        journal, resend_buffer, snapshotter = self._journal, self._resend_buffer, self._snapshotter
        yield self.gauge("journal_segments", "Files of the journal", len(journal.segment_names))
        yield self.gauge("journal_bytes", "Bytes written in the journal", journal.used_bytes)
        yield self.gauge(
            "journal_first_sequence", "First command in the journal", journal.first_seq
        )
        yield self.gauge("history_bytes", "Events held in memory for resends", resend_buffer.size)
        yield self.gauge("disk_free_bytes", "Room left in DATA_DIR", self._disk.free_bytes())
        yield self.counter("snapshots", "Snapshots written", snapshotter.written)
        yield self.counter("snapshot_failures", "Snapshots that failed", snapshotter.failed)
        yield self.gauge(
            "snapshot_sequence", "Number of the last snapshot begun", snapshotter.last_seq
        )
        yield self.seconds(
            "snapshot_pause_seconds", "Standstill of matching for a snapshot", snapshotter.pauses
        )
