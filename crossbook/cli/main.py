"""The `crossbook` command line."""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from crossbook.cli import (
    admin,
    backup,
    check,
    clock,
    faults,
    journal,
    market,
    orders,
    replay,
    run,
    simulate,
    statistics,
)
from crossbook.cli.console import CrossbookGroup
from crossbook.cli.research import export, record, rerun

app = typer.Typer(
    cls=CrossbookGroup,
    name="crossbook",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="""Run a Crossbook exchange, trade on it, watch its books, replay recorded order flow,
simulate a market, and check what the exchange stored.

Every command takes --help, with examples, and --json. Addresses and the account come from the
environment or .env (GATEWAY_ORDERS, PUBLISHER_FEED, PUBLISHER_SNAPSHOTS, ACCOUNT) and can be
given as options.

Exit status: 0 done; 1 refused by the exchange, a replay differs, a journal is wrong, or the
process checked does not answer; 2 wrong usage, configuration or file; 3 not reachable, or outcome
unknown; 4 a replay differs only where the recording breaks price-time priority.
""",
)


def _version(requested: bool) -> None:
    if requested:
        try:
            print(f"crossbook {version('crossbook')}")
        except PackageNotFoundError:
            print("crossbook (not installed)")
        raise typer.Exit


@app.callback()
def _main(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass


app.command()(run.run)
app.command("buy")(orders.buy)
app.command("sell")(orders.sell)
app.command()(orders.cancel)
app.command()(orders.amend)
app.command()(orders.orders)
app.command()(market.book)
app.command()(market.trades)
app.command()(statistics.ticker)
app.command()(statistics.candles)
app.command()(replay.replay)
app.command()(simulate.simulate)
app.command()(export.export)
app.command()(record.record)
app.command()(rerun.rerun)
app.command()(market.status)
app.command()(check.check)
app.command()(journal.verify)
app.command()(journal.journal)
app.command()(backup.backup)
app.command()(orders.balances)
admin.app.command("accept-time")(clock.accept_time)
admin.app.command("advance")(clock.advance)
admin.app.add_typer(faults.app, name="faults")
app.add_typer(admin.app, name="admin")


def main() -> None:
    """Run the command line and exit with its status."""
    app()
