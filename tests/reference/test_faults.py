"""docs/reference/faults.md has every kind with its parameters, every selector and every limit."""

import re
from typing import Final

import msgspec
import pytest

from crossbook.common.faults.kinds import KINDS
from crossbook.common.faults.order_entry import CODES, MESSAGE_MAX, RETRY_AFTER_MAX_S
from crossbook.common.faults.rule import MILLISECONDS_MAX, TIMES_MAX, FaultRule
from crossbook.common.faults.table import RULES_MAX
from crossbook.common.faults.venue import ProcessKilled
from crossbook.common.types import RejectReason
from tests.reference.pages import page, rows, section

PAGE: Final = page("faults")
SCHEDULE: Final = {field.name for field in msgspec.structs.fields(FaultRule)}
LISTED: Final = {row[0].strip("`"): row[1:] for row in rows(section(PAGE, "Kinds"))}
DELAY: Final = {row[0].strip("`") for row in rows(section(PAGE, "Delays"))}


def words(text: str) -> set[str]:
    """The words in backquotes."""
    return set(re.findall(r"`(\w+)`", text))


def test_every_kind_is_listed_and_no_other_one() -> None:
    assert LISTED.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_listed_with_its_family_and_parameters(kind: str) -> None:
    rule = KINDS[kind]
    family, parameters, wire = LISTED[kind]
    fields = {field.name for field in msgspec.structs.fields(rule)}
    own = fields - SCHEDULE - set(rule.selectors)
    assert (DELAY if "a delay" in parameters else words(parameters)) == own
    assert len(wire) > 20
    selectors = rows(section(PAGE, "Selectors"))
    described = {
        row[0].strip("`") for row in selectors if family in row[2].split(", ") or row[2] == "all"
    }
    assert described == set(rule.selectors)


def test_every_parameter_of_a_refusal_is_listed() -> None:
    listed = {row[0].strip("`") for row in rows(section(PAGE, "Refusals"))}
    assert listed == words(LISTED["refuse"][1])
    others = CODES.keys() - RejectReason.__members__.keys()
    assert others == words(rows(section(PAGE, "Refusals"))[0][1])


def test_every_process_that_a_fault_may_kill_is_listed() -> None:
    (described,) = (row for row in rows(section(PAGE, "Venue")) if row[0] == "`process`")
    assert words(described[1]) == set(ProcessKilled.processes)


def test_the_schedule_is_listed() -> None:
    listed = {row[0].strip("`") for row in rows(section(PAGE, "Rules").partition("\n### ")[0])}
    assert listed == SCHEDULE


def test_limits_are_listed_as_they_are() -> None:
    for text in (
        f"1 to {TIMES_MAX:,}",
        f"above 0, to {MILLISECONDS_MAX:,}",
        f"at most {RULES_MAX} rules",
        f"0 to {RETRY_AFTER_MAX_S:,}",
        f"to {MESSAGE_MAX} characters",
    ):
        assert text in PAGE
