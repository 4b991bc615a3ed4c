"""Files of a recording: whole or absent, with rows and digests at their places."""

from pathlib import Path

import pytest

from crossbook.csv_file import RecordingError
from crossbook.replay.flow import Flow
from crossbook.replay.recording_files import read_recording
from crossbook.replay.recording_writer import BOOK_EVERY, DIGEST_EVERY, LEVELS, RecordingWriter
from tests.crossbook.replay.test_flow import event


def test_a_recording_without_commands_or_with_an_error_leaves_no_file(tmp_path: Path) -> None:
    with (
        pytest.raises(RecordingError, match="nothing happened"),
        RecordingWriter(tmp_path / "a", Flow()),
    ):
        pass
    flow = Flow()
    with pytest.raises(KeyError), RecordingWriter(tmp_path / "a", flow) as writer:
        writer.write(flow.apply([event("add", 7, 5, 5), event("delete", 9, 5, 0)], 1))
    assert not list(tmp_path.iterdir())
    with (
        pytest.raises(RecordingError, match=r"none/a\.cmd\.csv: No such file"),
        RecordingWriter(tmp_path / "none" / "a", Flow()),
    ):
        pass


def test_rows_and_digests_are_of_the_book_after_a_command_of_the_market(tmp_path: Path) -> None:
    flow = Flow()
    count = DIGEST_EVERY + BOOK_EVERY
    with RecordingWriter(tmp_path / "a", flow) as writer:
        for number in range(count):
            added = event("add", 100 + number, 5, 5, price=1_000 - number, seq=number)
            writer.write(flow.apply([added], time_ns=number))
    recording = read_recording(writer.path)
    assert [command.time_ns for command in recording.commands] == list(range(count))
    assert list(recording.books) == list(range(BOOK_EVERY - 1, count, BOOK_EVERY))
    row = recording.books[BOOK_EVERY - 1]
    assert row.bids == tuple((1_000 - level, 5) for level in range(LEVELS))
    assert (row.asks, row.ask_levels) == ((), LEVELS)
    assert {seq: each.resting_orders for seq, each in recording.digests.items()} == {
        DIGEST_EVERY: DIGEST_EVERY + 1,
        count - 1: count,
    }
