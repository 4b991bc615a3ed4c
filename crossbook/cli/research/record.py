"""`crossbook record`."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from crossbook.cli.console import CommandError, ExitStatus, Output
from crossbook.cli.market_view import open_market, wait_ready
from crossbook.cli.options import (
    DEFAULT_TIMEOUT_S,
    FeedOption,
    JsonOption,
    SnapshotsOption,
    TimeoutOption,
    client_settings,
)
from crossbook.cli.research.export import FromOption, JournalOption, ToOption
from crossbook.common.process.config import Settings
from crossbook.common.times import parse_duration
from crossbook.replay.flow import Flow
from crossbook.replay.recording_writer import RecordingWriter

SymbolOption = Annotated[
    str, typer.Option("--symbol", "-s", metavar="SYMBOL", help="The instrument.")
]
StemOption = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="STEM",
        help="Files STEM.cmd.csv, STEM.expect.csv, STEM.book.csv and STEM.digest.csv.",
    ),
]  # fmt: skip
ForOption = Annotated[
    str | None,
    typer.Option(
        "--for", metavar="DURATION", show_default=False,
        help="How long, such as 60s or 1h30m; until Ctrl-C without it.",
    ),
]  # fmt: skip


def record(
    symbol: SymbolOption,
    output: StemOption,
    duration: ForOption = None,
    journal: JournalOption = None,
    start: FromOption = None,
    end: ToOption = None,
    feed: FeedOption = None,
    snapshots: SnapshotsOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Record the flow of a market in the format that `crossbook replay` drives.

    Follows the public feed from now on, or reads a journal (--journal, with --from and --to). The
    recording begins with the orders that rest, and every fill, rows and digests of the book are
    written beside the commands, so that a replay is compared with the market. Files appear when
    the recording is whole. A call phase ends it.

    \b
    Examples:
      crossbook record --symbol BTC-USDT --for 60s --output btc_BTC-USDT
      crossbook record --symbol BTC-USDT --journal data --output day_BTC-USDT
      crossbook replay btc_BTC-USDT.cmd.csv
    """
    name = symbol.upper()
    _check(duration, journal, start, end)
    flow = Flow()
    with RecordingWriter(output, flow) as writer:
        if journal is not None:
            ended_by = _from_journal(journal, name, start, end, flow, writer)
        else:
            settings = client_settings(feed=feed, snapshots=snapshots)
            for_ns = None if duration is None else parse_duration(duration)
            ended_by = _from_feed(settings, name, for_ns, timeout, flow, writer)
    facts = {
        "symbol": name, "commands": writer.commands, "fills": writer.fills,
        "file": str(writer.path), "ended_by": ended_by or None,
    }  # fmt: skip
    printed = Output(as_json)
    if ended_by:
        printed.remark(ended_by)
    text = f"{writer.commands:,} commands with {writer.fills:,} fills of {name} in {writer.path}"
    printed.result(facts, text)


def _check(duration: str | None, journal: Path | None, start: str | None, end: str | None) -> None:
    """Raise `CommandError` for options of one source beside the other, and for no duration."""
    if journal is not None and duration is not None:
        text = "--for bounds a recording of the feed: bound a journal by --from and --to"
        raise CommandError(text, ExitStatus.USAGE, "USAGE", "for")
    for field, value in (("from", start), ("to", end)):
        if value is not None and journal is None:
            text = f"--{field} bounds the time of a journal: name it with --journal"
            raise CommandError(text, ExitStatus.USAGE, "USAGE", field)
    if duration is not None:
        try:
            parse_duration(duration)
        except ValueError as error:
            raise CommandError(str(error), ExitStatus.USAGE, "USAGE", "for") from error


def _from_journal(
    folder: Path,
    symbol: str,
    start: str | None,
    end: str | None,
    flow: Flow,
    writer: RecordingWriter,
) -> str:
    """Record a journal's flow; returns the reason of an early end."""
    # Imported here: the import takes a third of a second, and the feed needs none of it.
    from crossbook.replay.journal_flow import JournalFlow
    from crossbook.research.journal import JournalSource
    from crossbook.research.selection import ExportError, selection
    from crossbook.research.sources import journal_folders

    try:
        selected = selection(symbol, start, end)
        sources = [JournalSource(each) for each in journal_folders(folder)]
        instruments = [(each, source) for source in sources for each in source.instruments()]
        selected.check_symbols(each for each, _ in instruments)
        instrument, source = next(pair for pair in instruments if pair[0].symbol == symbol)
        found = JournalFlow(source, instrument, selected, flow)
        writer.write(found.steps())
    except ExportError as error:
        raise CommandError(str(error), ExitStatus.USAGE, "USAGE", error.field) from error
    return found.ended_by


def _from_feed(
    settings: Settings,
    symbol: str,
    for_ns: int | None,
    timeout: float,
    flow: Flow,
    writer: RecordingWriter,
) -> str:
    """Record a running market; returns the reason of an early end."""
    from crossbook.replay.capture import CHANNELS, Capture

    with open_market(settings, [symbol], CHANNELS) as market:
        updates = wait_ready(market, [symbol], timeout)
        capture = Capture(market, symbol, flow)
        writer.write(capture.begin(updates))
        end_ns = None if for_ns is None else time.monotonic_ns() + for_ns
        with _until_signal() as stopped:
            while not (stopped() or capture.ended_by):
                if end_ns is not None and time.monotonic_ns() >= end_ns:
                    break
                writer.write(capture.step())
        writer.write(capture.finish(timeout))
    return capture.ended_by


@contextmanager
def _until_signal() -> Iterator[Callable[[], bool]]:
    """Within, Ctrl-C ends the recording between two steps; whether it came."""
    came = False

    def note(*_: object) -> None:
        nonlocal came
        came = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: came
    finally:
        signal.signal(signal.SIGINT, before)
