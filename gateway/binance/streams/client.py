"""One client of the face's streams: its subscriptions, its form, and its requests. No I/O."""

from collections.abc import Iterable
from typing import Final, Protocol

from crossbook.common.times import SECOND_NS
from crossbook.gateway.binance.streams.message import MICROSECONDS, WRAPPED, shutdown_frame
from crossbook.gateway.binance.streams.requests import (
    INVALID_REQUEST,
    SubscriptionError,
    SubscriptionRequest,
    error_frame,
    read_request,
    result_frame,
)
from crossbook.gateway.binance.streams.stream import FaceStream
from crossbook.gateway.web.channel import POLICY_VIOLATION, Connection

STREAMS_MAX: Final = 1_024
"""Most streams of one connection. Source: limits of the Binance Spot API documentation."""

REQUESTS_AT_ONCE: Final = 100
REQUESTS_PER_S: Final = 5
"""Requests that a connection may send at once, and every second after that."""


class Subscriptions(Protocol):
    """The streams of this gateway."""

    @property
    def now_ns(self) -> int:
        """The time of the owner's clock."""

    def subscribe(self, client: "StreamClient", name: str) -> FaceStream | None:
        """Add a client to a stream; None, and later if there is one, where none has the name."""

    def unsubscribe(self, client: "StreamClient", name: str) -> None:
        """Remove a client from a stream."""

    def opened(self, client: "StreamClient") -> None:
        """A client is connected."""

    def closed(self, client: "StreamClient") -> None:
        """A client is gone."""


class StreamClient:
    """The channel of one connection, and a subscriber of its streams.

    A name that no stream has is a subscription like another; nothing comes of it. Slow clients:
    each stream keeps what this one misses, or closes it.
    """

    __slots__ = (
        "_allowed",
        "_connection",
        "_first_names",
        "_owner",
        "_seen_ns",
        "form",
        "names",
        "opened_ns",
    )

    def __init__(
        self,
        owner: Subscriptions,
        names: Iterable[str],
        *,
        is_wrapped: bool,
        in_microseconds: bool,
    ) -> None:
        self.form = (WRAPPED if is_wrapped else 0) | (MICROSECONDS if in_microseconds else 0)
        self.names: dict[str, FaceStream | None] = {}
        self.opened_ns = 0
        self._owner = owner
        self._first_names = tuple(names)
        self._connection: Connection | None = None
        self._allowed = float(REQUESTS_AT_ONCE)
        self._seen_ns = 0

    @property
    def full(self) -> bool:
        """Whether more than the limit of unsent bytes waits."""
        return self._connection is None or self._connection.full

    def send(self, frames: bytes) -> None:
        """Write whole frames."""
        if self._connection is not None:
            self._connection.send(frames)

    def lose(self, reason: str) -> None:
        """Close the connection: something would be missing in it."""
        self.close(POLICY_VIOLATION, reason)

    def close(self, code: int, reason: str) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close(code, reason)

    def shut_down(self, now_ns: int) -> None:
        """Send that this gateway stops."""
        self.send(shutdown_frame(self.form, now_ns))

    def opened(self, connection: Connection) -> None:
        """Subscribe to the streams that the path names."""
        self._connection = connection
        self._seen_ns = self.opened_ns = self._owner.now_ns
        self._owner.opened(self)
        self._subscribe(self._first_names)
        self._first_names = ()

    def received(self, connection: Connection, text: str) -> None:
        """Answer a request; close a client that sends too many."""
        if not self._may_send():
            self.close(POLICY_VIOLATION, f"more than {REQUESTS_PER_S} requests a second")
            return
        try:
            self._answer(read_request(text))
        except SubscriptionError as error:
            self.send(error_frame(error))

    def drained(self, connection: Connection) -> None:
        """The connection was full and has room again."""
        for stream in list(self.names.values()):
            if connection.full:
                return
            if stream is not None:
                stream.drained(self)

    def closed(self, connection: Connection) -> None:
        """The connection is gone."""
        self._connection = None
        for name in self.names:
            self._owner.unsubscribe(self, name)
        self.names.clear()
        self._owner.closed(self)

    def _answer(self, request: SubscriptionRequest) -> None:
        if request.method == "SUBSCRIBE":
            if len({*self.names, *request.params}) > STREAMS_MAX:
                text = f"Invalid request: too many parameters; at most {STREAMS_MAX} streams"
                raise SubscriptionError(INVALID_REQUEST, text, request.id)
            # The answer comes before the events.
            self.send(result_frame(None, request.id))
            self._subscribe(request.params)
            return
        if request.method == "UNSUBSCRIBE":
            for name in request.params:
                if name in self.names:
                    del self.names[name]
                    self._owner.unsubscribe(self, name)
        elif request.method == "SET_PROPERTY":
            self.form = self.form & ~WRAPPED | (WRAPPED if request.params[1] else 0)
        results = {
            "LIST_SUBSCRIPTIONS": list(self.names),
            "GET_PROPERTY": bool(self.form & WRAPPED),
        }
        self.send(result_frame(results.get(request.method), request.id))

    def _subscribe(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.names:
                self.names[name] = None
                self.names[name] = self._owner.subscribe(self, name)

    def _may_send(self) -> bool:
        now_ns = self._owner.now_ns
        gained = (now_ns - self._seen_ns) * REQUESTS_PER_S / SECOND_NS
        self._allowed = min(float(REQUESTS_AT_ONCE), self._allowed + gained)
        self._seen_ns = now_ns
        self._allowed -= 1
        return self._allowed >= 0
