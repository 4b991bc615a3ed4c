"""CSV files with faults that can be found: every error names the file, the line and the column."""

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TextIO

from crossbook.common.errors import CrossbookError
from crossbook.common.types import MAX_INT

_GZIP_MAGIC: Final = b"\x1f\x8b"
_LINE_MAX: Final = 100_000
_BLANK_LINES_MAX: Final = 100
"""Lines looked at for the first one that is not blank, and characters of one."""


class RecordingError(CrossbookError):
    """A file of recorded flow cannot be read; the text names the file, the place and the fault."""


class Row:
    """One line of a CSV file, its values by column name."""

    __slots__ = ("_columns", "_path", "_values", "line")

    def __init__(self, path: Path, line: int, columns: dict[str, int], values: list[str]) -> None:
        self._path = path
        self.line = line
        self._columns = columns
        self._values = values

    def text(self, column: str) -> str:
        """The value as written, without spaces around it; a column the file lacks is empty."""
        place = self._columns.get(column)
        return "" if place is None else self._values[place].strip()

    def has(self, column: str) -> bool:
        """Whether the file has this column."""
        return column in self._columns

    def integer(self, column: str, least: int = 0) -> int:
        """The value as a whole number from `least` up; raises `RecordingError`."""
        text = self.text(column)
        if not (text.isascii() and text.removeprefix("-").isdigit()):
            raise self.fault(column, f"{text!r} is not a whole number")
        value = int(text) if len(text) <= 20 else MAX_INT + 1
        if not least <= value <= MAX_INT:
            raise self.fault(column, f"{text} is not within {least} to {MAX_INT}")
        return value

    def fault(self, column: str, text: str) -> RecordingError:
        """An error about this line's `column`."""
        return RecordingError(f"{self._path}: line {self.line}, column {column}: {text}")


class CsvFile:
    """A CSV file, plain or gzipped by its name, with a header line that has `required` columns.

    A file without a header (LOBSTER's) is given its column names as `header`; a first line without
    any number in it is treated as a header all the same, and skipped.
    """

    def __init__(
        self, path: Path, required: Sequence[str] = (), *, header: Sequence[str] | None = None
    ) -> None:
        self.path = path
        self._required = required
        self._header = header

    def rows(self) -> Iterator[Row]:
        """Every line that is not blank; raises `RecordingError` for a file that cannot be read."""
        line = 1
        try:
            with open_text(self.path) as file:
                reader = csv.reader(file, strict=True)
                header = self._header
                if header is None:
                    header = self._check_header(next(reader, []))
                columns = {name: place for place, name in enumerate(header)}
                first = self._header is not None
                for values in reader:
                    line = reader.line_num
                    if not any(value.strip() for value in values):
                        continue
                    if first:
                        first = False
                        if is_header(values):
                            continue
                    if len(values) != len(header):
                        raise RecordingError(
                            f"{self.path}: line {line}: {len(values)} columns, not {len(header)}"
                        )
                    yield Row(self.path, line, columns, values)
        except OSError as error:
            # gzip reports a damaged file as an OSError without an error number.
            raise RecordingError(f"{self.path}: {error.strerror or error}") from error
        except (EOFError, zlib.error) as error:
            raise RecordingError(
                f"{self.path}: after line {line}: damaged gzip: {error}"
            ) from error
        except (csv.Error, UnicodeDecodeError) as error:
            raise RecordingError(
                f"{self.path}: after line {line}: not CSV text: {error}"
            ) from error

    def _check_header(self, header: list[str]) -> list[str]:
        missing = [name for name in self._required if name not in header]
        if missing:
            raise RecordingError(
                f"{self.path}: line 1: the header lacks {', '.join(missing)}; "
                f"it reads {','.join(header)[:80]!r}"
            )
        return header


def open_text(path: Path) -> TextIO:
    """Open a text file, with or without a byte order mark, gunzipping one that is gzipped or is
    named so; raises `OSError`."""
    with path.open("rb") as file:
        packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    if packed or path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def first_values(path: Path, count: int = 1) -> list[list[str]]:
    """The values of the first lines that are not blank, at most `count`; raises `RecordingError`
    for what is no text."""
    found: list[list[str]] = []
    try:
        with open_text(path) as file:
            for _ in range(_BLANK_LINES_MAX):
                line = file.readline(_LINE_MAX)
                if line.strip():
                    found.append(line.strip().split(","))
                if not line or len(found) == count:
                    break
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise RecordingError(f"{path}: {error}") from error
    return found


def is_header(values: Sequence[str]) -> bool:
    """Whether the values of a first line are names: none of them has a digit in front.

    >>> is_header(["Time", "Event Type", "Order ID"]), is_header(["34200.1", "1", "null"])
    (True, False)
    """
    return not any(value.strip().lstrip("-.")[:1].isdigit() for value in values)


def sibling(path: Path, start: str) -> Path | None:
    """The file `start.csv` or `start.csv.gz` in the folder of `path`, if there is one."""
    for name in (f"{start}.csv", f"{start}.csv.gz"):
        found = path.with_name(name)
        if found.is_file():
            return found
    return None
