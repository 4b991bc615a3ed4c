"""docs/reference/reject-reasons.md has every reason with its code, status and text."""

import re
from pathlib import Path

import pytest

from crossbook.common.messages.refusal import _REASON_TEXT
from crossbook.common.types import RejectReason
from crossbook.gateway.problem import STATUS
from tests.reference.pages import page, rows, section

PAGE = page("reject-reasons")
REFUSALS = {RejectReason[row[1].strip("`")]: row for row in rows(section(PAGE, "Refusals"))}
ENDS = {RejectReason[row[1].strip("`")]: row for row in rows(section(PAGE, "Ends of orders"))}
GATEWAY = Path(__file__).resolve().parents[2] / "gateway"


def test_every_reason_stands_once_with_its_code() -> None:
    codes = {reason: int(row[0]) for reason, row in (REFUSALS | ENDS).items()}
    assert codes == {reason: reason.value for reason in RejectReason}
    assert len(REFUSALS) + len(ENDS) == len(RejectReason)


@pytest.mark.parametrize("reason", REFUSALS, ids=lambda reason: reason.name)
def test_a_refusal_has_its_status_and_text(reason: RejectReason) -> None:
    _, _, status, _, text, meaning = REFUSALS[reason]
    assert int(status) == STATUS.get(reason, 422)
    assert text == _REASON_TEXT.get(reason, "")
    assert len(meaning) > 10


def test_reasons_that_only_end_orders_refuse_nothing() -> None:
    assert not ENDS.keys() & (STATUS.keys() | _REASON_TEXT.keys())
    assert all(len(row[3]) > 10 for row in ENDS.values())


def test_fix_codes_are_those_of_the_rules() -> None:
    by_rules = {"UNKNOWN_SYMBOL": 1, "MARKET_HALTED": 2, "EXCEEDS_LIMIT": 3, "UNKNOWN_ORDER": 5,
                "DUPLICATE_CLIENT_ORDER_ID": 6, "STALE_REQUEST": 8, "UNSUPPORTED_COMBINATION": 11,
                "BAD_TICK": 13, "BAD_LOT": 13, "MIN_NOTIONAL": 13, "BUSY": 0}  # fmt: skip
    assert {name: int(REFUSALS[RejectReason[name]][3]) for name in by_rules} == by_rules


def test_codes_of_http_only_are_those_of_the_gateway() -> None:
    source = "".join(path.read_text() for path in sorted(GATEWAY.rglob("*.py")))
    used = {code: status for status, code in re.findall(r'Problem\((\d{3}), "([A-Z_]+)"', source)}
    expected = {
        code: status for code, status in used.items() if code not in RejectReason.__members__
    }
    listed = {row[0].strip("`"): row[1] for row in rows(section(PAGE, "Codes of HTTP only"))}
    assert listed == expected
