"""The refusal of a rule: status and code of each other, and its form in ZeroMQ order entry."""

import pytest

from crossbook.common.faults.order_entry import Refuse
from crossbook.common.types import RejectReason
from crossbook.gateway.faults.refusal import Refused


@pytest.mark.parametrize(
    ("rule", "status", "code", "retry_after_s", "reason"),
    [
        (Refuse(code="BUSY"), 503, "BUSY", 1, RejectReason.BUSY),
        (Refuse(status=503), 503, "BUSY", 1, RejectReason.BUSY),
        (Refuse(status=429), 429, "TOO_MANY_REQUESTS", 1, RejectReason.BUSY),
        (Refuse(status=429, retry_after_s=0), 429, "TOO_MANY_REQUESTS", 0, RejectReason.BUSY),
        (Refuse(code="MAINTENANCE"), 503, "MAINTENANCE", 1, RejectReason.BUSY),
        (Refuse(status=502), 502, "BAD_GATEWAY", None, RejectReason.OUTCOME_UNKNOWN),
        (Refuse(status=504), 504, "OUTCOME_UNKNOWN", None, RejectReason.OUTCOME_UNKNOWN),
        (Refuse(status=401), 401, "NOT_LOGGED_ON", None, RejectReason.NOT_LOGGED_ON),
        (Refuse(status=404), 404, "NOT_FOUND", None, RejectReason.UNKNOWN_ORDER),
        (Refuse(status=500), 500, "INTERNAL", None, RejectReason.INTERNAL),
        (Refuse(status=599), 599, "INTERNAL", None, RejectReason.INTERNAL),
        (Refuse(status=418), 418, "MALFORMED", None, RejectReason.MALFORMED),
        (Refuse(code="FORBIDDEN"), 403, "FORBIDDEN", None, RejectReason.FORBIDDEN),
        (Refuse(code="PRICE_BAND"), 422, "PRICE_BAND", None, RejectReason.PRICE_BAND),
        (Refuse(code="PRICE_BAND", status=400), 400, "PRICE_BAND", None, RejectReason.PRICE_BAND),
    ],
)
def test_code_and_status_complete_each_other(
    rule: Refuse, status: int, code: str, retry_after_s: int | None, reason: RejectReason
) -> None:
    refused = Refused.by(rule, 4)
    assert (refused.status, refused.detail.code) == (status, code)
    assert refused.retry_after_s == retry_after_s
    reject = refused.reject(9, "mine")
    assert (reject.reason, reject.request_seq, reject.client_order_id) == (reason, 9, "mine")
    assert reject.text == "refused by fault rule 4"


def test_a_rule_may_have_its_own_text() -> None:
    assert Refused.by(Refuse(status=503, message="at six"), 4).detail.message == "at six"
