"""The paths of the face's market streams. No I/O.

`/ws` and `/ws/a/b` send raw events, `/stream?streams=a/b` wrapped ones. A path that a native stream
has stays with it.
"""

from collections.abc import Callable, Container
from typing import Final

from crossbook.gateway.binance.streams.client import STREAMS_MAX, StreamClient, Subscriptions
from crossbook.gateway.problem import Problem
from crossbook.gateway.query import pairs_of
from crossbook.gateway.web.channel import HandshakeRefusal, refusal_of

RAW: Final = "/ws"
WRAPPED: Final = "/stream"

PREFIXED: Final = (f"{WRAPPED}{RAW}", f"{WRAPPED}{WRAPPED}")
"""Paths of clients that put one path behind another: they mean the last one. One library takes a
URL with `/stream` in it for a spot market's."""

NATIVE: Final = frozenset({"orders", "market-data", "trades", "candles", "ticker"})
"""Names below `/ws/` that belong to the exchange's own streams."""

MICROSECOND: Final = "MICROSECOND"


class StreamPaths:
    """Makes the client of a handshake. `symbols` are the exchange's own names of instruments: a
    path that ends in one is a native path, perhaps a mistaken one."""

    def __init__(self, streams: Subscriptions, symbols: Callable[[], Container[str]]) -> None:
        self._streams = streams
        self._symbols = symbols

    def find(self, path: str, query: str) -> StreamClient | HandshakeRefusal | None:
        """The client of a path and query string; None for a path that is not of this face."""
        for prefix in PREFIXED:
            if path == prefix or path.startswith(f"{prefix}/"):
                path = path.removeprefix(WRAPPED)
                break
        root, _, rest = path.removeprefix("/").partition("/")
        if f"/{root}" not in (RAW, WRAPPED):
            return None
        names = [name for name in rest.split("/") if name]
        is_wrapped = f"/{root}" == WRAPPED
        if not is_wrapped and names and (names[0] in NATIVE or names[-1] in self._symbols()):
            return None
        try:
            parameters = pairs_of(query)
        except Problem as problem:
            return refusal_of(problem)
        unit = ""
        for parameter, value in parameters:
            if parameter == "streams":
                names += [name for name in value.split("/") if name]
            elif parameter == "timeUnit":
                unit = value
        if len(names) > STREAMS_MAX:
            return HandshakeRefusal(400, f"streams: {len(names)} names; at most {STREAMS_MAX}")
        return StreamClient(
            self._streams,
            names,
            is_wrapped=is_wrapped,
            in_microseconds=unit.upper() == MICROSECOND,
        )
