"""`crossbook ticker`, `candles`."""

import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from crossbook.cli.console import CommandError, ExitStatus, Output
from crossbook.cli.market_view import FRAMES_PER_SECOND, open_market, until_interrupt, wait_ready
from crossbook.cli.options import (
    DEFAULT_TIMEOUT_S,
    FeedOption,
    JsonOption,
    SnapshotsOption,
    SymbolArgument,
    TimeoutOption,
    client_settings,
)
from crossbook.cli.rendering import candle_facts, state_text, ticker_facts
from crossbook.client.market_data import MarketData
from crossbook.common.instruments import Instrument
from crossbook.common.messages.feed import Candles, MarketState, Snapshot, Ticker
from crossbook.common.messages.history_queries import INTERVALS_S, Candle

Interval = Literal["1s", "1m", "5m", "15m", "1h", "4h", "1d"]
"""Candle lengths by name, shortest first."""


def ticker(
    symbols: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SYMBOL]...", show_default=False, help="Instruments; all without a name."
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Print it as it is, and end.")] = False,
    feed: FeedOption = None,
    snapshots: SnapshotsOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Show the last 24 hours of instruments as a live table; Ctrl-C ends it.

    Where the output is no terminal the table is printed once. With --json every change is a line
    of its own, or with --once there is one line an instrument.

    \b
    Examples:
      crossbook ticker
      crossbook ticker BTC-USDT ETH-USDT --once --json
    """
    settings = client_settings(feed=feed, snapshots=snapshots)
    output = Output(as_json)
    names = [symbol.upper() for symbol in symbols or ()]
    with open_market(settings, names, ("ticker", "state")) as market:
        wait_ready(market, names, timeout)
        shown = names or list(market.instruments)
        if once or not (as_json or output.console.is_terminal):
            _wait_known(market, shown, timeout)
        if as_json:
            for name in shown:
                _print_ticker(output, market, market.ticker(name))
            if not once:
                until_interrupt(lambda: _print_new_tickers(output, market))
        elif once or not output.console.is_terminal:
            output.console.print(_table(market, shown))
        else:
            with Live(
                _table(market, shown), console=output.console, auto_refresh=False, screen=True
            ) as live:
                until_interrupt(lambda: live.update(_next_table(market, shown), refresh=True))


def _wait_known(market: MarketData, symbols: Sequence[str], timeout: float) -> None:
    """Wait for a publisher that has just started and does not have the day yet."""
    deadline = time.monotonic() + timeout
    while missing := [symbol for symbol in symbols if market.ticker(symbol) is None]:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise CommandError(
                f"the publisher does not have the last 24 hours of {', '.join(missing)} yet",
                ExitStatus.UNREACHABLE,
                "UNREACHABLE",
                "symbol",
            )
        market.poll(left_s)


def _print_ticker(output: Output, market: MarketData, ticker: Ticker | None) -> None:
    if ticker is not None:
        instrument, state = market.instruments[ticker.symbol], market.state(ticker.symbol)
        output.result(ticker_facts(instrument, ticker, state), "")


def _print_new_tickers(output: Output, market: MarketData) -> None:
    for update in market.poll(0.5):
        if isinstance(update, Ticker):
            _print_ticker(output, market, update)
        elif isinstance(update, MarketState):
            _print_ticker(output, market, market.ticker(update.symbol))


def _next_table(market: MarketData, symbols: Sequence[str]) -> Table:
    """The table one frame later."""
    deadline = time.monotonic() + 1 / FRAMES_PER_SECOND
    while (left_s := deadline - time.monotonic()) > 0:
        market.poll(left_s)
    return _table(market, symbols)


def _table(market: MarketData, symbols: Sequence[str]) -> Table:
    caption = "no news from the exchange: this may be old" if market.stale else None
    table = Table(box=None, pad_edge=False, caption=caption, caption_style="yellow")
    table.add_column("", no_wrap=True)
    for name in ("last", "24 h", "high", "low", "bid", "offer", "volume", "trades"):
        table.add_column(name, justify="right", no_wrap=True, header_style="dim")
    table.add_column("", no_wrap=True)
    for symbol in symbols:
        ticker = market.ticker(symbol)
        if ticker is None:
            table.add_row(Text(symbol, "bold"), Text("not known yet", "yellow"))
            continue
        instrument, state = market.instruments[symbol], market.state(symbol)
        facts = ticker_facts(instrument, ticker, state)
        change = facts["change_percent"]
        style = "red" if change is not None and change.startswith("-") else "green"
        cells = [facts[name] or "-" for name in ("high", "low", "bid", "ask")]
        table.add_row(
            Text(symbol, "bold"),
            Text(facts["last"] or "-"),
            Text("-" if change is None else f"{change} %", style),
            *cells,
            f"{facts['volume']} {instrument.base}",
            f"{ticker.trades:,}",
            Text(state_text(instrument, state), "yellow"),
        )
    return table


def candles(
    symbol: SymbolArgument,
    interval: Annotated[
        Interval, typer.Option("--interval", "-i", help="Length of a candle.")
    ] = "1m",
    once: Annotated[
        bool, typer.Option("--once", help="Print the latest candle as it is, and end.")
    ] = False,
    feed: FeedOption = None,
    snapshots: SnapshotsOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Show the latest candle of an instrument and go on with new ones until Ctrl-C.

    A candle is printed when it changes, several times while it lasts; one that begins later ends
    it. In a terminal the running candle keeps its line. Times are UTC; no trade, no candle.

    \b
    Examples:
      crossbook candles BTC-USDT
      crossbook candles BTC-USDT --interval 1h --once --json
    """
    settings = client_settings(feed=feed, snapshots=snapshots)
    output = Output(as_json)
    name = symbol.upper()
    with open_market(settings, [name], ("candle",)) as market:
        wait_ready(market, [name], timeout)
        view = _CandleView(output, market.instruments[name], interval)
        view.show(market.candles(name).get(INTERVALS_S[interval]))
        if once:
            view.end_line()
            if view.latest is None:
                output.remark(f"no trades of {name} are known")
            return
        until_interrupt(lambda: _apply_all(view, market))
        view.end_line()


def _apply_all(view: "_CandleView", market: MarketData) -> None:
    for update in market.poll(0.5):
        view.apply(update)


class _CandleView:
    """Prints candles of one length as they arrive."""

    def __init__(self, output: Output, instrument: Instrument, interval: Interval) -> None:
        self.latest: Candle | None = None
        self._output = output
        self._instrument = instrument
        self._interval = interval
        self._open_line = False

    def apply(self, update: object) -> None:
        """Print the candles of this length in an update."""
        if isinstance(update, Candles | Snapshot):
            for candle in update.candles:
                if candle.interval_s == INTERVALS_S[self._interval]:
                    self.show(candle)

    def end_line(self) -> None:
        """The line that would be written over stays."""
        if self._open_line:
            self._output.console.print()
            self._open_line = False

    def show(self, candle: Candle | None) -> None:
        """Print a candle, unless it stands so already."""
        if candle is None or candle == self.latest:
            return
        before, self.latest = self.latest, candle
        facts = candle_facts(self._instrument, self._interval, candle)
        style = "red" if candle.close_ticks < candle.open_ticks else "green"
        console = self._output.console
        if self._output.as_json or not console.is_terminal:
            self._output.result(facts, _line(facts, style))
            return
        if before is not None and before.open_ns != candle.open_ns:
            self.end_line()
        console.print(_line(facts, style), end="\r")
        self._open_line = True


def _line(facts: dict[str, Any], style: str) -> Text:
    line = Text(f"{facts['open_time']}  ")
    line.append("  ".join(f"{facts[name]:>12}" for name in ("open", "high", "low", "close")), style)
    line.append(f"  {facts['volume']:>16}  {facts['trades']:>7,}")
    return line
