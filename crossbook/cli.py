"""The `crossbook` command line."""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from crossbook import (
    commands_admin,
    commands_backup,
    commands_check,
    commands_clock,
    commands_journal,
    commands_market,
    commands_orders,
    commands_replay,
    commands_run,
    commands_simulate,
    commands_statistics,
)
from crossbook.console import CrossbookGroup

app = typer.Typer(
    cls=CrossbookGroup,
    name="crossbook",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="""Run a Crossbook exchange, trade on it, watch its books, replay recorded order flow,
simulate a market, and check what the exchange wrote down.

Every command takes --help, with examples, and --json. Addresses and the account come from the
environment or .env (GATEWAY_ORDERS, PUBLISHER_FEED, PUBLISHER_SNAPSHOTS, ACCOUNT) and can be
given as options.

Exit status: 0 done; 1 refused by the exchange, a replay differs, a journal is wrong, or the
process checked does not answer; 2 wrong
usage, configuration or file; 3 not reachable, or outcome unknown; 4 a replay differs where the
recording breaks price-time priority, and nowhere else.
""",
)


def _version(asked: bool) -> None:
    if asked:
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


app.command()(commands_run.run)
app.command()(commands_orders.buy)
app.command()(commands_orders.sell)
app.command()(commands_orders.cancel)
app.command()(commands_orders.amend)
app.command()(commands_orders.orders)
app.command()(commands_market.book)
app.command()(commands_market.trades)
app.command()(commands_statistics.ticker)
app.command()(commands_statistics.candles)
app.command()(commands_replay.replay)
app.command()(commands_simulate.simulate)
app.command()(commands_market.status)
app.command()(commands_check.check)
app.command()(commands_journal.verify)
app.command()(commands_journal.journal)
app.command()(commands_backup.backup)
app.command()(commands_orders.balances)
commands_admin.app.command("accept-time")(commands_clock.accept_time)
app.add_typer(commands_admin.app, name="admin")


def main() -> None:
    """Run the command line and exit with its status."""
    app()
