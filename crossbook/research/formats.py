"""Files of a table: CSV, Parquet, Arrow. Rows are written as they come, a part at a time.

CSV is text as it is: exact decimals, times in RFC 3339 to the nanosecond, nothing where there is no
value. In the other two prices, quantities and money are `decimal128` and times are `timestamp[ns,
UTC]`; the metadata `crossbook` of their schema is JSON of `describe`.
"""

import csv
import gzip
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

import msgspec

from crossbook.common.instruments import Instrument
from crossbook.common.times import time_text
from crossbook.research.selection import ExportError
from crossbook.research.tables import DECIMALS, Column, Row, Table

if TYPE_CHECKING:
    import pyarrow

Format: TypeAlias = Literal["csv", "parquet", "arrow"]
FORMATS: Final[Sequence[Format]] = ("csv", "parquet", "arrow")

ROWS_AT_ONCE: Final = 50_000
"""Rows of one part, which are in memory together: a row group of Parquet, a batch of Arrow."""

PRECISION: Final = 38
"""Digits of a decimal: those of `decimal128`, which most readers of Parquet know at most."""

_ENDINGS: Final[Mapping[str, Format]] = {
    ".csv": "csv", ".csv.gz": "csv", ".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow",
}  # fmt: skip


def format_of(name: str) -> Format:
    """The format that the ending of a file's name means; raises `ExportError`.

    >>> format_of("day/trades.csv.gz")
    'csv'
    """
    for ending, found in _ENDINGS.items():
        if name.endswith(ending):
            return found
    endings = ", ".join(_ENDINGS)
    raise ExportError(f"{name} ends in none of {endings}: name the format", "format")


def write(
    rows: Iterable[Row],
    table: Table,
    instruments: Sequence[Instrument],
    chosen: Format,
    output: Path | None,
) -> int:
    """Write a table and return the number of its rows.

    A file appears whole or not at all. Without `output` the table goes to standard output: there
    Arrow is its streaming format. Raises `ExportError`.
    """
    to_terminal = output is None and sys.stdout.isatty()
    if to_terminal and chosen != "csv":
        raise ExportError(f"{chosen} is no text for a terminal: name a file", "output")
    with _opened(output) as file:
        if chosen == "csv":
            packed = output is not None and output.name.endswith(".gz")
            return _write_csv(rows, table, file, packed)
        return _write_batches(rows, table, instruments, chosen, file, output is None)


@contextmanager
def _opened(output: Path | None) -> Iterator[IO[bytes]]:
    """Standard output, or a file that gets its name once it is whole."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = output.with_name(f"{output.name}.part")
    try:
        try:
            with part.open("wb") as file:
                yield file
            part.replace(output)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise ExportError(f"{output}: {error.strerror or error}", "output") from error


def _parts(rows: Iterable[Row]) -> Iterator[list[Row]]:
    rows = iter(rows)
    while part := list(islice(rows, ROWS_AT_ONCE)):
        yield part


def _write_csv(rows: Iterable[Row], table: Table, file: IO[bytes], packed: bool) -> int:
    count = 0
    # Without a time in its head the same rows give the same file.
    raw = gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) if packed else file
    raw.write((",".join(table.names) + "\n").encode())
    to_text = [_csv_text(column) for column in table.columns]
    for part in _parts(rows):
        lines = _Lines()
        csv.writer(lines, lineterminator="\n").writerows(
            [
                "" if value is None else convert(value)
                for convert, value in zip(to_text, row, strict=True)
            ]
            for row in part
        )
        raw.write("".join(lines.found).encode())
        count += len(part)
    if packed:
        raw.close()
    return count


class _Lines:
    """Collects what a CSV writer writes."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def write(self, line: str) -> None:
        self.found.append(line)


def _csv_text(column: Column) -> Any:
    if column.kind == "time":
        return partial(time_text, decimals=9)
    if column.kind == "boolean":
        return lambda value: "true" if value else "false"
    return str


def _write_batches(
    rows: Iterable[Row],
    table: Table,
    instruments: Sequence[Instrument],
    chosen: Format,
    file: IO[bytes],
    streams: bool,
) -> int:
    """Write Parquet or Arrow; with `streams` Arrow's streaming format."""
    arrow = _pyarrow()
    schema = arrow_schema(table, instruments)
    sink = arrow.PythonFile(file, mode="w")
    if chosen == "parquet":
        from pyarrow import parquet

        opened = parquet.ParquetWriter(sink, schema, compression="zstd")
    else:
        opened = (arrow.ipc.new_stream if streams else arrow.ipc.new_file)(sink, schema)
    count = 0
    with opened as writer:
        for batch in arrow_batches(rows, table, schema):
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def arrow_schema(
    table: Table, instruments: Sequence[Instrument], *, exact: bool = True
) -> "pyarrow.Schema":
    """The schema of a table whose decimals fit these instruments; without `exact` they are
    `float64`."""
    arrow = _pyarrow()
    scales = table.scales(instruments)
    kinds = {
        "text": arrow.string(),
        "integer": arrow.int64(),
        "boolean": arrow.bool_(),
        "time": arrow.timestamp("ns", tz="UTC"),
    }
    fields = []
    for column in table.columns:
        kind = kinds.get(column.kind)
        if kind is None:
            scale = scales[column.name]
            kind = arrow.decimal128(PRECISION, scale) if exact else arrow.float64()
        meaning = {"meaning": column.meaning}
        fields.append(arrow.field(column.name, kind, column.optional, meaning))
    return arrow.schema(fields, {"crossbook": msgspec.json.encode(describe(table, instruments))})


def describe(table: Table, instruments: Sequence[Instrument]) -> Mapping[str, Any]:
    """The name of a table, and the steps and assets of its instruments."""
    names = ("symbol", "base", "quote", "tick_size", "lot_size")
    steps = [{name: getattr(each, name) for name in names} for each in instruments]
    return {"table": table.name, "instruments": steps}


def arrow_batches(
    rows: Iterable[Row], table: Table, schema: "pyarrow.Schema"
) -> Iterator["pyarrow.RecordBatch"]:
    """Rows as batches of a schema; raises `ExportError` for a decimal that does not fit."""
    arrow = _pyarrow()
    number = Decimal if any(map(arrow.types.is_decimal, schema.types)) else float
    for part in _parts(rows):
        arrays = []
        for column, texts, kind in zip(
            table.columns, zip(*part, strict=True), schema.types, strict=True
        ):
            values: Sequence[Any] = texts
            if column.kind in DECIMALS:
                values = [None if each is None else number(each) for each in texts]
            try:
                arrays.append(arrow.array(values, kind))
            except arrow.ArrowInvalid as error:
                raise ExportError(
                    f"{column.name}: a value has more than {PRECISION} digits, the limit of "
                    f"decimals here; CSV has none ({error})",
                    "format",
                ) from error
        yield arrow.RecordBatch.from_arrays(arrays, schema=schema)


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.ipc
    except ImportError as error:
        raise ExportError(
            "Parquet, Arrow and data frames need pyarrow: pip install 'crossbook[research]'; "
            "CSV needs nothing",
            "format",
        ) from error
    return cast(Any, pyarrow)
