"""`crossbook book`, `trades`, `status`."""

import time
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer
from rich.console import RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from crossbook.cli.console import CommandError, ExitStatus, Output, error_facts
from crossbook.cli.ladder import ladder
from crossbook.cli.market_view import FRAMES_PER_SECOND, open_market, until_interrupt, wait_ready
from crossbook.cli.options import (
    DEFAULT_TIMEOUT_S,
    AccountOption,
    FeedOption,
    GatewayOption,
    JsonOption,
    SnapshotsOption,
    SymbolArgument,
    TimeoutOption,
    client_settings,
)
from crossbook.cli.order_client import order_client
from crossbook.cli.rendering import book_facts, state_facts, state_text, trade_facts
from crossbook.client.market_data import MarketData
from crossbook.client.process_probe import matcher_build
from crossbook.client.recent_trades import recent_trades
from crossbook.common.errors import CrossbookError
from crossbook.common.instruments import Instrument
from crossbook.common.messages.feed import Snapshot, Trade, Trades, topic
from crossbook.common.process.config import Settings
from crossbook.common.shards import shard_of
from crossbook.common.types import Side

SILENT_MS: Final = 3_000
"""Silence of the matcher after which `status` calls it unreachable."""

BUILD_TIMEOUT: Final = 0.5
"""Seconds that `status` waits at the matcher's own socket; few callers can reach it at all."""


def book(
    symbol: SymbolArgument,
    levels: Annotated[
        int, typer.Option("--levels", "-n", min=1, max=1000, help="Levels of each side.")
    ] = 10,
    once: Annotated[bool, typer.Option("--once", help="Print the book as it is, and end.")] = False,
    feed: FeedOption = None,
    snapshots: SnapshotsOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Show a book as a live ladder; Ctrl-C ends it.

    Where the output is no terminal the book is printed once. With --json every change of the
    levels shown is a line of its own, or with --once there is one line.

    \b
    Examples:
      crossbook book BTC-USDT
      crossbook book BTC-USDT --levels 5 --once --json
    """
    settings = client_settings(feed=feed, snapshots=snapshots)
    output = Output(as_json)
    with open_market(settings, [symbol.upper()], ("l2", "trade", "state")) as market:
        wait_ready(market, [symbol.upper()], timeout)
        view = _BookView(market, symbol.upper(), levels)
        if once or not (as_json or output.console.is_terminal):
            output.result(view.facts(), view.ladder(shrink=True))
        elif as_json:
            until_interrupt(lambda: view.print_changes(output))
        else:
            with Live(
                view.ladder(), console=output.console, auto_refresh=False, screen=True
            ) as live:
                until_interrupt(lambda: live.update(view.next_ladder(), refresh=True))


class _BookView:
    """The view of one instrument that `crossbook book` shows."""

    def __init__(self, market: MarketData, symbol: str, levels: int) -> None:
        self._market = market
        self._symbol = symbol
        self._levels = levels
        self._last_trade: Trade | None = None
        self._printed: dict[str, Any] = {}

    def facts(self) -> dict[str, Any]:
        """The levels shown."""
        local = self._market.book(self._symbol)
        assert local.instrument is not None, "the market is ready"
        return book_facts(
            local.instrument, local.seq, local.bids(self._levels), local.asks(self._levels),
            self._market.state(self._symbol),
        )  # fmt: skip

    def ladder(self, shrink: bool = False) -> RenderableType:
        """The ladder as of now; with `shrink` without rows for levels that do not exist."""
        local = self._market.book(self._symbol)
        assert local.instrument is not None, "the market is ready"
        notes = []
        state = state_text(local.instrument, self._market.state(self._symbol))
        if state:
            notes.append(state)
        if self._market.stale:
            notes.append("no news from the exchange: this may be old")
        elif not self._market.ready:
            notes.append("catching up")
        bids, asks = local.bids(self._levels), local.asks(self._levels)
        last = (
            (self._last_trade.price_ticks, self._last_trade.aggressor_side)
            if self._last_trade is not None
            else None
        )
        rows = max(len(bids), len(asks)) if shrink else self._levels
        return ladder(
            local.instrument, bids, asks, rows, seq=local.seq, last=last,
            note=", ".join(notes),
        )  # fmt: skip

    def next_ladder(self) -> RenderableType:
        """The ladder one frame later."""
        deadline = time.monotonic() + 1 / FRAMES_PER_SECOND
        while (left_s := deadline - time.monotonic()) > 0:
            self._read(left_s)
        return self.ladder()

    def print_changes(self, output: Output) -> None:
        """Wait for news and print the levels if they changed."""
        self._read(0.5)
        facts = self.facts()
        if self._market.ready and _shown_of(facts) != _shown_of(self._printed):
            self._printed = facts
            output.result(facts, "")

    def _read(self, timeout_s: float) -> None:
        for update in self._market.poll(timeout_s):
            if isinstance(update, Trades) and update.trades:
                self._last_trade = update.trades[-1]


def _shown_of(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: text for name, text in facts.items() if name != "seq"}


def trades(
    symbol: SymbolArgument,
    count: Annotated[
        int, typer.Option("--count", "-c", min=0, max=100_000, help="Past trades to show.")
    ] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new trades until Ctrl-C.")
    ] = False,
    feed: FeedOption = None,
    snapshots: SnapshotsOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Show the last trades, oldest first, as far back as the publisher holds them.

    \b
    Examples:
      crossbook trades BTC-USDT
      crossbook trades BTC-USDT --count 0 --follow --json
    """
    settings = client_settings(feed=feed, snapshots=snapshots)
    output = Output(as_json)
    name = symbol.upper()
    with open_market(settings, [name], ("trade",)) as market:
        updates = wait_ready(market, [name], timeout)
        start = next(each for each in reversed(updates) if isinstance(each, Snapshot))
        last_seq = start.topics.get(topic("trade", name), 0)
        instrument = market.instruments[name]
        address = settings.of_shard(market.shard_of(name)).publisher_snapshots
        past = recent_trades(address, name, last_seq, count, timeout, settings.client_keyring())
        for trade in past:
            _print_trade(output, instrument, trade)
        if not past and not follow:
            output.remark(f"no trades of {name} are held")
        if follow:
            until_interrupt(lambda: _print_new(output, instrument, market))


def _print_new(output: Output, instrument: Instrument, market: MarketData) -> None:
    for update in market.poll(0.5):
        if isinstance(update, Trades):
            for trade in update.trades:
                _print_trade(output, instrument, trade)


def _print_trade(output: Output, instrument: Instrument, trade: Trade) -> None:
    facts = trade_facts(instrument, trade)
    style = "green" if trade.aggressor_side == Side.BUY else "red"
    line = Text(f"{facts['timestamp']}  {trade.trade_id:>8}  ")
    line.append(f"{facts['aggressor_side']:<4}  {facts['price']:>14}", style)
    line.append(f"  {facts['quantity']:>16}")
    output.result(facts, line)


def status(
    account: AccountOption = None,
    gateway: GatewayOption = None,
    feed: FeedOption = None,
    snapshots: SnapshotsOption = None,
    timeout: TimeoutOption = 2.0,
    as_json: JsonOption = False,
) -> None:
    """Show whether gateway, matcher and publisher answer, the number each has reached, and the
    instruments that are not open.

    Exit status 3 when one of them does not answer. Where there are several shards, matcher-1 and
    publisher-1 are those of the second one.

    \b
    Examples:
      crossbook status
      crossbook status --gateway tcp://127.0.0.1:5560 --json
    """
    settings = client_settings(account=account, gateway=gateway, feed=feed, snapshots=snapshots)
    gateway_facts = _part(lambda: _gateway_facts(settings, timeout))
    seqs = gateway_facts.pop("seqs", {})
    facts: dict[str, Any] = {"gateway": gateway_facts}
    states: dict[str, str] = {}
    for shard in settings.each_shard():
        facts |= _shard_facts(shard, seqs.get(shard.shard), timeout, states)
    reachable = all(part["reachable"] for part in facts.values())
    output = Output(as_json)
    output.result({"reachable": reachable, **facts}, _status_table(settings, facts, states))
    if not reachable:
        raise typer.Exit(int(ExitStatus.UNREACHABLE))


def _shard_facts(
    shard: Settings, gateway_seq: int | None, timeout: float, states: dict[str, str]
) -> dict[str, Any]:
    """The facts of a publisher and its matcher. `gateway_seq` is the last number the gateway has
    seen; the states of instruments that are not open are added to `states`."""
    publisher = _part(lambda: _publisher_facts(shard, timeout))
    silent_ms = publisher.pop("matcher_silent_ms", None)
    states.update(publisher.pop("states", {}))
    # Only the publisher shows whether the matcher is there.
    reachable = None if silent_ms is None else silent_ms < SILENT_MS
    matcher = {
        "reachable": reachable,
        "silent_ms": silent_ms,
        "seq": max(gateway_seq or 0, publisher.get("seq", 0)),
        "build": matcher_build(shard, min(timeout, BUILD_TIMEOUT)) if reachable else None,
    }
    if reachable and gateway_seq is not None:
        publisher["lag"] = max(0, gateway_seq - publisher["seq"])
    return {_named("publisher", shard): publisher, _named("matcher", shard): matcher}


def _named(process: str, shard: Settings) -> str:
    return f"{process}-{shard.shard}" if shard.shard else process


def _part(facts_of: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return {"reachable": True, **facts_of()}
    except CrossbookError as error:
        status, facts = error_facts(error)
        if status is ExitStatus.USAGE:
            raise
        return {"reachable": False, "error": facts}


def _gateway_facts(settings: Settings, timeout: float) -> dict[str, Any]:
    with order_client(settings, timeout) as client:
        began_ns = time.monotonic_ns()
        pong = client.ping()
        round_trip_us = (time.monotonic_ns() - began_ns) // 1_000
        return {
            "seq": pong.seq,
            "round_trip_us": round_trip_us,
            "instruments": list(client.instruments),
            "seqs": {shard_of(seq): seq for seq in client.last_seqs} | {0: pong.seq},
        }


def _market_of(shard: Settings, channels: tuple[str, ...]) -> MarketData:
    """Market data of one shard alone."""
    feed, snapshots = shard.publisher_feed, shard.publisher_snapshots
    return MarketData(feed, snapshots, (), channels, keys=shard.client_keyring())


def _publisher_facts(settings: Settings, timeout: float) -> dict[str, Any]:
    channels = ("bbo", "state")
    with _market_of(settings, channels) as market:
        market.wait_ready(timeout)
        deadline = time.monotonic() + timeout
        while market.heartbeat is None and time.monotonic() < deadline:
            market.poll(0.1)
        heartbeat = market.heartbeat
        if heartbeat is None:
            raise CommandError(
                f"snapshots are answered at {settings.publisher_snapshots}, but the feed at "
                f"{settings.publisher_feed} is silent",
                ExitStatus.UNREACHABLE,
                "UNREACHABLE",
                "feed",
            )
        states = {name: market.state(name) for name in market.instruments}
        return {
            "seq": heartbeat.seq,
            "matcher_silent_ms": heartbeat.stale_ms,
            "instruments": {
                name: state_facts(market.instruments[name], state) for name, state in states.items()
            },
            "states": {
                name: text
                for name, state in states.items()
                if (text := state_text(market.instruments[name], state))
            },
        }


def _status_table(settings: Settings, facts: dict[str, Any], states: dict[str, str]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    gateway = facts["gateway"]
    rows = [("gateway", settings.gateway_orders, gateway, _gateway_text(gateway))]
    for shard in settings.each_shard():
        name = _named("matcher", shard)
        rows.append((name, "behind them", facts[name], _matcher_text(facts[name])))
        name = _named("publisher", shard)
        rows.append((name, shard.publisher_feed, facts[name], _publisher_text(facts[name])))
    for name, place, part, text in rows:
        mark = Text("DOWN", "bold red")
        if part["reachable"] is not False:
            mark = Text("up", "green") if part["reachable"] else Text("?", "yellow")
        table.add_row(name, mark, Text(place, "dim"), Text(text))
    for symbol, text in states.items():
        table.add_row("", Text("note", "yellow"), Text(symbol), Text(text, "yellow"))
    return table


def _gateway_text(part: dict[str, Any]) -> str:
    if not part["reachable"]:
        return str(part["error"]["message"])
    names = ", ".join(part["instruments"])
    return f"at sequence {part['seq']:,}, round trip {part['round_trip_us']:,} us; trades {names}"


def _matcher_text(part: dict[str, Any]) -> str:
    if part["silent_ms"] is None:
        return "unknown: only the publisher shows it"
    if part["reachable"]:
        build = f", {part['build']} engine" if part["build"] else ""
        return f"at sequence {part['seq']:,}{build}"
    return f"silent for {part['silent_ms'] / 1000:.1f} s"


def _publisher_text(part: dict[str, Any]) -> str:
    if not part["reachable"]:
        return str(part["error"]["message"])
    lag = f", {part['lag']:,} behind" if part.get("lag") else ""
    return f"at sequence {part['seq']:,}{lag}"
