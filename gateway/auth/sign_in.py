"""WebSockets of `AUTH=on`: a signed handshake, or an unsigned one and a message that signs in.

Programs sign the handshake with the headers of any request. Browsers cannot set headers, so they
send the same values in their first message. Both are signed over `GET`, path and query of the
handshake. A connection whose key may no longer be used is closed within a second.
"""

import asyncio
from collections.abc import Callable
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from crossbook.common.keys import Key, Scope, scope_text
from crossbook.common.process.log import logger
from crossbook.gateway.api.bodies import decoder
from crossbook.gateway.api.order_stream import Failure, OrderStreams, stream_options
from crossbook.gateway.auth.access import Asked, Signed
from crossbook.gateway.auth.key_access import KeyAccess, signed_in, unauthenticated
from crossbook.gateway.problem import Problem, malformed
from crossbook.gateway.web.channel import (
    POLICY_VIOLATION,
    Channel,
    Connection,
    Handshake,
    HandshakeRefusal,
    refusal_of,
    text_frame,
)
from crossbook.gateway.web.stream_router import OrderRoute

SIGN_IN_WITHIN_S: Final = 10.0
"""Seconds in which an unsigned connection has to sign in."""

WATCH_S: Final = 1.0
"""Seconds between two looks at the keys of open connections."""

METHOD: Final = "sign_in"

_GET: Final = "GET"


class SignIn(Struct, forbid_unknown_fields=True):
    """Parameters of `sign_in`: the values that a signed handshake has in its headers."""

    key: str
    timestamp: str
    signature: str
    recv_window: str = ""


class SignInRequest(Struct, forbid_unknown_fields=True):
    """The first message of a connection whose handshake was not signed."""

    id: Annotated[str, Meta(max_length=64)]
    method: Literal["sign_in"]
    params: SignIn


class Identity(Struct):
    """The account and scopes of a key."""

    account: int
    scopes: list[str]


class SignedIn(Struct, tag_field="type", tag="answer"):
    """The answer to `sign_in`."""

    id: str
    status: int
    result: Identity


_encode = msgspec.json.Encoder().encode
_request = decoder(SignInRequest)

OpenFor = Callable[[Key], Channel]
"""Opens the channel of a key."""


class KeyedChannel:
    """The channel that `open_for` opens, once a key has signed for it; `key` has signed already."""

    def __init__(
        self, gate: "KeyGate", asked: Asked, scope: Scope, open_for: OpenFor, key: Key | None
    ) -> None:
        self._gate = gate
        self._asked = asked
        self._scope = scope
        self._open_for = open_for
        self._key = key
        self._inner: Channel | None = None
        self._timer: asyncio.TimerHandle | None = None

    def opened(self, connection: Connection) -> None:
        """Open the channel, or wait for the message that signs in."""
        if self._key is not None:
            self._begin(connection, self._key)
            return
        text = f"sign in within {SIGN_IN_WITHIN_S:.0f} s"
        self._timer = asyncio.get_running_loop().call_later(
            SIGN_IN_WITHIN_S, connection.close, POLICY_VIOLATION, text
        )

    def received(self, connection: Connection, text: str) -> None:
        """Sign in, with the first message; the channel receives all others."""
        if self._inner is not None:
            self._inner.received(connection, text)
            return
        request_id = None
        try:
            request = _request(text.encode())
            request_id = request.id
            sent = request.params
            signed = Signed(sent.key, sent.timestamp, sent.signature, sent.recv_window)
            key = self._gate.access.check(self._asked, signed, self._scope, b"")
        except Problem as problem:
            if request_id is None:
                problem = unauthenticated(f"{problem.detail.message}; the first message signs in")
            failure = Failure(request_id, problem.status, problem.detail)
            connection.send(text_frame(_encode(failure)))
            connection.close(POLICY_VIOLATION, f"{METHOD} failed: {problem.detail.code}")
            return
        self._stop_timer()
        identity = Identity(key.account, scope_text(key.scopes).split(","))
        connection.send(text_frame(_encode(SignedIn(request.id, 200, identity))))
        self._begin(connection, key)

    def drained(self, connection: Connection) -> None:
        """The connection was full and has room again."""
        if self._inner is not None:
            self._inner.drained(connection)

    def closed(self, connection: Connection) -> None:
        """The connection is gone."""
        self._stop_timer()
        self._gate.forget(connection)
        if self._inner is not None:
            self._inner.closed(connection)

    def _begin(self, connection: Connection, key: Key) -> None:
        self._inner = self._open_for(key)
        self._gate.watch(connection, key, self._scope, self._asked.peer)
        self._inner.opened(connection)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Watched(Struct, frozen=True):
    """What the key of an open connection is used for."""

    key: Key
    scope: Scope
    peer: str


class KeyGate:
    """Opens the streams that need a key, and closes them when it may no longer be used."""

    def __init__(self, access: KeyAccess) -> None:
        self.access = access
        self._watched: dict[Connection, _Watched] = {}
        self._timer: asyncio.TimerHandle | None = None

    def order_route(self, orders: OrderStreams) -> OrderRoute:
        """The route of order streams."""

        def route(handshake: Handshake, account: int | None) -> Channel | HandshakeRefusal:
            return self._order_stream(orders, handshake, account)

        return route

    def _order_stream(
        self, orders: OrderStreams, handshake: Handshake, account: int | None
    ) -> Channel | HandshakeRefusal:
        try:
            options = stream_options(handshake.query, account)
        except Problem as problem:
            return refusal_of(problem)
        scope = Scope.READ | Scope.TRADE if options.cancel_on_disconnect else Scope.READ

        def open_for(key: Key) -> Channel:
            def may_trade() -> None:
                self.access.check_key(self.access.present(key), Scope.TRADE, handshake.peer)

            return orders.open(key.account, options, may_trade)

        return self._keyed(handshake, options.account, scope, open_for)

    def market_stream(self, handshake: Handshake, channel: Channel) -> Channel | HandshakeRefusal:
        """A stream of market data, where that needs a key."""
        return self._keyed(handshake, None, Scope.READ, lambda key: channel)

    def watch(self, connection: Connection, key: Key, scope: Scope, peer: str) -> None:
        """Close a connection once its key may no longer be used for this."""
        self._watched[connection] = _Watched(key, scope, peer)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WATCH_S, self._look)

    def forget(self, connection: Connection) -> None:
        """The connection is gone."""
        self._watched.pop(connection, None)
        if not self._watched and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _keyed(
        self, handshake: Handshake, account: int | None, scope: Scope, open_for: OpenFor
    ) -> Channel | HandshakeRefusal:
        text = f"{handshake.path}?{handshake.query}" if handshake.query else handshake.path
        target = text.encode("latin-1", "surrogateescape")
        asked = Asked(_GET, target, handshake.headers, handshake.peer, account)
        key = None
        try:
            signed = signed_in(handshake.headers)
            if signed is not None:
                key = self.access.check(asked, signed, scope, b"")
        except Problem as problem:
            return refusal_of(problem)
        return KeyedChannel(self, asked, scope, open_for, key)

    def _look(self) -> None:
        """Close the connections whose keys may no longer be used."""
        self._timer = asyncio.get_running_loop().call_later(WATCH_S, self._look)
        for connection, watched in list(self._watched.items()):
            try:
                key = self.access.present(watched.key)
                self.access.check_key(key, watched.scope, watched.peer)
                if key.account != watched.key.account:
                    raise malformed("account", f"key {key.key_id} has another account now")
            except Problem as problem:
                logger().info("key_refused", key=watched.key.key_id, peer=connection.peer)
                connection.close(POLICY_VIOLATION, problem.detail.message)
                del self._watched[connection]
