"""The damage matrix: a damaged journal gives the exact records it held or refuses to open.

A torn tail, which is what a crash leaves, is cut. Anything else names file, offset and remedy; the
only loss that is not refused is one that looks exactly like a record that was never finished.
"""

from random import Random

import pytest
from msgspec import structs

from crossbook.matcher.journal.journal import JournalDamaged
from crossbook.matcher.journal.record import Record, frame
from crossbook.matcher.journal.segment import decode_header, encode_header, segment_name
from tests.simulation.fake_disk import SECTOR_BYTES, Died, FakeDisk
from tests.worlds.journals import INCARNATION, fill, open_journal, random_record, record, records_of

SEGMENT = 1024
RECORDS = 12
"""Eight in the first segment, four in the second."""
FIRST = segment_name(1)


def written_disk(records: int = RECORDS) -> tuple[FakeDisk, list[Record]]:
    """A disk with a journal of two segments (three from 20 records), and its records."""
    disk = FakeDisk()
    return disk, fill(open_journal(disk, segment_bytes=SEGMENT), records, size=60)


def last_name(disk: FakeDisk) -> str:
    return disk.names()[-1]


def recovered(disk: FakeDisk) -> list[Record] | None:
    """The records of a journal that opens, None of one that refuses.

    A journal that opens must go on as if nothing had happened.
    """
    try:
        journal = open_journal(disk, segment_bytes=SEGMENT)
    except JournalDamaged as damaged:
        check_reported(damaged)
        return None
    found = records_of(journal)
    more = fill(journal, 2)
    again = open_journal(disk.copy(), segment_bytes=SEGMENT)
    assert again.cut_bytes == 0
    assert records_of(again) == found + more
    return found


def check_reported(damaged: JournalDamaged) -> None:
    assert damaged.name in str(damaged)
    assert f"at byte {damaged.offset}" in str(damaged)
    assert "Remedy: restore this file" in str(damaged)


def frame_ends(disk: FakeDisk, written: list[Record]) -> dict[int, int]:
    """Where the frame of each record of the last segment ends, by first number."""
    name = last_name(disk)
    _, end = decode_header(disk.read(name))
    ends = {}
    for one in written:
        if one.first_seq >= int(name.partition(".")[0]):
            end += len(frame(one, 0))
            ends[one.first_seq] = end
    return ends


@pytest.mark.parametrize("bits", [0x01, 0xFF])
def test_every_flipped_byte_is_refused_or_harmless(bits: int) -> None:
    disk, written = written_disk()
    last = last_name(disk)
    used = len(disk.read(last).rstrip(b"\0"))
    shorter = harmless = 0
    for name in disk.names():
        content = disk.read(name)
        for place in range(len(content)):
            broken = disk.copy()
            broken.put(name, _flipped(content, place, bits))
            found = recovered(broken)
            if name == last and place >= used:
                harmless += found == written
                assert found in (written, None), place
            elif found is not None:
                # The closing bytes of the last record, turned to zero: a write without its end.
                assert (name, found) == (last, written[:-1]), place
                shorter += 1
    assert shorter == (2 if bits == 0xFF else 0)
    # All of the unused space but one byte: where the next record's head would close.
    assert harmless == SEGMENT - used - 1


def test_the_last_segment_cut_short_at_every_byte_is_refused() -> None:
    disk, _ = written_disk()
    name = last_name(disk)
    content = disk.read(name)
    for size in range(len(content)):
        broken = disk.copy()
        broken.put(name, content[:size])
        assert recovered(broken) is None, size


def test_the_last_segment_empty_from_every_byte_on_gives_the_exact_prefix() -> None:
    """Zeros from some byte on: the remedy for a file cut short makes them, and so does a crash."""
    disk, written = written_disk()
    name = last_name(disk)
    content = disk.read(name)
    ends = frame_ends(disk, written)
    assert len(ends) >= 3
    start = min(ends.values()) - len(frame(written[0], 0))
    for size in range(start, len(content)):
        broken = disk.copy()
        broken.put(name, content[:size] + bytes(len(content) - size))
        whole = len(written) - sum(end > size for end in ends.values())
        assert recovered(broken) == written[:whole], size
    for size in range(start):
        broken = disk.copy()
        broken.put(name, content[:size] + bytes(len(content) - size))
        assert recovered(broken) is None, size


def test_the_remedy_of_the_error_works() -> None:
    disk, written = written_disk()
    name = last_name(disk)
    content = disk.read(name)
    end = frame_ends(disk, written)[written[-2].first_seq]
    disk.put(name, _flipped(content, end - 20, 1))
    with pytest.raises(JournalDamaged) as caught:
        open_journal(disk, segment_bytes=SEGMENT)
    text = str(caught.value)
    assert f"give up everything after sequence {written[-3].last_seq}: " in text
    assert f"truncate -s {caught.value.offset} {name}, then truncate -s {SEGMENT} {name}" in text
    kept = caught.value.offset
    disk.put(name, content[:kept] + bytes(SEGMENT - kept))
    assert recovered(disk) == written[:-2]


@pytest.mark.parametrize("seed", range(5))
def test_bursts_of_garbage_are_refused_or_harmless(seed: int) -> None:
    rng = Random(seed)
    disk, written = written_disk()
    for _ in range(200):
        broken = disk.copy()
        name = rng.choice(disk.names())
        content = bytearray(disk.read(name))
        start = rng.randrange(len(content))
        burst = bytes(rng.randrange(1, 256) for _ in range(rng.randrange(1, 100)))
        content[start : start + len(burst)] = burst
        broken.put(name, bytes(content))
        assert recovered(broken) in (None, written), f"seed {seed}"


@pytest.mark.parametrize("seed", range(5))
def test_zeros_in_place_of_data_give_a_prefix_or_a_refusal(seed: int) -> None:
    rng = Random(seed)
    disk, written = written_disk()
    last = last_name(disk)
    for _ in range(200):
        broken = disk.copy()
        name = rng.choice(disk.names())
        content = disk.read(name)
        start = rng.randrange(len(content))
        length = rng.randrange(1, SEGMENT // 2)
        zeroed = (content[:start] + bytes(length) + content[start + length :])[: len(content)]
        broken.put(name, zeroed)
        found = recovered(broken)
        if found is not None:
            assert found == written[: len(found)]
        if found is not None and found != written:
            # Nothing whole was left behind the zeros: the end of the journal was lost.
            assert name == last
            assert start + length >= max(frame_ends(disk, written).values()) - SECTOR_BYTES


STRUCTURAL = {
    "first segment empty": "ends inside its header",
    "last segment empty": "ends inside its header",
    "first segment without its last byte": "has lost its end",
    "middle segment missing": "one is missing",
    "segments swapped": "its header names",
    "segment of another incarnation": "belongs to another incarnation",
    "segment of another history": "is not the one it followed",
    "first segment that followed one": "it is the first, but followed another one",
    "record twice": "follows number",
    "record left out": "follows number",
    "header torn": "the header's checksum is wrong",
    "garbage behind the records": "no record begins here",
    "garbage in a full segment": "the file ends inside a record's head",
    "no segment": "this is no journal segment",
}


@pytest.mark.parametrize("damage", STRUCTURAL)
def test_damage_no_crash_explains_is_refused_by_name(damage: str) -> None:
    disk, written = written_disk(20)
    first, middle, last = disk.names()
    one, two, three = (disk.read(name) for name in disk.names())
    used = len(three.rstrip(b"\0"))
    header, end = decode_header(one)
    followed = encode_header(structs.replace(header, predecessor=b"\1" * 32))
    changed: dict[str, dict[str, bytes | None]] = {
        "first segment empty": {first: b""},
        "last segment empty": {last: b""},
        "first segment without its last byte": {first: one[:-1]},
        "middle segment missing": {middle: None},
        "segments swapped": {first: two, middle: one},
        "segment of another incarnation": {first: other_segment(incarnation=INCARNATION + 1)},
        "segment of another history": {first: other_segment(time_ns=5)},
        "first segment that followed one": {first: followed + one[end:]},
        "record twice": {last: _at(three, used, frame(written[-1], used))},
        "record left out": {last: _at(three, used, frame(record(22), used))},
        "header torn": {last: three[:30] + bytes(SEGMENT - 30)},
        "garbage behind the records": {last: _at(three, used, b"garbage" * 10)},
        "garbage in a full segment": {first: one[:-1] + b"x"},
        "no segment": {segment_name(10**6): b"something else " * 20},
    }
    for name, content in changed[damage].items():
        disk.delete(name) if content is None else disk.put(name, content)
    with pytest.raises(JournalDamaged, match=STRUCTURAL[damage]):
        open_journal(disk, segment_bytes=SEGMENT)
    assert recovered(disk) is None


def other_segment(incarnation: int = INCARNATION, time_ns: int = 0) -> bytes:
    """A first segment like that of `written_disk`, but of another incarnation or other times."""
    disk = FakeDisk()
    journal = open_journal(disk, segment_bytes=SEGMENT, incarnation=incarnation)
    for seq in range(1, 9):
        journal.append(structs.replace(record(seq, size=60), time_ns=time_ns))
    return disk.read(FIRST)


def test_segments_missing_at_either_end_leave_a_valid_pruned_journal() -> None:
    """The journal alone does not show the loss. The snapshot that recovery needs with it does."""
    disk, written = written_disk(20)
    first, _, last = disk.names()
    disk.delete(first)
    journal = open_journal(disk, segment_bytes=SEGMENT)
    assert records_of(journal) == [one for one in written if one.first_seq >= journal.first_seq]
    assert journal.first_seq > 1
    disk, written = written_disk(20)
    disk.delete(last)
    found = recovered(disk)
    assert found is not None
    assert found == written[: len(found)]


def test_damage_after_opening_is_raised_to_the_reader() -> None:
    disk, written = written_disk()
    journal = open_journal(disk, segment_bytes=SEGMENT)
    content = disk.read(FIRST)
    disk.put(FIRST, _flipped(content, len(content) // 2, 1))
    reading = journal.read(1)
    found = []
    with pytest.raises(JournalDamaged, match=FIRST):
        found += [one for _, one in reading]
    disk.put(FIRST, content[: len(content) // 2])
    with pytest.raises(JournalDamaged, match=FIRST):
        records_of(journal)
    disk.delete(FIRST)
    with pytest.raises(JournalDamaged, match="cannot be read: No such file"):
        records_of(journal)
    assert written


def test_a_file_that_cannot_be_read_is_refused() -> None:
    disk, _ = written_disk()
    disk.fail("read", 5)
    assert recovered(disk) is None


def test_large_records_torn_by_sectors_are_cut() -> None:
    """Every way to lose sectors of the last write, at random: never refused, never kept."""
    for seed in range(200):
        rng = Random(seed)
        disk = FakeDisk()
        journal = open_journal(disk, segment_bytes=16 * 1024)
        written = fill(journal, 2, size=700)
        disk.die_in(rng.randrange(2), rng)
        added = random_record(journal.last_seq + 1, rng)
        with pytest.raises(Died):
            journal.append(added)
        disk.crash(rng)
        found = records_of(open_journal(disk, segment_bytes=16 * 1024))
        assert found in (written, [*written, added]), f"seed {seed}"


def test_cutting_a_torn_tail_may_itself_be_cut_short_anywhere() -> None:
    disk, written = written_disk()
    name = last_name(disk)
    content = disk.read(name)
    end = frame_ends(disk, written)[written[-1].first_seq]
    disk.put(name, content[: end - 5] + bytes(SEGMENT - end + 5))
    for seed in range(300):
        rng = Random(seed)
        broken = disk.copy()
        broken.die_in(rng.randrange(2, 6), rng)
        with pytest.raises(Died):
            open_journal(broken, segment_bytes=SEGMENT)
        broken.kill() if rng.randrange(2) else broken.crash(rng)
        assert recovered(broken) == written[:-1], f"seed {seed}"


def _flipped(content: bytes, place: int, bits: int) -> bytes:
    return content[:place] + bytes([content[place] ^ bits]) + content[place + 1 :]


def _at(content: bytes, place: int, data: bytes) -> bytes:
    return content[:place] + data + content[place + len(data) :]
