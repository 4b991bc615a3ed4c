"""The WebSocket API of a gateway, put together with REST and the user streams."""

import asyncio
from collections.abc import Callable
from typing import Final

from crossbook.common.process.clock import Clock, SystemClock
from crossbook.gateway.binance.rest import FaceRest
from crossbook.gateway.binance.user.account import Instruments
from crossbook.gateway.binance.user.exchange import UserExchange
from crossbook.gateway.binance.user.streams import UserStreams
from crossbook.gateway.binance.ws_api.api import WebSocketApi
from crossbook.gateway.orders.local_sessions import LocalSessions

BEAT_S: Final = 1.0

SYSTEM: Final = SystemClock()


class Heartbeat:
    """Calls a function once a second, from `start` to `stop`."""

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat = beat
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin."""
        self._timer = asyncio.get_running_loop().call_later(BEAT_S, self._next)

    def stop(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _next(self) -> None:
        self.start()
        self._beat()


def websocket_api(
    rest: FaceRest, sessions: LocalSessions, lifetime_s: int, clock: Clock = SYSTEM
) -> tuple[WebSocketApi, Heartbeat]:
    """The WebSocket API in front of the routes of REST, whose user streams follow the events of the
    exchange from now on, and what has to beat for it."""
    venue = rest.venue
    instruments = Instruments(lambda: venue.lookup.instruments.values())
    exchange = UserExchange(venue.trading, venue.lookup, instruments)
    streams = UserStreams(exchange, instruments, venue.cancel_names)
    sessions.follow(streams)
    api = WebSocketApi(rest, streams, clock.now_ns, clock.monotonic_ns, lifetime_s)
    return api, Heartbeat(api.beat)
