"""The result of a replay, as JSON facts and as a table."""

from typing import Any, Final

from msgspec import Struct
from rich.table import Table

from crossbook.replay.check import CheckResult, Tally

PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9)


class ReplayReport(Struct):
    """One replay of one file. Latencies are microseconds from send (from the recorded moment,
    when replayed in time) to answer. `result` is None when nothing was compared."""

    name: str
    symbol: str
    speed: str
    commands: int
    seconds: float
    latency_us: dict[str, int]
    feed_gaps: int
    result: CheckResult | None
    notes: list[str]

    @property
    def rate(self) -> float:
        """Commands answered per second."""
        return self.commands / self.seconds if self.seconds else 0.0

    @property
    def cause(self) -> str:
        """The cause of differences (see `CheckResult.cause`), empty where there are none."""
        return self.result.cause if self.result is not None else ""

    @property
    def equal(self) -> bool:
        """Whether nothing differs from the recording."""
        return self.result is None or self.result.equal


def report_facts(report: ReplayReport) -> dict[str, Any]:
    """The report for programs. Figures of time are numbers: nothing here is money."""
    facts: dict[str, Any] = {
        "recording": report.name,
        "symbol": report.symbol,
        "speed": report.speed,
        "equal": report.equal,
        "verified": report.result is not None,
        "commands": report.commands,
        "seconds": round(report.seconds, 3),
        "commands_per_second": round(report.rate),
        "latency_us": report.latency_us,
        "feed_gaps_recovered": report.feed_gaps,
        "notes": report.notes,
    }
    result = report.result
    if result is not None:
        facts |= {
            "fills": result.fills,
            "recorded_fills": _tally_facts(result.recorded_fills),
            "own_fills": _tally_facts(result.own_fills),
            "book_rows": _tally_facts(result.books),
            "digests": _tally_facts(result.digests),
            "refused": result.refused,
            "unexpected_refusals": result.unexpected,
            "unanswered": result.unanswered,
            "foreign_trades": result.foreign_trades,
            "rows_without_levels": result.rows_without_levels,
            "cause": result.cause or None,
            "recording_breaks": result.breaks,
            "differences_by": {
                "recording": result.by_recording,
                "exchange": result.by_exchange,
            },
            "differences": result.differences,
        }
    return facts


def report_table(report: ReplayReport) -> Table:
    """The report for people."""
    verdict = "not compared"
    if report.result is not None:
        verdict = "[green]equal[/]" if report.equal else f"[bold red]DIFFERS[/]: {_why(report)}"
    table = Table(
        title=f"{report.name} on {report.symbol}: {verdict}",
        title_justify="left",
        show_header=False,
        box=None,
        pad_edge=False,
    )
    table.add_column(style="dim")
    table.add_column()
    table.add_row("commands", f"{report.commands:,}")
    if report.result is not None:
        for name, value in _findings(report.result):
            table.add_row(name, value)
    table.add_row(
        "rate", f"{report.rate:,.0f} commands/s ({report.seconds:.2f} s, speed {report.speed})"
    )
    latencies = "  ".join(f"{name} {value:,}" for name, value in report.latency_us.items())
    table.add_row("latency us", latencies)
    if report.feed_gaps:
        table.add_row("feed", f"{report.feed_gaps:,} gaps recovered")
    for note in report.notes:
        table.add_row("note", note)
    for difference in report.result.differences if report.result is not None else []:
        table.add_row("[red]differs[/]", difference.replace("[", "\\["))
    return table


def _why(report: ReplayReport) -> str:
    """The cause, as text."""
    return {
        "recording": "the recording breaks price-time priority, the exchange kept it everywhere",
        "refusals": "the exchange refused orders of the recording",
        "others": "others had orders or traded there",
        "exchange": "the exchange did something else than the recording",
    }[report.cause]


def _findings(result: CheckResult) -> list[tuple[str, str]]:
    rows = [("fills", f"{result.fills:,}")]
    if result.recorded_fills is not None:
        rows.append(("  as recorded", _tally_text(result.recorded_fills)))
    rows += [
        ("  as reported to us", _tally_text(result.own_fills)),
        ("book rows", _tally_text(result.books)),
        ("digests", _tally_text(result.digests)),
    ]
    refused = ", ".join(f"{count:,} {name}" for name, count in result.refused.items())
    if result.rows_without_levels:
        rows.append(("rows without levels", f"{result.rows_without_levels:,}, not compared"))
    if result.breaks:
        rows.append(("breaks of priority", f"{result.breaks:,} in the recording"))
    if refused:
        rows.append(("refused", refused))
    if result.unanswered:
        rows.append(("unanswered", f"[red]{result.unanswered:,}[/]"))
    if result.foreign_trades:
        rows.append(("trades of others", f"[red]{result.foreign_trades:,}[/]"))
    return rows


def _tally_facts(tally: Tally | None) -> dict[str, int] | None:
    return None if tally is None else {"compared": tally.compared, "equal": tally.equal}


def _tally_text(tally: Tally) -> str:
    if not tally.compared:
        return "none recorded"
    share = f"{tally.equal:,} of {tally.compared:,}"
    if tally.different:
        return f"[red]{share} equal, {tally.different:,} different[/]"
    return f"{share} equal"
