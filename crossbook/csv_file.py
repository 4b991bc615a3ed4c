"""CSV files with faults that can be found: every error names the file, the line and the column."""

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from common.errors import CrossbookError
from common.types import MAX_INT


class RecordingError(CrossbookError):
    """A file of recorded flow cannot be read; the text says which, where and why."""


class Row:
    """One line of a CSV file, its values by column name."""

    __slots__ = ("_columns", "_path", "_values", "line")

    def __init__(self, path: Path, line: int, columns: dict[str, int], values: list[str]) -> None:
        self._path = path
        self.line = line
        self._columns = columns
        self._values = values

    def text(self, column: str) -> str:
        """The value as written; a column the file lacks is empty."""
        place = self._columns.get(column)
        return "" if place is None else self._values[place]

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

    A file without a header (LOBSTER's) is given its column names as `header`.
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
                for values in reader:
                    line = reader.line_num
                    if not values:
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
    """Open a text file, gunzipping one whose name ends in .gz; raises `OSError`."""
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def sibling(path: Path, start: str) -> Path | None:
    """The file `start.csv` or `start.csv.gz` in the folder of `path`, if there is one."""
    for name in (f"{start}.csv", f"{start}.csv.gz"):
        found = path.with_name(name)
        if found.is_file():
            return found
    return None
