"""What the blocking and the asyncio client share: from a session's outcomes to results.

Nothing here does I/O; the clients decide how to wait.
"""

from collections.abc import Sequence

from crossbook.client.asked import Outcome, Unanswered
from crossbook.client.recovery import Recovery
from crossbook.client.session import Session
from crossbook.common.errors import CrossbookError
from crossbook.common.messages.entry import (
    Ack,
    Execution,
    OpenOrders,
    Query,
    Reject,
    Reply,
    Request,
)
from crossbook.common.types import RejectReason
from crossbook.errors import (
    ExecutionsMissed,
    GatewayUnavailable,
    OrderRejected,
    OutcomeUnknown,
    reason_name,
)


def answer(number: int, outcome: Outcome, address: str) -> Reply:
    """The answer to one request; raises what the call should raise instead."""
    if isinstance(outcome, Unanswered):
        raise unanswered([(number, outcome)], [], address)
    if isinstance(outcome, Reject):
        if outcome.reason == RejectReason.OUTCOME_UNKNOWN:
            named = [(outcome.request_seq, outcome.client_order_id)]
            raise OutcomeUnknown(named, f"{outcome.text} (gateway {address})")
        raise OrderRejected(outcome)
    return outcome


def ack(number: int, outcome: Outcome, address: str) -> Ack:
    """The answer to a command."""
    reply = answer(number, outcome, address)
    if not isinstance(reply, Ack):
        raise unexpected(reply)
    return reply


def acks_and_rejects(
    numbers: Sequence[int], outcomes: Sequence[Outcome], address: str
) -> list[Ack | Reject]:
    """The answers to a batch, in order; raises when one is missing."""
    missing = [
        (number, outcome)
        for number, outcome in zip(numbers, outcomes, strict=True)
        if isinstance(outcome, Unanswered)
    ]
    if missing:
        known = [None if isinstance(outcome, Unanswered) else outcome for outcome in outcomes]
        raise unanswered(missing, known, address)
    answers: list[Ack | Reject] = []
    for outcome in outcomes:
        if not isinstance(outcome, Ack | Reject):
            raise unexpected(outcome)
        answers.append(outcome)
    return answers


def unanswered(
    missing: Sequence[tuple[int, Unanswered]], answers: Sequence[Reply | None], address: str
) -> CrossbookError:
    """What to raise for requests without an answer."""
    sent = [
        (number, str(getattr(outcome.request, "client_order_id", "")))
        for number, outcome in missing
        if outcome.sent
    ]
    why = next((outcome.why for _, outcome in missing if outcome.sent), missing[0][1].why)
    why = f"{why} (gateway {address})"
    if sent:
        return OutcomeUnknown(sent, why, answers)
    text = f"{why}: {len(missing)} request(s) were not applied and may be repeated"
    return GatewayUnavailable(text, answers)


def unexpected(reply: Outcome) -> CrossbookError:
    """The gateway answered with a message of another kind."""
    return CrossbookError(f"the gateway answered with {type(reply).__name__}")


def logon_refused(reject: Reject | None, address: str) -> CrossbookError:
    """No session could be opened."""
    if reject is None:
        return GatewayUnavailable(
            f"the gateway at {address} did not answer the logon in time: is it running there?"
        )
    if reject.reason == RejectReason.BUSY:
        return OrderRejected(reject)
    return CrossbookError(f"{address}: logon refused: {reason_name(reject.reason)}: {reject.text}")


def missed(session: Session) -> ExecutionsMissed:
    """Executions are missing and will not come by themselves."""
    return ExecutionsMissed(
        f"execution reports from number {session.missed_from} on are missing: "
        f"{session.losses} session(s) lost, "
        f"{session.executions_dropped} report(s) dropped unread so far",
        session.take_missed_from(),
    )


def not_caught_up(address: str) -> GatewayUnavailable:
    """There was no time to catch up."""
    return GatewayUnavailable(f"the gateway at {address} did not tell in time what was missed")


def caught_up(recovery: Recovery, address: str) -> list[Execution]:
    """What a catch-up brought; raises when that is not all."""
    if recovery.complete and recovery.same_history and recovery.done:
        return recovery.filled
    is_late = recovery.complete and recovery.same_history and not recovery.refusal
    if not recovery.filled and is_late:
        raise not_caught_up(address)
    if recovery.ends_at >= 0:
        text = (
            f"from_seq: {recovery.from_seq} is beyond the stream of the exchange, whose last "
            f"number is {recovery.ends_at}"
        )
        raise ExecutionsMissed(text, recovery.ends_at + 1, recovery.filled)
    why = f": {recovery.refusal}" if recovery.refusal else ""
    text = f"not all executions from number {recovery.from_seq} on could be had{why}"
    raise ExecutionsMissed(text, recovery.next_seq, recovery.filled)


def next_page(query: Query, page: Reply) -> tuple[OpenOrders, Query | None]:
    """One page of open orders, and the query for the next one if there is more."""
    if not isinstance(page, OpenOrders):
        raise unexpected(page)
    if not page.more or not page.orders:
        return page, None
    after = page.orders[-1].order_id
    following = Query(0, query.symbol, query.order_id, query.client_order_id, after, query.limit)
    return page, following


def check_commands(requests: Sequence[Request]) -> None:
    """A batch holds commands only: their answers are `Ack` or `Reject`."""
    for request in requests:
        if type(request).__name__ not in ("New", "Cancel", "Amend", "MassCancel"):
            raise TypeError(f"requests: a batch takes commands, not {type(request).__name__}")
