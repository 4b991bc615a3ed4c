"""`crossbook export`."""

from pathlib import Path
from typing import Annotated, Final, Literal, get_args

import typer

from crossbook.cli.console import CommandError, ExitStatus, Output
from crossbook.cli.statistics import Interval

TableName = Literal["trades", "candles", "orders", "fills", "l3"]
FormatName = Literal["csv", "parquet", "arrow"]

_STANDARD_OUTPUT: Final = "-"

TableArgument = Annotated[
    TableName,
    typer.Argument(
        metavar="|".join(get_args(TableName)), show_default=False, help="What to export."
    ),
]
SymbolsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--symbol", "-s", metavar="SYMBOL", show_default=False,
        help="Only this instrument; may be repeated.",
    ),
]  # fmt: skip
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="TIME", show_default=False,
        help="First time: 2026-01-31, 2026-01-31T09:30:00.5Z, or nanoseconds since 1970.",
    ),
]  # fmt: skip
ToOption = Annotated[
    str | None,
    typer.Option("--to", metavar="TIME", show_default=False, help="End of the time, not included."),
]
FormatOption = Annotated[
    FormatName | None,
    typer.Option(
        "--format", "-f", metavar="|".join(get_args(FormatName)), show_default=False,
        help="By the ending of the file's name, or csv.",
    ),
]  # fmt: skip
OutputOption = Annotated[
    str, typer.Option("--output", "-o", metavar="FILE|-", help="A file, or standard output.")
]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database", metavar="URL", show_default=False,
        help="The recorder's database (setting DATABASE_URL).",
    ),
]  # fmt: skip
JournalOption = Annotated[
    Path | None,
    typer.Option(
        "--journal", metavar="DIR", show_default=False,
        help="Read the matcher's journal there, and no database (setting DATA_DIR for l3).",
    ),
]  # fmt: skip
FactsOption = Annotated[
    bool, typer.Option("--json", help="Print the facts about a written file as JSON.")
]


def export(
    table: TableArgument,
    symbols: SymbolsOption = None,
    start: FromOption = None,
    end: ToOption = None,
    interval: Annotated[Interval, typer.Option(help="The length of candles.")] = "1m",
    chosen: FormatOption = None,
    output: OutputOption = _STANDARD_OUTPUT,
    database: DatabaseOption = None,
    journal: JournalOption = None,
    as_json: FactsOption = False,
) -> None:
    """Write what the exchange stored as CSV, Parquet or Arrow.

    trades, candles, orders and fills come from the recorder's database, with --journal from the
    matcher's files; the rows are the same. l3, every change of every resting order, is in the
    journal only. The exchange may be running. Prices and quantities are exact decimals, times UTC
    to the nanosecond. Parquet and Arrow need the extra `research`.

    \b
    Examples:
      crossbook export trades --symbol BTC-USDT > trades.csv
      crossbook export candles --interval 1h --from 2026-01-01 --to 2026-02-01 -o january.parquet
      crossbook export l3 --journal data --symbol BTC-USDT -o l3.arrow
    """
    if database is not None and journal is not None:
        text = "--database and --journal are two sources: give one"
        raise CommandError(text, ExitStatus.USAGE, "USAGE", "journal")
    # Imported here: the import takes a third of a second, and only this command needs it.
    from crossbook.research.formats import format_of, write
    from crossbook.research.selection import ExportError, selection
    from crossbook.research.sources import source_of
    from crossbook.research.tables import TABLES

    path = None if output == _STANDARD_OUTPUT else Path(output)
    wanted = TABLES[table]
    try:
        selected = selection(symbols, start, end, interval)
        name = chosen or ("csv" if path is None else format_of(path.name))
        source = source_of(database if database is not None else journal, wanted)
        instruments = list(selected.of(source.instruments()).values())
        count = write(source.rows(wanted, selected), wanted, instruments, name, path)
    except ExportError as error:
        raise CommandError(str(error), ExitStatus.USAGE, "USAGE", error.field) from error
    if path is not None:
        facts = {"table": table, "rows": count, "format": name, "file": output}
        Output(as_json).result(facts, f"{count:,} rows of {table} from {source.name} in {output}")
