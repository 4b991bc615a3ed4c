"""LOBSTER's own files: `..._message_N.csv` and, beside it, `..._orderbook_N.csv`.

LOBSTER shows a window on the book: N levels, from some time on. Orders that rested before, or
appear from behind the last level, are known by their quantity only. They are entered here as
synthetic orders: one for each order that a later message of the file names, in its place in the
queue (`crossbook.replay.lobster_book`), and one for the rest of the level. With them every message
can be replayed and every row of the order book compared in full.

Files with a line of column names, a byte order mark or blank lines are read as those without.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from crossbook.common.errors import DecimalError
from crossbook.common.grid import format_decimal, parse_decimal
from crossbook.common.types import Side
from crossbook.csv_file import CsvFile, RecordingError, Row, first_values, is_header, sibling
from crossbook.replay.lobster_book import (
    EXECUTION,
    NO_ASK,
    SKIPPED,
    BookWindow,
    Levels,
    MessageLine,
    RebuiltBook,
)
from crossbook.replay.recording import Recording

PRICE_DECIMALS: Final = 4
"""LOBSTER's prices are whole numbers of a ten-thousandth of a dollar."""

ALL_LEVELS_UP_TO: Final = 50_000
"""Messages up to which every level of every row is kept for comparison."""

COMPARED_LEVELS: Final = 10
"""Levels kept for comparison in a longer file."""

CENT: Final = 100
"""The tick of almost all of NASDAQ, in LOBSTER's price unit."""

_TIME_DECIMALS: Final = 9
_MESSAGE_COLUMNS: Final = ("time", "type", "order_id", "size", "price", "direction")
_NAMES: Final = (
    ("time", "timestamp", "seconds"),
    ("type", "eventtype", "event"),
    ("orderid", "id", "order"),
    ("size", "shares", "quantity", "volume"),
    ("price",),
    ("direction", "side", "buysell"),
)
"""The names that a header line may give each column, in their order."""

_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)


def is_message_file(path: Path) -> bool:
    """Whether a file begins like LOBSTER's messages: six or seven columns, perhaps named."""
    try:
        lines = first_values(path, 2)
    except RecordingError:
        return False
    values = lines[-1] if lines and is_header(lines[0]) else [*lines, []][0]
    values = [value.strip() for value in values]
    whole = [value.removeprefix("-").isdigit() for value in values]
    return len(values) in (6, 7) and all(whole[1:6]) and values[1] in "1234567"


def read_lobster_recording(path: Path, units_per_tick: int | None = None) -> Recording:
    """Read a LOBSTER message file and its order book; raises `RecordingError`.

    `units_per_tick` is the tick size in ten-thousandths of a dollar; without one it is a cent,
    where all prices are whole cents, else LOBSTER's own unit. Without an order book file beside
    it only the fills can be compared.
    """
    messages, notes = _read_messages(path)
    units_per_tick = units_per_tick or _natural_tick(messages)
    messages = [_on_grid(path, message, units_per_tick) for message in messages]
    orderbook = None
    if "message" in path.name:
        orderbook = sibling(path, _stem(path).replace("message", "orderbook"))
    rebuilt = RebuiltBook(messages)
    if orderbook is None:
        notes.append("no orderbook file beside it: only fills are compared")
        rebuilt.without_rows()
    else:
        many = len(messages) > ALL_LEVELS_UP_TO
        if many:
            notes.append(f"the first {COMPARED_LEVELS} levels are compared")
        windows = _read_windows(orderbook, units_per_tick)
        rebuilt.with_rows(windows, COMPARED_LEVELS if many else None, orderbook)
    if rebuilt.unexplained:
        notes.append(f"{rebuilt.unexplained} messages about orders that cannot be there: skipped")
    if rebuilt.guessed_makers:
        notes.append(f"the files leave open which order {rebuilt.guessed_makers} executions hit")
    tick_size = format_decimal(units_per_tick, PRICE_DECIMALS).rstrip("0").rstrip(".")
    return Recording(
        _stem(path), rebuilt.commands, rebuilt.fills, rebuilt.books, {}, notes, tick_size
    )


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".csv")


def _read_messages(path: Path) -> tuple[list[MessageLine], list[str]]:
    """The messages, prices in LOBSTER's unit, and notes for the report."""
    header = (*_MESSAGE_COLUMNS, *(("more",) if _columns_of(path) == 7 else ()))
    _check_names(path)
    messages: list[MessageLine] = []
    skipped: dict[int, int] = {}
    finer = 0
    for row in CsvFile(path, header=header).rows():
        kind = row.integer("type", least=1)
        if kind in SKIPPED:
            skipped[kind] = skipped.get(kind, 0) + 1
        elif kind > EXECUTION:
            raise row.fault("type", f"{kind} is no LOBSTER event type")
        messages.append(_message(row, kind))
        finer += len(row.text("time").partition(".")[2]) > _TIME_DECIMALS
    if not messages:
        raise RecordingError(f"{path}: holds no messages")
    names = [f"{count} x {SKIPPED[kind]}" for kind, count in sorted(skipped.items())]
    notes = [f"skipped {', '.join(names)}"] if names else []
    if finer:
        notes.append(f"{finer} times finer than a nanosecond: cut to nanoseconds")
    return messages, notes


def _check_names(path: Path) -> None:
    """Raise `RecordingError` for a line of names that has a column where LOBSTER has another."""
    [values] = first_values(path)
    if not is_header(values):
        return
    names = ["".join(filter(str.isalnum, value)).lower() for value in values]
    for place, (name, expected) in enumerate(zip(names, _NAMES, strict=False), 1):
        if name not in expected and any(name in other for other in _NAMES):
            raise RecordingError(
                f"{path}: line 1: column {place} is named {name!r} where LOBSTER has the "
                f"{_MESSAGE_COLUMNS[place - 1]}"
            )


def _natural_tick(messages: list[MessageLine]) -> int:
    return 1 if any(message.price_ticks % CENT for message in messages) else CENT


def _on_grid(path: Path, message: MessageLine, units_per_tick: int) -> MessageLine:
    """The message with its price in ticks."""
    ticks, rest = divmod(message.price_ticks, units_per_tick)
    if rest:
        raise RecordingError(
            f"{path}: line {message.line}, column price: {message.price_ticks} is not a multiple "
            f"of {units_per_tick}, the tick in ten-thousandths"
        )
    return message if units_per_tick == 1 else replace(message, price_ticks=ticks)


def _message(row: Row, kind: int) -> MessageLine:
    # Researchers' tools write more digits than a clock gave.
    whole, point, fraction = row.text("time").strip().partition(".")
    try:
        time_ns = parse_decimal(f"{whole}{point}{fraction[:_TIME_DECIMALS]}", _TIME_DECIMALS)
        parse_decimal(f"0{point}{fraction}", len(fraction))
    except DecimalError as error:
        raise row.fault("time", f"{row.text('time')!r}: {error}") from error
    if kind in SKIPPED:
        return MessageLine(time_ns, kind, 0, 0, 0, 0, row.line)
    if row.text("direction") not in ("1", "-1"):
        raise row.fault("direction", f"{row.text('direction')!r} is neither 1 nor -1")
    return MessageLine(
        time_ns,
        kind,
        row.integer("order_id"),
        row.integer("size", least=1),
        _BUY if row.text("direction") == "1" else _SELL,
        row.integer("price", least=1),
        row.line,
    )


def _ticks(row: Row, column: str, units_per_tick: int) -> int:
    ticks, rest = divmod(row.integer(column, least=1), units_per_tick)
    if rest:
        raise row.fault(column, f"{row.text(column)} is not a multiple of {units_per_tick}")
    return ticks


def _read_windows(path: Path, units_per_tick: int) -> Iterator[BookWindow]:
    columns = _columns_of(path)
    if columns % 4 or not columns:
        raise RecordingError(f"{path}: line 1: {columns} columns, not four for each level")
    levels = range(1, columns // 4 + 1)
    header = [f"{side}{level}_{what}" for level in levels for side in ("ask", "bid")
              for what in ("price", "size")]  # fmt: skip
    # Rows repeat each other almost entirely: equal levels share one tuple.
    shared: dict[tuple[int, int], tuple[int, int]] = {}
    for row in CsvFile(path, header=header).rows():
        bids = _window_side(row, "bid", levels, units_per_tick, shared)
        asks = _window_side(row, "ask", levels, units_per_tick, shared)
        yield BookWindow(bids, asks, len(bids) == len(levels), len(asks) == len(levels))


def _window_side(
    row: Row,
    side: str,
    levels: range,
    units_per_tick: int,
    shared: dict[tuple[int, int], tuple[int, int]],
) -> Levels:
    found: list[tuple[int, int]] = []
    for level in levels:
        if row.text(f"{side}{level}_price") in (str(NO_ASK), str(-NO_ASK)):
            break
        price_ticks = _ticks(row, f"{side}{level}_price", units_per_tick)
        one = (price_ticks, row.integer(f"{side}{level}_size", least=1))
        found.append(shared.setdefault(one, one))
    return tuple(found)


def _columns_of(path: Path) -> int:
    return sum(len(values) for values in first_values(path))
