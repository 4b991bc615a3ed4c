"""Message files of LOBSTER in the forms in use: more digits, named columns, unseen orders."""

import gzip
from pathlib import Path

import pytest

from crossbook.csv_file import RecordingError
from crossbook.replay.lobster import is_message_file
from crossbook.replay.recording import RecordedFill, Recording
from crossbook.replay.recording_files import read_recording

NAME = "T_2012-06-21_34200000_57600000_message_1.csv"

SEEN = """34200.1,1,100,10,30000,1
34200.2,1,110,20,30000,1
34200.3,1,120,30,30100,-1
34200.4,4,100,10,30000,1
"""


def read(folder: Path, text: str | bytes, name: str = NAME) -> Recording:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_recording(path)


def fills(recording: Recording) -> list[RecordedFill]:
    assert recording.fills is not None
    return [fill for of_command in recording.fills.values() for fill in of_command]


def entries(recording: Recording) -> list[int]:
    """Ids of the orders that rest, in the order of their entry."""
    return [command.order_id for command in recording.commands if command.op == "new"]


def test_a_time_finer_than_a_nanosecond_is_cut_and_counted(tmp_path: Path) -> None:
    """The further digits are an error of floating point."""
    recording = read(tmp_path, SEEN.replace("34200.2,", "34200.200000000913,"))

    assert [command.time_ns for command in recording.commands] == [
        34_200_100_000_000, 34_200_200_000_000, 34_200_300_000_000, 34_200_400_000_000,
    ]  # fmt: skip
    assert "1 times finer than a nanosecond: cut to nanoseconds" in recording.notes
    assert not [note for note in read(tmp_path, SEEN).notes if "finer" in note]


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("34200.1,1,100,10,30000,1", True),
        ("34200.1,7,0,0,-1,-1,x", True),
        ("34200.1,1,100,10,30000", False),
        ("34200.1,1,100,10,30000,1,x,y", False),
        ("34200.1,8,100,10,30000,1", False),
        ("34200.1,0,100,10,30000,1", False),
        ("34200.1,1,x,10,30000,1", False),
        ("34200.1,1,100,10,30000,x", False),
        ("time,type,id,size,price,direction", False),
        ("", False),
    ],
)
def test_a_file_is_recognized_by_its_first_line(tmp_path: Path, line: str, is_one: bool) -> None:
    path = tmp_path / "a.csv"
    path.write_text(line + "\n")
    assert is_message_file(path) == is_one
    path.write_text(f"time,type,order_id,size,price,direction\n{line}\n")
    assert is_message_file(path) == is_one
    assert not is_message_file(tmp_path / "none.csv")


@pytest.mark.parametrize("time", ["34200.1234567890x1", "34200.12345678912e1", "34200.", "-1.5"])
def test_an_invalid_time_is_refused_with_its_line(tmp_path: Path, time: str) -> None:
    with pytest.raises(RecordingError, match="line 2, column time"):
        read(tmp_path, SEEN.replace("34200.2,", f"{time},"))


PLAIN = SEEN.encode()
NAMED = b"Time,Type,OrderID,Size,Price,Direction\n"


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + PLAIN,
        NAMED + PLAIN,
        b"\xef\xbb\xbf" + NAMED + PLAIN,
        b"timestamp,Event Type,Order ID,Shares,Price,Buy/Sell\n" + PLAIN,
        PLAIN.replace(b"\n", b"\r\n"),
        (NAMED + PLAIN).replace(b"\n", b"\r\n"),
        PLAIN + b"\n",
        PLAIN + b"   \r\n\n",
        b"\n" + PLAIN,
        PLAIN.replace(b",", b", "),
        gzip.compress(PLAIN, mtime=0),
        gzip.compress(b"\xef\xbb\xbf" + NAMED + PLAIN, mtime=0),
    ],
)
def test_files_with_extra_columns_are_read_as_plain_ones(tmp_path: Path, text: bytes) -> None:
    plain = read(tmp_path, PLAIN)

    assert read(tmp_path, text) == plain
    assert len(plain.commands) == 4


def test_a_named_orderbook_beside_named_messages_is_read(tmp_path: Path) -> None:
    rows = "9999999999,0,30000,10\n9999999999,0,30000,30\n30100,30,30000,30\n30100,30,30000,20\n"
    names = "AskPrice1,AskSize1,BidPrice1,BidSize1\r\n"
    (tmp_path / NAME.replace("message", "orderbook")).write_text(f"\ufeff{names}{rows}\n")

    recording = read(tmp_path, NAMED + PLAIN)

    assert [len(row.bids) for row in recording.books.values()] == [1, 1, 1, 1]
    assert fills(recording) == [RecordedFill(100, 300, 10)]


def test_columns_named_in_another_order_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"column 4 is named 'price' where .* the size"):
        read(tmp_path, b"Time,Type,OrderID,Price,Size,Direction\n" + PLAIN)


def test_prices_between_cents_give_a_finer_tick(tmp_path: Path) -> None:
    assert read(tmp_path, SEEN).tick_size == "0.01"
    fine = read(tmp_path, SEEN.replace("30100", "30150"))
    assert fine.tick_size == "0.0001"
    assert [command.price_ticks for command in fine.commands if command.price_ticks] == [
        30_000, 30_000, 30_150, 30_000,
    ]  # fmt: skip


def test_an_unseen_order_enters_where_its_id_stands(tmp_path: Path) -> None:
    """Order 105 is named only by its execution. It entered between 100 and 110 and has their place
    in the queue; 90 rested before the file begins."""
    text = SEEN + (
        "34200.5,4,105,5,30000,1\n"
        "34200.6,4,110,20,30000,1\n"
        "34200.7,1,130,7,30000,1\n"
        "34200.8,3,90,1,29900,1\n"
    )

    recording = read(tmp_path, text)

    assert entries(recording) == [90, 100, 105, 110, 120, 130]
    assert fills(recording) == [
        RecordedFill(100, 300, 10), RecordedFill(105, 300, 5), RecordedFill(110, 300, 20),
    ]  # fmt: skip
    assert not [note for note in recording.notes if "leave open" in note]


def test_an_unseen_order_that_would_trade_waits_until_the_way_is_free(tmp_path: Path) -> None:
    """By its id the order entered before the ask at its price had gone, so it was outside the
    window."""
    text = (
        "34200.1,1,100,10,30000,-1\n"
        "34200.2,1,110,10,30100,-1\n"
        "34200.3,3,100,10,30000,-1\n"
        "34200.4,1,120,10,30200,-1\n"
        "34200.5,4,95,10,30000,1\n"
    )

    recording = read(tmp_path, text)

    assert entries(recording) == [95, 100, 110, 120]
    text = text.replace("95", "105")
    recording = read(tmp_path, text)
    assert entries(recording) == [100, 110, 105, 120]
    assert fills(recording) == [RecordedFill(105, 300, 10)]


def test_without_ordered_ids_executed_orders_stand_in_front(tmp_path: Path) -> None:
    text = (
        "34200.1,1,500,10,30000,1\n"
        "34200.2,1,400,10,30000,1\n"
        "34200.3,1,300,10,30000,1\n"
        "34200.4,4,900,5,30000,1\n"
        "34200.5,4,500,10,30000,1\n"
    )

    recording = read(tmp_path, text)

    assert entries(recording) == [900, 500, 400, 300]
    assert fills(recording) == [RecordedFill(900, 300, 5), RecordedFill(500, 300, 10)]


def test_revealed_orders_stand_in_the_order_of_their_ids(tmp_path: Path) -> None:
    """Two unseen orders stand at one level of the first row. The later one is executed first,
    against time priority, and the rebuilt queue is in the order of the ids."""
    messages = (
        "34200.1,1,100,10,30100,-1\n"
        "34200.2,1,110,10,30100,-1\n"
        "34200.3,4,60,5,30000,1\n"
        "34200.4,4,50,5,30000,1\n"
    )
    rows = (
        "".join(f"30100,{ask},30000,{bid}\n" for ask, bid in ((10, 10), (20, 10), (20, 5)))
        + "30100,20,-9999999999,0\n"
    )
    (tmp_path / NAME.replace("message", "orderbook")).write_text(rows)

    recording = read(tmp_path, messages)

    assert entries(recording)[:2] == [50, 60]
    assert sum(fill.quantity_lots for fill in fills(recording)) == 10
