"""Snapshots as files beside the journal: written whole, checked when read, the last few kept.

A file is magic, format version, CRC32 and length of its body, and the body: msgpack of incarnation,
sequence number, time, state hash and the engine's bytes. Its name is the sequence number.
"""

from struct import Struct as Layout
from typing import Final
from zlib import crc32

import msgspec
from msgspec import Struct

from crossbook.common.errors import BAD_BYTES
from crossbook.common.messages.codec import encode
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.journal.disk import Disk
from crossbook.matcher.recovery.snapshot import capture, restore, state_hash

VERSION: Final = 2
"""The format version that is written; earlier ones are read as well."""

SUFFIX: Final = ".snapshot"
_MAGIC: Final = b"CROSSBS\n"
_HEAD: Final = Layout("<8sIIQ")


class EngineSnapshot(Struct, array_like=True, frozen=True):
    """A whole engine as of `seq` of `incarnation`, and its state hash."""

    incarnation: int
    seq: int
    time_ns: int
    state_hash: str
    engine: bytes


class BadSnapshot(Exception):  # noqa: N818 - names a finding
    """A file that is not a sound snapshot."""


_decode = msgspec.msgpack.Decoder(EngineSnapshot).decode


def snapshot_name(seq: int) -> str:
    """The file name of the snapshot of this number."""
    return f"{seq:020d}{SUFFIX}"


def snapshot_seq(name: str) -> int:
    """The number of the snapshot in the file of this name."""
    return int(name.removesuffix(SUFFIX))


class SnapshotStore:
    """The snapshots on one disk; `prune` keeps the newest `kept`."""

    def __init__(self, disk: Disk, kept: int) -> None:
        self._disk = disk
        self._kept = kept

    def save(self, engine: Engine, incarnation: int, time_ns: int) -> str:
        """Write a snapshot of the engine as it stands, durably; returns the file's name.

        Raises `OSError`. A reader finds the whole file or none.
        """
        body = encode(
            EngineSnapshot(incarnation, engine.seq, time_ns, state_hash(engine), capture(engine))
        )
        name = snapshot_name(engine.seq)
        self._disk.replace(name, _HEAD.pack(_MAGIC, VERSION, crc32(body), len(body)) + body)
        return name

    def names(self) -> list[str]:
        """The files, oldest first."""
        return [name for name in self._disk.names() if name.endswith(SUFFIX)]

    def read(self, name: str) -> EngineSnapshot:
        """One snapshot, its checksum verified; raises `BadSnapshot`."""
        data = self._disk.read(name)
        if len(data) < _HEAD.size:
            raise BadSnapshot("the file ends inside its header")
        magic, version, crc, length = _HEAD.unpack_from(data)
        body = data[_HEAD.size :]
        if magic != _MAGIC or not 1 <= version <= VERSION:
            raise BadSnapshot(f"not a snapshot of format version {VERSION} or earlier")
        if len(body) != length or crc32(body) != crc:
            raise BadSnapshot("the checksum is wrong")
        try:
            return _decode(body)
        except BAD_BYTES as error:
            raise BadSnapshot(f"the body is no snapshot: {error}") from error

    def load(self, snapshot: EngineSnapshot) -> Engine:
        """The engine of a snapshot; raises `BadSnapshot` when its state hash differs."""
        try:
            engine = restore(snapshot.engine)
        except (*BAD_BYTES, LookupError, AssertionError) as error:
            raise BadSnapshot(f"the engine cannot be restored: {error}") from error
        if state_hash(engine) != snapshot.state_hash or engine.seq != snapshot.seq:
            raise BadSnapshot("the restored state is not the one that was saved")
        return engine

    def prune(self) -> int:
        """Remove all but the newest few; returns the sequence number of the oldest one kept."""
        names = self.names()
        for name in names[: -self._kept]:
            self._disk.remove(name)
        kept = names[-self._kept :]
        return snapshot_seq(kept[0]) if kept else 0
