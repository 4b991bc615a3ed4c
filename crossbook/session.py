"""One order-entry session without its socket: numbers requests, matches answers, logs on.

The owner asks (`ask`), sends what `frames` gives, hands in what arrives (`receive`), calls `tick`
now and then, and reads `take_outcomes` and `take_executions`. Requests asked before the session
is open wait for it.

When the gateway no longer knows the session it says so request by request. Such a request was
not applied: it is sent again in a new session. One that was sent before it and never answered may
have been applied; its outcome is unknown, and that is what the owner is told.
"""

from collections import deque
from collections.abc import Sequence
from itertools import takewhile
from typing import Final

from msgspec.structs import replace

from common.codec import MAX_CLIENT_FRAME, MAX_REQUESTS, decode_replies, decoded, encode
from common.entry import (
    TOKEN_BYTES,
    Execution,
    Logon,
    Ping,
    Reject,
    Reply,
    Request,
    Welcome,
)
from common.types import RejectReason

OUTSTANDING_MAX: Final = 100_000
"""Most requests without an answer."""

EXECUTIONS_MAX: Final = 100_000
"""Most execution reports kept unread; past it the oldest go, and the owner is told."""

LOGON_RETRY_NS: Final = 1_000_000_000
"""First wait for a `Welcome` before logging on again; doubled each time."""

LOGON_RETRY_MAX_NS: Final = 8_000_000_000
KEEP_ALIVE_NS: Final = 3_000_000_000
"""A session that heard nothing for this long asks whether the gateway still knows it."""

LOGONS_PER_REQUEST: Final = 3
"""How often one request is sent again into a new session before its reject is believed."""


class Unanswered:
    """The outcome of a request that was not answered: `sent`, and so perhaps applied, or not."""

    __slots__ = ("request", "sent", "why")

    def __init__(self, request: Request, sent: bool, why: str) -> None:
        self.request = request
        self.sent = sent
        self.why = why


Outcome = Reply | Unanswered


class _Asked:
    """A request without an answer, and the session token it was last sent with."""

    __slots__ = ("deadline_ns", "logons", "own", "request", "token")

    def __init__(self, request: Request, deadline_ns: int, own: bool) -> None:
        self.request = request
        self.deadline_ns = deadline_ns
        self.own = own
        self.token = 0
        self.logons = 0


class Session:
    """The state of one account's session with a gateway.

    `token` is zero while no session is open; `refused` is why, when the gateway said no. `losses`
    counts sessions lost, `stray` keeps answers to requests this object was not asked (see
    `reserve`).
    """

    def __init__(self, account: int) -> None:
        self.account = account
        self.token = 0
        self.gateway = 0
        self.losses = 0
        self.executions_dropped = 0
        self.refused: Reject | None = None
        self.executions: deque[Execution] = deque()
        self.stray: deque[Reply] = deque(maxlen=EXECUTIONS_MAX)
        self._last_seq = 0
        self._waiting: dict[int, _Asked] = {}
        # In the order sent: what the gateway no longer knew was sent after what it never answered.
        self._sent: dict[int, _Asked] = {}
        self._outcomes: list[tuple[int, Outcome]] = []
        self._logon_seq = 0
        self._logon_at_ns = 0
        self._logon_wait_ns = LOGON_RETRY_NS
        self._wants_logon = False
        self._heard_ns = 0
        self._earliest_ns = 0

    @property
    def outstanding(self) -> int:
        """Requests without an answer."""
        return len(self._waiting) + len(self._sent)

    def reserve(self, count: int) -> int:
        """The first of `count` request numbers nobody else will use."""
        first = self._last_seq + 1
        self._last_seq += count
        return first

    def open(self) -> None:
        """Log on (again); `token` is non-zero once the gateway has answered."""
        self.token = 0
        self.refused = None
        self._wants_logon = True
        self._logon_seq = 0
        self._logon_wait_ns = LOGON_RETRY_NS

    def ask(self, requests: Sequence[Request], deadline_ns: int) -> range:
        """Number `requests` and put them in line; their outcomes carry the numbers returned."""
        if self.outstanding + len(requests) > OUTSTANDING_MAX:
            raise ValueError(f"more than {OUTSTANDING_MAX} requests without an answer")
        first = self.reserve(len(requests))
        numbers = range(first, first + len(requests))
        if not self.outstanding or deadline_ns < self._earliest_ns:
            self._earliest_ns = deadline_ns
        for number, request in zip(numbers, requests, strict=True):
            self._waiting[number] = _Asked(
                replace(request, request_seq=number), deadline_ns, own=False
            )
        if not self.token and not self._wants_logon:
            self.open()
        return numbers

    def frames(self, now_ns: int) -> list[bytes]:
        """What to send now. A request given here counts as sent."""
        if not self.token:
            return self._logon_frames(now_ns)
        if not self._waiting:
            return []
        # Requests sent again keep the order they were first asked in.
        numbers = sorted(self._waiting)
        requests = []
        for number in numbers:
            asked = self._waiting.pop(number)
            asked.token = self.token
            self._sent[number] = asked
            requests.append(asked.request)
        token = self.token.to_bytes(TOKEN_BYTES, "big")
        return [token + payload for payload, _ in payloads(requests)]

    def receive(self, frame: bytes, now_ns: int) -> None:
        """Take one frame of the gateway; raises `CodecError` when it is none."""
        self.take_replies(decoded(decode_replies, frame), now_ns)

    def take_replies(self, replies: Sequence[Reply], now_ns: int) -> None:
        """Take replies that are decoded already."""
        self._heard_ns = now_ns
        for reply in replies:
            if type(reply) is Execution:
                self._keep(reply)
            elif type(reply) is Welcome:
                self._welcome(reply)
            elif type(reply) is Reject:
                self._rejected(reply)
            else:
                self._answered(reply)

    def tick(self, now_ns: int) -> None:
        """Give up what is past its deadline, and ask for a sign of life after a silence."""
        if self.outstanding and now_ns >= self._earliest_ns:
            self._give_up_late(now_ns)
        silent = now_ns - self._heard_ns >= KEEP_ALIVE_NS
        if self.token and silent and not self._sent and not self._waiting:
            self._heard_ns = now_ns
            number = self.reserve(1)
            question = Ping(number)
            self._earliest_ns = now_ns + KEEP_ALIVE_NS
            self._waiting[number] = _Asked(question, self._earliest_ns, own=True)

    def take_outcomes(self) -> list[tuple[int, Outcome]]:
        """Outcomes since the last call, as (request sequence, outcome)."""
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def forget(self, numbers: Sequence[int]) -> None:
        """Nobody waits for these any more; what was not sent will not be."""
        for number in numbers:
            self._waiting.pop(number, None)
            self._sent.pop(number, None)

    def _logon_frames(self, now_ns: int) -> list[bytes]:
        if not self._wants_logon:
            return []
        if self._logon_seq and now_ns < self._logon_at_ns + self._logon_wait_ns:
            return []
        if self._logon_seq:
            self._logon_wait_ns = min(2 * self._logon_wait_ns, LOGON_RETRY_MAX_NS)
        self._logon_seq = self.reserve(1)
        self._logon_at_ns = now_ns
        return [bytes(TOKEN_BYTES) + encode(Logon(self._logon_seq, self.account))]

    def _welcome(self, welcome: Welcome) -> None:
        # Each logon ends the session the one before it opened, so only the last one counts.
        if welcome.request_seq == self._logon_seq:
            self.token = welcome.token
            self.gateway = welcome.gateway
            self._wants_logon = False
            self._logon_seq = 0
            self._logon_wait_ns = LOGON_RETRY_NS

    def _rejected(self, reject: Reject) -> None:
        if reject.request_seq and reject.request_seq == self._logon_seq:
            self._logon_refused(reject)
            return
        asked = self._sent.get(reject.request_seq)
        if asked is None or reject.reason != RejectReason.NOT_LOGGED_ON:
            self._answered(reject)
            return
        if asked.token == self.token:
            self.losses += 1
            self.open()
        self._lose_what_was_sent_before(reject.request_seq)
        del self._sent[reject.request_seq]
        asked.logons += 1
        if asked.own:
            return
        if asked.logons > LOGONS_PER_REQUEST:
            self._outcomes.append((reject.request_seq, reject))
        else:
            self._waiting[reject.request_seq] = asked

    def _lose_what_was_sent_before(self, request_seq: int) -> None:
        lost = list(takewhile(lambda seq: seq != request_seq, self._sent))
        for seq in lost:
            self._give_up(seq, self._sent.pop(seq), True, "the session was lost")

    def _logon_refused(self, reject: Reject) -> None:
        self._wants_logon = False
        self._logon_seq = 0
        for seq in self._waiting:
            self._outcomes.append((seq, replace(reject, request_seq=seq)))
        self._waiting.clear()
        self.refused = reject

    def _answered(self, reply: Reply) -> None:
        asked = self._sent.pop(reply.request_seq, None)
        if asked is None:
            self.stray.append(reply)
        elif not asked.own:
            self._outcomes.append((reply.request_seq, reply))

    def _give_up_late(self, now_ns: int) -> None:
        for line in (self._waiting, self._sent):
            for seq in [seq for seq, asked in line.items() if asked.deadline_ns <= now_ns]:
                sent = line is self._sent
                why = "no answer in time" if sent else "no session could be opened"
                self._give_up(seq, line.pop(seq), sent, why)
        left = [asked.deadline_ns for asked in (*self._waiting.values(), *self._sent.values())]
        self._earliest_ns = min(left, default=0)

    def _give_up(self, seq: int, asked: _Asked, sent: bool, why: str) -> None:
        if not asked.own:
            self._outcomes.append((seq, Unanswered(asked.request, sent, why)))

    def _keep(self, execution: Execution) -> None:
        if len(self.executions) >= EXECUTIONS_MAX:
            self.executions.popleft()
            self.executions_dropped += 1
        self.executions.append(execution)


def payloads(requests: Sequence[Request]) -> list[tuple[bytes, int]]:
    """Requests as frames without token, each within the gateway's limits, and how many each has.

    >>> from common.entry import Ping
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
