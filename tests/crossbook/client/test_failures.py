"""The errors of a client's calls: kind, text, and the outcomes they contain."""

from decimal import Decimal

import pytest

from crossbook.client import failures
from crossbook.client.pending import Outcome, Unanswered
from crossbook.client.recovery import Recovery
from crossbook.client.request import decimal_text
from crossbook.client.session import ClientSession
from crossbook.common.errors import CrossbookError
from crossbook.common.messages.entry import CaughtUp, Execution, New, Ping, Pong, Reject
from crossbook.common.types import RejectReason
from crossbook.errors import (
    ExecutionsMissed,
    GatewayUnavailable,
    OrderRejected,
    OutcomeUnknown,
)

WHERE = "tcp://there"
MISSED = Execution(
    request_seq=0, seq=12, symbol="BTC-USDT", order_id=1, client_order_id="", kind=1, status=1,
    side=1, price_ticks=1, quantity_lots=1, filled_lots=0, remaining_lots=1, time_ns=0,
)  # fmt: skip


def unanswered(name: str, sent: bool, why: str) -> Unanswered:
    return Unanswered(New(0, "BTC-USDT", 1, client_order_id=name), sent, why)


def test_a_refusal_is_unknown_only_by_its_reason() -> None:
    error = failures.refused(
        Reject(
            request_seq=4, reason=RejectReason.OUTCOME_UNKNOWN, field="", text="lost",
            client_order_id="a",
        ),
        WHERE,
    )  # fmt: skip
    assert isinstance(error, OutcomeUnknown)
    assert (error.request_seq, error.client_order_id) == (4, "a")
    assert "lost (gateway tcp://there)" in str(error)
    assert isinstance(failures.refused(Reject(4, RejectReason.BUSY, "", ""), WHERE), OrderRejected)


def test_without_an_answer_sent_requests_are_unknown_and_unsent_ones_are_not() -> None:
    first, second = unanswered("a", False, "never sent"), unanswered("b", True, "no answer")
    answer = Pong(3, 9, 0)
    error = failures.unanswered([(1, first), (2, second)], [None, None, answer], WHERE)
    assert isinstance(error, OutcomeUnknown)
    assert list(error.unanswered) == [(2, "b")]
    assert list(error.answers) == [None, None, answer]
    assert str(error).startswith("request 2 (client order id 'b'): no answer (gateway tcp://there)")

    error = failures.unanswered([(1, first), (2, Unanswered(Ping(0), False, "x"))], [], WHERE)
    assert isinstance(error, GatewayUnavailable)
    assert str(error) == (
        "never sent (gateway tcp://there): 2 request(s) were not applied and may be repeated"
    )
    error = failures.unanswered([(1, Unanswered(Ping(0), True, "x"))], [], WHERE)
    assert isinstance(error, OutcomeUnknown)
    assert list(error.unanswered) == [(1, "")]


def test_the_error_of_a_refused_logon_has_the_reason() -> None:
    silent = failures.logon_refused(None, WHERE)
    assert isinstance(silent, GatewayUnavailable)
    assert str(silent) == (
        "the gateway at tcp://there did not answer the logon in time: is it running there?"
    )
    throttled = failures.logon_refused(Reject(1, RejectReason.THROTTLED, "", "slower"), WHERE)
    assert isinstance(throttled, OrderRejected)
    busy = failures.logon_refused(Reject(1, RejectReason.BUSY, "account", "full"), WHERE)
    assert isinstance(busy, OrderRejected)
    other = failures.logon_refused(Reject(1, RejectReason.MALFORMED, "account", "odd"), WHERE)
    assert type(other) is CrossbookError
    assert str(other) == "tcp://there: logon refused: MALFORMED: odd"
    outcome: Outcome = Pong(1, 2, 3)
    assert str(failures.unexpected(outcome)) == "the gateway answered with Pong"


def test_missing_executions_are_counted_and_claimed_once() -> None:
    session = ClientSession(7)
    session.missed_from, session.losses, session.executions_dropped = 40, 2, 3
    error = failures.missed(session)
    assert isinstance(error, ExecutionsMissed)
    assert error.from_seq == 40
    assert str(error).startswith(
        "execution reports from number 40 on are missing: 2 session(s) lost, "
        "3 report(s) dropped unread so far"
    )
    assert session.missed_from == 0


@pytest.mark.parametrize(
    ("end", "refusal", "filled", "text", "from_seq"),
    [
        (None, "", [], "the gateway at tcp://there did not send the missed executions in time", -1),
        (None, "", [MISSED], "not all executions from number 10 on are available", 10),
        (None, "gone", [], "not all executions from number 10 on are available: gone", 10),
        (
            CaughtUp(1, 15, 20, False), "", [],
            "not all executions from number 10 on are available", 21,
        ),
        (
            CaughtUp(1, 10, 5, False), "", [],
            "from_seq: 10 is beyond the events of the exchange, whose last number is 5", 6,
        ),
        (
            CaughtUp(1, 10, 0, True), "", [],
            "from_seq: 10 is beyond the events of the exchange, whose last number is 0", 1,
        ),
    ],
)  # fmt: skip
def test_the_error_of_a_partial_catch_up_names_the_missing_part(
    end: CaughtUp | None, refusal: str, filled: list[Execution], text: str, from_seq: int
) -> None:
    recovery = Recovery(10, (), by_hand=True)
    recovery.refusal, recovery.filled = refusal, filled
    if end is not None:
        recovery.caught_up(end)
    error = failures.not_all_caught_up(recovery, WHERE)
    assert str(error).startswith(text)
    if isinstance(error, ExecutionsMissed):
        assert (error.from_seq, list(error.executions)) == (from_seq, filled)
    else:
        assert (type(error), from_seq) == (GatewayUnavailable, -1)


def test_a_decimal_has_forty_digits_before_its_point_at_most() -> None:
    assert decimal_text("price", Decimal("1E39"), "price_ticks") == "1" + "0" * 39
    with pytest.raises(ValueError, match=r"price: 1E\+40 is too large: at most 40 digits"):
        decimal_text("price", Decimal("1E40"), "price_ticks")


def test_errors_have_the_address_and_a_refusal_its_limit() -> None:
    reject = Reject(4, RejectReason.BAD_TICK, "price", "off the grid")
    error = failures.refused(reject, WHERE, Decimal("0.01"))
    assert isinstance(error, OrderRejected)
    assert (error.address, error.field, error.limit) == (WHERE, "price", Decimal("0.01"))
    unknown = Reject(4, RejectReason.OUTCOME_UNKNOWN, "", "lost")
    errors = [
        failures.refused(unknown, WHERE),
        failures.unanswered([(1, unanswered("a", True, "no answer"))], [], WHERE),
        failures.unanswered([(1, unanswered("a", False, "never sent"))], [], WHERE),
        failures.logon_refused(None, WHERE),
        failures.logon_refused(Reject(4, RejectReason.BUSY, "", ""), WHERE),
        failures.not_caught_up(WHERE),
    ]
    assert [getattr(each, "address", "none") for each in errors] == [WHERE] * 6
