"""The real disk when the power goes: at every call it makes, whatever may be left of the files
holds all that was promised until then.

The calls of a whole matcher are noted as it makes them, under every sync policy, with its snapshots
and the removal of old segments. What is left of them is laid into a new directory, where the next
life begins. A failure names the seed, the life and the call.
"""

import gc
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from crossbook.common.instruments import Instrument, example
from crossbook.common.messages.codec import encode
from crossbook.common.messages.commands import Command, NewOrder
from crossbook.common.types import Side
from crossbook.matcher.journal.disk import FileDisk
from crossbook.matcher.journal.journal import SyncPolicy
from crossbook.matcher.recovery import snapshot_process
from crossbook.matcher.recovery.recovery import Recovered, recover
from crossbook.matcher.recovery.snapshot_store import SnapshotStore
from crossbook.matcher.recovery.snapshotter import Snapshotter
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import Sequencer
from tests.simulation.fake_disk import FakeDisk
from tests.worlds.disk_calls import DiskCalls, Promised
from tests.worlds.power_loss import CORNERS, Platter

POLICIES: Final[tuple[SyncPolicy, ...]] = ("batch", "interval", "never")
SEEDS: Final = 4
SLOW_SEEDS: Final = 60
LIVES: Final = 5
BATCHES: Final = 40
SEGMENT_BYTES: Final = 1_600
SNAPSHOT_EVERY: Final = (10, 40)
INSTRUMENT: Final[Instrument] = example()


class Thread:
    """Runs its work at once, so that a seed gives the same calls every time."""

    def __init__(self, target: Callable[..., None], args: tuple[Any, ...], daemon: bool) -> None:
        self._target = target
        self._args = args

    def start(self) -> None:
        """Run the work."""
        self._target(*self._args)

    def join(self) -> None:
        """Return: the work is done."""


class NotedWriter:
    """Writes snapshots in this process, where its calls are recorded."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.status = 0

    def begin(self, seq: int) -> None:
        """Write the snapshot."""
        self.status = snapshot_process.main([str(self._directory), str(seq)])

    def outcome(self, *, wait: bool = False) -> str | None:
        """The fault of the written snapshot; empty when there is none."""
        return "it failed" if self.status else ""

    def abandon(self) -> None:
        """Do nothing: the snapshot is written."""


class Lives:
    """One matcher after the other, each over what the loss of power left of the one before.

    `looked` counts the different remains that were recovered from, `cut` the lives that found a
    torn tail, `dropped` those that removed segments.
    """

    def __init__(self, folder: Path, seed: int, policy: SyncPolicy, kept: int) -> None:
        self._folder = folder
        self._seed = seed
        self._rng = Random(seed)
        self._policy = policy
        self._kept = kept
        self._promised = Promised(0, 0)
        self._sent: dict[int, bytes] = {}
        """The event batches that left the matcher, each under its last number."""
        self.looked = 0
        self.cut = 0
        self.dropped = 0

    def run(self) -> None:
        """Run all lives, and check every possible remainder of each."""
        left: dict[str, bytes] = {}
        for life in range(LIVES):
            directory = self._folder / str(life)
            directory.mkdir()
            for name, content in left.items():
                (directory / name).write_bytes(content)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("crossbook.matcher.journal.disk.threading.Thread", Thread)
                patch.setattr(snapshot_process, "step_back", lambda niceness: None)
                patch.setattr(gc, "disable", lambda: None)
                calls = DiskCalls(directory, patch)
                self._live(directory, calls)
            left = self._look(life, calls)
            shutil.rmtree(directory)

    def _live(self, directory: Path, calls: DiskCalls) -> None:
        disk = FileDisk(directory)
        recovered = self._recover(disk)
        journal = recovered.journal
        self.cut += bool(journal.cut_bytes)
        self._compare(recovered)
        self._sent = {seq: batch for seq, batch in self._sent.items() if seq <= journal.last_seq}
        # Records read back are sent to consumers, so they are safe from now on.
        calls.promise(journal.last_seq, recovered.snapshot_seq)
        store = SnapshotStore(disk, self._kept)
        writer = NotedWriter(directory)
        every = self._rng.choice(SNAPSHOT_EVERY)
        snapshotter = Snapshotter(store, journal, writer, every, 1, recovered.snapshot_seq)
        sequencer = Sequencer(recovered.engine, journal, EventResendBuffer(1))
        safe, written = journal.last_seq, recovered.snapshot_seq
        for _ in range(self._rng.randrange(1, BATCHES)):
            batch = sequencer.apply([encode(self._commands())], sequencer.seq)
            assert batch is not None, "orders are applied"
            self._sent[sequencer.seq] = batch
            if self._policy == "batch":
                safe = sequencer.seq
            elif self._policy == "interval" and self._rng.random() < 0.3:
                journal.sync()
                safe = sequencer.seq
            # A full segment is safe under every policy.
            safe = max(safe, int(journal.segment_names[-1].partition(".")[0]) - 1)
            calls.promise(safe, written)
            count = snapshotter.written
            snapshotter.tick()
            if snapshotter.written > count:
                safe = max(safe, snapshotter.last_seq)
                written = snapshotter.last_seq
                calls.promise(safe, written)
        assert snapshotter.failed == 0
        self.dropped += journal.first_seq > 1
        if self._rng.random() < 0.3:
            journal.close()
            calls.promise(sequencer.seq, written)
        disk.close()

    def _commands(self) -> list[Command]:
        rng = self._rng
        sides = (Side.BUY, Side.SELL)
        return [
            NewOrder(
                gateway=0,
                request_seq=0,
                account=7,
                instrument=1,
                side=rng.choice(sides),
                order_type=1,
                time_in_force=1,
                price_ticks=rng.randrange(900, 999),
                quantity_lots=1_000,
            )
            for _ in range(rng.randrange(1, 5))
        ]

    def _look(self, life: int, calls: DiskCalls) -> dict[str, bytes]:
        """Recover from every possible remainder; returns the files that the next life begins
        with."""
        platter = Platter(calls.before)
        known: set[object] = set()
        whole: list[tuple[dict[str, bytes], Promised]] = []
        torn: list[tuple[dict[str, bytes], Promised]] = []
        for place, call in enumerate(calls.calls):
            platter.apply(call)
            for names, data in CORNERS:
                files = platter.left(names, data, self._rng)
                key = (platter.promised, tuple(files.items()))
                if key in known:
                    continue
                known.add(key)
                where = f"life {life}, {calls.lines(place + 1)}"
                cut_bytes = self._check(files, platter.promised, where)
                (torn if cut_bytes else whole).append((files, platter.promised))
        files, self._promised = self._rng.choice(
            torn if torn and self._rng.random() < 0.6 else whole
        )
        return files

    def _check(self, files: dict[str, bytes], promised: Promised, where: str) -> int:
        self.looked += 1
        disk = FakeDisk()
        for name, content in files.items():
            disk.put(name, content)
        before = self._promised
        try:
            recovered = self._recover(disk)
            self._compare(recovered)
            assert not recovered.skipped, f"a snapshot is there in part: {recovered.skipped}"
            assert recovered.engine.seq >= max(promised.seq, before.seq)
            assert recovered.snapshot_seq >= max(promised.snapshot, before.snapshot)
        except Exception as error:
            error.add_note(f"seed {self._seed}, {self._policy}, {self._kept} kept, {where}")
            raise
        return recovered.journal.cut_bytes

    def _recover(self, disk: Any) -> Recovered:
        return recover(disk, [INSTRUMENT], 77, SEGMENT_BYTES, self._policy, self._kept)

    def _compare(self, recovered: Recovered) -> None:
        """Assert that every record was sent, and is unchanged."""
        for _, record in recovered.journal.read(recovered.journal.first_seq):
            assert self._sent[record.last_seq] == record.events, f"{record.last_seq} is another"


def live(folder: Path, seed: int, policy: SyncPolicy, kept: int = 2) -> Lives:
    """All lives of a seed, run."""
    lives = Lives(folder, seed, policy, kept)
    lives.run()
    return lives


@pytest.mark.parametrize("policy", POLICIES)
def test_every_remainder_of_a_disk_contains_the_promised_records(
    tmp_path: Path, policy: SyncPolicy
) -> None:
    lived = [live(tmp_path, seed, policy, kept=1 + seed % 2) for seed in range(SEEDS)]
    assert sum(lives.looked for lives in lived) > 200 * SEEDS
    assert sum(lives.cut for lives in lived) > 0
    assert sum(lives.dropped for lives in lived) > 0


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
def test_every_remainder_of_a_disk_contains_the_promised_records_at_length(
    tmp_path: Path, policy: SyncPolicy
) -> None:
    for seed in range(SEEDS, SLOW_SEEDS):
        live(tmp_path, seed, policy, kept=1 + seed % 2)
