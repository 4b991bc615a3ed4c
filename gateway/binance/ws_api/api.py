"""The WebSocket API of a gateway: its connections, and what they share."""

from collections.abc import Callable
from typing import Final

from crossbook.common.times import SECOND_NS
from crossbook.gateway.binance.parameters import MS, US
from crossbook.gateway.binance.rest import FaceRest
from crossbook.gateway.binance.user.streams import UserStreams
from crossbook.gateway.binance.ws_api.client import RETURN_LIMITS, ApiClient
from crossbook.gateway.binance.ws_api.methods import methods_of
from crossbook.gateway.binance.ws_api.session import ApiSession
from crossbook.gateway.limits.http import network_of
from crossbook.gateway.problem import Problem
from crossbook.gateway.query import pairs_of
from crossbook.gateway.web.channel import Handshake, HandshakeRefusal, refusal_of

PATH: Final = "/ws-api/v3"

_UNITS: Final = {"MICROSECOND": US, "MILLISECOND": MS}


class WebSocketApi:
    """Opens the channels of handshakes on `PATH`, and ends connections that have had their time of
    `lifetime_s`."""

    def __init__(
        self,
        rest: FaceRest,
        streams: UserStreams,
        wall_ns: Callable[[], int],
        monotonic_ns: Callable[[], int],
        lifetime_s: int,
    ) -> None:
        self.venue = rest.venue
        self.methods = methods_of(rest.routes)
        self.streams = streams
        self._rest = rest
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._lifetime_ns = lifetime_s * SECOND_NS
        self._clients: dict[ApiClient, int] = {}

    def __len__(self) -> int:
        """The number of open connections."""
        return len(self._clients)

    def route(self, path: str, handshake: Handshake) -> ApiClient | HandshakeRefusal | None:
        """The channel of a handshake, or its refusal; None for another path than `PATH`."""
        if path.rstrip("/") != PATH:
            return None
        unit_ns, in_limits = MS, True
        try:
            for name, value in pairs_of(handshake.query):
                if name == "timeUnit":
                    unit_ns = _UNITS.get(value.upper(), MS)
                elif name == RETURN_LIMITS:
                    in_limits = value.lower() != "false"
        except Problem as problem:
            return refusal_of(problem)
        rest = self._rest
        session = ApiSession(rest.access, rest.signed, handshake.peer)
        return ApiClient(self, session, network_of(handshake.peer), unit_ns, in_limits)

    def admit(self, address: str) -> None:
        """Take a token of an address; raises `HandshakeRefusal`."""
        self.venue.weights.admit(address, self._wall_ns(), self._monotonic_ns())

    def weigh(self, address: str, weight: int) -> int:
        """Count the weight of a request; returns that of the minute. Raises `HandshakeRefusal`."""
        return self.venue.weights.take(address, weight, self._wall_ns())

    def used(self, address: str) -> int:
        """The weight that an address has used in this minute."""
        return self.venue.weights.used(address, self._wall_ns())

    def opened(self, client: ApiClient) -> None:
        """A connection is open."""
        self._clients[client] = self._monotonic_ns()

    def closed(self, client: ApiClient) -> None:
        """A connection is gone."""
        self._clients.pop(client, None)

    def beat(self) -> None:
        """Let a second pass: end what has had its time, and subscriptions of refused keys."""
        now_ns, oldest_ns = self.venue.now_ns(), self._monotonic_ns() - self._lifetime_ns
        for client, opened_ns in list(self._clients.items()):
            if opened_ns < oldest_ns:
                del self._clients[client]
                client.end()
            elif client.subscriptions:
                client.end_refused(now_ns)

    def shut_down(self) -> None:
        """Send every client that this gateway stops."""
        now_ns = self.venue.now_ns()
        for client in list(self._clients):
            client.shut_down(now_ns)
