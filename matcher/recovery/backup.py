"""`python -m crossbook.matcher.recovery.backup DIR TARGET`: copy the files of a matcher,
which may be running.

A plain copy of a running matcher's folder may be unusable: the end of the journal moves while it is
read, and the matcher removes old segments and snapshots. Exit status: 0 done, 1 the journal is
damaged, 2 a file or folder is in the way or missing.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.json import encode

from crossbook.common.errors import CrossbookError
from crossbook.common.process.private import private_folder
from crossbook.matcher.journal.disk import Disk, FileDisk
from crossbook.matcher.journal.journal import Journal, JournalDamaged
from crossbook.matcher.recovery.snapshot_store import SnapshotStore, snapshot_seq

ATTEMPTS: Final = 5
"""Attempts at a copy: one fails where the matcher removes a file before it was read."""


class Copied(Struct, frozen=True):
    """A finished copy: the range of its journal, its snapshots and its size."""

    first_seq: int
    last_seq: int
    segments: int
    snapshots: list[int]
    bytes: int


def back_up(source: Disk, target: Disk) -> Copied:
    """Copy a journal and the snapshots that belong to it; a recovery leads to `last_seq`.

    Everything acknowledged before the call is in the copy. Raises `JournalDamaged`, and `OSError`
    where a file cannot be read or written.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _copy(source, target)
        except (FileNotFoundError, JournalDamaged) as error:
            # The matcher removes files that a newer snapshot makes needless.
            gone = isinstance(error.__cause__ or error, FileNotFoundError)
            if attempt == ATTEMPTS or not gone:
                raise
            for name in target.names():
                target.remove(name)
    raise AssertionError("the last attempt returns or raises")


def _copy(source: Disk, target: Disk) -> Copied:
    # Opening the journal fixes the end of the copy: later records are left out.
    journal = Journal.open(source, 0, b"", 0, read_only=True)
    count = 0
    for name, used, size in journal.extents():
        data = source.read(name, 0, used)
        target.replace(name, data + bytes(size - used))
        count += size
    snapshots = []
    for name in SnapshotStore(source, 1).names():
        seq = snapshot_seq(name)
        if seq <= journal.last_seq:
            data = source.read(name)
            target.replace(name, data)
            snapshots.append(seq)
            count += len(data)
    if journal.first_seq > journal.base_seq + 1 and not any(
        seq >= journal.first_seq - 1 for seq in snapshots
    ):
        # The snapshot that this journal continues was removed before it was read.
        raise FileNotFoundError("the snapshot before the journal is gone")
    segments = len(journal.segment_names)
    return Copied(journal.first_seq, journal.last_seq, segments, snapshots, count)


def main(arguments: list[str]) -> int:
    """Copy a data directory; returns the exit status."""
    parser = argparse.ArgumentParser(prog="crossbook.matcher.recovery.backup", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("target", type=Path)
    given = parser.parse_args(arguments)
    try:
        private_folder(given.target)
        target = FileDisk(given.target, beside=True)
        copied = back_up(FileDisk(given.directory, read_only=True), target)
    except OSError as error:
        sys.stderr.write(f"{error.filename or given.directory}: {error.strerror or error}\n")
        return 2
    except CrossbookError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(encode(copied).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
