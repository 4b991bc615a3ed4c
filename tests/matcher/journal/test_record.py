"""Frames: a round trip, every flipped byte found, torn frames distinguished from damaged ones."""

import pytest

from crossbook.matcher.journal.record import (
    HEAD_BYTES,
    MARK,
    SECTOR_BYTES,
    Damage,
    Record,
    check_frame,
    frame,
    is_torn,
    is_unused,
    read_head,
    read_record,
)
from tests.worlds.journals import record

SPACE = bytes(2 * SECTOR_BYTES)


def damage_of(data: bytes, offset: int = 0) -> Damage:
    with pytest.raises(Damage) as caught:
        check_frame(data, offset)
    return caught.value


def test_a_record_comes_back_as_it_was_written() -> None:
    written = Record(first_seq=7, last_seq=12, time_ns=99, payloads=[b"one", b""], events=b"events")
    data = b"before" + frame(written, synced=5) + SPACE
    assert read_record(data, 6) == written
    head = read_head(data, 6)
    assert (head.first_seq, head.last_seq, head.time_ns, head.synced) == (7, 12, 99, 5)
    assert is_unused(data, 6 + head.frame_bytes)


@pytest.mark.parametrize("bits", [0x01, 0x80, 0xFF])
def test_every_flipped_byte_is_found_and_is_no_torn_write(bits: int) -> None:
    data = frame(record(1), 0)
    for place in range(len(data)):
        broken = bytearray(data + SPACE)
        broken[place] ^= bits
        damage = damage_of(bytes(broken))
        assert damage.offset == 0
        # A closing byte that became zero is what a write without its last byte looks like.
        ends = place in (HEAD_BYTES - 1, len(data) - 1)
        assert is_torn(bytes(broken), damage) == (ends and bits == 0xFF), place


def test_a_write_cut_short_anywhere_is_torn() -> None:
    data = frame(record(1, size=2000), 0)
    for length in range(1, len(data)):
        torn = data[:length] + bytes(len(data) - length) + SPACE
        assert is_torn(torn, damage_of(torn)), length


def test_a_write_that_lacks_any_sector_is_torn() -> None:
    data = frame(record(1, size=3000), 0)
    for start in range(0, len(data), SECTOR_BYTES):
        torn = bytearray(data + SPACE)
        torn[start : start + SECTOR_BYTES] = bytes(SECTOR_BYTES)
        if start == 0:
            with pytest.raises(Damage, match="data after unused space") as caught:
                is_unused(bytes(torn), 0)
            assert is_torn(bytes(torn), caught.value)
        else:
            assert is_torn(bytes(torn), damage_of(bytes(torn)))


def test_a_torn_write_before_a_frame_that_records_its_sync_is_damage() -> None:
    torn = frame(record(1), 0)[:-10] + bytes(10)
    known_synced = torn + frame(record(2), len(torn))
    assert not is_torn(known_synced, damage_of(known_synced))
    never_synced = torn + frame(record(2), 0)
    assert is_torn(never_synced, damage_of(never_synced))


def test_a_file_that_ends_inside_a_frame_is_damage() -> None:
    data = frame(record(1), 0)
    for length in range(1, len(data)):
        assert not is_torn(data[:length], damage_of(data[:length])), length


def test_a_body_that_is_no_message_is_damage() -> None:
    good = frame(record(1), 0)
    assert good.startswith(MARK)
    other = frame(Record(first_seq=1, last_seq=1, time_ns=0, payloads=[b"\xc1"], events=b""), 0)
    with pytest.raises(Damage):
        read_record(other[:HEAD_BYTES] + good[HEAD_BYTES:], 0)


def test_damage_that_no_unfinished_write_explains_is_not_torn() -> None:
    data = frame(record(1), 0) + SPACE
    for place in (len(data) // 2, len(data) - SECTOR_BYTES):
        assert not is_torn(data, Damage(place, "known to end nowhere"))
