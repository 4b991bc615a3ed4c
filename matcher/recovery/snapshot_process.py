"""`python -m crossbook.matcher.recovery.snapshot_process DIR SEQ`: write the snapshot of a
sequence number from the files alone.

The process reads the newest snapshot before that number, applies the part of the journal behind it
and writes the resulting state. So the matcher does not stand still for a snapshot, and each
snapshot proves that the journal leads to the state of the matcher. Exit status: 0 written,
1 failed, with the reason on standard error.
"""

import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Final

from crossbook.matcher.build import use_build

if __name__ == "__main__":
    # The imports below load the engine.
    use_build()

from crossbook.common.errors import CrossbookError
from crossbook.common.process.crash_points import reached
from crossbook.common.process.scheduling import step_back
from crossbook.common.shards import base_of, shard_of
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.journal.disk import Disk, FileDisk
from crossbook.matcher.journal.journal import Journal
from crossbook.matcher.recovery.recovery import RecoveryFailed, replay, sound
from crossbook.matcher.recovery.snapshot_store import SnapshotStore

NICENESS: Final = 5
"""Leaves the processors to the matcher and its clients, and keeps pace with a busy matcher."""

REASON_BYTES: Final = 2_000


class SnapshotProcess:
    """Writes the snapshots of a directory, each in a process of its own beside the matcher that
    owns the directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._child: subprocess.Popen[bytes] | None = None

    def begin(self, seq: int) -> None:
        """Start writing the snapshot of a number that ends a journaled batch; raises `OSError`."""
        self._child = subprocess.Popen(
            [sys.executable, "-m", __name__, str(self._directory), str(seq)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def outcome(self, *, wait: bool = False) -> str | None:
        """None while it is being written, the empty text once it is written, else the fault."""
        child = self._child
        assert child is not None, "no snapshot was begun"
        status = child.wait() if wait else child.poll()
        if status is None:
            return None
        fault = _rest(child.stderr)
        self._child = None
        return (fault or f"the process ended with {status}") if status else ""

    def abandon(self) -> None:
        """End the process; its snapshot is not written."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            _rest(self._child.stderr)
            self._child = None


def _rest(pipe: IO[bytes] | None) -> str:
    assert pipe is not None, "standard error is a pipe"
    with pipe:
        return pipe.read()[-REASON_BYTES:].decode(errors="replace").strip()


def rebuild(disk: Disk, seq: int) -> tuple[Engine, Journal]:
    """The engine as it was at `seq`, and the part of the journal that led there.

    Reads nothing behind `seq`, so it may be called beside a matcher that appends. Raises
    `JournalDamaged`, `RecoveryFailed` when the files do not lead there, and `OSError`.
    """
    _, engine, _ = sound(SnapshotStore(disk, kept=1), base_of(shard_of(seq)))
    # A process that outlived its matcher may have written the snapshot of `seq` already: the part
    # still holds `seq`, because the incarnation and the time are those of the journal.
    journal = Journal.part(disk, min(engine.seq + 1, seq), seq)
    for _ in replay(engine, journal, engine.seq + 1):
        pass
    for last_seq in (engine.seq, journal.last_seq):
        if last_seq != seq:
            raise RecoveryFailed(f"the journal leads to {last_seq}, not to {seq}")
    return engine, journal


def main(arguments: list[str]) -> int:
    """Write one snapshot; returns the exit status."""
    step_back(NICENESS)
    gc.disable()
    directory, seq = Path(arguments[0]), int(arguments[1])
    try:
        disk = FileDisk(directory, beside=True)
        engine, journal = rebuild(disk, seq)
        reached("matcher.snapshot_half")
        SnapshotStore(disk, kept=1).save(engine, journal.incarnation, journal.last_time_ns)
    except (CrossbookError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    ended = main(sys.argv[1:])
    sys.stderr.flush()
    # Freeing millions of orders one by one would only take time.
    os._exit(ended)
