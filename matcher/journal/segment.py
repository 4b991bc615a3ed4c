"""One file of the journal: a header that ties it to its predecessor, then frames, then zeros.

The header is magic, format version, CRC32 and length of its body, and the body: msgpack of
[incarnation, first sequence number, size of the file, SHA-256 of the predecessor's used bytes,
configuration]. The checksum covers body and version. The file's name is the first sequence number,
so that names sort like the commands.
The whole header is in the file before the file has its name.
"""

from array import array
from bisect import bisect_right
from hashlib import sha256
from struct import Struct as Layout
from typing import Final
from zlib import crc32

import msgspec
from msgspec import Struct

from crossbook.common.errors import BAD_BYTES
from crossbook.common.types import MAX_INT
from crossbook.matcher.journal.record import Damage, Head, check_frame, is_unused

VERSION: Final = 3
"""The format version that is written; earlier ones are read as well."""

SUFFIX: Final = ".journal"
NO_PREDECESSOR: Final = bytes(32)
INDEX_BYTES: Final = 256 * 1024
"""A search for a record passes over at most about this much before it."""

_MAGIC: Final = b"CROSSBK\n"
_HEAD: Final = Layout("<8sIII")


class Header(Struct, frozen=True, array_like=True):
    """The header of a segment.

    `size` is the length of the whole file, unused space included: a shorter file has lost its end.
    `configuration` is in force for all its records.
    """

    incarnation: int
    first_seq: int
    size: int
    predecessor: bytes
    configuration: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Header).decode


def segment_name(first_seq: int) -> str:
    """The file name of the segment that begins with this number.

    >>> segment_name(17)
    '00000000000000000017.journal'
    """
    return f"{first_seq:020d}{SUFFIX}"


def encode_header(header: Header) -> bytes:
    """The bytes of a header."""
    body = _encode(header)
    return _HEAD.pack(_MAGIC, VERSION, _checksum(VERSION, body), len(body)) + body


def _checksum(version: int, body: bytes) -> int:
    """From version 3 on it covers the version too: damage must not turn it into an earlier one."""
    return crc32(body, version if version > 2 else 0)


def decode_header(data: bytes) -> tuple[Header, int]:
    """The header at the start of a segment's bytes, and its length; raises `Damage` at offset 0."""
    if len(data) < _HEAD.size:
        raise Damage(0, "the file ends inside its header")
    magic, version, crc, length = _HEAD.unpack_from(data)
    if magic != _MAGIC:
        raise Damage(0, "this is no journal segment")
    if not 1 <= version <= VERSION:
        raise Damage(0, f"format version {version}; this program reads up to version {VERSION}")
    end = _HEAD.size + length
    if len(data) < end:
        raise Damage(0, "the file ends inside its header")
    body = data[_HEAD.size : end]
    if _checksum(version, body) != crc:
        raise Damage(0, "the header's checksum is wrong")
    try:
        return _decode(body), end
    except BAD_BYTES as error:
        raise Damage(0, f"the header is no message: {error}") from error


class Segment:
    """One file as far as its records are known to be sound.

    `used` is the offset of the next frame, `synced` the length of the file that was known to be
    synced when the last frame found by `scan` was written. Frames are found through a sparse index,
    one entry for every `INDEX_BYTES`.
    """

    def __init__(self, header: Header, header_bytes: bytes) -> None:
        self.header = header
        self.name = segment_name(header.first_seq)
        self.first_seq = header.first_seq
        self.last_seq = header.first_seq - 1
        self.last_time_ns = 0
        self.used = self.synced = len(header_bytes)
        self._hash = sha256(header_bytes)
        self._seqs = array("Q")
        self._offsets = array("Q")

    def add(self, last_seq: int, time_ns: int, data: bytes | memoryview) -> None:
        """Add the frame at `used`, which ends with `last_seq`; the next frame goes behind it."""
        if not self._offsets or self.used - self._offsets[-1] >= INDEX_BYTES:
            self._seqs.append(self.last_seq + 1)
            self._offsets.append(self.used)
        self._hash.update(data)
        self.used += len(data)
        self.last_seq = last_seq
        self.last_time_ns = time_ns

    def offset_before(self, seq: int) -> int:
        """Offset of an indexed frame at or before the one that holds `seq`."""
        place = bisect_right(self._seqs, seq) - 1
        return self._offsets[max(place, 0)] if self._offsets else self.used

    @property
    def is_empty(self) -> bool:
        """Whether it holds no record."""
        return self.last_seq < self.first_seq

    def digest(self) -> bytes:
        """SHA-256 of the used bytes, for the successor's header."""
        return self._hash.digest()


def scan(data: bytes, until_seq: int = MAX_INT) -> tuple[Segment, Damage | None]:
    """The segment in these bytes, and the damage behind its last sound record, if any.

    Nothing behind the record that ends with `until_seq` is read. Raises `Damage` when the header is
    not sound, or the file is shorter than in the header.
    """
    header, end = decode_header(data)
    if len(data) < header.size:
        raise Damage(len(data), f"the file has lost its end: it had {header.size} bytes")
    segment = Segment(header, data[:end])
    view = memoryview(data)
    try:
        while segment.last_seq < until_seq and not is_unused(data, segment.used):
            head = check_frame(data, segment.used)
            _check_order(segment, head)
            segment.add(
                head.last_seq,
                head.time_ns,
                view[segment.used : segment.used + head.frame_bytes],
            )
            segment.synced = head.synced
    except Damage as damage:
        return segment, damage
    return segment, None


def _check_order(segment: Segment, head: Head) -> None:
    if head.first_seq != segment.last_seq + 1 or head.last_seq < head.first_seq:
        raise Damage(
            segment.used,
            f"record {head.first_seq} to {head.last_seq} follows number {segment.last_seq}",
        )
