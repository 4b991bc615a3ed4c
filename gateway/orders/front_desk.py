"""The door of a gateway's order entry: sessions, frames and what needs no matcher. No I/O.

Whatever a session asks that concerns a matcher goes to `take_request` of the desk behind it: the
one of the only matcher (gateway/orders/desk.py), or the one that knows several
(gateway/orders/sharded_desk.py).
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

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
from crossbook.common.types import RejectReason
from crossbook.gateway.orders.session import Session, SessionTable

Outbox = dict[bytes, list[Reply]]
"""Replies that wait to be sent, by session address."""


class FrontDesk(ABC):
    """Takes frames in and puts replies into `outbox`.

    `learners` are called with every instrument that is added or changes. `notices` has what is
    worth a line in the log; whoever reads it empties it.
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
        self._rejects: Counter[int] = Counter()
        self.sessions = sessions
        self.outbox: Outbox = {} if outbox is None else outbox
        self.learners: list[Callable[[Instrument], None]] = []
        self.notices: list[tuple[str, dict[str, int]]] = []

    @property
    @abstractmethod
    def taking(self) -> bool:
        """Whether commands are taken and answered: every matcher is known, not suspected of
        anything, and was heard of lately."""

    @property
    @abstractmethod
    def refusals(self) -> Counter[int]:
        """How many requests were refused since the start, here or by a matcher, by reason."""

    @property
    @abstractmethod
    def queries_waiting(self) -> int:
        """Queries without a matcher's answer."""

    @abstractmethod
    def home_of(self, symbol: str) -> int:
        """The shard an instrument is traded on; the first where nobody knows it."""

    @property
    @abstractmethod
    def seqs(self) -> list[int]:
        """The last number heard of from each shard's matcher."""

    @abstractmethod
    def seq_of(self, shard: int) -> int:
        """The last number heard of from the matcher of a shard."""

    @abstractmethod
    def gather(self) -> None:
        """Make `outbox` fit to send: called before that whenever there is something in it."""

    @abstractmethod
    def take_request(self, session: Session, request: Request) -> None:
        """Take one sound request of a session; what it is answered goes to its address."""

    @abstractmethod
    def _pongs(self, request_seq: int) -> list[Pong]:
        """The answer to a ping."""

    def take_frame(self, identity: bytes, frame: bytes) -> None:
        """Take one client frame: token and requests. Bad bytes get a `Reject`, never a raise."""
        if len(frame) <= TOKEN_BYTES:
            self._refuse(identity, malformed("frame", "no session token and request"))
            return
        requests, rejects = decode_requests(frame[TOKEN_BYTES:])
        for reject in rejects:
            self._refuse(identity, reject)
        session = self.sessions.by_token.get(frame[:TOKEN_BYTES])
        if session is None:
            has_token = any(frame[:TOKEN_BYTES])
            for request in requests:
                self._take_without_session(identity, has_token, request)
            return
        if session.identity != identity:
            self.sessions.move(session, identity)
            # What was sent to the connection before may be lost: the client has to catch up.
            self._reply(identity, self._welcome(0, session))
        self.take_requests(session, requests)

    def take_requests(self, session: Session, requests: Sequence[Request]) -> None:
        """Take sound requests of a session, in order."""
        for request in requests:
            self.take_request(session, request)

    def refuse_extra_frames(self, identity: bytes) -> None:
        """Answer a message of more than one frame."""
        self._refuse(identity, malformed("frame", "send token and requests in one frame"))

    def tell_hole(self) -> None:
        """Events were lost: every session hears that it should catch up."""
        for session in self.sessions.by_token.values():
            self._reply(session.identity, self._welcome(0, session))

    def probe_sessions(self) -> None:
        """Send every session an empty list of replies: a gone client's address then fails."""
        for identity in self.sessions.addresses():
            self.outbox.setdefault(identity, [])

    def _take_open(self, identity: bytes, request: Logon | Ping | ListInstruments) -> None:
        """Answer what needs no session."""
        if isinstance(request, Ping):
            for pong in self._pongs(request.request_seq):
                self._reply(identity, pong)
        elif isinstance(request, ListInstruments):
            self._reply(
                identity, Instruments(request.request_seq, list(self._instruments.values()))
            )
        else:
            self._log_on(identity, request)

    def _take_without_session(self, identity: bytes, has_token: bool, request: Request) -> None:
        """Answer a request whose token is zero or names no session.

        A ping under a token asks after its session: a client learns so that it is gone.
        """
        if isinstance(request, Logon | ListInstruments) or (
            isinstance(request, Ping) and not has_token
        ):
            self._take_open(identity, request)
            return
        text = "no session has this token; log on first"
        reject = Reject(request.request_seq, RejectReason.NOT_LOGGED_ON, "token", text)
        self._refuse(identity, reject)

    def _log_on(self, identity: bytes, request: Logon) -> None:
        session = self.sessions.open(request.account, identity, request.cancel_on_disconnect)
        if session is None:
            text = (
                f"this gateway has {len(self.sessions)} sessions and takes no more "
                "(MAX_ORDER_SESSIONS)"
            )
            self._refuse(identity, Reject(request.request_seq, RejectReason.BUSY, "", text))
            return
        self._reply(identity, self._welcome(request.request_seq, session))

    def _welcome(self, request_seq: int, session: Session) -> Welcome:
        token = int.from_bytes(session.token, "big")
        return Welcome(request_seq, token, session.account, self._gateway)

    def _refuse(self, identity: bytes, reject: Reject) -> None:
        self._rejects[reject.reason] += 1
        self._reply(identity, reject)

    def _reply(self, identity: bytes, reply: Reply) -> None:
        if not identity:
            return
        self.outbox.setdefault(identity, []).append(reply)


def malformed(field: str, text: str) -> Reject:
    """The answer to what cannot be read."""
    return Reject(0, RejectReason.MALFORMED, field, text)
