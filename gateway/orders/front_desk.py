"""The front of a gateway's order entry: frames, sessions and requests that need no matcher. No I/O.

A request that needs a matcher goes to `receive_request` of a subclass: the desk of the only matcher
(gateway/orders/desk.py), or the one before the desks of several (gateway/orders/sharded_desk.py).
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from crossbook.common.instruments import Instrument
from crossbook.common.messages.codec import decode_requests
from crossbook.common.messages.entry import (
    TOKEN_BYTES,
    Instruments,
    ListInstruments,
    Logon,
    Ping,
    Pong,
    Reject,
    Reply,
    Request,
    Welcome,
)
from crossbook.common.messages.events import EventBatch
from crossbook.common.types import RejectReason
from crossbook.gateway.orders.outbox import Outbox
from crossbook.gateway.orders.session import OrderSession, SessionTable

Receive = Callable[[OrderSession, Sequence[Request]], None]
"""Receives valid requests of a session, in order."""

Admit = Callable[[int, Sequence[Request]], tuple[Sequence[Request], Iterable[Reject]]]
"""The requests of an account that may pass, in order, and the rejects of the others."""

LISTINGS_MAX: Final = 4
"""Most lists of instruments that one address gets at once."""

Notice = tuple[str, dict[str, int]]
"""An event for the log: its name and its facts."""


class BatchFollower(Protocol):
    """Follows the events of every matcher, of all gateways."""

    def follow(self, batch: EventBatch) -> None:
        """Receive the next batch of a matcher that has events, after the sessions' replies to it
        are in the outbox."""

    def lose(self) -> None:
        """Events were lost, or a matcher has lost what it had sent: what was made from the events
        so far may be wrong."""


class FrontDesk(ABC):
    """Receives frames and puts the replies into `outbox`.

    `followers` receive the events themselves. `instrument_listeners` are called with every
    instrument that is added or changed. `admit_logon` returns the user id of the session that a
    logon opens, or the refusal of the logon. `enter` receives the requests of a client: it is
    `receive_requests`, behind the limits where there are some.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        gateway: int,
        sessions: SessionTable,
        outbox: Outbox | None = None,
    ) -> None:
        self._instruments = {instrument.id: instrument for instrument in instruments}
        self._gateway = gateway
        self._notices: list[Notice] = []
        self._listings: Counter[bytes] = Counter()
        self._unprobed: list[bytes] = []
        self._probes = self._probe_turn = 0
        self.sessions = sessions
        self.outbox = Outbox() if outbox is None else outbox
        self.enter: Receive = self.receive_requests
        self.followers: list[BatchFollower] = []
        self.instrument_listeners: list[Callable[[Instrument], None]] = []
        self.admit_logon: Callable[[bytes, Logon], str | Reject] = _admit_everybody

    @property
    @abstractmethod
    def is_accepting(self) -> bool:
        """Whether commands are accepted and answered: the incarnation of every matcher is known
        and not in doubt, and no matcher is silent."""

    @property
    @abstractmethod
    def commands_waiting(self) -> int:
        """Commands without a matcher's answer."""

    @property
    @abstractmethod
    def turns_waiting(self) -> int:
        """Those of them that wait for the turn of their account, and are not sent yet."""

    @property
    @abstractmethod
    def queries_waiting(self) -> int:
        """Queries without a matcher's answer."""

    @abstractmethod
    def home_of(self, symbol: str) -> int:
        """The shard an instrument is traded on; the first for an unknown one."""

    @property
    @abstractmethod
    def seqs(self) -> list[int]:
        """The last number received from the matcher of each shard."""

    @property
    @abstractmethod
    def times_ns(self) -> list[int]:
        """The time of the last batch or heartbeat of the matcher of each shard."""

    @abstractmethod
    def seq_of(self, shard: int) -> int:
        """The last number received from the matcher of a shard."""

    @abstractmethod
    def receive_request(self, session: OrderSession, request: Request) -> None:
        """Accept or refuse one valid request of a session; replies go to the session's address."""

    @property
    @abstractmethod
    def has_work(self) -> bool:
        """Whether `work` has something to do."""

    @abstractmethod
    def work(self) -> None:
        """Take the requests whose turn it is, and send the sessions that catch up a few more
        executions."""

    @abstractmethod
    def _pongs(self, request_seq: int) -> list[Pong]:
        """The answer to a ping."""

    def collect_replies(self) -> dict[bytes, list[Reply]]:
        """Remove and return the replies that are ready to be sent, by session address."""
        self._listings.clear()
        return self.outbox.drain()

    def collect_notices(self) -> list[Notice]:
        """Remove and return the events for the log."""
        notices, self._notices = self._notices, []
        return notices

    def receive_frame(self, identity: bytes, frame: bytes, message: object = None) -> None:
        """Receive one client frame: token and requests. Bad bytes get a `Reject`, never a raise.

        `message` is ZeroMQ's, for a desk of connections with keys (gateway/orders/keyed_desk.py).
        """
        if len(frame) <= TOKEN_BYTES:
            self.outbox.refuse(identity, malformed("frame", "no session token and request"))
            return
        requests, rejects = decode_requests(frame[TOKEN_BYTES:])
        for reject in rejects:
            self.outbox.refuse(identity, reject)
        session = self.sessions.by_token.get(frame[:TOKEN_BYTES])
        if session is None:
            has_token = any(frame[:TOKEN_BYTES])
            for request in requests:
                self._receive_without_session(identity, has_token, request)
            return
        if session.identity != identity:
            self.sessions.move(session, identity)
            # Replies to the connection before may be lost: the client has to catch up.
            self.outbox.add(identity, self._welcome(0, session))
        self.enter(session, requests)

    def has_session(self, frame: bytes) -> bool:
        """Whether the token of a client frame names a session."""
        return frame[:TOKEN_BYTES] in self.sessions.by_token

    def limit_by(self, admit: Admit) -> None:
        """Let only those requests pass that `admit` returns."""

        def enter(session: OrderSession, requests: Sequence[Request]) -> None:
            passed, rejects = admit(session.account, requests)
            for reject in rejects:
                self.outbox.refuse(session.identity, reject)
            if passed:
                self.receive_requests(session, passed)

        self.enter = enter

    def receive_requests(self, session: OrderSession, requests: Sequence[Request]) -> None:
        """Accept or refuse valid requests of a session, in order."""
        for request in requests:
            self.receive_request(session, request)

    def refuse_extra_frames(self, identity: bytes) -> None:
        """Answer a message of more than one frame."""
        reject = malformed("frame", "send token and requests in one frame")
        self.outbox.refuse(identity, reject)

    def announce_gap(self) -> None:
        """Send every session the sign that it has to catch up: events were lost."""
        for session in self.sessions.by_token.values():
            self.outbox.add(session.identity, self._welcome(0, session))
        for follower in self.followers:
            follower.lose()

    def probe_sessions(self, turns: int = 1) -> None:
        """Send the next of the sessions an empty list of replies, every session once in so many
        turns: to the address of a client that is gone this fails."""
        if self._probe_turn == 0:
            self._unprobed = list(self.sessions.addresses())
            self._probes = -(-len(self._unprobed) // turns)
        self._probe_turn = (self._probe_turn + 1) % turns
        for _ in range(min(self._probes, len(self._unprobed))):
            self.outbox.extend(self._unprobed.pop(), ())

    def _answer_open(self, identity: bytes, request: Logon | Ping | ListInstruments) -> None:
        """Answer a request that needs no session."""
        if isinstance(request, Ping):
            for pong in self._pongs(request.request_seq):
                self.outbox.add(identity, pong)
        elif isinstance(request, ListInstruments):
            self._list_instruments(identity, request)
        else:
            self._log_on(identity, request)

    def _list_instruments(self, identity: bytes, request: ListInstruments) -> None:
        """Answer with the list, which is some 70 times as long as its request."""
        self._listings[identity] += 1
        if self._listings[identity] > LISTINGS_MAX:
            text = f"more than {LISTINGS_MAX} lists of instruments at once; one has them all"
            reject = Reject(request.request_seq, RejectReason.BUSY, "", text)
            self.outbox.refuse(identity, reject)
            return
        instruments = list(self._instruments.values())
        self.outbox.add(identity, Instruments(request.request_seq, instruments))

    def _receive_without_session(self, identity: bytes, has_token: bool, request: Request) -> None:
        """Answer a request whose token is zero or names no session.

        A ping with a token is one for its session: the reject shows the client that it is gone.
        """
        if isinstance(request, Logon | ListInstruments) or (
            isinstance(request, Ping) and not has_token
        ):
            self._answer_open(identity, request)
            return
        text = "no session has this token; log on first"
        reject = Reject(request.request_seq, RejectReason.NOT_LOGGED_ON, "token", text)
        self.outbox.refuse(identity, reject)

    def _log_on(self, identity: bytes, request: Logon) -> None:
        user = self.admit_logon(identity, request)
        if isinstance(user, Reject):
            self.outbox.refuse(identity, user)
            return
        session = self.sessions.open(request.account, identity, request.cancel_on_disconnect)
        if session is None:
            text = self.sessions.why_full(request.account)
            self.outbox.refuse(identity, Reject(request.request_seq, RejectReason.BUSY, "", text))
            return
        session.user = user
        self.outbox.add(identity, self._welcome(request.request_seq, session))

    def _welcome(self, request_seq: int, session: OrderSession) -> Welcome:
        token = int.from_bytes(session.token, "big")
        return Welcome(request_seq, token, session.account, self._gateway)


def _admit_everybody(_identity: bytes, _logon: Logon) -> str:
    """Any connection may log on for any account."""
    return ""


def malformed(field: str, text: str) -> Reject:
    """The answer to a frame that cannot be decoded."""
    return Reject(0, RejectReason.MALFORMED, field, text)
