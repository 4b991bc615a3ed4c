"""Segments: the header comes back, every flipped byte of it is found, records are found again."""

from hashlib import sha256
from zlib import crc32

import pytest

from crossbook.matcher.journal.record import Damage, frame
from crossbook.matcher.journal.segment import (
    INDEX_BYTES,
    NO_PREDECESSOR,
    VERSION,
    Header,
    Segment,
    decode_header,
    encode_header,
    scan,
    segment_name,
)
from tests.worlds.journals import record

HEADER = Header(
    incarnation=77,
    first_seq=11,
    size=2000,
    predecessor=NO_PREDECESSOR,
    configuration=b"instruments",
)


def file_of(*frames: bytes, size: int = HEADER.size) -> bytes:
    used = encode_header(HEADER) + b"".join(frames)
    return used + bytes(size - len(used))


def test_a_header_comes_back_with_its_length() -> None:
    encoded = encode_header(HEADER)
    assert decode_header(encoded + b"more") == (HEADER, len(encoded))


def test_names_sort_like_the_commands() -> None:
    assert segment_name(9) < segment_name(10) < segment_name(2**63 - 1)


@pytest.mark.parametrize("bits", [0x01, 0x80])
def test_every_flipped_byte_of_a_header_is_found(bits: int) -> None:
    encoded = encode_header(HEADER)
    for place in range(len(encoded)):
        broken = bytearray(encoded)
        broken[place] ^= bits
        with pytest.raises(Damage):
            decode_header(bytes(broken))


@pytest.mark.parametrize("version", [0, VERSION + 1])
def test_another_version_is_named(version: int) -> None:
    encoded = bytearray(encode_header(HEADER))
    encoded[8] = version
    text = f"format version {version}; this program reads up to version {VERSION}"
    with pytest.raises(Damage, match=text):
        decode_header(bytes(encoded))


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_every_version_up_to_the_current_one_is_read(version: int) -> None:
    encoded = bytearray(encode_header(HEADER))
    encoded[8] = version
    seed = version if version >= 3 else 0
    encoded[12:16] = crc32(encoded[20:], seed).to_bytes(4, "little")
    assert decode_header(bytes(encoded)) == (HEADER, len(encoded))


def test_a_scan_takes_in_all_records_and_their_digest() -> None:
    frames = [frame(record(11, 2), 0), frame(record(13), 0)]
    segment, damage = scan(file_of(*frames))
    assert damage is None
    assert (segment.name, segment.last_seq, segment.last_time_ns) == (segment_name(11), 13, 1013)
    used = encode_header(HEADER) + b"".join(frames)
    assert segment.used == len(used)
    assert segment.digest() == sha256(used).digest()


def test_a_scan_stops_at_damage_and_returns_the_sound_records() -> None:
    first, second = frame(record(11), 0), frame(record(12), 0)
    segment, damage = scan(file_of(first, second[:-1] + b"\0"))
    assert segment.last_seq == 11
    assert damage is not None
    assert damage.offset == segment.used


def test_a_file_shorter_than_its_header_states_is_damage() -> None:
    data = file_of(frame(record(11), 0))
    for size in (len(data) - 1, 100, 10, 0):
        with pytest.raises(Damage):
            scan(data[:size])


@pytest.mark.parametrize("numbers", [(11, 11), (11, 13), (12,), (10,)])
def test_numbers_that_are_not_dense_are_damage(numbers: tuple[int, ...]) -> None:
    _, damage = scan(file_of(*(frame(record(seq), 0) for seq in numbers)))
    assert damage is not None
    assert "follows number" in str(damage)


def test_a_record_is_found_without_passing_over_all_before_it() -> None:
    segment = Segment(HEADER, encode_header(HEADER))
    starts = {}
    for seq in range(11, 1011):
        starts[seq] = segment.used
        segment.add(seq, 0, bytes(3000))
    for seq, start in starts.items():
        assert 0 <= start - segment.offset_before(seq) <= INDEX_BYTES
    assert segment.offset_before(1) == starts[11]
    assert segment.offset_before(5000) <= starts[1010]


@pytest.mark.parametrize("configuration", [b"", b"instruments"])
def test_a_header_may_end_its_file_and_not_a_byte_before(configuration: bytes) -> None:
    header = Header(
        incarnation=77,
        first_seq=11,
        size=2000,
        predecessor=NO_PREDECESSOR,
        configuration=configuration,
    )
    encoded = encode_header(header)
    assert decode_header(encoded) == (header, len(encoded))
    with pytest.raises(Damage, match="the file ends inside its header"):
        decode_header(encoded[:-1])


@pytest.mark.parametrize("length", range(24))
def test_a_file_shorter_than_any_header_is_reported(length: int) -> None:
    with pytest.raises(Damage, match="the file ends inside its header"):
        decode_header(encode_header(HEADER)[:length])


def test_the_index_has_an_entry_for_every_so_many_bytes() -> None:
    segment = Segment(HEADER, encode_header(HEADER))
    began = segment.used
    step = INDEX_BYTES // 4
    for seq in range(11, 31):
        segment.add(seq, 0, bytes(step))
    assert [segment.offset_before(seq) for seq in range(11, 31)] == [
        began + (seq - 11) // 4 * INDEX_BYTES for seq in range(11, 31)
    ]
    assert segment.offset_before(99) == began + 4 * INDEX_BYTES
