"""The sample of recorded flow that ships with the package, made from a seed.

    python -m crossbook.replay.sample_flow FOLDER

writes the same files again: a random walk with resting orders, executions, limit orders that
cross, reductions, and a few cancels that come too late. Expectations come from a plain book
(`crossbook.replay.plain_book`), without code of the exchange.
"""

import gzip
import io
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from crossbook.replay.plain_book import PlainBook
from crossbook.replay.recording import RecordedCommand
from crossbook.replay.recording_writer import (
    BOOK_EVERY,
    COMMAND_HEAD,
    DIGEST_EVERY,
    DIGEST_HEAD,
    FILL_HEAD,
    LEVELS,
    book_head,
    book_line,
    command_line,
    fill_lines,
)

NAME: Final = "sample_BTC-USDT"
SEED: Final = 2
COMMANDS: Final = 3_000
FOLDER: Final = Path(__file__).with_name("samples")

_START_NS: Final = 1_767_225_600_000_000_000
_BUY, _SELL = 1, 2


def sample_commands(seed: int = SEED, count: int = COMMANDS) -> list[RecordedCommand]:
    """The sample's commands: the same for the same seed."""
    chance = random.Random(seed)
    book = PlainBook()
    commands: list[RecordedCommand] = []
    time_ns, middle = _START_NS, 6_000_000
    for seq in range(count):
        time_ns += round(chance.expovariate(1 / 4_000_000))
        middle += chance.choice((-30, -10, 0, 0, 10, 30))
        command = _next_command(chance, book, seq, time_ns, middle)
        book.apply(command)
        commands.append(command)
    return commands


def _next_command(
    chance: random.Random, book: PlainBook, seq: int, time_ns: int, middle: int
) -> RecordedCommand:
    resting = book.orders()
    dice = chance.random()
    side = chance.choice((_BUY, _SELL))
    away = -1 if side == _BUY else 1
    order_id = seq + 1
    if dice < 0.08 and resting:
        best = book.levels(_SELL if side == _BUY else _BUY)
        if best:
            price = best[0][0] - away * chance.choice((0, 0, 50, 200))
            lots = chance.choice((best[0][1], chance.randint(100, 150_000)))
            return RecordedCommand(seq, time_ns, "exec", order_id, side, price, lots)
    if dice < 0.12 and resting:
        _, _, target, lots = chance.choice(resting)
        if lots > 2_000:
            less = chance.randint(1, lots - 1_000)
            return RecordedCommand(seq, time_ns, "reduce", target, quantity_lots=less)
    if dice < 0.125 and seq:
        return RecordedCommand(seq, time_ns, "cancel", chance.randint(1, seq))
    if len(resting) > chance.randint(60, 160):
        return RecordedCommand(seq, time_ns, "cancel", chance.choice(resting)[2])
    # Now and then the distance is negative: a limit order that crosses.
    price = middle + away * round(chance.expovariate(1 / 250) - 10)
    lots = chance.choice((1_000, 5_000, 10_000, 25_000, 100_000)) + chance.randint(0, 999)
    return RecordedCommand(seq, time_ns, "new", order_id, side, price, lots)


def sample_files(commands: Sequence[RecordedCommand]) -> dict[str, str]:
    """The four files of a recording of `commands`, by the kind in their names."""
    book = PlainBook()
    lines = {
        "cmd": [f"{COMMAND_HEAD},src"],
        "expect": [FILL_HEAD],
        "book": [book_head(LEVELS)],
        "digest": [DIGEST_HEAD],
    }
    for command in commands:
        lines["cmd"].append(f"{command_line(command)},{command.seq}")
        fills = book.apply(command)
        lines["expect"] += fill_lines(command.seq, fills)
        if fills or command.seq % BOOK_EVERY == BOOK_EVERY - 1:
            lines["book"].append(book_line(command.seq, book.levels, LEVELS))
        if command.seq % DIGEST_EVERY == DIGEST_EVERY - 1 or command is commands[-1]:
            lines["digest"].append(f"{command.seq},{len(book.orders())},{book.digest()}")
    return {kind: "\n".join(text) + "\n" for kind, text in lines.items()}


def write_sample(folder: Path, name: str = NAME, seed: int = SEED, count: int = COMMANDS) -> None:
    """Write the sample's files into an existing folder."""
    for kind, text in sample_files(sample_commands(seed, count)).items():
        packed = io.BytesIO()
        # Without name and time the same text gives the same bytes.
        with gzip.GzipFile("", "wb", mtime=0, fileobj=packed) as file:
            file.write(text.encode())
        (folder / f"{name}.{kind}.csv.gz").write_bytes(packed.getvalue())


def sample_path() -> Path:
    """The shipped sample's command file."""
    return FOLDER / f"{NAME}.cmd.csv.gz"


if __name__ == "__main__":
    write_sample(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
