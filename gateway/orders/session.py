"""Order-entry sessions: who is behind a token, and where the answers go.

A session is proved by its token alone. The routing identity of a ZeroMQ peer is chosen by that
peer, so it is only an address for replies: it follows the token when a client reconnects.
"""

from collections.abc import Callable, Iterable

from crossbook.common.messages.entry import TOKEN_BYTES


class Session:
    """What an account is answered over: a logged-on connection, or, where `is_connection` is
    false, the standing way of single requests, which no client can end."""

    __slots__ = ("account", "identity", "is_connection", "token")

    def __init__(
        self, token: bytes, account: int, identity: bytes, is_connection: bool = True
    ) -> None:
        self.token = token
        self.account = account
        self.identity = identity
        self.is_connection = is_connection


class _Presence:
    """How many connections an account has, and whether one of them, open or not any more, asked
    for its orders to be canceled after the last."""

    __slots__ = ("cancels", "connections")

    def __init__(self) -> None:
        self.connections = 0
        self.cancels = False


class SessionTable:
    """All sessions, by token, by account and by address. At most `limit` are connections, and only
    those count; whoever opens standing sessions bounds them.

    `draw_token` gives an unpredictable number below 2**63.
    """

    def __init__(self, limit: int, draw_token: Callable[[], int]) -> None:
        self._limit = limit
        self._draw_token = draw_token
        self._by_identity: dict[bytes, Session] = {}
        self.by_token: dict[bytes, Session] = {}
        self.by_account: dict[int, list[Session]] = {}
        self._present: dict[int, _Presence] = {}
        self._connections = 0
        self._deserted: list[dict[int, None]] = []

    def __len__(self) -> int:
        """Connections."""
        return self._connections

    def watch_deserted(self) -> dict[int, None]:
        """Where accounts appear whose last connection is gone, if any of its connections since it
        had none asked for its orders to be canceled; whoever watches takes them out."""
        deserted: dict[int, None] = {}
        self._deserted.append(deserted)
        return deserted

    def is_connected(self, account: int) -> bool:
        """Whether an account has a connection."""
        return account in self._present

    def open(
        self, account: int, identity: bytes, cancel_on_disconnect: bool = False
    ) -> Session | None:
        """A new connection's session; None when there are `limit`. The session that had this
        address before is closed: its client has logged on again."""
        before = self._by_identity.pop(identity, None)
        if before is None and self._connections >= self._limit:
            return None
        session = self._add(account, identity, is_connection=True)
        self._connections += 1
        presence = self._present.setdefault(account, _Presence())
        presence.connections += 1
        presence.cancels |= cancel_on_disconnect
        if before is not None:
            self._remove(before)
        return session

    def open_standing(self, account: int, identity: bytes) -> Session:
        """A new session that is no connection."""
        return self._add(account, identity, is_connection=False)

    def move(self, session: Session, identity: bytes) -> None:
        """The session's client has a new connection: answer there from now on."""
        self.close_address(identity)
        if self._by_identity.get(session.identity) is session:
            del self._by_identity[session.identity]
        session.identity = identity
        self._by_identity[identity] = session

    def close_address(self, identity: bytes) -> None:
        """Forget the session that is answered at `identity`, if there is one."""
        session = self._by_identity.pop(identity, None)
        if session is not None:
            self._remove(session)

    def close_all(self) -> None:
        """Forget every session."""
        for identity in self.addresses():
            self.close_address(identity)

    def addresses(self) -> Iterable[bytes]:
        """Where sessions are answered; a copy."""
        return list(self._by_identity)

    def _add(self, account: int, identity: bytes, is_connection: bool) -> Session:
        token = b""
        while not any(token) or token in self.by_token:
            token = self._draw_token().to_bytes(TOKEN_BYTES, "big")
        session = Session(token, account, identity, is_connection)
        self.by_token[token] = session
        self.by_account.setdefault(account, []).append(session)
        self._by_identity[identity] = session
        return session

    def _remove(self, session: Session) -> None:
        """Forget a session whose address is forgotten."""
        del self.by_token[session.token]
        of_account = self.by_account[session.account]
        of_account.remove(session)
        if not of_account:
            del self.by_account[session.account]
        if session.is_connection:
            self._connections -= 1
            self._leave(session.account)

    def _leave(self, account: int) -> None:
        """One connection of an account is gone."""
        presence = self._present[account]
        presence.connections -= 1
        if presence.connections:
            return
        del self._present[account]
        if presence.cancels:
            for deserted in self._deserted:
                deserted[account] = None
