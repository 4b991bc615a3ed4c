"""Files of recorded flow, in the two formats that are read.

Crossbook's own is a set of CSV files in one folder, plain or gzipped, named by one stem:
`STEM.cmd.csv` (the commands) and, where known, `STEM.expect.csv` (every fill), `STEM.book.csv` (the
top levels after a command) and `STEM.digest.csv` (a hash of the whole book). The other is LOBSTER's
own (`crossbook.replay.lobster`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from crossbook.common.types import Side
from crossbook.csv_file import CsvFile, RecordingError, Row, sibling
from crossbook.replay.lobster import is_message_file, read_lobster_recording
from crossbook.replay.recording import (
    BookDigest,
    BookRow,
    Op,
    RecordedCommand,
    RecordedFill,
    Recording,
)

_OPS: Final[Mapping[str, Op]] = {
    "new": "new",
    "cancel": "cancel",
    "reduce": "reduce",
    "exec": "exec",
}
_SIDES: Final = {"B": int(Side.BUY), "S": int(Side.SELL)}
_COMMAND_COLUMNS: Final = ("seq", "t_ns", "op", "id", "side", "price_ticks", "qty_lots")
_FILL_COLUMNS: Final = ("seq", "k", "maker_id", "price_ticks", "qty_lots")
_DIGEST_COLUMNS: Final = ("seq", "resting_orders", "sha256")
_COMMAND_SUFFIXES: Final = (".cmd.csv", ".cmd.csv.gz")


def read_recording(path: Path, units_per_tick: int | None = None) -> Recording:
    """Read a recording in either format; raises `RecordingError`.

    `units_per_tick` is for LOBSTER's files only: the tick in ten-thousandths of a dollar. Without
    it the tick is a cent, or what the prices need.
    """
    check_file(path)
    if path.name.endswith(_COMMAND_SUFFIXES):
        return read_commands_recording(path)
    if is_message_file(path):
        return read_lobster_recording(path, units_per_tick)
    raise RecordingError(
        f"{path}: neither STEM.cmd.csv[.gz] nor a LOBSTER message file "
        "(time,type,order id,size,price,direction)"
    )


def check_file(path: Path) -> None:
    """Raise `RecordingError` where there is no file."""
    if not path.is_file():
        raise RecordingError(f"{path}: {'a folder' if path.is_dir() else 'no such file'}")


def read_commands_recording(path: Path) -> Recording:
    """Read `STEM.cmd.csv[.gz]` and the files of its stem; raises `RecordingError`."""
    suffix = next((suffix for suffix in _COMMAND_SUFFIXES if path.name.endswith(suffix)), "")
    if not suffix:
        raise RecordingError(f"{path}: the name must end in .cmd.csv or .cmd.csv.gz")
    stem = path.name.removesuffix(suffix)
    commands = _read_commands(path)
    known = {command.seq for command in commands}
    expect, book, digest = (
        sibling(path, f"{stem}.{kind}") for kind in ("expect", "book", "digest")
    )
    return Recording(
        stem,
        commands,
        _read_fills(expect, known) if expect else None,
        _read_books(book, known) if book else {},
        _read_digests(digest, known) if digest else {},
    )


def _read_commands(path: Path) -> list[RecordedCommand]:
    commands: list[RecordedCommand] = []
    entered: set[int] = set()
    last_seq = -1
    for row in CsvFile(path, _COMMAND_COLUMNS).rows():
        command = _command(row)
        if command.seq <= last_seq:
            raise row.fault("seq", f"{command.seq} does not come after {last_seq}")
        if command.op in ("new", "exec"):
            if command.order_id in entered:
                raise row.fault("id", f"order {command.order_id} was entered before")
            entered.add(command.order_id)
        last_seq = command.seq
        commands.append(command)
    if not commands:
        raise RecordingError(f"{path}: holds no commands")
    return commands


def _command(row: Row) -> RecordedCommand:
    text = row.text("op")
    op = _OPS.get(text)
    if op is None:
        raise row.fault("op", f"{text!r} is none of {', '.join(_OPS)}")
    seq, time_ns, order_id = row.integer("seq"), row.integer("t_ns"), row.integer("id")
    if op == "cancel":
        return RecordedCommand(seq, time_ns, op, order_id)
    lots = row.integer("qty_lots", least=1)
    if op == "reduce":
        return RecordedCommand(seq, time_ns, op, order_id, quantity_lots=lots)
    side = _SIDES.get(row.text("side"))
    if side is None:
        raise row.fault("side", f"{row.text('side')!r} is neither B nor S")
    price_ticks = row.integer("price_ticks", least=1)
    return RecordedCommand(seq, time_ns, op, order_id, side, price_ticks, lots)


def _read_fills(path: Path, known: set[int]) -> dict[int, list[RecordedFill]]:
    fills: dict[int, list[RecordedFill]] = {}
    for row in CsvFile(path, _FILL_COLUMNS).rows():
        of_command = fills.setdefault(_known_seq(row, known), [])
        if row.integer("k") != len(of_command):
            raise row.fault("k", f"{row.text('k')} where fill {len(of_command)} is next")
        of_command.append(
            RecordedFill(
                row.integer("maker_id"),
                row.integer("price_ticks", least=1),
                row.integer("qty_lots", least=1),
            )
        )
    return fills


def _read_books(path: Path, known: set[int]) -> dict[int, BookRow]:
    books: dict[int, BookRow] = {}
    for row in CsvFile(path, ("seq", "ask1_px", "bid1_px", "agree_levels")).rows():
        seq = _known_seq(row, known)
        agree = row.integer("agree_levels")
        if agree and not row.has(f"bid{agree}_px"):
            raise row.fault("agree_levels", f"the file has fewer than {agree} levels")
        books[seq] = BookRow(_levels(row, "bid", agree), _levels(row, "ask", agree), agree, agree)
    return books


def _levels(row: Row, side: str, count: int) -> tuple[tuple[int, int], ...]:
    """The first `count` levels of a side; fewer where the recording shows no more."""
    levels: list[tuple[int, int]] = []
    for number in range(1, count + 1):
        price = f"{side}{number}_px"
        if not row.text(price):
            break
        levels.append((row.integer(price, least=1), row.integer(f"{side}{number}_qty", least=1)))
    return tuple(levels)


def _read_digests(path: Path, known: set[int]) -> dict[int, BookDigest]:
    digests: dict[int, BookDigest] = {}
    for row in CsvFile(path, _DIGEST_COLUMNS).rows():
        text = row.text("sha256")
        if len(text) != 64 or set(text) - set("0123456789abcdef"):
            raise row.fault("sha256", f"{text!r} is not 64 hexadecimal digits")
        digests[_known_seq(row, known)] = BookDigest(row.integer("resting_orders"), text)
    return digests


def _known_seq(row: Row, known: set[int]) -> int:
    seq = row.integer("seq")
    if seq not in known:
        raise row.fault("seq", f"no command is numbered {seq}")
    return seq
