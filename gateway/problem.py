# ruff: noqa: N818 - a problem is an answer to a client, not a fault of the program
"""The errors of requests, as HTTP status and JSON document.

Every error has the same document: `{"error": {"code", "message", "field"}, "request_id"}`. The code
is the name of a `RejectReason`, or one of those below. The status gives a client's next step:
4xx, change the request; 503, send it again unchanged; 504, look up the outcome first.
"""

from typing import Final

from msgspec import Struct

from crossbook.common.types import RejectReason

STATUS: Final[dict[RejectReason, int]] = {
    RejectReason.MALFORMED: 400,
    RejectReason.STALE_REQUEST: 400,
    RejectReason.NOT_LOGGED_ON: 401,
    RejectReason.FORBIDDEN: 403,
    RejectReason.UNKNOWN_KEY: 404,
    RejectReason.UNKNOWN_ORDER: 404,
    RejectReason.DUPLICATE_CLIENT_ORDER_ID: 409,
    RejectReason.DUPLICATE_KEY: 409,
    RejectReason.TOO_LARGE: 413,
    RejectReason.THROTTLED: 429,
    RejectReason.INTERNAL: 500,
    RejectReason.BUSY: 503,
    RejectReason.OUTCOME_UNKNOWN: 504,
}
"""HTTP status of a reason. Every other reason is 422: refused by a market rule."""

RETRY_AFTER_S: Final = 1

_FIELD_NAMES: Final = {"quote_amount": "quote_quantity", "instrument": "symbol"}
"""Names in the API of fields of order entry, where they differ."""


class ErrorDetail(Struct, omit_defaults=True):
    """Why a request failed: a code for programs, a text for people, and the field at fault."""

    code: str
    message: str
    field: str | None = None


class ErrorDocument(Struct, omit_defaults=True):
    """Every error."""

    error: ErrorDetail
    request_id: str | None = None


class Problem(Exception):
    """Ends a request with an error document."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        field: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.detail = ErrorDetail(code, message, field)
        self._retry_after_s = retry_after_s

    @property
    def retry_after_s(self) -> int | None:
        """Seconds after which the same request may succeed; None where that is not known."""
        if self._retry_after_s is None and self.status in (429, 503):
            return RETRY_AFTER_S
        return self._retry_after_s


def refused(reason: int, field: str, text: str, retry_after_ms: int = 0) -> Problem:
    """The problem of a request refused with a `RejectReason`, which may succeed after so long."""
    known = RejectReason(reason)
    status, name = STATUS.get(known, 422), _FIELD_NAMES.get(field, field) or None
    seconds = -(-retry_after_ms // 1_000) if retry_after_ms else None
    return Problem(status, known.name, text, name, seconds)


def throttled(text: str, retry_after_ms: int) -> Problem:
    """The problem of a request beyond what may be sent in this time."""
    return refused(RejectReason.THROTTLED, "", text, retry_after_ms)


def malformed(field: str | None, text: str) -> Problem:
    """The problem of a malformed request."""
    return Problem(400, RejectReason.MALFORMED.name, text, field)


def unknown_order(field: str = "order_id") -> Problem:
    """The account has no such order. The text does not reveal whether another account has it."""
    return refused(RejectReason.UNKNOWN_ORDER, field, "no such order")


def history_unavailable(reason: str) -> Problem:
    """Queries of the past cannot be answered now, for this reason."""
    return Problem(503, "HISTORY_UNAVAILABLE", f"{reason}; try again")


def outcome_unknown(client_order_id: str) -> Problem:
    """A command was sent, and no answer came in time."""
    how = (
        f"GET /api/v1/orders?client_order_id={client_order_id}"
        if client_order_id
        else "GET /api/v1/orders"
    )
    text = (
        "no answer came in time: it may or may not have happened. Look with "
        f"{how}, or repeat the same request with the same client_order_id"
    )
    return Problem(504, RejectReason.OUTCOME_UNKNOWN.name, text)


def internal() -> Problem:
    """A fault of the gateway; the caller has logged it."""
    return Problem(500, "INTERNAL", "the gateway failed; its log has the reason")
