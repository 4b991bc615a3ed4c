"""The report of a replay, whole: as a table and as facts."""

from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from crossbook.replay.check import CheckResult, Tally
from crossbook.replay.report import ReplayReport, report_facts, report_table

RESULT = CheckResult(
    fills=1_234, recorded_fills=Tally(1_234, 1_234), own_fills=Tally(2_000, 1_999),
    books=Tally(50, 50), digests=Tally(), refused={"UNKNOWN_ORDER": 1_005, "BUSY": 2},
    unexpected=0, unanswered=0, foreign_trades=0, differences=["own fill [3] differs"],
    rows_without_levels=1_001, breaks=3_000, by_recording=4, by_exchange=1,
)  # fmt: skip
EQUAL = CheckResult(
    fills=1, recorded_fills=None, own_fills=Tally(1, 1), books=Tally(1, 1), digests=Tally(1, 1),
    refused={}, unexpected=0, unanswered=0, foreign_trades=0, differences=[],
)  # fmt: skip
REPORT = ReplayReport(
    name="flow", symbol="REPLAY-1", speed="max", commands=3_000, seconds=2.0,
    latency_us={"p50": 1_200, "p99": 9}, feed_gaps=1_002, result=RESULT, notes=["cut"],
)  # fmt: skip


def drawn(report: ReplayReport) -> list[str]:
    console = Console(width=140, color_system=None)
    with console.capture() as captured:
        console.print(report_table(report))
    return [" ".join(each.split()) for each in captured.get().splitlines()]


def test_a_replay_that_differs_is_reported_with_every_finding() -> None:
    assert drawn(REPORT) == [
        "flow on REPLAY-1: DIFFERS: the exchange did something",
        "else than the recording",
        "commands 3,000",
        "fills 1,234",
        "as recorded 1,234 of 1,234 equal",
        "as reported to us 1,999 of 2,000 equal, 1 different",
        "book rows 50 of 50 equal",
        "digests none recorded",
        "rows without levels 1,001, not compared",
        "breaks of priority 3,000 in the recording",
        "refused 1,005 UNKNOWN_ORDER, 2 BUSY",
        "rate 1,500 commands/s (2.00 s, speed max)",
        "latency us p50 1,200 p99 9",
        "feed 1,002 gaps recovered",
        "note cut",
        "differs own fill [3] differs",
    ]


def test_a_replay_without_findings_has_no_rows_for_them() -> None:
    plain = replace(REPORT, result=EQUAL, feed_gaps=0, notes=[])
    assert drawn(plain) == [
        "flow on REPLAY-1: equal",
        "commands 3,000",
        "fills 1",
        "as reported to us 1 of 1 equal",
        "book rows 1 of 1 equal",
        "digests 1 of 1 equal",
        "rate 1,500 commands/s (2.00 s, speed max)",
        "latency us p50 1,200 p99 9",
    ]
    unseen = replace(plain, result=None, seconds=0.0)
    assert drawn(unseen) == [
        "flow on REPLAY-1: not compared",
        "commands 3,000",
        "rate 0 commands/s (0.00 s, speed max)",
        "latency us p50 1,200 p99 9",
    ]
    assert (unseen.equal, unseen.cause, plain.cause) == (True, "", "")


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"own_fills": Tally(2, 1)}, "recording"),
        ({"recorded_fills": Tally(2, 1), "by_exchange": 1}, "exchange"),
        ({"unanswered": 1}, "exchange"),
        ({"unexpected": 1, "by_exchange": 1}, "refusals"),
        ({"foreign_trades": 1, "unexpected": 1}, "others"),
        ({"books": Tally(2, 1), "in_use": True}, "others"),
        ({"in_use": True}, ""),
        ({"refused": {"UNKNOWN_ORDER": 3}, "breaks": 5}, ""),
    ],
)
def test_the_cause_is_the_first_that_explains_it(changes: dict[str, Any], cause: str) -> None:
    report = replace(REPORT, result=replace(EQUAL, **changes))
    assert (report.cause, report.equal) == (cause, not cause)
    assert drawn(report)[0].startswith("flow on REPLAY-1: " + ("DIFFERS: " if cause else "equal"))
    rows = drawn(report)
    assert ("unanswered 1" in rows) is ("unanswered" in changes)
    assert ("trades of others 1" in rows) is ("foreign_trades" in changes)


def test_the_facts_have_every_figure() -> None:
    assert report_facts(replace(REPORT, seconds=2.00049)) == {
        "recording": "flow", "symbol": "REPLAY-1", "speed": "max", "equal": False,
        "verified": True, "commands": 3_000, "seconds": 2.0, "commands_per_second": 1_500,
        "latency_us": {"p50": 1_200, "p99": 9}, "feed_gaps_recovered": 1_002, "notes": ["cut"],
        "fills": 1_234, "recorded_fills": {"compared": 1_234, "equal": 1_234},
        "own_fills": {"compared": 2_000, "equal": 1_999},
        "book_rows": {"compared": 50, "equal": 50}, "digests": {"compared": 0, "equal": 0},
        "refused": {"UNKNOWN_ORDER": 1_005, "BUSY": 2}, "unexpected_refusals": 0,
        "unanswered": 0, "foreign_trades": 0, "rows_without_levels": 1_001,
        "cause": "exchange", "recording_breaks": 3_000,
        "differences_by": {"recording": 4, "exchange": 1},
        "differences": ["own fill [3] differs"],
    }  # fmt: skip
    unseen = report_facts(replace(REPORT, result=None))
    assert (unseen["verified"], unseen["equal"], "fills" in unseen) == (False, True, False)
    equal = report_facts(replace(REPORT, result=EQUAL))
    assert (equal["recorded_fills"], equal["cause"]) == (None, None)
