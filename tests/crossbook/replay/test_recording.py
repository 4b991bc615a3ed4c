"""Readers of recorded flow: accepted and refused files, and the window of LOBSTER's books."""

import gzip
from pathlib import Path

import pytest

from crossbook.csv_file import RecordingError
from crossbook.replay.plain_book import PlainBook
from crossbook.replay.recording import BookDigest, BookRow, RecordedCommand, RecordedFill, Recording
from crossbook.replay.recording_files import read_recording
from crossbook.replay.sample_flow import COMMANDS, NAME, sample_commands, sample_files, sample_path
from tests.worlds.lobster_venue import LobsterVenue

COMMAND_LINES = """seq,t_ns,op,id,side,price_ticks,qty_lots,src
0,1000,new,1,S,101,5,0
1,2000,new,2,B,99,7,1
2,3000,exec,3,B,101,2,2
4,4000,reduce,2,,,3,3
5,5000,cancel,1,,,,4
"""


def write(folder: Path, kind: str, text: str, packed: bool = False) -> Path:
    path = folder / f"flow.{kind}.csv{'.gz' if packed else ''}"
    if packed:
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def refusal(folder: Path, kind: str, text: str) -> str:
    """The error of reading a sound recording in which one file is replaced."""
    commands = write(folder, "cmd", COMMAND_LINES)
    write(folder, kind, text)
    with pytest.raises(RecordingError) as caught:
        read_recording(commands)
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize("packed", [False, True])
def test_commands_and_expectations_are_read(tmp_path: Path, packed: bool) -> None:
    commands = write(tmp_path, "cmd", COMMAND_LINES, packed)
    write(tmp_path, "expect", "seq,k,maker_id,price_ticks,qty_lots\n2,0,1,101,2\n", packed)
    write(
        tmp_path,
        "book",
        "seq,ask1_px,ask1_qty,bid1_px,bid1_qty,ask2_px,ask2_qty,bid2_px,bid2_qty,agree_levels\n"
        "2,101,3,99,7,,,,,2\n",
        packed,
    )
    write(tmp_path, "digest", f"seq,resting_orders,sha256\n5,1,{'0a' * 32}\n", packed)

    recording = read_recording(commands)

    assert recording.name == "flow"
    assert recording.commands == [
        RecordedCommand(
            seq=0, time_ns=1000, op="new", order_id=1, side=2, price_ticks=101, quantity_lots=5,
        ),
        RecordedCommand(
            seq=1, time_ns=2000, op="new", order_id=2, side=1, price_ticks=99, quantity_lots=7,
        ),
        RecordedCommand(
            seq=2, time_ns=3000, op="exec", order_id=3, side=1, price_ticks=101, quantity_lots=2,
        ),
        RecordedCommand(
            seq=4, time_ns=4000, op="reduce", order_id=2, side=0, price_ticks=0, quantity_lots=3,
        ),
        RecordedCommand(5, 5000, "cancel", 1),
    ]  # fmt: skip
    assert recording.fills == {2: [RecordedFill(1, 101, 2)]}
    assert recording.books == {2: BookRow(((99, 7),), ((101, 3),), 2, 2)}
    assert recording.digests == {5: BookDigest(1, "0a" * 32)}


def test_expectations_may_be_absent(tmp_path: Path) -> None:
    recording = read_recording(write(tmp_path, "cmd", COMMAND_LINES))

    assert recording.fills is None
    assert not recording.books
    assert not recording.digests


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (
            "cmd",
            "seq,t_ns,op,id,side,price_ticks\n",
            "flow.cmd.csv: line 1: the header lacks qty_lots; "
            "it reads 'seq,t_ns,op,id,side,price_ticks'",
        ),
        ("cmd", COMMAND_LINES[:42], "flow.cmd.csv: holds no commands"),
        (
            "cmd",
            COMMAND_LINES.replace("new,2", "buy,2"),
            "flow.cmd.csv: line 3, column op: 'buy' is none of new, cancel, reduce, exec",
        ),
        (
            "cmd",
            COMMAND_LINES.replace("new,2", "new,1"),
            "flow.cmd.csv: line 3, column id: order 1 was entered before",
        ),
        (
            "cmd",
            COMMAND_LINES.replace("B,99", "b,99"),
            "flow.cmd.csv: line 3, column side: 'b' is neither B nor S",
        ),
        (
            "cmd",
            COMMAND_LINES.replace("99,7", "9.9,7"),
            "flow.cmd.csv: line 3, column price_ticks: '9.9' is not a whole number",
        ),
        (
            "cmd",
            COMMAND_LINES.replace("99,7", "99,0"),
            "flow.cmd.csv: line 3, column qty_lots: 0 is not within 1 to 9223372036854775807",
        ),
        (
            "cmd",
            COMMAND_LINES.replace("99,7", f"{'9' * 30},7"),
            f"flow.cmd.csv: line 3, column price_ticks: {'9' * 30} is not within 1 to "
            "9223372036854775807",
        ),
        (
            "cmd",
            COMMAND_LINES.replace("\n4,", "\n2,"),
            "flow.cmd.csv: line 5, column seq: 2 does not come after 2",
        ),
        (
            "cmd",
            COMMAND_LINES.replace("99,7,1", "99,7"),
            "flow.cmd.csv: line 3: 7 columns, not 8",
        ),
        (
            "expect",
            "seq,k,maker_id,price_ticks,qty_lots\n3,0,1,101,2\n",
            "flow.expect.csv: line 2, column seq: no command is numbered 3",
        ),
        (
            "expect",
            "seq,k,maker_id,price_ticks,qty_lots\n2,1,1,101,2\n",
            "flow.expect.csv: line 2, column k: 1 where fill 0 is next",
        ),
        (
            "book",
            "seq,ask1_px,ask1_qty,bid1_px,bid1_qty,agree_levels\n2,101,3,99,7,2\n",
            "flow.book.csv: line 2, column agree_levels: the file has fewer than 2 levels",
        ),
        (
            "digest",
            "seq,resting_orders,sha256\n5,1,xyz\n",
            "flow.digest.csv: line 2, column sha256: 'xyz' is not 64 hexadecimal digits",
        ),
    ],
)
def test_bad_data_is_refused_with_its_place(
    tmp_path: Path, kind: str, text: str, expected: str
) -> None:
    assert refusal(tmp_path, kind, text) == expected


def test_damaged_gzip_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "cmd", COMMAND_LINES, packed=True)
    path.write_bytes(path.read_bytes()[:40])

    with pytest.raises(RecordingError, match=r"flow\.cmd\.csv\.gz: after line 1: damaged gzip"):
        read_recording(path)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("absent.csv", None, "no such file"),
        ("absent.cmd.csv", None, "no such file"),
        ("notes.txt", b"hello\n", "neither STEM.cmd.csv"),
        ("noise.cmd.csv", b"\xff\xfe\x00", "not CSV text"),
        ("fake.cmd.csv.gz", b"seq,t_ns", "Not a gzipped file"),
    ],
)
def test_files_that_are_no_recording_are_refused(
    tmp_path: Path, name: str, content: bytes | None, expected: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(RecordingError, match=expected):
        read_recording(tmp_path / name)


def follow(recording: Recording) -> tuple[list[int], list[int]]:
    """Sequence numbers of commands after which fills or rows of a plain book differ."""
    book = PlainBook()
    wrong_fills, wrong_rows = [], []
    assert recording.fills is not None
    for command in recording.commands:
        if book.apply(command) != recording.fills.get(command.seq, []):
            wrong_fills.append(command.seq)
        row = recording.books.get(command.seq)
        if row is not None and (
            tuple(book.levels(1)[: row.bid_levels]) != row.bids
            or tuple(book.levels(2)[: row.ask_levels]) != row.asks
        ):
            wrong_rows.append(command.seq)
    return wrong_fills, wrong_rows


@pytest.mark.parametrize("levels", [1, 3, 10, 50])
@pytest.mark.parametrize("seed", range(6))
def test_lobster_files_are_rebuilt_through_their_window(
    tmp_path: Path, levels: int, seed: int
) -> None:
    """Every fill and every row, with any orders before the window and outside it."""
    venue = LobsterVenue(seed, levels)
    venue.run(before=300, inside=700)

    recording = read_recording(venue.write(tmp_path))

    assert follow(recording) == ([], [])
    assert recording.fills is not None
    assert len(recording.fills) >= venue.executions > 50
    assert len(recording.books) > 100


@pytest.mark.parametrize("seed", range(5, 10))
def test_a_wide_lobster_window_leaves_no_execution_open(tmp_path: Path, seed: int) -> None:
    """With the whole book in view each execution names its maker, pre-window orders included."""
    venue = LobsterVenue(seed, levels=50)
    venue.run(before=600, inside=400)
    path = venue.write(tmp_path)

    recording = read_recording(path)

    named = [
        (int(line.split(",")[2]), int(line.split(",")[3]))
        for line in venue.messages
        if line.split(",")[1] == "4"
    ]
    assert recording.fills is not None
    fills = [fill for fills in recording.fills.values() for fill in fills]
    assert [(fill.maker_id, fill.quantity_lots) for fill in fills] == named
    assert not [note for note in recording.notes if "leave open" in note]


def test_a_wrong_lobster_row_is_noticed(tmp_path: Path) -> None:
    venue = LobsterVenue(7, levels=10)
    venue.run(before=300, inside=300)
    values = venue.rows[150].split(",")
    values[1] = str(int(values[1]) + 1)
    venue.rows[150] = ",".join(values)

    assert follow(read_recording(venue.write(tmp_path)))[1] != []


def test_lobster_messages_without_an_orderbook_give_fills_only(tmp_path: Path) -> None:
    venue = LobsterVenue(7, levels=50)
    venue.run(before=300, inside=300)
    path = venue.write(tmp_path)
    path.with_name(path.name.replace("message", "orderbook")).unlink()

    recording = read_recording(path)

    assert follow(recording) == ([], [])
    assert not recording.books
    assert "no orderbook file beside it: only fills are compared" in recording.notes


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("34200.1,1,5,10,30001,1", "line 2, column price: 30001 is not a multiple of 100"),
        ("34200.1,9,5,10,30000,1", "line 2, column type: 9 is no LOBSTER event type"),
        ("34200.1,1,5,10,30000,2", "line 2, column direction: '2' is neither 1 nor -1"),
        ("34200,1,1,5,10,30000,1", "line 2: 7 columns, not 6"),
        ("noon,1,5,10,30000,1", "line 2, column time: 'noon'"),
        ("34200.1,1,5,-10,30000,1", "line 2, column size: -10 is not within 1"),
    ],
)
def test_bad_lobster_messages_are_refused(tmp_path: Path, line: str, expected: str) -> None:
    path = tmp_path / "T_message_1.csv"
    path.write_text(f"34200.0,1,4,10,30000,1\n{line}\n")

    with pytest.raises(RecordingError) as caught:
        read_recording(path, 100)

    assert f"T_message_1.csv: {expected}" in str(caught.value)


def test_a_lobster_orderbook_of_another_length_is_refused(tmp_path: Path) -> None:
    (tmp_path / "T_message_1.csv").write_text(
        "34200.0,1,4,10,30000,1\n34200.0,1,5,10,30000,1\n34200.0,1,6,10,30000,1\n"
    )
    (tmp_path / "T_orderbook_1.csv").write_text("9999999999,0,30000,10\n9999999999,0,30000,20\n")

    with pytest.raises(RecordingError, match="2 rows for the 3 messages of its file"):
        read_recording(tmp_path / "T_message_1.csv")


def test_the_shipped_sample_equals_the_output_of_its_seed() -> None:
    made = sample_files(sample_commands())
    for kind, text in made.items():
        shipped = sample_path().with_name(f"{NAME}.{kind}.csv.gz")
        assert gzip.decompress(shipped.read_bytes()).decode() == text

    recording = read_recording(sample_path())
    assert len(recording.commands) == COMMANDS
    assert {command.op for command in recording.commands} == {"new", "cancel", "reduce", "exec"}
    assert follow(recording) == ([], [])
