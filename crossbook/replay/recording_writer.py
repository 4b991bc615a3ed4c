"""Writing the files of a recording: `STEM.cmd.csv` and its companions.

A recording appears whole, when it is finished, or not at all.
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from crossbook.common.types import Side
from crossbook.csv_file import RecordingError
from crossbook.replay.check import book_digest
from crossbook.replay.flow import Flow, RecordedStep
from crossbook.replay.recording import RecordedCommand, RecordedFill

LEVELS: Final = 5
"""Levels of a side in a row of the book."""

BOOK_EVERY: Final = 10
DIGEST_EVERY: Final = 500
"""Commands from one row of the book, and from one digest of it, to the next. A fill has a row of
its own."""

COMMAND_HEAD: Final = "seq,t_ns,op,id,side,price_ticks,qty_lots"
FILL_HEAD: Final = "seq,k,maker_id,price_ticks,qty_lots"
DIGEST_HEAD: Final = "seq,resting_orders,sha256"
_SIDES: Final = {0: "", int(Side.BUY): "B", int(Side.SELL): "S"}

LevelsOf = Callable[[int, int], list[tuple[int, int]]]
"""(price ticks, lots) of a side, best first, and how many at most."""


def command_line(command: RecordedCommand) -> str:
    """The line of a command."""
    return (
        f"{command.seq},{command.time_ns},{command.op},{command.order_id},{_SIDES[command.side]},"
        f"{command.price_ticks or ''},{command.quantity_lots or ''}"
    )


def fill_lines(seq: int, fills: Iterable[RecordedFill]) -> list[str]:
    """The lines of a command's fills."""
    return [
        f"{seq},{k},{fill.maker_id},{fill.price_ticks},{fill.quantity_lots}"
        for k, fill in enumerate(fills)
    ]


def book_head(levels: int) -> str:
    """The head of a file of rows of the book."""
    columns = [
        f"{side}{level}_{what}"
        for level in range(1, levels + 1)
        for side in ("ask", "bid")
        for what in ("px", "qty")
    ]
    return f"seq,{','.join(columns)},agree_levels"


def book_line(seq: int, levels_of: LevelsOf, levels: int) -> str:
    """The best levels of a book, as a row after a command."""
    asks, bids = levels_of(int(Side.SELL), levels), levels_of(int(Side.BUY), levels)
    values: list[str] = []
    for level in range(levels):
        for side in (asks, bids):
            values += map(str, side[level]) if level < len(side) else ("", "")
    return f"{seq},{','.join(values)},{levels}"


class RecordingWriter:
    """Writes the steps of a `flow` to the files of a stem, as they come.

    Within `with`: an error, or no command at all, leaves no file. Raises `RecordingError`.
    `commands` and `fills` count what was written.
    """

    def __init__(self, stem: Path, flow: Flow) -> None:
        self.commands = 0
        self.fills = 0
        self._flow = flow
        self._files = {
            kind: stem.with_name(f"{stem.name}.{kind}.csv")
            for kind in ("cmd", "expect", "book", "digest")
        }
        self._open = ExitStack()
        self._digest_at = DIGEST_EVERY
        self._digest_seq = -1
        self._last: RecordedCommand | None = None

    @property
    def path(self) -> Path:
        """The file of the commands, which `crossbook replay` takes."""
        return self._files["cmd"]

    def __enter__(self) -> Self:
        heads = (COMMAND_HEAD, FILL_HEAD, book_head(LEVELS), DIGEST_HEAD)
        try:
            self._parts = {
                kind: self._open.enter_context(_part(file).open("w", encoding="ascii"))
                for kind, file in self._files.items()
            }
        except OSError as error:
            self._abandon()
            raise RecordingError(f"{self.path}: {error.strerror}") from error
        for kind, head in zip(self._files, heads, strict=True):
            self._put(kind, head)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None and self._last is not None:
                self._put_digest(self._last)
                self._open.close()
                for file in self._files.values():
                    _part(file).replace(file)
            elif error is None:
                raise RecordingError(f"{self.path}: nothing happened, and nothing was recorded")
        except OSError as failed:
            raise RecordingError(f"{self.path}: {failed.strerror}") from failed
        finally:
            self._abandon()

    def write(self, steps: Iterable[RecordedStep]) -> None:
        """Write these steps of the flow, which has gone no further."""
        for step in steps:
            command = step.command
            self._put("cmd", command_line(command))
            for line in fill_lines(command.seq, step.fills):
                self._put("expect", line)
            self.commands += 1
            self.fills += len(step.fills)
            self._last = command
            if step.last and (step.fills or command.seq % BOOK_EVERY == BOOK_EVERY - 1):
                levels_of = self._flow.book.depth.levels
                self._put("book", book_line(command.seq, levels_of, LEVELS))
            if step.last and command.seq >= self._digest_at:
                self._put_digest(command)
                self._digest_at = command.seq + DIGEST_EVERY
        for part in self._parts.values():
            part.flush()

    def _put_digest(self, command: RecordedCommand) -> None:
        book = self._flow.book
        digest = book_digest(book, self._flow.ids)
        if command.seq != self._digest_seq:
            self._put("digest", f"{command.seq},{len(book)},{digest}")
        self._digest_seq = command.seq

    def _put(self, kind: str, line: str) -> None:
        try:
            self._parts[kind].write(f"{line}\n")
        except OSError as error:
            raise RecordingError(f"{self._files[kind]}: {error.strerror}") from error

    def _abandon(self) -> None:
        self._open.close()
        for file in self._files.values():
            _part(file).unlink(missing_ok=True)


def _part(file: Path) -> Path:
    return file.with_name(f"{file.name}.part")
