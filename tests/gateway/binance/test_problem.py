"""Codes and texts of the Binance-spot face."""

import pytest

from crossbook.common.types import RejectReason
from crossbook.gateway import problem as native
from crossbook.gateway.binance import problem as face
from crossbook.gateway.binance.states import EXPIRY_REASONS, WITHOUT_EXPIRY

ORDER = {
    (RejectReason.INSUFFICIENT_BALANCE, ""): (
        400, -2010, "Account has insufficient balance for requested action.",
    ),
    (RejectReason.POST_ONLY_WOULD_TAKE, "price"): (
        400, -2010, "Order would immediately match and take.",
    ),
    (RejectReason.STOP_WOULD_TRIGGER, "stop_price"): (
        400, -2010, "Order would trigger immediately.",
    ),
    (RejectReason.MARKET_HALTED, "instrument"): (400, -2010, "Market is closed."),
    (RejectReason.DUPLICATE_CLIENT_ORDER_ID, "client_order_id"): (
        400, -2010, "Duplicate order sent.",
    ),
    (RejectReason.UNSUPPORTED_COMBINATION, "price"): (
        400, -2010, "Unsupported order combination",
    ),
    (RejectReason.BAD_TICK, "price"): (400, -1013, "Filter failure: PRICE_FILTER"),
    (RejectReason.BAD_LOT, "quantity"): (400, -1013, "Filter failure: LOT_SIZE"),
    (RejectReason.BAD_LOT, "display_quantity"): (400, -1013, "Filter failure: ICEBERG_PARTS"),
    (RejectReason.MIN_NOTIONAL, "quantity"): (400, -1013, "Filter failure: NOTIONAL"),
    (RejectReason.PRICE_BAND, "price"): (400, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    (RejectReason.EXCEEDS_LIMIT, "price"): (400, -1013, "Filter failure: PRICE_FILTER"),
    (RejectReason.EXCEEDS_LIMIT, "quantity"): (400, -1013, "Filter failure: LOT_SIZE"),
    (RejectReason.EXCEEDS_LIMIT, "quote_amount"): (400, -1013, "Filter failure: NOTIONAL"),
    (RejectReason.EXCEEDS_LIMIT, "account"): (
        400, -1013, "Filter failure: EXCHANGE_MAX_NUM_ORDERS",
    ),
    (RejectReason.UNKNOWN_SYMBOL, "symbol"): (400, -1121, "Invalid symbol."),
    (RejectReason.MALFORMED, "price"): (
        400, -1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed.",
    ),
    (RejectReason.FORBIDDEN, ""): (
        401, -2015, "Invalid API-key, IP, or permissions for action.",
    ),
    (RejectReason.STALE_REQUEST, ""): (
        400, -1021, "Timestamp for this request is outside of the recvWindow.",
    ),
    (RejectReason.BUSY, ""): (
        503, -1008,
        "Server is currently overloaded with other requests. Please try again in a few minutes.",
    ),
    (RejectReason.OUTCOME_UNKNOWN, ""): (
        504, -1007,
        "Timeout waiting for response from backend server. Send status unknown; "
        "execution status unknown.",
    ),
    (RejectReason.INTERNAL, ""): (
        500, -1001, "Internal error; unable to process your request. Please try again.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("reason", "field"), ORDER, ids=str)
def test_a_refused_order_has_the_code_and_text_that_clients_look_for(
    reason: RejectReason, field: str
) -> None:
    refusal = face.refusal_of_reason(reason, field)
    assert (refusal.status, refusal.code, refusal.msg) == ORDER[reason, field]


@pytest.mark.parametrize("reason", RejectReason)
def test_every_reason_has_a_code_of_its_own_or_ends_orders_only(reason: RejectReason) -> None:
    refusal = face.refusal_of_reason(reason, "quantity")
    ends_orders = reason in EXPIRY_REASONS or reason in WITHOUT_EXPIRY
    assert 400 <= refusal.status < 600
    assert refusal.code < 0
    # The fallback has the bare name: a new reason belongs into a table of the face.
    assert ends_orders or refusal.msg != reason.name
    assert face.refusal_of(native.refused(reason, "quantity", "text")).document() == (
        refusal.document()
    )


def test_every_refusal_by_the_market_is_refused_under_the_code_of_its_action() -> None:
    unknown = RejectReason.UNKNOWN_ORDER
    codes = [
        face.refusal_of_reason(unknown, "order_id", action).document()
        for action in (face.ORDER_REJECTED, face.CANCEL_REJECTED, face.AMEND_REJECTED)
    ]
    assert codes == [{"code": code, "msg": "Unknown order sent."} for code in (-2010, -2011, -2038)]


@pytest.mark.parametrize("field", [*face.PARAMETERS, "account", ""])
def test_a_field_above_its_limit_fails_a_filter(field: str) -> None:
    assert face.refusal_of_reason(RejectReason.EXCEEDS_LIMIT, field).msg.startswith("Filter fail")


def test_a_throttled_request_keeps_its_wait() -> None:
    refusal = face.refusal_of(native.throttled("slower", 2_500))
    assert (refusal.status, refusal.code, refusal.retry_after_s) == (429, -1015, 3)


def test_problems_without_a_reason_keep_their_kind() -> None:
    problems = {
        native.history_unavailable("silent"): (503, -1008),
        native.internal(): (500, -1001),
        native.Problem(401, "UNAUTHENTICATED", "no key"): (401, -2015),
        native.Problem(404, "NOT_FOUND", "nothing"): (404, -1000),
    }
    for problem, expected in problems.items():
        refusal = face.refusal_of(problem)
        assert (refusal.status, refusal.code) == expected


def test_an_error_document_has_data_only_where_there_is_any() -> None:
    assert face.missing("symbol").document() == {
        "code": -1102,
        "msg": "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.",
    }
    both = face.Refusal(face.REPLACE_FAILED, "Order cancel-replace failed.", data={"a": 1})
    assert both.document()["data"] == {"a": 1}
