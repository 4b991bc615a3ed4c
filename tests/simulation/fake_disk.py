"""A disk in memory with the faults of a real one: it loses writes, tears them, fails and stops.

As on a real machine, a file has one content for readers, and another one after a loss of power.
`kill` ends the process: nothing is lost. `crash` is the loss of power: synced bytes stay, and of
the rest a part that the given generator draws.
"""

import errno
import os
from random import Random
from typing import Final, Literal

Operation = Literal["read", "write", "sync", "claim", "replace", "remove"]

SECTOR_BYTES: Final = 512


class Died(Exception):  # noqa: N818 - names an event
    """The process or the machine stopped in the middle of this operation."""


class _File:
    """One file: its content in memory, and its content on the platter."""

    def __init__(self, content: bytes | bytearray) -> None:
        self.seen = bytearray(content)
        self.durable = bytearray(content)
        self.unsynced: list[tuple[int, bytes]] = []

    def write(self, offset: int, data: bytes) -> None:
        _put(self.seen, offset, data)
        self.unsynced.append((offset, data))

    def sync(self) -> None:
        for offset, data in self.unsynced:
            _put(self.durable, offset, data)
        self.unsynced.clear()

    def crash(self, rng: Random) -> None:
        for offset, data in self.unsynced:
            for start, piece in survivors(rng, offset, data):
                _put(self.durable, start, piece)
        self.unsynced.clear()
        self.seen = bytearray(self.durable)


class FakeDisk:
    """A `crossbook.matcher.journal.disk.Disk`. `operations` counts changes and reads."""

    def __init__(self, capacity: int | None = None) -> None:
        self._files: dict[str, _File] = {}
        self._capacity = capacity
        self._failures: dict[Operation, dict[int, int]] = {}
        self._counts: dict[Operation, int] = {}
        self._dies_at = 0
        self._decides = Random(0)
        self.operations = 0

    # Faults.

    def fail(self, operation: Operation, error: int, after: int = 0) -> None:
        """Let the next operation of this kind fail with `error`, or the one `after` that many."""
        place = self._counts.get(operation, 0) + after + 1
        self._failures.setdefault(operation, {})[place] = error

    def die_in(self, operations: int, rng: Random) -> None:
        """Raise `Died` in the middle of the operation after this many; `rng` decides how far."""
        self._dies_at = self.operations + operations + 1
        self._decides = rng

    def kill(self) -> None:
        """End the process: all written bytes stay."""
        self._dies_at = 0
        self._failures.clear()

    def crash(self, rng: Random) -> None:
        """Lose power: unsynced writes are kept, dropped or torn, each on its own."""
        self.kill()
        for name in sorted(self._files):
            self._files[name].crash(rng)

    def put(self, name: str, content: bytes) -> None:
        """Set the content of a file from outside."""
        self._files[name] = _File(content)

    def delete(self, name: str) -> None:
        """Remove a file from outside."""
        del self._files[name]

    def copy(self) -> "FakeDisk":
        """Another disk with the same files, all synced, and without faults."""
        made = FakeDisk(self._capacity)
        for name, file in self._files.items():
            made.put(name, bytes(file.seen))
        return made

    def fork(self) -> "FakeDisk":
        """Another disk with the same files, synced as far as these are."""
        made = FakeDisk(self._capacity)
        for name, file in self._files.items():
            other = made._files[name] = _File(file.durable)
            other.seen[:] = file.seen
            other.unsynced = list(file.unsynced)
        return made

    # Operations of the journal and the snapshots.

    def names(self) -> list[str]:
        """The names of all files, sorted."""
        return sorted(self._files)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """A file's content from `offset` on, at most `length` bytes of it."""
        self._step("read")
        self._die()
        end = None if length is None else offset + length
        return bytes(self._file(name).seen[offset:end])

    def prepare(self, size: int) -> None:
        """Do nothing: `claim` needs no preparation here, and fails for a fault of the
        preparation."""

    def claim(self, name: str, size: int, head: bytes) -> None:
        """A file of `size` bytes, `head` and then zeros, all or nothing."""
        if self._step("claim", size):
            self._files[name] = _File(head + bytes(size - len(head)))
        self._die()

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Write at a place inside a file; a failing write may have written a part."""
        file = self._file(name)
        try:
            happens = self._step("write")
        except OSError:
            file.write(offset, data[: len(data) // 2])
            raise
        if offset + len(data) > len(file.seen):
            raise AssertionError(f"{name}: write at {offset} beyond its {len(file.seen)} bytes")
        whole = happens and not self._dies
        file.write(offset, data if whole else data[: self._decides.randrange(len(data) + 1)])
        self._die()

    def sync(self, name: str) -> None:
        """Make writes durable. Writes of a failed sync never become durable, though they are still
        read, as on Linux."""
        file = self._file(name)
        try:
            happens = self._step("sync")
        except OSError:
            file.unsynced.clear()
            raise
        if happens:
            file.sync()
        self._die()

    def release(self, name: str) -> None:
        """Do nothing."""

    def replace(self, name: str, data: bytes) -> None:
        """Give the file exactly this content, all or nothing."""
        if self._step("replace", len(data)):
            self._files[name] = _File(data)
        self._die()

    def remove(self, name: str) -> None:
        """Remove the file, or fail."""
        if self._step("remove"):
            self._files.pop(name, None)
        self._die()

    def close(self) -> None:
        """Do nothing."""

    @property
    def _dies(self) -> bool:
        return self.operations == self._dies_at

    def _die(self) -> None:
        if self._dies:
            raise Died

    def _file(self, name: str) -> _File:
        file = self._files.get(name)
        if file is None:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return file

    def _step(self, operation: Operation, needed: int = 0) -> bool:
        """Whether the operation has its effect; raises the fault that is armed."""
        self.operations += 1
        count = self._counts[operation] = self._counts.get(operation, 0) + 1
        error = self._failures.get(operation, {}).pop(count, 0)
        if not error and needed and self._capacity is not None:
            used = sum(len(file.seen) for file in self._files.values())
            error = errno.ENOSPC if used + needed > self._capacity else 0
        if error:
            raise OSError(error, os.strerror(error))
        return not self._dies or self._decides.random() < 0.5


def _put(content: bytearray, offset: int, data: bytes) -> None:
    content[offset : offset + len(data)] = data


def survivors(rng: Random, offset: int, data: bytes) -> list[tuple[int, bytes]]:
    """The rest of an unsynced write: all, nothing, its first bytes, or some sectors."""
    fate = rng.randrange(4)
    if fate == 0:
        return [(offset, data)]
    if fate == 1:
        return []
    if fate == 2:
        return [(offset, data[: rng.randrange(len(data) + 1)])]
    left = []
    first = offset - offset % SECTOR_BYTES
    for sector in range(first, offset + len(data), SECTOR_BYTES):
        start, end = max(sector, offset), min(sector + SECTOR_BYTES, offset + len(data))
        if rng.random() < 0.5:
            left.append((start, data[start - offset : end - offset]))
    return left
