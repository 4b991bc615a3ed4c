"""The matcher's shell without sockets: the round of its service over a fake network and disk."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from crossbook.common.errors import CrossbookError
from crossbook.common.instruments import Instrument
from crossbook.common.messages.codec import decode_matcher_query, encode
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.journal.journal import Journal, JournalDamaged, JournalFailed
from crossbook.matcher.recovery.recovery import recover
from crossbook.matcher.recovery.snapshot import capture
from crossbook.matcher.recovery.snapshot_process import rebuild
from crossbook.matcher.recovery.snapshot_store import SnapshotStore
from crossbook.matcher.recovery.snapshotter import Snapshotter
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import Sequencer
from crossbook.matcher.timekeeper import Timekeeper
from tests.simulation.archive import Archive
from tests.simulation.conditions import INSTRUMENTS, RunConditions
from tests.simulation.fake_disk import Died, FakeDisk
from tests.simulation.network import Network, Port
from tests.simulation.process import ROUND_MAX_NS, SimulatedProcess
from tests.simulation.world import (
    DAY,
    EPOCH_NS,
    MICROSECOND,
    MILLISECOND,
    SECOND,
    SimulatedWorld,
    require,
)
from tests.worlds.invariants import check

DRAIN_MAX: Final = 256
SNAPSHOTS_KEPT: Final = 2
JUMP_MAX_NS: Final = 60 * SECOND
ABSENCE_MAX_NS: Final = 30 * DAY
HEARTBEAT_NS: Final = 250 * MILLISECOND
SYNC_INTERVAL_NS: Final = 50 * MILLISECOND
LATE_NS: Final = MILLISECOND
"""Longer than any round takes."""


class _Copy(FakeDisk):
    """The snapshot of the child process, kept for a later write."""

    def __init__(self) -> None:
        super().__init__()
        self.written = ("", b"")

    def replace(self, name: str, data: bytes) -> None:
        """Keep the content."""
        self.written = (name, data)


class SnapshotWriter:
    """Makes the snapshot of a number from the files, and writes it a while later.

    `write` receives the file's name and content; its result is the exit status. `engine` is the
    matcher's own, whose state the files must lead to.
    """

    def __init__(
        self, disk: FakeDisk, engine: Engine, write: Callable[[str, bytes], list[int]]
    ) -> None:
        self._disk = disk
        self._engine = engine
        self._write = write
        self._status: list[int] = []

    def begin(self, seq: int) -> None:
        """Keep the present state, which is written later."""
        engine, journal = rebuild(self._disk, seq)
        require(capture(engine) == capture(self._engine), "the journal makes another engine")
        copy = _Copy()
        SnapshotStore(copy, 1).save(engine, journal.incarnation, journal.last_time_ns)
        self._status = self._write(*copy.written)

    def outcome(self, *, wait: bool = False) -> str | None:
        """The exit status; None until the snapshot is written."""
        if not self._status:
            return None
        return "it failed" if self._status[0] else ""

    def abandon(self) -> None:
        """Do nothing: a killed process is replaced whole."""


class MatcherProcess(SimulatedProcess):
    """One matcher. `archive` receives every batch that left the matcher or was found again on its
    disk."""

    engine: Engine
    journal: Journal
    sequencer: Sequencer

    def __init__(
        self, world: SimulatedWorld, network: Network, conditions: RunConditions, archive: Archive
    ) -> None:
        super().__init__(world, network, "matcher")
        capacity, harsh = conditions.pipe_capacity, conditions.harshness
        self.conditions = conditions
        self.disk = FakeDisk()
        self.failing = False
        self.power = 0
        self.commands = Port(network, self, "commands", capacity, harsh_up=harsh)
        self.events = Port(network, self, "events", capacity, harsh_down=harsh)
        self.queries = Port(network, self, "sync", capacity)
        self._archive = archive
        self._instruments: Sequence[Instrument] = INSTRUMENTS
        self._snapshotter: Snapshotter
        self._timekeeper: Timekeeper
        self._heartbeat_at = self._sync_at = 0
        self._safe = (0, 0)
        """Time of the last sync of the journal, and the number up to which it was synced."""

    def boot(self) -> bool:
        """Recover. A failing disk alone prevents it."""
        conditions = self.conditions
        resend_buffer = EventResendBuffer(conditions.resend_bytes)
        archive = self._archive

        def seen(record: Any) -> None:
            archive.keep(record.events, "found again")
            resend_buffer.append(record.first_seq, record.last_seq, record.events)

        try:
            recovered = recover(
                self.disk, self._instruments, self.clock.now_ns(), conditions.segment_bytes,
                conditions.sync, SNAPSHOTS_KEPT, seen,
            )  # fmt: skip
        except (CrossbookError, OSError) as error:
            unread = not isinstance(error, JournalDamaged) or "cannot be read" in str(error)
            require(self.failing and unread, f"the matcher refuses to start: {error}")
            self.world.trace(self.name, f"does not start: {error}")
            return False
        self.engine, self.journal = recovered.engine, recovered.journal
        self.sequencer = Sequencer(self.engine, self.journal, resend_buffer)
        self._timekeeper = Timekeeper(
            self.clock, self.journal.last_time_ns, JUMP_MAX_NS, ABSENCE_MAX_NS
        )
        self._snapshotter = Snapshotter(
            SnapshotStore(self.disk, SNAPSHOTS_KEPT), self.journal,
            SnapshotWriter(self.disk, self.engine, self._write_later),
            conditions.snapshot_every, conditions.keep_segments, recovered.snapshot_seq,
        )  # fmt: skip
        self._heartbeat_at = self._sync_at = self.world.now_ns
        # The records read back were made durable first.
        self._safe = (self.world.now_ns, self.journal.last_seq)
        self.world.trace(
            self.name,
            f"recovered {self.engine.seq} from {recovered.snapshot_seq}, "
            f"cut {self.journal.cut_bytes}, skipped {recovered.skipped}",
        )
        archive.recovered(self.journal.incarnation, self.engine.seq)
        return True

    def round(self) -> int:
        """Run the body of the service's loop."""
        try:
            return self._round()
        except (JournalFailed, JournalDamaged, OSError) as error:
            require(self.failing, f"the matcher's disk fails by itself: {error}")
            self.kill(str(error))
            return 0

    def lose_power(self) -> None:
        """Stop the machine: bytes that were not synced are lost, kept or torn.

        Where that may undo published batches, a copy of the disk is checked instead: clients that
        received them would have to be corrected.
        """
        if self.conditions.sync != "batch":
            self._look_at_what_is_left()
            return
        self.kill("power lost")
        self.power += 1
        self.disk.crash(self.world.rng)

    def ended(self) -> None:
        """Drop armed faults with the process."""
        self.disk.kill()

    def _look_at_what_is_left(self) -> None:
        """Check a copy of the disk after a loss of power: it holds a prefix of the published
        batches, with all safe ones."""
        disk = self.disk.fork()
        disk.crash(self.world.rng)
        found: list[Any] = []
        recovered = recover(
            disk, self._instruments, self.clock.now_ns(), self.conditions.segment_bytes,
            self.conditions.sync, SNAPSHOTS_KEPT, found.append,
        )  # fmt: skip
        for record in found:
            self._archive.require_known(record.events)
        seq = recovered.engine.seq
        # The journal was synced before a snapshot was begun.
        safe = max(self._safe[1], self._snapshotter.last_seq)
        require(safe <= seq, f"power would leave {seq}, and {safe} was safe")
        if self.alive:
            require(not recovered.skipped, f"snapshots are there in part: {recovered.skipped}")
            self._check_delay()
        check(recovered.engine)
        self.world.trace(self.name, f"power would leave {seq} of {self._archive.last_seq}")

    def _check_delay(self) -> None:
        """Assert that with an interval of syncs no unsafe record is older than the interval."""
        if self.conditions.sync != "interval" or self.is_stalled:
            return
        delay_ns = self.world.now_ns - self._safe[0]
        require(delay_ns <= SYNC_INTERVAL_NS + LATE_NS, f"no sync for {delay_ns} ns")

    def _sync_journal(self) -> None:
        self.journal.sync()
        self._safe = (self.world.now_ns, self.journal.last_seq)

    def _round(self) -> int:
        now_ns = self.world.now_ns
        if now_ns >= self._heartbeat_at:
            self.events.publish(self.sequencer.heartbeat(self._stamp_ns()))
            self._heartbeat_at = now_ns + HEARTBEAT_NS
        if self.conditions.sync == "interval" and now_ns >= self._sync_at:
            self._sync_journal()
            self._sync_at = now_ns + SYNC_INTERVAL_NS
        due_at = self._let_expire()
        has_more = self.sequencer.has_more
        payloads = [] if has_more else [each for _, each in self.commands.receive(DRAIN_MAX)]
        if payloads or has_more:
            self._receive_commands(payloads)
        requests = self.queries.receive(4)
        for identity, payload in requests:
            self._answer(identity, payload)
        self._snapshotter.tick()
        if payloads or requests or has_more:
            return now_ns + MICROSECOND
        sync_at = self._sync_at if self.conditions.sync == "interval" else due_at
        return min(now_ns + ROUND_MAX_NS, self._heartbeat_at, due_at, sync_at)

    def _let_expire(self) -> int:
        """Apply due timers; returns the time of the next."""
        wall_ns = self._stamp_ns()
        if self.sequencer.is_due(wall_ns):
            batch = self.sequencer.let_expire(wall_ns)
            assert batch is not None, "what is due happens"
            self.point()
            self._archive.keep(batch, "published")
            self.events.publish(batch)
            self.world.trace(self.name, f"let expire up to {self.sequencer.seq}")
        return self.world.now_ns + max(MICROSECOND, self.sequencer.next_due_ns - wall_ns)

    def _stamp_ns(self) -> int:
        """The time to stamp, which no wild clock may carry far ahead."""
        time_ns = self._timekeeper.now_ns()
        ahead_ns = time_ns - EPOCH_NS - self.world.now_ns
        require(ahead_ns < ABSENCE_MAX_NS, f"a stamp is {ahead_ns // DAY} days ahead")
        return time_ns

    def _receive_commands(self, payloads: list[bytes]) -> None:
        self.point()
        before = self.sequencer.seq
        batch = self.sequencer.apply(payloads, self._stamp_ns())
        if batch is None:
            return
        self.world.trace(self.name, f"applied {before + 1}..{self.sequencer.seq}")
        self.point()
        self._archive.keep(batch, "published")
        self.events.publish(batch)
        self.point()

    def _answer(self, identity: bytes, payload: bytes) -> None:
        self.point()
        request = decode_matcher_query(payload)
        reply = self.sequencer.answer(request)
        self.world.trace(self.name, f"{type(request).__name__} gave {type(reply).__name__}")
        self.queries.send(identity, encode(reply))

    def _write_later(self, name: str, data: bytes) -> list[int]:
        """A process that writes the snapshot some time from now, the matcher alive or not."""
        status: list[int] = []
        life, power = self.starts, self.power
        orphan_survives = self.world.rng.random() < 0.5

        def write() -> None:
            lives = self.alive and life == self.starts
            if power != self.power or not (lives or orphan_survives):
                return
            try:
                self.disk.replace(name, data)
                status.append(0)
            except OSError:
                status.append(1)
            except Died:
                self.kill("killed while a snapshot was written")
            self.world.trace(self.name, f"snapshot {name} {status}")

        self.world.after(self.world.between(MILLISECOND, SECOND), write)
        return status
