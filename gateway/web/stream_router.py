"""Routes WebSocket handshakes that pass the checks to their channel. No I/O."""

from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from crossbook.gateway.api.order_stream import PATH as ORDERS_PATH
from crossbook.gateway.problem import Problem
from crossbook.gateway.streams.routes import Streams
from crossbook.gateway.web.admission import Admission
from crossbook.gateway.web.channel import Channel, Handshake, HandshakeRefusal, Router, refusal_of

_FOREIGN: Final = HandshakeRefusal(403, "Origin: only pages of this address may trade here")

OrderRoute = Callable[[Handshake, int | None], Channel | HandshakeRefusal]
"""Returns the order stream of a handshake that names this account in its header, or its refusal."""

FaceRoute = Callable[[str, str], Channel | HandshakeRefusal | None]
"""Returns the channel of a path and query of another face, its refusal, or None for a path that
is not of that face."""

ApiRoute = Callable[[str, Handshake], Channel | HandshakeRefusal | None]
"""Returns the channel of a path on which requests of accounts come, its refusal, or None for
another path. Each request proves for itself which account it acts for."""

MarketRoute = Callable[[Handshake, Channel], Channel | HandshakeRefusal]
"""Returns the channel that leads to a stream of market data, or the refusal of the handshake."""


def open_to_all(handshake: Handshake, channel: Channel) -> Channel | HandshakeRefusal:
    """The stream itself: market data is public."""
    return channel


def stream_router(
    admission: Admission,
    orders: OrderRoute | None,
    streams: Streams | None,
    market: MarketRoute = open_to_all,
    face: FaceRoute | None = None,
    api: ApiRoute | None = None,
) -> Router:
    """The router of a gateway: `/ws/orders` to `orders`, the path of `api` to it, the paths of
    `face` by `market` to it, every other path by `market` to `streams`, where they are not None. A
    page of another origin may read market data that is public, and nothing else."""

    def route(handshake: Handshake) -> Channel | HandshakeRefusal:
        try:
            raw_path = handshake.path.encode("latin-1", "surrogateescape")
            head = admission.admit(raw_path, handshake.headers, handshake.address)
        except Problem as problem:
            return refusal_of(problem)
        path = unquote(handshake.path)
        if path == ORDERS_PATH and orders is not None:
            return orders(handshake, head.account) if head.is_own else _FOREIGN
        if api is not None:
            private = api(path, handshake)
            if private is not None:
                return private if head.is_own else _FOREIGN
        if face is not None:
            other = face(path, handshake.query)
            if other is not None:
                return other if isinstance(other, HandshakeRefusal) else market(handshake, other)
        if streams is not None:
            found = streams.route(path, handshake.query)
            return found if isinstance(found, HandshakeRefusal) else market(handshake, found)
        return HandshakeRefusal(404, f"no stream at {path[:100]}; this gateway has no role streams")

    return route
