"""The journal: every batch the matcher applied, in segments that only grow.

`Journal.open` reads the segments, cuts a torn tail and refuses any other damage. `append` returns
when the record is as safe as the sync policy promises. When it raises, the journal is closed for
good: Linux may drop dirty pages after a failed sync and report success the next time, so the
contents of the disk are unknown from then on.

Layout of a segment: `segment.py`, of a record: `record.py`.
"""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, Literal

from crossbook.common.errors import CrossbookError
from crossbook.common.process.crash_points import armed, reached
from crossbook.common.shards import base_of, shard_of
from crossbook.common.types import MAX_INT
from crossbook.matcher.journal.disk import Disk
from crossbook.matcher.journal.record import (
    HEAD_BYTES,
    Damage,
    Record,
    check_frame,
    frame,
    is_torn,
    read_head,
    read_record,
)
from crossbook.matcher.journal.segment import (
    NO_PREDECESSOR,
    SUFFIX,
    Header,
    Segment,
    encode_header,
    scan,
    segment_name,
)

SyncPolicy = Literal["batch", "interval", "never"]
"""A record survives the loss of power from the return of `append` on, from the next `sync` on, or
only once its segment is full or the journal is closed. Every record survives the end of the
process."""

FIRST_SEGMENT_BYTES: Final = 1024 * 1024
"""Bytes of the first segment of a journal, unless segments are smaller: those of a larger one take
hundreds of syncs, for which the first command of an exchange would wait."""

READ_BYTES: Final = 512 * 1024
"""Bytes of a segment that `read` holds in memory at a time, unless one record is longer."""


class JournalFailed(CrossbookError):  # noqa: N818 - names an event
    """A write or sync failed: nothing after `last_seq` is known to be on disk."""

    def __init__(self, cause: str, last_seq: int) -> None:
        super().__init__(f"journal: {cause}; nothing after sequence {last_seq} is acknowledged")
        self.last_seq = last_seq


class JournalDamaged(CrossbookError):  # noqa: N818 - names an event
    """The bytes are not those that were written; the text names file, offset and remedy."""

    def __init__(self, name: str, offset: int, text: str, remedy: str = "") -> None:
        remedy = remedy or (
            "restore this file from a copy; or, to go back to the state before it, move it, all "
            "later segments and all later snapshots away"
        )
        super().__init__(f"journal: {name} at byte {offset}: {text}. Remedy: {remedy}")
        self.name = name
        self.offset = offset


class Journal:
    """Append-only records of one incarnation on one disk; made by `open`.

    `last_seq` and `last_time_ns` are those of the last record, and `base_seq` is the number before
    the first one of the shard; `cut_bytes` is the length of the torn tail that `open` found.
    """

    def __init__(
        self,
        disk: Disk,
        incarnation: int,
        configuration: bytes,
        segment_bytes: int,
        sync: SyncPolicy,
        base_seq: int = 0,
    ) -> None:
        self._disk = disk
        self._configuration = configuration
        self._segment_bytes = segment_bytes
        self._sync_policy = sync
        self._segments: list[Segment] = []
        self._synced = 0
        self._failure = ""
        self._tears = armed("matcher.half_written")
        self.incarnation = incarnation
        self.base_seq = base_seq
        self.last_seq = base_seq
        self.last_time_ns = 0
        self.cut_bytes = 0

    @classmethod
    def open(
        cls,
        disk: Disk,
        new_incarnation: int,
        configuration: bytes,
        segment_bytes: int,
        sync: SyncPolicy = "batch",
        *,
        read_only: bool = False,
        base_seq: int = 0,
    ) -> "Journal":
        """The journal on `disk`, checked from end to end; an empty disk begins `new_incarnation`
        behind `base_seq`.

        Everything in it is durable on return, unless `read_only`. Records are appended under
        `configuration`. Raises `JournalDamaged` for anything but a torn tail, which is cut, and
        `JournalFailed` where the cut cannot be written.
        """
        journal = cls(disk, new_incarnation, configuration, segment_bytes, sync, base_seq)
        if read_only:
            journal._failure = "it is read only"
        names = [name for name in disk.names() if name.endswith(SUFFIX)]
        torn: tuple[int, int] | None = None
        for name in names:
            torn = journal._load(name, is_last=name == names[-1])
        if not read_only:
            journal._make_durable(torn)
        return journal

    @classmethod
    def part(cls, disk: Disk, from_seq: int, until_seq: int) -> "Journal":
        """The segments that hold these numbers, checked, to be read only.

        Reads nothing before them, nor behind the record that ends with `until_seq`, so the matcher
        may append meanwhile. Raises `JournalDamaged`.
        """
        journal = cls(disk, 0, b"", 0, "never")
        journal._failure = "it is read only"
        names = [name for name in disk.names() if name.endswith(SUFFIX)]
        begins = [int(name.removesuffix(SUFFIX)) for name in names]
        place = max(bisect_right(begins, from_seq) - 1, 0)
        for name in names[place : bisect_right(begins, until_seq)]:
            journal._load(name, is_last=False, until_seq=until_seq)
        return journal

    def append(self, record: Record, *, sync: bool = True) -> None:
        """Write one record behind the last; with the `batch` policy it is synced on return, unless
        the caller leaves that to its own `sync`.

        Raises `JournalFailed`; after that every later call raises it too.
        """
        self._require_sound()
        if self._segments and record.first_seq != self.last_seq + 1:
            raise self._failed(f"record {record.first_seq} does not follow")
        data = frame(record, self._synced)
        try:
            if not self._has_room(len(data)):
                self._begin_segment(record.first_seq, len(data))
                data = frame(record, self._synced)
            segment = self._segments[-1]
            if self._tears:
                self._disk.write(segment.name, segment.used, data[: len(data) // 2])
                reached("matcher.half_written")
            self._disk.write(segment.name, segment.used, data)
            reached("matcher.written")
            is_synced = sync and self._sync_policy == "batch"
            if is_synced:
                self._disk.sync(segment.name)
        except OSError as error:
            raise self._failed(error.strerror or str(error)) from error
        segment.add(record.last_seq, record.time_ns, data)
        if is_synced:
            self._synced = segment.used
        self.last_seq = record.last_seq
        self.last_time_ns = record.time_ns

    def sync(self) -> None:
        """Everything appended survives a crash on return; raises `JournalFailed`."""
        self._require_sound()
        if not self._segments or self._synced == self._segments[-1].used:
            return
        try:
            self._disk.sync(self._segments[-1].name)
        except OSError as error:
            raise self._failed(error.strerror or str(error)) from error
        self._synced = self._segments[-1].used

    def read(self, from_seq: int) -> Iterator[tuple[Header, Record]]:
        """Records from the one that holds `from_seq` on, each with its segment's header.

        Includes records that are appended meanwhile. Raises `JournalDamaged` when the bytes changed
        since they were checked.
        """
        segments = self._segments
        place = bisect_right(segments, from_seq, key=lambda segment: segment.first_seq) - 1
        segment = segments[max(place, 0)] if segments else None
        while segment is not None:
            for record in self._read_segment(segment, from_seq):
                yield segment.header, record
            place = bisect_right(segments, segment.first_seq, key=lambda other: other.first_seq)
            segment = segments[place] if place < len(segments) else None

    def tail(self, from_seq: int) -> Iterator[tuple[Header, Record] | None]:
        """The records of `read`, without end; None whenever no further record exists yet."""
        while True:
            for header, record in self.read(from_seq):
                from_seq = record.last_seq + 1
                yield header, record
            yield None

    @property
    def first_seq(self) -> int:
        """The first number still in the journal; one past the last where it is empty."""
        return self._segments[0].first_seq if self._segments else self.last_seq + 1

    @property
    def used_bytes(self) -> int:
        """Bytes written in all segments, their headers included."""
        return sum(segment.used for segment in self._segments)

    @property
    def segment_names(self) -> list[str]:
        """The files of the journal, oldest first."""
        return [segment.name for segment in self._segments]

    def extents(self) -> list[tuple[str, int, int]]:
        """Name, used bytes and size of each file, oldest first; the bytes behind are no records."""
        return [(each.name, each.used, each.header.size) for each in self._segments]

    def drop_before(self, seq: int) -> list[str]:
        """Remove segments that hold nothing from `seq` on; returns their names.

        Raises `JournalFailed`.
        """
        self._require_sound()
        dropped: list[str] = []
        while len(self._segments) > 1 and self._segments[1].first_seq <= seq:
            name = self._segments[0].name
            try:
                self._disk.remove(name)
            except OSError as error:
                raise self._failed(error.strerror or str(error)) from error
            del self._segments[0]
            dropped.append(name)
        return dropped

    def close(self) -> None:
        """Sync what was appended, unless the journal has failed; later appends fail."""
        if not self._failure:
            self.sync()
            self._failure = "it was closed"
        if self._segments:
            self._disk.release(self._segments[-1].name)

    def _require_sound(self) -> None:
        if self._failure:
            raise JournalFailed(self._failure, self.last_seq)

    def _failed(self, cause: str) -> JournalFailed:
        self._failure = f"it failed before ({cause})"
        return JournalFailed(cause, self.last_seq)

    def _has_room(self, needed: int) -> bool:
        if not self._segments:
            return False
        segment = self._segments[-1]
        return (
            segment.header.configuration == self._configuration
            and segment.used + needed <= segment.header.size
        )

    def _begin_segment(self, first_seq: int, needed: int) -> None:
        predecessor = NO_PREDECESSOR
        if self._segments and self._segments[-1].is_empty:
            # Its record was never written: the new segment takes its name and place.
            predecessor = self._segments.pop().header.predecessor
        elif self._segments:
            last = self._segments[-1]
            if self._synced != last.used:
                self._disk.sync(last.name)
            self._disk.release(last.name)
            predecessor = last.digest()
        size = self._next_bytes()
        header = Header(self.incarnation, first_seq, size, predecessor, self._configuration)
        size = max(size, len(encode_header(header)) + needed + 8)
        header = Header(self.incarnation, first_seq, size, predecessor, self._configuration)
        encoded = encode_header(header)
        self._disk.claim(segment_name(first_seq), size, encoded)
        reached("matcher.between_segments")
        self._disk.prepare(self._segment_bytes)
        segment = Segment(header, encoded)
        self._segments.append(segment)
        self._synced = segment.used

    def _load(
        self, name: str, *, is_last: bool, until_seq: int = MAX_INT
    ) -> tuple[int, int] | None:
        """Load one segment; returns from where to where a torn tail must be cut."""
        try:
            data = self._disk.read(name)
        except OSError as error:
            raise JournalDamaged(name, 0, f"cannot be read: {error.strerror or error}") from error
        try:
            segment, damage = scan(data, until_seq)
        except Damage as broken:
            raise JournalDamaged(name, broken.offset, str(broken)) from broken
        self._follow(name, segment)
        if damage is not None:
            if not (is_last and is_torn(data, damage)):
                remedy = _give_up_tail(segment, len(data)) if is_last else ""
                raise JournalDamaged(name, damage.offset, str(damage), remedy) from damage
            end = len(data.rstrip(b"\0"))
            self.cut_bytes = end - segment.used
            return segment.used, end
        return None

    def _follow(self, name: str, segment: Segment) -> None:
        """Add the segment behind the last one; raises `JournalDamaged` where it does not follow."""
        header = segment.header
        if segment.name != name:
            raise JournalDamaged(name, 0, f"its header names {segment.name}")
        if self._segments:
            if header.incarnation != self.incarnation:
                raise JournalDamaged(name, 0, "it belongs to another incarnation")
            if header.first_seq != self.last_seq + 1:
                text = f"it begins with {header.first_seq}, but the segment before ends with"
                raise JournalDamaged(
                    name, 0, f"{text} {self.last_seq}: one is missing or cut short"
                )
            if header.predecessor != self._segments[-1].digest():
                raise JournalDamaged(name, 0, "the segment before it is not the one it followed")
        else:
            self.base_seq = base_of(shard_of(header.first_seq))
            if header.first_seq == self.base_seq + 1 and header.predecessor != NO_PREDECESSOR:
                raise JournalDamaged(name, 0, "it is the first, but followed another one")
        self._segments.append(segment)
        self.incarnation = header.incarnation
        self.last_seq = segment.last_seq
        self.last_time_ns = segment.last_time_ns or self.last_time_ns

    def _make_durable(self, torn: tuple[int, int] | None) -> None:
        """Sync what was read: it may be in memory only, and the matcher builds on it."""
        try:
            if self._segments:
                name = self._segments[-1].name
                if torn is not None:
                    start, end = torn
                    # First the last byte of the head, without which it is torn: the tail must still
                    # look torn if a crash cuts these zeros short.
                    self._disk.write(name, start + HEAD_BYTES - 1, b"\0")
                    self._disk.sync(name)
                    self._disk.write(name, start, bytes(end - start))
                self._write_again(self._segments[-1])
                self._disk.sync(name)
                self._synced = self._segments[-1].used
            self._disk.prepare(self._next_bytes())
        except OSError as error:
            raise self._failed(error.strerror or str(error)) from error

    def _next_bytes(self) -> int:
        """The size of the next segment. The first of a journal is small: the first command waits
        until it is prepared."""
        if self._segments:
            return self._segment_bytes
        return min(FIRST_SEGMENT_BYTES, self._segment_bytes)

    def _write_again(self, segment: Segment) -> None:
        """Write again the bytes that may never have been synced: after a failed sync Linux takes
        its cached bytes for clean, and the next sync leaves them out."""
        for start in range(segment.synced, segment.used, READ_BYTES):
            length = min(READ_BYTES, segment.used - start)
            self._disk.write(segment.name, start, self._disk.read(segment.name, start, length))

    def _read_segment(self, segment: Segment, from_seq: int) -> Iterator[Record]:
        offset = segment.offset_before(from_seq)
        try:
            while offset < segment.used:
                length = min(READ_BYTES, segment.used - offset)
                window = self._disk.read(segment.name, offset, length)
                head = read_head(window, 0)
                if head.frame_bytes > len(window):
                    window = self._disk.read(segment.name, offset, head.frame_bytes)
                    check_frame(window, 0)
                place = 0
                while _holds_frame(window, place):
                    head = read_head(window, place)
                    if head.last_seq >= from_seq:
                        yield read_record(window, place)
                    place += head.frame_bytes
                offset += place
        except OSError as error:
            text = f"cannot be read: {error.strerror or error}"
            raise JournalDamaged(segment.name, offset, text) from error
        except Damage as damage:
            raise JournalDamaged(segment.name, offset + damage.offset, str(damage)) from damage


def _holds_frame(window: bytes, place: int) -> bool:
    if len(window) - place < HEAD_BYTES:
        return False
    return place + read_head(window, place).frame_bytes <= len(window)


def _give_up_tail(segment: Segment, size: int) -> str:
    return (
        "restore this file from a copy; or, to give up everything after sequence "
        f"{segment.last_seq}: truncate -s {segment.used} {segment.name}, then "
        f"truncate -s {size} {segment.name}, and move all later snapshots away"
    )
