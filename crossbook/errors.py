"""The errors of the client library, under `crossbook.common.errors.CrossbookError`.

CrossbookError
    OrderRejected        the exchange refused a request; nothing changed
    InvalidArgument      an argument of a call is wrong (a ValueError too); nothing was sent
    ActRefused           the matcher refused an administrator's act; nothing changed
    AdvanceRefused       the matcher refused to move its clock; nothing changed
    AdvanceNotFollowed   the matchers moved their clocks, and a gateway has not followed
    OutcomeUnknown       no answer came to a request: it may or may not have been applied
    GatewayUnavailable   nothing was sent, because no session could be opened in time
    ExecutionsMissed     execution reports are missing, from a number on
    ClientClosed         a client was used after its `close`, or before it was opened
    SendQueueFull        the gateway accepts no more requests; part was not sent
    InstrumentUnknown    a client has no instrument of a symbol, so no decimals
    MarketDataError      the publisher does not have the instrument or did not answer in time
    FaultRefused         the exchange refused a request about fault rules; nothing changed
    ProcessDown          a process that was probed does not answer as it should
"""

# ruff: noqa: N818 - names are events, in words of the trade

from collections.abc import Sequence
from decimal import Decimal

from crossbook.common.errors import CrossbookError
from crossbook.common.messages.commands import Command
from crossbook.common.messages.entry import Execution, Reject, Reply
from crossbook.common.messages.events import CommandRejected
from crossbook.common.messages.refusal import refusal_text
from crossbook.common.types import RejectReason


class OrderRejected(CrossbookError):
    """The exchange refused a request; nothing changed.

    `field` names the wrong field (it may be empty), `text` describes what is wrong, and `limit` is
    the limit of the instrument that the field broke, where there is one. `seq` is zero where the
    gateway refused the request itself. `address` is the gateway's. `retry_after_s` is the
    wait after which a `THROTTLED` request is accepted, else zero.
    """

    def __init__(self, reject: Reject, address: str = "", limit: Decimal | None = None) -> None:
        self.address = address
        self.limit = limit
        self.reason = reason_of(reject.reason)
        self.field = reject.field
        self.text = reject.text
        self.request_seq = reject.request_seq
        self.client_order_id = reject.client_order_id
        self.seq = reject.seq
        self.retry_after_s = reject.retry_after_ms / 1_000
        where = f" ({reject.field})" if reject.field else ""
        super().__init__(f"{reason_name(reject.reason)}{where}: {reject.text}")

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later: the exchange was busy, or the account had
        sent more than it may (`retry_after_s`)."""
        return self.reason in (RejectReason.BUSY, RejectReason.THROTTLED)


class InvalidArgument(CrossbookError, ValueError):
    """An argument of a call is wrong, and nothing was sent. `field` names it, `limit` says in words
    what it may be."""

    def __init__(self, field: str, text: str, limit: str = "") -> None:
        super().__init__(f"{field}: {text}")
        self.field = field
        self.limit = limit


class ActRefused(CrossbookError):
    """The matcher refused an administrator's act; nothing changed. `field` names the field."""

    def __init__(self, event: CommandRejected, command: Command) -> None:
        self.seq = event.seq
        self.reason = reason_name(event.reason)
        self.field = event.field
        self.text = f"{refusal_text(event, command)}; nothing was changed"
        super().__init__(f"{self.reason} ({event.field}): {self.text}")


class AdvanceRefused(CrossbookError):
    """The matcher refused to move its clock; nothing changed. `field` names what is wrong."""

    def __init__(self, field: str, text: str) -> None:
        self.field = field
        self.text = text
        super().__init__(f"{field}: {text}; nothing was changed")


class AdvanceNotFollowed(CrossbookError):
    """The matchers moved their clocks, and a gateway or a process behind it has not followed in
    time. `address` is that of the gateway."""

    def __init__(self, address: str, time: str, why: str) -> None:
        super().__init__(f"it is {time} at the matchers, but the gateway at {address}: {why}")
        self.address = address


class OutcomeUnknown(CrossbookError):
    """No answer came, so the request may or may not have been applied.

    `request_seq` and `client_order_id` are those of the first request without an answer;
    `unanswered` lists all of them, and `answers` has the answers of a batch, in its order, None
    where there is none. `address` is where the request was sent.
    """

    def __init__(
        self,
        unanswered: Sequence[tuple[int, str]],
        why: str,
        answers: Sequence[Reply | None] = (),
        remedy: str = "",
        address: str = "",
    ) -> None:
        self.address = address
        self.unanswered = list(unanswered)
        self.request_seq, self.client_order_id = self.unanswered[0]
        self.answers = list(answers)
        self.why = why
        named = f" (client order id {self.client_order_id!r})" if self.client_order_id else ""
        more = f" and {len(self.unanswered) - 1} more" if len(self.unanswered) > 1 else ""
        if remedy:
            pass
        elif self.client_order_id:
            remedy = (
                "a new order may be submitted again as it was, client order id included: it is "
                f"entered once; open_orders(client_order_id={self.client_order_id!r}) shows "
                "whether it is open"
            )
        else:
            remedy = (
                "open_orders() shows what is open; an order with a client_order_id could be "
                "submitted again safely"
            )
        super().__init__(f"request {self.request_seq}{named}{more}: {why}. {remedy}")


class GatewayUnavailable(CrossbookError):
    """The gateway opened no session in time, so the request was not applied: safe to repeat.

    `answers` has the answers to the other requests of a batch, None for those not sent. `address`
    is where nothing answered.
    """

    def __init__(self, text: str, answers: Sequence[Reply | None] = (), address: str = "") -> None:
        super().__init__(text)
        self.address = address
        self.answers = list(answers)


class ExecutionsMissed(CrossbookError):
    """Execution reports are missing between the last one read and the next.

    The session was lost and the client does not recover (`recover=False`), or the exchange no
    longer has the missed reports, or more reports arrived than are kept unread.
    `catch_up(from_seq)` returns those that are available; `from_seq` is zero where no number is
    known to begin from. `executions` are those of an incomplete catch-up. Reading may go on.
    """

    def __init__(self, text: str, from_seq: int = 0, executions: Sequence[Execution] = ()) -> None:
        super().__init__(text)
        self.from_seq = from_seq
        self.executions = list(executions)


class ClientClosed(CrossbookError):
    """A client was used after its `close`, or before it was opened; nothing was sent."""

    def __init__(self, kind: str, address: str, remedy: str = "make a new one") -> None:
        super().__init__(f"this {kind} of {address} is closed: {remedy}")
        self.address = address


class SendQueueFull(CrossbookError):
    """The send queue is full; the first `sent` of the requests were queued, the rest not."""

    def __init__(self, sent: int, address: str) -> None:
        super().__init__(
            f"the gateway at {address} accepts no more: {sent} requests were queued, the rest not"
        )
        self.sent = sent


class InstrumentUnknown(CrossbookError):
    """The exchange has not named this instrument or asset to the client, so that its steps are not
    known; ticks, lots and units are."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} is no instrument or asset that this client knows: list_instruments() "
            "requests them again"
        )
        self.name = name


class MarketDataError(CrossbookError):
    """The publisher refused a symbol, or did not answer in time. `address` has its addresses."""

    def __init__(self, text: str, address: str = "") -> None:
        super().__init__(text)
        self.address = address


class FaultRefused(CrossbookError):
    """The exchange refused a request about fault rules; nothing changed. `code` is that of the
    error, or `FAULTS_OFF` where the exchange has none; `field` names the field at fault."""

    def __init__(self, code: str, field: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.field = field
        self.text = text


class ProcessDown(CrossbookError):
    """A process does not answer, or something else answers in its place."""


def reason_of(number: int) -> RejectReason | int:
    """The `RejectReason`, or the bare number when this library is older than the exchange."""
    try:
        return RejectReason(number)
    except ValueError:
        return number


def reason_name(number: int) -> str:
    """The reason's name, for people.

    >>> reason_name(16)
    'BUSY'
    """
    reason = reason_of(number)
    return reason.name if isinstance(reason, RejectReason) else f"reason {number}"
