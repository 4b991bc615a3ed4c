"""The refusal of a fault rule, as each interface of order entry carries it."""

from typing import Final

from msgspec import Struct

from crossbook.common.faults.order_entry import CODES, USUAL_CODES, Refuse
from crossbook.common.messages.entry import Reject
from crossbook.common.types import RejectReason
from crossbook.gateway.problem import ErrorDetail, outcome_unknown

BAD_GATEWAY: Final = 502
PROXY_PAGE: Final = (
    b"<html><head><title>502 Bad Gateway</title></head>"
    b"<body><h1>502 Bad Gateway</h1></body></html>\n"
)
"""The answer of a proxy whose server does not answer: no error document, and no JSON."""

_REASONS: Final = {
    401: RejectReason.NOT_LOGGED_ON,
    404: RejectReason.UNKNOWN_ORDER,
    429: RejectReason.BUSY,
    502: RejectReason.OUTCOME_UNKNOWN,
    503: RejectReason.BUSY,
    504: RejectReason.OUTCOME_UNKNOWN,
}
"""Reject reason of a status, for codes that are none."""

RETRY_AFTER_S: Final = 1
"""`Retry-After` of 429 and 503 where the rule has none."""


class Refused(Struct, frozen=True):
    """A refusal: HTTP status, error, and the value of `Retry-After` where there is one.

    >>> from crossbook.common.faults.order_entry import Refuse
    >>> refused = Refused.by(Refuse(status=429, retry_after_s=7), 3)
    >>> refused.detail.code, refused.retry_after_s
    ('TOO_MANY_REQUESTS', 7)
    """

    status: int
    detail: ErrorDetail
    retry_after_s: int | None
    text: str = ""
    """The text that the rule gives, if any."""
    is_proxy_page: bool = False
    """Whether HTTP carries `PROXY_PAGE` in place of the error."""

    @classmethod
    def by(cls, rule: Refuse, number: int) -> "Refused":
        """The refusal of a rule with this id."""
        status = rule.status or CODES[str(rule.code)]
        usual = USUAL_CODES.get(status, "INTERNAL" if status >= 500 else "MALFORMED")
        message = rule.message or f"refused by fault rule {number}"
        retry_after_s = rule.retry_after_s
        if retry_after_s is None and status in (429, 503):
            retry_after_s = RETRY_AFTER_S
        is_page = rule.code is None and status == BAD_GATEWAY
        detail = ErrorDetail(rule.code or usual, message)
        return cls(status, detail, retry_after_s, rule.message, is_page)

    def reject(self, request_seq: int, client_order_id: str = "") -> Reject:
        """The refusal in ZeroMQ order entry."""
        code = self.detail.code
        reason = RejectReason.__members__.get(code)
        if reason is None:
            other = RejectReason.INTERNAL if self.status >= 500 else RejectReason.MALFORMED
            reason = _REASONS.get(self.status, other)
        return Reject(request_seq, reason, "", self.detail.message, client_order_id)


def unknown(client_order_id: str) -> ErrorDetail:
    """The error of a command whose outcome is unknown."""
    return outcome_unknown(client_order_id).detail


def unknown_reject(request_seq: int, client_order_id: str) -> Reject:
    """The same in ZeroMQ order entry."""
    text = "no answer came in time: it may or may not have happened"
    return Reject(request_seq, RejectReason.OUTCOME_UNKNOWN, "", text, client_order_id)
