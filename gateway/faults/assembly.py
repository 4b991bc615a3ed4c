"""The parts of a gateway with `FAULTS=on`: each wraps a part as it is without faults.

What stands on the libraries of HTTP is imported where it is made: order entry does not wait for it.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

import zmq

from crossbook.common.faults.order_entry import RequestFacts
from crossbook.common.faults.table import FaultTable
from crossbook.common.process.clock import Clock
from crossbook.gateway.api.identity import account_in, acting_account
from crossbook.gateway.auth.access import Access, key_in
from crossbook.gateway.faults.clock import ShiftedDesk
from crossbook.gateway.faults.desk import FaultyDesk
from crossbook.gateway.faults.fate import request_fate
from crossbook.gateway.faults.links import FaultLinks
from crossbook.gateway.operations.readiness import FaultsInForce
from crossbook.gateway.orders.front_desk import FrontDesk
from crossbook.gateway.problem import Problem
from crossbook.gateway.query import values_of
from crossbook.gateway.web.admission import Admission
from crossbook.gateway.web.channel import Channel, Handshake, HandshakeRefusal, Router
from crossbook.gateway.web.entrance import AsgiApp
from crossbook.gateway.web.stream_router import ApiRoute, FaceRoute

if TYPE_CHECKING:
    from crossbook.gateway.binance.listen_keys import ListenKeys
    from crossbook.gateway.binance.rest import FaceRest
    from crossbook.gateway.binance.user.streams import UserStreams
    from crossbook.gateway.binance.venue import FaceVenue
    from crossbook.gateway.faults.shifted_time import ShiftedTime


class GatewayFaults:
    """The rules of one gateway; `processes` has a socket to every other process with rules."""

    def __init__(self, processes: Mapping[str, "zmq.Socket[bytes]"], clock: Clock) -> None:
        self.table = FaultTable("gateway")
        self._links = FaultLinks(self.table, processes, clock)

    def in_force(self) -> FaultsInForce:
        """The rules in force in all processes, in numbers."""
        return FaultsInForce(*self._links.in_force())

    def desk(self, desk: FrontDesk) -> FrontDesk:
        """The desk of ZeroMQ order entry behind the rules. `woken_by` completes it."""
        self._desk = FaultyDesk(desk, self.table, asyncio.get_running_loop().call_later)
        return cast(FrontDesk, self._desk)

    def order_desk(self, *arguments: Any) -> ShiftedDesk:
        """As `OrderDesk`."""
        return ShiftedDesk(*arguments, table=self.table)

    def time(self, *arguments: Any) -> "ShiftedTime":
        """As `ExchangeTime`."""
        from crossbook.gateway.faults.shifted_time import ShiftedTime

        return ShiftedTime(*arguments, table=self.table)

    def woken_by(self, wake: Callable[[], None]) -> None:
        """Have late replies sent by `wake`."""
        self._desk.wake = wake

    def app(self, app: AsgiApp, admission: Admission, access: Access) -> AsgiApp:
        """The HTTP application behind the rules, with the route of the rules."""
        from crossbook.gateway.faults.http import FaultyHttp, NativeDialect
        from crossbook.gateway.faults.routes import FaultRoutes

        routes = FaultRoutes(app, self._links, admission, access)
        return FaultyHttp(routes, self.table, NativeDialect(access))

    def face(self, face: "FaceRest") -> AsgiApp:
        """The Binance-spot face behind the rules, which refuses in its own words."""
        from crossbook.gateway.faults.face import FaceDialect
        from crossbook.gateway.faults.http import FaultyHttp

        return FaultyHttp(face, self.table, FaceDialect(face.access, face.venue.symbols))

    def listen_keys(self) -> "ListenKeys":
        """The listen keys of the face, which end by the rules too."""
        from crossbook.gateway.faults.user_stream import FaultyListenKeys

        return FaultyListenKeys(self.table, time.monotonic)

    def user_streams(self, venue: "FaceVenue") -> "Callable[..., UserStreams]":
        """As `UserStreams`, behind the rules."""
        from crossbook.gateway.faults.user_stream import FaultyUserStreams

        return partial(FaultyUserStreams, table=self.table, symbols=venue.symbols)

    def face_paths(self, find: FaceRoute, venue: "FaceVenue") -> FaceRoute:
        """The paths of the face's streams, behind the rules."""
        from crossbook.gateway.binance.streams.client import StreamClient
        from crossbook.gateway.faults.face_stream import FaultyFaceStream

        def route(path: str, query: str) -> Channel | HandshakeRefusal | None:
            found = find(path, query)
            if not isinstance(found, StreamClient):
                return found
            loop = asyncio.get_running_loop
            return FaultyFaceStream(found, self.table, loop, venue.now_ns, venue.symbols)

        return route

    def face_api(self, find: ApiRoute, venue: "FaceVenue") -> ApiRoute:
        """The path of the face's WebSocket API, behind the rules of connections."""
        from crossbook.gateway.faults.face_stream import faulty_face_api

        def route(path: str, handshake: Handshake) -> Channel | HandshakeRefusal | None:
            found = find(path, handshake)
            if found is None or isinstance(found, HandshakeRefusal):
                return found
            return faulty_face_api(found, self.table, asyncio.get_running_loop, venue.now_ns)

        return route

    def router(self, router: Router, access: Access) -> Router:
        """The router of WebSockets behind the rules."""
        from crossbook.gateway.api.order_stream import PATH
        from crossbook.gateway.faults.market_stream import faulty_stream
        from crossbook.gateway.faults.order_stream import FaultyOrderStream

        def route(handshake: Handshake) -> Channel | HandshakeRefusal:
            refusal = self._refusal(handshake, access)
            if refusal is not None:
                return refusal
            found = router(handshake)
            if isinstance(found, HandshakeRefusal):
                return found
            if unquote(handshake.path) == PATH:
                return FaultyOrderStream(found, self.table, key_in(handshake.headers))
            return faulty_stream(found, handshake.path, self.table, asyncio.get_running_loop)

        return route

    def _refusal(self, handshake: Handshake, access: Access) -> HandshakeRefusal | None:
        """The refusal of a handshake by a rule."""
        if not len(self.table):
            return None
        try:
            values = values_of(handshake.query, None, repeated=("from_seq",))
            named = [value for name, value in handshake.headers if name == b"x-account"]
            account = acting_account(account_in(named), values.get("account"))
        except Problem:
            return None
        _, _, symbol = unquote(handshake.path).removeprefix("/ws/").partition("/")
        account = access.named(handshake.headers, account)
        key = key_in(handshake.headers)
        facts = RequestFacts("handshake", account, handshake.path, "GET", symbol, key=key)
        refused = request_fate(self.table, facts).refused
        if refused is None:
            return None
        return HandshakeRefusal(refused.status, f"{refused.detail.code}: {refused.detail.message}")
