"""The `crossbook` command line."""

from crossbook.cli import (
    admin,
    backup,
    binance_keys,
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
from crossbook.cli.console import application
from crossbook.cli.keys import api_keys
from crossbook.cli.research import export, record, rerun

app = application()
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
app.command("binance-keys")(binance_keys.binance_keys)
app.command()(journal.verify)
app.command()(journal.journal)
app.command()(backup.backup)
app.command()(orders.balances)
admin.app.command("accept-time")(clock.accept_time)
admin.app.command("advance")(clock.advance)
admin.app.add_typer(faults.app, name="faults")
app.add_typer(admin.app, name="admin")
app.add_typer(api_keys.app, name="keys")


def main() -> None:
    """Run the command line and exit with its status."""
    app()
