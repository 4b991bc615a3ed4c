"""Requests without an answer, and the frames they are sent in."""

from collections.abc import Sequence
from typing import Final

from crossbook.common.messages.codec import MAX_CLIENT_FRAME, MAX_REQUESTS, encode
from crossbook.common.messages.entry import New, Reject, Reply, Request
from crossbook.common.types import RejectReason

TRY_AGAIN_NS: Final = 250_000_000
"""Least wait after a `BUSY` or a `THROTTLED` before an order, or a catch-up, is sent again."""


def pause_after(reject: Reject) -> int:
    """Nanoseconds after which a refused request may be sent again as it is; zero for never.

    >>> pause_after(Reject(1, RejectReason.THROTTLED, "", "", retry_after_ms=900))
    900000000
    """
    if reject.reason not in (RejectReason.BUSY, RejectReason.THROTTLED):
        return 0
    return max(TRY_AGAIN_NS, reject.retry_after_ms * 1_000_000)


class Unanswered:
    """The outcome of a request without an answer: `sent`, and so perhaps applied, or not."""

    __slots__ = ("request", "sent", "why")

    def __init__(self, request: Request, sent: bool, why: str) -> None:
        self.request = request
        self.sent = sent
        self.why = why


Outcome = Reply | Unanswered


class PendingRequest:
    """A request without an answer, and the session token it was last sent with.

    With `perhaps_applied` it was sent before, in a session now lost.
    """

    __slots__ = (
        "deadline_ns",
        "logons",
        "not_before_ns",
        "own",
        "perhaps_applied",
        "request",
        "token",
    )

    def __init__(self, request: Request, deadline_ns: int, own: bool) -> None:
        self.request = request
        self.deadline_ns = deadline_ns
        self.own = own
        self.token = 0
        self.logons = 0
        self.not_before_ns = 0
        self.perhaps_applied = False

    @property
    def may_be_repeated(self) -> bool:
        """Whether the exchange applies it once however often it is sent."""
        return isinstance(self.request, New) and self.request.client_order_id != ""


def payloads(requests: Sequence[Request]) -> list[tuple[bytes, int]]:
    """Requests as frames without token, each within the gateway's limits, and how many each has.

    >>> from crossbook.common.messages.entry import Ping
    >>> [count for _, count in payloads([Ping(seq) for seq in range(1500)])]
    [750, 750]
    """
    if not requests:
        return []
    if len(requests) <= MAX_REQUESTS:
        payload = encode(requests)
        if len(payload) <= MAX_CLIENT_FRAME or len(requests) == 1:
            return [(payload, len(requests))]
    middle = len(requests) // 2
    return payloads(requests[:middle]) + payloads(requests[middle:])
