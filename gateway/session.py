"""Order-entry sessions: who is behind a token, and where the answers go.

A session is proved by its token alone. The routing identity of a ZeroMQ peer is chosen by that
peer, so it is only an address for replies: it follows the token when a client reconnects.
"""

from collections.abc import Callable, Iterable

from common.entry import TOKEN_BYTES


class Session:
    """One logged-on connection of an account."""

    __slots__ = ("account", "cancel_on_disconnect", "identity", "token")

    def __init__(
        self, token: bytes, account: int, identity: bytes, cancel_on_disconnect: bool = False
    ) -> None:
        self.token = token
        self.account = account
        self.identity = identity
        self.cancel_on_disconnect = cancel_on_disconnect


class SessionTable:
    """All sessions, by token, by account and by address; at most `limit`.

    `draw_token` gives an unpredictable number below 2**63.
    """

    def __init__(self, limit: int, draw_token: Callable[[], int]) -> None:
        self._limit = limit
        self._draw_token = draw_token
        self._by_identity: dict[bytes, Session] = {}
        self.by_token: dict[bytes, Session] = {}
        self.by_account: dict[int, list[Session]] = {}
        self._deserted: list[dict[int, None]] = []

    def __len__(self) -> int:
        return len(self.by_token)

    def watch_deserted(self) -> dict[int, None]:
        """Where accounts whose session asked for its orders to be canceled appear once it has
        ended; whoever watches takes them out."""
        deserted: dict[int, None] = {}
        self._deserted.append(deserted)
        return deserted

    def open(
        self, account: int, identity: bytes, cancel_on_disconnect: bool = False
    ) -> Session | None:
        """A new session; None when the table is full. One that had this address is closed."""
        self.close_address(identity)
        if len(self.by_token) >= self._limit:
            return None
        token = b""
        while not any(token) or token in self.by_token:
            token = self._draw_token().to_bytes(TOKEN_BYTES, "big")
        session = Session(token, account, identity, cancel_on_disconnect)
        self.by_token[token] = session
        self.by_account.setdefault(account, []).append(session)
        self._by_identity[identity] = session
        return session

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
        if session is None:
            return
        del self.by_token[session.token]
        of_account = self.by_account[session.account]
        of_account.remove(session)
        if not of_account:
            del self.by_account[session.account]
        if session.cancel_on_disconnect:
            for deserted in self._deserted:
                deserted[session.account] = None

    def addresses(self) -> Iterable[bytes]:
        """Where sessions are answered; a copy."""
        return list(self._by_identity)
