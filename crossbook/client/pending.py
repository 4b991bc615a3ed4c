"""Requests without an answer, and the frames they are sent in."""

from collections.abc import Sequence

from crossbook.common.messages.codec import MAX_CLIENT_FRAME, MAX_REQUESTS, encode
from crossbook.common.messages.entry import New, Reply, Request


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
