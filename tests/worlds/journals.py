"""Journals of made-up records on a disk, for the tests of the journal's modules."""

from random import Random

from crossbook.matcher.journal.disk import Disk
from crossbook.matcher.journal.journal import Journal, SyncPolicy
from crossbook.matcher.journal.record import Record

INCARNATION = 77
CONFIGURATION = b"instruments"
SEGMENT_BYTES = 4096


def record(first_seq: int, count: int = 1, size: int = 40) -> Record:
    """A record of `count` numbers with about `size` bytes in it, none of them zero."""
    payload = bytes(1 + (first_seq + place) % 255 for place in range(size // 2))
    return Record(
        first_seq=first_seq, last_seq=first_seq + count - 1, time_ns=1000 + first_seq,
        payloads=[payload], events=payload[::-1],
    )  # fmt: skip


def open_journal(
    disk: Disk,
    *,
    incarnation: int = INCARNATION,
    configuration: bytes = CONFIGURATION,
    segment_bytes: int = SEGMENT_BYTES,
    sync: SyncPolicy = "batch",
    read_only: bool = False,
) -> Journal:
    """The journal on this disk."""
    return Journal.open(disk, incarnation, configuration, segment_bytes, sync, read_only=read_only)


def records_of(journal: Journal, from_seq: int = 1) -> list[Record]:
    """The records of the journal from this number on."""
    return [found for _, found in journal.read(from_seq)]


def fill(journal: Journal, records: int, size: int = 40, count: int = 1) -> list[Record]:
    """Append this many records, and return them."""
    added = []
    for _ in range(records):
        added.append(record(journal.last_seq + 1, count, size))
        journal.append(added[-1])
    return added


def random_record(first_seq: int, rng: Random, largest: int = 3000) -> Record:
    """A record of random size and content."""
    payloads = [rng.randbytes(rng.randrange(60)) for _ in range(rng.randrange(1, 4))]
    events = rng.randbytes(rng.randrange(largest)).replace(b"\0", b"\1")
    return Record(
        first_seq=first_seq,
        last_seq=first_seq + rng.randrange(5),
        time_ns=first_seq,
        payloads=payloads,
        events=events,
    )
