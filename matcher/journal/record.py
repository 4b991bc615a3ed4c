"""The bytes of one batch in the journal: a frame, with checksums over everything in it.

A frame is a head, a body and a closing byte. All integers are little-endian.

    head   mark "XBK\\1", CRC32 of the rest of the head, length of the body, CRC32 of the body,
           first and last sequence number, time, synced bytes of the file, closing byte
    body   msgpack of [payloads of commands as received, the encoded batch of their events]

Zeros where a frame should begin are unused space. The closing bytes are not zero, so that a write
cut short leaves a zero at the end of what it was writing; together with the length up to which the
file was known to be synced this distinguishes a torn write from damage (`is_torn`).
"""

from struct import Struct as Layout
from typing import Final
from zlib import crc32

import msgspec
from msgspec import Struct

from crossbook.common.errors import BAD_BYTES

MARK: Final = b"XBK\x01"
_CLOSING: Final = 0xFF
_CLOSING_BYTE: Final = bytes([_CLOSING])
_CHECKED: Final = Layout("<IIQQQQB")
_CHECKED_FROM: Final = 8
HEAD_BYTES: Final = _CHECKED_FROM + _CHECKED.size
SECTOR_BYTES: Final = 512
"""The bytes that a disk writes whole or not at all."""

_NOTHING: Final = bytes(HEAD_BYTES)
_ZEROS: Final = bytes(1024 * 1024)


class Record(Struct, frozen=True):
    """One batch: its numbers, its time, the payloads received and the encoded events."""

    first_seq: int
    last_seq: int
    time_ns: int
    payloads: list[bytes]
    events: bytes


class Head(Struct, frozen=True, gc=False):
    """The head of a frame.

    `synced` is the number of bytes of the file that were known to survive a crash when the frame
    was written.
    """

    body_bytes: int
    body_crc: int
    first_seq: int
    last_seq: int
    time_ns: int
    synced: int

    @property
    def frame_bytes(self) -> int:
        """Length of the whole frame."""
        return HEAD_BYTES + self.body_bytes + 1


class Damage(Exception):  # noqa: N818 - names a finding
    """Bytes that are no sound frame or header.

    `offset` is their place in the bytes given. `end` is where the damaged part should have ended,
    as far as that is known; it equals `offset` where no unfinished write explains the damage.
    """

    def __init__(self, offset: int, text: str, end: int | None = None) -> None:
        super().__init__(text)
        self.offset = offset
        self.end = offset if end is None else end


class _Body(Struct, array_like=True):
    payloads: list[bytes]
    events: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Body).decode


def frame(record: Record, synced: int) -> bytes:
    """The bytes of one record, written while `synced` bytes of the file were known to be safe."""
    body = _encode(_Body(record.payloads, record.events))
    checked = _CHECKED.pack(
        len(body),
        crc32(body),
        record.first_seq,
        record.last_seq,
        record.time_ns,
        synced,
        _CLOSING,
    )
    return b"".join((MARK, crc32(checked).to_bytes(4, "little"), checked, body, _CLOSING_BYTE))


def read_head(data: bytes, offset: int) -> Head:
    """The sound head at `offset`; raises `Damage`."""
    end = offset + HEAD_BYTES
    if end > len(data):
        raise Damage(offset, "the file ends inside a record's head", end)
    if data[offset : offset + len(MARK)] != MARK:
        raise Damage(offset, "no record begins here", end)
    checked = data[offset + _CHECKED_FROM : end]
    if crc32(checked) != int.from_bytes(data[offset + 4 : offset + 8], "little"):
        raise Damage(offset, "the checksum of the record's head is wrong", end)
    *fields, _ = _CHECKED.unpack(checked)
    return Head(*fields)


def check_frame(data: bytes, offset: int) -> Head:
    """The head of the sound frame at `offset`; raises `Damage`."""
    head = read_head(data, offset)
    end = offset + head.frame_bytes
    if end > len(data):
        raise Damage(offset, "the file ends inside a record", end)
    if data[end - 1] != _CLOSING or crc32(_body(data, offset, head)) != head.body_crc:
        raise Damage(offset, "the record's checksum is wrong", end)
    return head


def read_record(data: bytes, offset: int) -> Record:
    """The record of the sound frame at `offset`; raises `Damage`."""
    head = check_frame(data, offset)
    try:
        parts = _decode(_body(data, offset, head))
    except BAD_BYTES as error:
        raise Damage(offset, f"the record's body is no message: {error}") from error
    return Record(head.first_seq, head.last_seq, head.time_ns, parts.payloads, parts.events)


def is_unused(data: bytes, offset: int) -> bool:
    """Whether nothing was written at `offset` and behind; raises `Damage` for a gap before data."""
    if data[offset : offset + HEAD_BYTES].strip(b"\0"):
        return False
    for start in range(offset, len(data), len(_ZEROS)):
        part = data[start : start + len(_ZEROS)]
        if part != (_ZEROS if len(part) == len(_ZEROS) else _ZEROS[: len(part)]):
            raise Damage(offset, "data after unused space", offset + HEAD_BYTES)
    return True


def is_torn(data: bytes, damage: Damage) -> bool:
    """Whether a crash in the middle of writing explains `damage`.

    It does when some of what was being written is still zeros (its end, or a sector), and no sound
    frame behind it records that this place was synced before.
    """
    offset, end = damage.offset, damage.end
    if not offset < end <= len(data) or _was_synced(data, offset):
        return False
    if not data[end - 1]:
        return True
    sectors = range(offset - offset % SECTOR_BYTES, end, SECTOR_BYTES)
    return any(not data[max(start, offset) : min(start + SECTOR_BYTES, end)].strip(b"\0")
               for start in sectors)  # fmt: skip


def _was_synced(data: bytes, offset: int) -> bool:
    place = data.find(MARK, offset + 1)
    while place >= 0:
        try:
            if check_frame(data, place).synced > offset:
                return True
        except Damage:
            pass
        place = data.find(MARK, place + 1)
    return False


def _body(data: bytes, offset: int, head: Head) -> memoryview:
    start = offset + HEAD_BYTES
    return memoryview(data)[start : start + head.body_bytes]
