"""The errors that a client's calls raise, made from the outcomes of a session. No I/O."""

from collections.abc import Sequence
from decimal import Decimal

from crossbook.client.pending import Outcome, Unanswered
from crossbook.client.recovery import Recovery
from crossbook.client.session import ClientSession
from crossbook.common.errors import CrossbookError
from crossbook.common.messages.entry import Reject, Reply
from crossbook.common.types import RejectReason
from crossbook.errors import (
    ExecutionsMissed,
    GatewayUnavailable,
    OrderRejected,
    OutcomeUnknown,
    reason_name,
)


def refused(reject: Reject, address: str, limit: Decimal | None = None) -> CrossbookError:
    """The error of one refused request; `limit` is the one it broke."""
    if reject.reason == RejectReason.OUTCOME_UNKNOWN:
        named = [(reject.request_seq, reject.client_order_id)]
        return OutcomeUnknown(named, f"{reject.text} (gateway {address})", address=address)
    return OrderRejected(reject, address, limit)


def unanswered(
    missing: Sequence[tuple[int, Unanswered]], answers: Sequence[Reply | None], address: str
) -> CrossbookError:
    """The error of requests without an answer."""
    sent = [
        (number, str(getattr(outcome.request, "client_order_id", "")))
        for number, outcome in missing
        if outcome.sent
    ]
    why = next((outcome.why for _, outcome in missing if outcome.sent), missing[0][1].why)
    why = f"{why} (gateway {address})"
    if sent:
        return OutcomeUnknown(sent, why, answers, address=address)
    text = f"{why}: {len(missing)} request(s) were not applied and may be repeated"
    return GatewayUnavailable(text, answers, address)


def unexpected(reply: Outcome) -> CrossbookError:
    """The error of an answer of another kind."""
    return CrossbookError(f"the gateway answered with {type(reply).__name__}")


def logon_refused(reject: Reject | None, address: str, fault: str = "") -> CrossbookError:
    """The error of a logon that opened no session; `fault` is that of the handshake."""
    if fault:
        return GatewayUnavailable(f"the gateway at {address}: {fault}", address=address)
    if reject is None:
        return GatewayUnavailable(
            f"the gateway at {address} did not answer the logon in time: is it running there?",
            address=address,
        )
    if reject.reason in (RejectReason.BUSY, RejectReason.THROTTLED, RejectReason.FORBIDDEN):
        return OrderRejected(reject, address)
    return CrossbookError(f"{address}: logon refused: {reason_name(reject.reason)}: {reject.text}")


def missed(session: ClientSession) -> ExecutionsMissed:
    """The error of executions that are missing and will not arrive."""
    return ExecutionsMissed(
        f"execution reports from number {session.missed_from} on are missing: "
        f"{session.losses} session(s) lost, "
        f"{session.executions_dropped} report(s) dropped unread so far",
        session.claim_missed_from(),
    )


def not_caught_up(address: str) -> GatewayUnavailable:
    """The error of a catch-up that did not end in time."""
    return GatewayUnavailable(
        f"the gateway at {address} did not send the missed executions in time", address=address
    )


def not_all_caught_up(recovery: Recovery, address: str) -> CrossbookError:
    """The error of a catch-up that ended without all its executions."""
    is_late = recovery.complete and recovery.same_history and not recovery.refusal
    if not recovery.filled and is_late:
        return not_caught_up(address)
    if recovery.ends_at >= 0:
        text = (
            f"from_seq: {recovery.from_seq} is beyond the events of the exchange, whose last "
            f"number is {recovery.ends_at}"
        )
        return ExecutionsMissed(text, recovery.ends_at + 1, recovery.filled)
    why = f": {recovery.refusal}" if recovery.refusal else ""
    text = f"not all executions from number {recovery.from_seq} on are available{why}"
    return ExecutionsMissed(text, recovery.next_seq, recovery.filled)
