"""Order-entry sessions: the account behind a token, and the address of its replies.

Where connections have no keys, a client proves its session by the token alone, which is
unpredictable. The routing identity of a ZeroMQ peer is chosen by that peer, so it proves nothing
and is only an address for replies: when a frame with the token arrives from another identity, the
client has reconnected, and the session moves there.

A connection is a session that a client opened and can close. A standing session serves single
requests of an account, over HTTP; it has no client that could be gone.

A logon may request that the open orders of its account are canceled with its last connection. The
table counts the connections of each account and puts a deserted account into a queue of each desk,
which cancels its orders at its matcher.
"""

from collections.abc import Callable, Iterable

from crossbook.common.messages.entry import TOKEN_BYTES
from crossbook.common.types import MAX_INT


class OrderSession:
    """A session of an account, a connection or a standing one; `identity` is its address. `user`
    names the key that opened it; empty where none did."""

    __slots__ = ("account", "identity", "is_connection", "token", "user")

    def __init__(
        self, token: bytes, account: int, identity: bytes, is_connection: bool = True
    ) -> None:
        self.token = token
        self.account = account
        self.identity = identity
        self.is_connection = is_connection
        self.user = ""


class _Presence:
    """The number of an account's connections; `cancels` is true once one of them, open or already
    closed, has requested the cancel of all orders after the last one."""

    __slots__ = ("cancels", "connections")

    def __init__(self) -> None:
        self.connections = 0
        self.cancels = False


class SessionTable:
    """All sessions, by token, by account and by address.

    At most `limit` are connections, `of_account` of them of one account: each of its executions is
    sent to all. The caller of `open_standing` bounds the standing ones.
    `draw_token` gives an unpredictable number below 2**63.
    """

    def __init__(
        self, limit: int, draw_token: Callable[[], int], of_account: int = MAX_INT
    ) -> None:
        self._limit = limit
        self._of_account = of_account
        self._draw_token = draw_token
        self._by_identity: dict[bytes, OrderSession] = {}
        self.by_token: dict[bytes, OrderSession] = {}
        self.by_account: dict[int, list[OrderSession]] = {}
        self._present: dict[int, _Presence] = {}
        self._connections = 0
        self._deserted: list[dict[int, None]] = []

    def __len__(self) -> int:
        """The number of connections."""
        return self._connections

    def add_deserted_queue(self) -> dict[int, None]:
        """A new queue of deserted accounts, for a desk to empty.

        An account enters it when its last connection is gone, if one of its connections since the
        first has requested the cancel of its orders.
        """
        deserted: dict[int, None] = {}
        self._deserted.append(deserted)
        return deserted

    def is_connected(self, account: int) -> bool:
        """Whether an account has a connection."""
        return account in self._present

    def open(
        self, account: int, identity: bytes, cancel_on_disconnect: bool = False
    ) -> OrderSession | None:
        """Open a session for a new connection; None when there is no room for it (`why_full`). The
        session that had this address before is closed: its client has logged on again."""
        before = self._by_identity.get(identity)
        of_account = before is not None and before.account == account
        if (before is None and self._connections >= self._limit) or (
            not of_account and self._count(account) >= self._of_account
        ):
            return None
        self._by_identity.pop(identity, None)
        session = self._add(account, identity, is_connection=True)
        self._connections += 1
        presence = self._present.setdefault(account, _Presence())
        presence.connections += 1
        presence.cancels |= cancel_on_disconnect
        if before is not None:
            self._remove(before)
        return session

    def why_full(self, account: int) -> str:
        """The limit that a session of an account which was not opened would exceed."""
        if self._connections >= self._limit:
            return (
                f"this gateway has {self._connections} sessions and accepts no more "
                "(MAX_ORDER_SESSIONS)"
            )
        return (
            f"account {account} has {self._count(account)} sessions at this gateway and may open "
            "no more (MAX_ACCOUNT_SESSIONS)"
        )

    def _count(self, account: int) -> int:
        presence = self._present.get(account)
        return presence.connections if presence is not None else 0

    def open_standing(self, account: int, identity: bytes) -> OrderSession:
        """Open a session that is no connection."""
        return self._add(account, identity, is_connection=False)

    def move(self, session: OrderSession, identity: bytes) -> None:
        """Move a session to the address of its client's new connection."""
        self.close_address(identity)
        if self._by_identity.get(session.identity) is session:
            del self._by_identity[session.identity]
        session.identity = identity
        self._by_identity[identity] = session

    def close_address(self, identity: bytes) -> None:
        """Close the session at this address, if there is one."""
        session = self._by_identity.pop(identity, None)
        if session is not None:
            self._remove(session)

    def close_all(self) -> None:
        """Close every session."""
        for identity in self.addresses():
            self.close_address(identity)

    def addresses(self) -> Iterable[bytes]:
        """The addresses of all sessions; a copy."""
        return list(self._by_identity)

    def _add(self, account: int, identity: bytes, is_connection: bool) -> OrderSession:
        token = b""
        while not any(token) or token in self.by_token:
            token = self._draw_token().to_bytes(TOKEN_BYTES, "big")
        session = OrderSession(token, account, identity, is_connection)
        self.by_token[token] = session
        self.by_account.setdefault(account, []).append(session)
        self._by_identity[identity] = session
        return session

    def _remove(self, session: OrderSession) -> None:
        """Remove a session whose address is removed."""
        del self.by_token[session.token]
        of_account = self.by_account[session.account]
        of_account.remove(session)
        if not of_account:
            del self.by_account[session.account]
        if session.is_connection:
            self._connections -= 1
            self._leave(session.account)

    def _leave(self, account: int) -> None:
        """Count one connection of an account less."""
        presence = self._present[account]
        presence.connections -= 1
        if presence.connections:
            return
        del self._present[account]
        if presence.cancels:
            for deserted in self._deserted:
                deserted[account] = None
