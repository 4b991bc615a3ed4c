"""Routes WebSocket handshakes that pass the checks to their channel. No I/O."""

from typing import Final
from urllib.parse import unquote

from crossbook.gateway.api.order_stream import PATH as ORDERS_PATH
from crossbook.gateway.api.order_stream import OrderStreams
from crossbook.gateway.problem import Problem
from crossbook.gateway.streams.routes import Streams
from crossbook.gateway.web.admission import Admission
from crossbook.gateway.web.channel import Channel, Handshake, Refusal, Router, refusal_of

_FOREIGN: Final = Refusal(403, "Origin: only pages of this address may trade here")


def stream_router(
    admission: Admission, orders: OrderStreams | None, streams: Streams | None
) -> Router:
    """The router of a gateway: `/ws/orders` to `orders`, every other path to `streams`, where they
    are not None. A page of another origin may read market data, which is public, and nothing
    else."""

    def route(handshake: Handshake) -> Channel | Refusal:
        try:
            raw_path = handshake.path.encode("latin-1", "surrogateescape")
            head = admission.admit(raw_path, handshake.headers, handshake.address)
        except Problem as problem:
            return refusal_of(problem)
        path = unquote(handshake.path)
        if path == ORDERS_PATH and orders is not None:
            return orders.route(handshake.query, head.account) if head.is_own else _FOREIGN
        if streams is not None:
            return streams.route(path, handshake.query)
        return Refusal(404, f"no stream at {path[:100]}; this gateway has no role streams")

    return route
