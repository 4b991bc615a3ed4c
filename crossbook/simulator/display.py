"""A running simulation as a table for a terminal, and as a line for a log."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from crossbook.simulator.flow import AgentFlow
from crossbook.simulator.runner import Runner


def table(runner: Runner, flow: AgentFlow, elapsed_s: float) -> RenderableType:
    """Instruments, agents and the pace."""
    statistics = flow.statistics
    markets = Table(box=None, padding=(0, 1), pad_edge=False)
    markets.add_column("")
    for name in ("bid", "ask", "spread", "orders", "trades", "volume", "low", "high"):
        markets.add_column(name, justify="right", header_style="dim")
    for row in statistics.symbols():
        markets.add_row(
            Text(row["symbol"], "bold"),
            Text(row["bid"] or "-", "green"),
            Text(row["ask"] or "-", "red"),
            f"{row['spread_bps']:.2f} bp",
            f"{row['orders']:,}",
            f"{row['trades']:,}",
            row["volume"],
            row["low"] or "-",
            row["high"] or "-",
        )
    agents = Table(box=None, padding=(0, 1), pad_edge=False)
    agents.add_column("")
    for name in ("agents", "profit", "inventory"):
        agents.add_column(name, justify="right", header_style="dim")
    for row in statistics.kinds():
        inventory = "  ".join(
            f"{lots} {symbol.partition('-')[0]}" for symbol, lots in row["inventory"].items()
        )
        agents.add_row(Text(row["kind"], "bold"), f"{row['agents']}", row["profit"], inventory)
    return Group(Text(line(runner, flow, elapsed_s)), Text(""), markets, Text(""), agents)


def line(runner: Runner, flow: AgentFlow, elapsed_s: float) -> str:
    """Everything in one line."""
    statistics = flow.statistics
    requests = statistics.requested_total
    parts = [
        f"seed {runner.plan.seed}",
        f"{flow.seconds:,.1f} s simulated in {elapsed_s:,.1f} s",
        f"{requests:,} requests ({requests / max(elapsed_s, 1.0):,.0f}/s)",
        f"{sum(tape.trades for tape in statistics.tapes):,} trades",
        f"{flow.news:,} news",
    ]
    if statistics.rejects:
        parts.append(f"{statistics.rejects.total():,} rejects")
    if limited := sum(statistics.limited().values()):
        parts.append(f"{limited:,} requests beyond the limits of an agent")
    if flow.failures:
        count = len(flow.failures)
        parts.append(f"{count:,} {'agent' if count == 1 else 'agents'} failed")
    if runner.outages:
        parts.append(f"{runner.outages:,} waits for the exchange")
    return ", ".join(parts)


def facts(runner: Runner, flow: AgentFlow, elapsed_s: float) -> dict[str, Any]:
    """The summary that `--json` prints."""
    return {
        "seed": runner.plan.seed,
        "elapsed_s": round(elapsed_s, 3),
        "rate": round(flow.statistics.requested_total / max(elapsed_s, 0.001), 1),
        "orders_left_open": runner.left_open,
        "waits_for_exchange": runner.outages,
        "resets": runner.resets,
        **flow.facts(),
    }
