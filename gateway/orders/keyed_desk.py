"""Order entry of connections with keys: in front of a desk, between its frames and its replies. No
I/O.

ZeroMQ names the key of a connection on every message (`crossbook.common.peer_admission`). A session
belongs to the key that opened it: from a connection with another key its token names no session.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

from msgspec import Struct

from crossbook.common.keys import Key, Scope, scope_text
from crossbook.common.messages.codec import decode_requests, encode
from crossbook.common.messages.entry import (
    TOKEN_BYTES,
    Amend,
    Cancel,
    CancelAfter,
    CatchUp,
    Logon,
    MassCancel,
    New,
    Query,
    QueryBalances,
    Reject,
    Reply,
    Request,
)
from crossbook.common.peer_admission import EXCHANGE, key_of_user
from crossbook.common.types import RejectReason
from crossbook.gateway.orders.front_desk import FrontDesk, Notice

USERS_MAX: Final = 65_536
"""Most addresses whose key is remembered between a frame and a logon in it."""

NOBODY: Final = "-"
"""The user id of connections without keys, which may not log on."""

_NO_SESSION: Final = b"\xff" * TOKEN_BYTES
"""A token that names no session: those of sessions begin with a zero bit."""

_SCOPES: Final[dict[type, Scope]] = {
    **dict.fromkeys((New, Cancel, Amend, MassCancel, CancelAfter), Scope.TRADE),
    **dict.fromkeys((Query, QueryBalances, CatchUp), Scope.READ),
}
"""The scope that each request needs. `Logon` is checked by itself; pings and instruments need
none."""


class Keys(Protocol):
    """The keys of the venue."""

    version: int

    def find(self, key_id: str) -> Key | None:
        """The key of this id."""


_BOTH: Final = Scope.READ | Scope.TRADE


class _Standing(Struct):
    """What a key permits until `until_ns` (zero: until the keys change). `account` zero means any
    one, and with a `refusal` none."""

    account: int
    scopes: Scope
    refusal: str = ""
    until_ns: int = 0

    @property
    def permits_all(self) -> bool:
        return self.scopes & _BOTH == _BOTH


class KeyedDesk:
    """`desk`, for connections with keys: what is not below is that of the desk.

    `user_of` returns the user id of a message, and keys expire by `now_ns`. The owner sets
    `admit_logon` at the desk.
    """

    def __init__(
        self,
        desk: FrontDesk,
        keys: Keys,
        user_of: Callable[[Any], str],
        now_ns: Callable[[], int],
    ) -> None:
        self._desk = desk
        self._keys = keys
        self._user_of = user_of
        self._now_ns = now_ns
        self._version = keys.version
        self._standings: dict[str, _Standing] = {}
        self._users: dict[bytes, str] = {}
        self._look_ns = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._desk, name)

    def receive_frame(self, identity: bytes, frame: bytes, message: Any) -> None:
        """Receive one client frame of a message, whose properties name the key."""
        user = self._user_of(message)
        if self._users.get(identity) != user:
            self._remember(identity, user)
        session = self._desk.sessions.by_token.get(frame[:TOKEN_BYTES])
        if session is not None and session.user != user:
            frame = _NO_SESSION + frame[TOKEN_BYTES:]
        standing = self._standing(user)
        if not standing.permits_all:
            frame = self._permitted(identity, frame, standing)
        if frame:
            self._desk.receive_frame(identity, frame)

    def collect_replies(self) -> dict[bytes, list[Reply]]:
        """As that of the desk; a key that was changed has no effect on any reply after."""
        if self._keys.version != self._version:
            self._end_refused()
        return self._desk.collect_replies()

    def collect_notices(self) -> list[Notice]:
        """As that of the desk. Ends the sessions of keys that have expired: called at intervals."""
        if self._look_ns and self._now_ns() >= self._look_ns:
            self._end_refused()
        return self._desk.collect_notices()

    def admit_logon(self, identity: bytes, logon: Logon) -> str | Reject:
        """The user id of the session that a logon opens, or its refusal."""
        user = self._users.get(identity, NOBODY)
        standing = self._standing(user)
        if standing.refusal:
            return _forbidden(logon.request_seq, "key", standing.refusal)
        if standing.account not in (0, logon.account):
            text = f"this key is of account {standing.account}, not {logon.account}"
            return _forbidden(logon.request_seq, "account", text)
        if logon.cancel_on_disconnect and Scope.TRADE not in standing.scopes:
            text = "this key has no scope trade, so that it may have no orders canceled"
            return _forbidden(logon.request_seq, "cancel_on_disconnect", text)
        return user

    def _end_refused(self) -> None:
        """End the sessions whose keys no longer permit one, each with a reject. O(sessions)."""
        sessions = self._desk.sessions
        self._standings.clear()
        self._version = self._keys.version
        self._look_ns = 0
        for session in list(sessions.by_token.values()):
            if not session.user:
                continue
            refusal = self._standing(session.user).refusal
            if refusal:
                self._desk.outbox.refuse(session.identity, _forbidden(0, "key", refusal))
                sessions.close_address(session.identity)

    def _remember(self, identity: bytes, user: str) -> None:
        users = self._users
        users.pop(identity, None)
        if len(users) >= USERS_MAX:
            del users[next(iter(users))]
        users[identity] = user

    def _standing(self, user: str) -> _Standing:
        if self._keys.version != self._version:
            self._end_refused()
        standing = self._standings.get(user)
        if standing is None or (standing.until_ns and self._now_ns() >= standing.until_ns):
            standing = self._standings[user] = self._standing_now(user)
            if standing.until_ns and (not self._look_ns or standing.until_ns < self._look_ns):
                self._look_ns = standing.until_ns
        return standing

    def _standing_now(self, user: str) -> _Standing:
        if user == EXCHANGE:
            return _Standing(0, _BOTH)
        if user == NOBODY:
            return _Standing(
                0,
                Scope(0),
                "this gateway has AUTH=on and no key pair (CURVE_KEY_FILE), so that no connection "
                "can prove whose it is",
            )
        now_ns = self._now_ns()
        key = key_of_user(user, self._keys.find, Scope(0), now_ns)
        if isinstance(key, str):
            return _Standing(0, Scope(0), key)
        ends = [each for each in (key.expires_ns, key.previous_until_ns) if each > now_ns]
        return _Standing(key.account, key.scopes, until_ns=min(ends, default=0))

    def _permitted(self, identity: bytes, frame: bytes, standing: _Standing) -> bytes:
        """The frame without the requests that the key does not permit, which are refused; empty
        where none is left."""
        requests, rejects = decode_requests(frame[TOKEN_BYTES:])
        if not requests:
            # The desk answers what cannot be decoded.
            return frame
        for reject in rejects:
            self._desk.outbox.refuse(identity, reject)
        kept: list[Request] = []
        for request in requests:
            missing = _SCOPES.get(type(request), Scope(0)) & ~standing.scopes
            if missing:
                text = standing.refusal or f"this key has no scope {scope_text(missing)}"
                coid = getattr(request, "client_order_id", "")
                self._desk.outbox.refuse(
                    identity, _forbidden(request.request_seq, "key", text, coid)
                )
            else:
                kept.append(request)
        if len(kept) == len(requests) and not rejects:
            return frame
        return frame[:TOKEN_BYTES] + encode(kept) if kept else b""


def nobody(_message: object) -> str:
    """The user id of any message where connections have no keys."""
    return NOBODY


def _forbidden(request_seq: int, field: str, text: str, client_order_id: str = "") -> Reject:
    return Reject(request_seq, RejectReason.FORBIDDEN, field, text, client_order_id)
