"""The WebSocket API of a gateway, put together with REST and the user streams."""

import asyncio
from collections.abc import Callable
from typing import Final

from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import New
from crossbook.common.process.clock import Clock, SystemClock
from crossbook.gateway.binance.cancel_names import CancelNames
from crossbook.gateway.binance.rest import FaceRest
from crossbook.gateway.binance.streams.streams import FaceStreams
from crossbook.gateway.binance.user.account import InstrumentIndex
from crossbook.gateway.binance.user.exchange import UserExchange
from crossbook.gateway.binance.user.listen import ListenStreams
from crossbook.gateway.binance.user.streams import UserStreams
from crossbook.gateway.binance.ws_api.api import WebSocketApi
from crossbook.gateway.orders.local_sessions import LocalSessions

BEAT_S: Final = 1.0

SYSTEM: Final = SystemClock()


class UserFace:
    """The WebSocket API and the streams by listen keys of a gateway, from `start` to `stop`.
    `market` has the connections of those streams, and of its own."""

    def __init__(self, api: WebSocketApi, listening: ListenStreams, market: FaceStreams) -> None:
        self.api = api
        self.listening = listening
        self._market = market
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Let seconds pass from now on."""
        self._timer = asyncio.get_running_loop().call_later(BEAT_S, self._next)

    def stop(self) -> None:
        """Let no more time pass."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def shut_down(self) -> None:
        """Send every client that this gateway stops."""
        self.api.shut_down()
        self._market.shut_down(self.api.venue.now_ns())

    def beat(self) -> None:
        """Let a second pass."""
        self.api.beat()
        self.listening.beat()

    def _next(self) -> None:
        self.start()
        self.beat()


def user_face(
    rest: FaceRest,
    market: FaceStreams,
    sessions: LocalSessions,
    lifetime_s: int,
    clock: Clock = SYSTEM,
    make_streams: Callable[[UserExchange, InstrumentIndex, CancelNames], UserStreams] = UserStreams,
) -> UserFace:
    """The WebSocket API in front of the routes of REST, and the streams by listen keys among those
    of the `market`. They follow the events of the exchange from now on."""
    venue = rest.venue
    instruments = InstrumentIndex(lambda: venue.lookup.instruments.values())
    exchange = UserExchange(venue, instruments)
    streams = make_streams(exchange, instruments, venue.cancel_names)
    sessions.follow(streams)

    def refuse(account: int, instrument: Instrument, order: New, text: str) -> None:
        streams.refuse(account, instrument, order, text, venue.now_ns())

    venue.on_rejected.append(refuse)
    api = WebSocketApi(rest, streams, clock.now_ns, clock.monotonic_ns, lifetime_s)
    listening = ListenStreams(venue.listen_keys, streams, venue.now_ns)
    market.private = listening
    return UserFace(api, listening, market)
