"""The HTTP and WebSocket interfaces of a gateway, put together from its settings.

The libraries of HTTP take longer to import than all else of a gateway, and no order over ZeroMQ
needs them: `__main__` imports this module when order entry is served already.
"""

import secrets
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from crossbook.common.process import sockets
from crossbook.common.process.clock import Clock, SystemClock
from crossbook.common.process.config import Settings
from crossbook.common.process.keyring import Realm
from crossbook.common.process.log import logger
from crossbook.common.process.tcp_facts import owner_of
from crossbook.common.token_buckets import TokenBuckets
from crossbook.gateway.api.exchange_time import ExchangeTime
from crossbook.gateway.api.lookup import Lookup
from crossbook.gateway.api.order_stream import OrderStreams
from crossbook.gateway.api.render import Renderer
from crossbook.gateway.api.rest import give_back, make_app
from crossbook.gateway.api.trading import Trading
from crossbook.gateway.auth.access import Access, AnyAccount
from crossbook.gateway.auth.opened_accounts import OpenedAccounts
from crossbook.gateway.history.link import HistoryLink
from crossbook.gateway.history.queries import HistoryQueries
from crossbook.gateway.history.socket import HistorySocket
from crossbook.gateway.keys.key_table import KeyTable
from crossbook.gateway.limits.account_limits import UNLIMITED, AccountLimits
from crossbook.gateway.limits.http import AddressLimits
from crossbook.gateway.market_feed import MarketFeed
from crossbook.gateway.operations.metrics import GatewayMetrics, Handshakes, OrderTraffic
from crossbook.gateway.operations.operations import Operations, without_api
from crossbook.gateway.operations.probes import Probes
from crossbook.gateway.operations.readiness import KeysFor
from crossbook.gateway.orders.front_desk import FrontDesk
from crossbook.gateway.orders.local_sessions import LocalSessions
from crossbook.gateway.orders.matcher_sockets import MatcherSockets
from crossbook.gateway.streams.latest import LATEST_LEAST_NS
from crossbook.gateway.streams.loop import StreamLoop
from crossbook.gateway.streams.routes import Streams
from crossbook.gateway.streams.together import DrivenStreams, StreamsTogether
from crossbook.gateway.web.admission import Admission
from crossbook.gateway.web.certificate import Certificate
from crossbook.gateway.web.channel import Router
from crossbook.gateway.web.crowd import MIB
from crossbook.gateway.web.entrance import AsgiApp
from crossbook.gateway.web.hosts import AllowedHosts, allowed_origins, is_loopback
from crossbook.gateway.web.http_connection import HTTP_CONNECTIONS_MAX, HttpConnection
from crossbook.gateway.web.http_counter import HttpCounter
from crossbook.gateway.web.http_server import HttpServer
from crossbook.gateway.web.http_turns import HttpTurns
from crossbook.gateway.web.stream_router import ApiRoute, FaceRoute, stream_router
from crossbook.gateway.web.websocket import Hub, Limits

if TYPE_CHECKING:
    from crossbook.gateway.auth.sign_in import KeyGate
    from crossbook.gateway.binance.rest import FaceRest
    from crossbook.gateway.faults.assembly import GatewayFaults


class EntryParts(Struct, frozen=True):
    """The parts of order entry that its other interfaces use."""

    desk: FrontDesk
    local: LocalSessions
    traffic: OrderTraffic
    matchers: Sequence[MatcherSockets]
    render: Renderer
    limits: AccountLimits = UNLIMITED
    opened: OpenedAccounts | None = None
    handshakes: Handshakes | None = None


class Interfaces:
    """The interfaces that the roles of this process name; `entry` is None for `streams` alone, and
    `keys` for `AUTH=off`. Keys expire by `exchange_ns`."""

    def __init__(
        self,
        settings: Settings,
        context: Any,
        clock: Clock,
        exchange_ns: Callable[[], int],
        entry: EntryParts | None,
        listener: socket.socket,
        faults: "GatewayFaults | None" = None,
        keys: KeyTable | None = None,
    ) -> None:
        self._settings = settings
        self._context = context
        self._clock = clock
        self._exchange_ns = exchange_ns
        self._entry = entry
        self._faults = faults
        self._keys = keys
        self._starting: list[Callable[[], None]] = []
        self._ending: list[Callable[[], None]] = []
        self._stopping: list[Callable[[], None]] = []
        self._shards = settings.each_shard()
        self._keyring = settings.keyring()
        self._server = self._make_server(listener)

    async def start(self) -> None:
        """Serve from now on."""
        for start in self._starting:
            start()
        await self._server.start()

    async def stop(self) -> None:
        """Accept no more connections and let running requests end; `close` comes after order
        entry has ended."""
        for end in self._ending:
            end()
        await self._server.stop()

    def close(self) -> None:
        """Stop following the market and the history."""
        for stop in self._stopping:
            stop()

    def _make_server(self, listener: socket.socket) -> HttpServer:
        """The HTTP and WebSocket server with the routes of the roles; `/metrics` counts all of
        them."""
        settings = self._settings
        metrics = GatewayMetrics(settings.order_queue_size, settings.max_order_sessions)
        feed = metrics.feed = self._market_feed()
        operations = Operations(metrics, self._probes(), feed, settings.clock)
        operations.keys_for = self._keys_for()
        hosts = AllowedHosts(settings.allowed_hosts, settings.api_host)
        order_streams = None
        access, gate = self._access()
        roles = settings.gateway_roles
        desks = None
        if "api" in roles or "binance" in roles:
            metrics.histories = [HistoryLink() for _ in self._shards]
            desks = self._desks(feed, metrics.histories, operations)
        if "api" in roles:
            assert desks is not None
            app, order_streams = self._api(desks, operations, hosts, access)
            app = self._with_key_routes(app, Admission(hosts), access)
        else:
            app = without_api(operations, Admission(hosts), access)
        connection = HttpConnection
        if self._faults is not None:
            from crossbook.gateway.faults.http import AbortableConnection

            connection = AbortableConnection
            app = self._faults.app(app, Admission(hosts), access)
            metrics.faults = self._faults.table
            operations.faults_in_force = self._faults.in_force
        self._count_orders(metrics)
        face_paths = self._market_streams(feed, metrics, desks)
        buckets, face_api = None, None
        if requests := settings.limit("address_requests_per_second"):
            buckets = TokenBuckets(requests, 2 * requests)
            app = metrics.address_limits = AddressLimits(app, buckets, SystemClock().monotonic_ns)
        if "binance" in roles:
            assert desks is not None
            face = self._with_binance(app, desks, metrics, buckets, Admission(hosts), access)
            app, metrics.address_weights = face, face.venue.weights
            face_api = self._with_user_streams(face, metrics)
            if self._faults is not None:
                assert face_paths is not None, "the face has streams"
                app = self._faults.face(face)
                face_paths = self._faults.face_paths(face_paths, face.venue)
                face_api = self._faults.face_api(face_api, face.venue)
        router = self._router(
            Admission(hosts), order_streams, metrics.streams, gate, face_paths, face_api
        )
        if self._faults is not None:
            router = self._faults.router(router, access)
        hub = metrics.hub = Hub(router, self._limits())
        app = HttpTurns(app, hub.crowd.turns, SystemClock().monotonic_ns)
        metrics.http = HttpCounter(app, self._clock)
        server = HttpServer(metrics.http, hub, listener, connection, self._tls())
        metrics.server = server
        return server

    def _count_orders(self, metrics: GatewayMetrics) -> None:
        """Let `/metrics` count order entry, where it is served."""
        if self._entry is None:
            return
        metrics.desk, metrics.traffic = self._entry.desk, self._entry.traffic
        metrics.handshakes = self._entry.handshakes
        metrics.limits = self._entry.limits
        metrics.links = [matcher.link for matcher in self._entry.matchers]

    def _limits(self) -> Limits:
        settings = self._settings
        return Limits(
            connections_max=settings.max_websocket_connections,
            of_address_max=settings.places_of_address(settings.max_websocket_connections),
            http_of_address_max=settings.places_of_address(HTTP_CONNECTIONS_MAX),
            of_address_per_s=settings.limit("connections_per_second"),
            unread_max=settings.max_unread_mb * MIB,
        )

    def _with_key_routes(self, app: AsgiApp, admission: Admission, access: Access) -> AsgiApp:
        """The application with the routes of API keys, where there are keys."""
        if self._keys is None:
            return app
        from crossbook.gateway.auth.key_routes import KeyRoutes
        from crossbook.gateway.keys.matcher_admin import MatcherAdmin

        address = self._shards[0].matcher_admin
        administration = MatcherAdmin(sockets.admin_dealer(self._context, address, self._keyring))
        return KeyRoutes(
            app, self._keys, administration, admission, access, lambda: secrets.token_hex(32)
        )

    def _keys_for(self) -> KeysFor:
        """What needs an API key here."""
        if self._keys is None:
            return "none"
        return "all" if self._settings.feed_access == "keyed" else "accounts"

    def _tls(self) -> ssl.SSLContext | None:
        """The context of HTTPS; None for HTTP. Raises `ConfigError`."""
        files = self._settings.tls()
        if files is None:
            if not is_loopback(self._settings.api_host):
                logger().warning("http_without_tls", host=self._settings.api_host)
            return None
        certificate = Certificate(*files)
        self._starting.append(certificate.start)
        self._stopping.append(certificate.stop)
        return certificate.context

    def _access(self) -> tuple[Access, "KeyGate | None"]:
        """Who may send requests, and who may open streams; None where everybody may."""
        if self._keys is None:
            logger().warning("auth_off", reason="whoever reaches this gateway acts for any account")
            opened = self._entry.opened if self._entry is not None else None
            return AnyAccount(self._settings.account, opened, owner_of), None
        # Imported here: without AUTH=on nothing of it is loaded.
        from crossbook.gateway.auth.key_access import KeyAccess
        from crossbook.gateway.auth.sign_in import KeyGate

        is_keyed = self._settings.feed_access == "keyed"
        access = KeyAccess(self._keys, SystemClock().now_ns, self._exchange_ns, is_keyed)
        return access, KeyGate(access)

    def _market_streams(
        self, feed: MarketFeed, metrics: GatewayMetrics, desks: "_Desks | None"
    ) -> FaceRoute | None:
        """Drive the streams of market data that the roles name; return the paths of those of the
        Binance-spot face, if it is one of them."""
        families: list[DrivenStreams] = []
        paths = None
        if "streams" in self._settings.gateway_roles:
            metrics.streams = Streams(0 if self._clock.is_manual else LATEST_LEAST_NS)
            families.append(metrics.streams)
        if "binance" in self._settings.gateway_roles:
            assert desks is not None, "the face needs the record"
            assert self._entry is not None, "the face needs order entry"
            from crossbook.gateway.binance.market.recorded_market import RecordedMarket
            from crossbook.gateway.binance.streams.assembly import market_streams
            from crossbook.gateway.binance.streams.route import StreamPaths

            metrics.face_streams = market_streams(
                feed,
                RecordedMarket(desks.history, self._entry.local),
                self._settings.binance_connection_s,
                is_manual=self._clock.is_manual,
            )
            families.append(metrics.face_streams)
            paths = StreamPaths(metrics.face_streams, lambda: feed.instruments).find
        if families:
            StreamLoop(feed, StreamsTogether(families), self._clock)
        return paths

    def _router(
        self,
        admission: Admission,
        orders: OrderStreams | None,
        streams: Streams | None,
        gate: "KeyGate | None",
        face: FaceRoute | None,
        api: ApiRoute | None,
    ) -> Router:
        """The router of WebSockets, which opens streams by `gate` where there is one."""
        if gate is None:
            everybody = orders.route if orders is not None else None
            return stream_router(admission, everybody, streams, face=face, api=api)
        route = gate.order_route(orders) if orders is not None else None
        if self._settings.feed_access == "public":
            return stream_router(admission, route, streams, face=face, api=api)
        return stream_router(admission, route, streams, gate.market_stream, face, api)

    def _probes(self) -> Probes:
        probed: dict[str, tuple[str, Realm]] = {}
        for shard in self._shards:
            end = f"-{shard.shard}" if shard.shard else ""
            probed[f"matcher{end}"] = shard.matcher_sync, Realm.INTERNAL
            probed[f"publisher{end}"] = shard.publisher_snapshots, Realm.FEED
            probed[f"recorder{end}"] = shard.recorder_history, Realm.INTERNAL
        return Probes(
            {
                name: sockets.metrics_dealer(self._context, address, self._keyring, realm)
                for name, (address, realm) in probed.items()
            },
            self._clock,
        )

    def _market_feed(self) -> MarketFeed:
        publishers = [
            (
                sockets.feed_sub(self._context, shard.publisher_feed, self._keyring),
                sockets.snapshots_dealer(self._context, shard.publisher_snapshots, self._keyring),
            )
            for shard in self._shards
        ]
        feed = MarketFeed(publishers, self._clock)
        self._starting.append(feed.start)
        self._stopping.append(feed.stop)
        return feed

    def _desks(
        self, feed: MarketFeed, histories: Sequence[HistoryLink], operations: Operations
    ) -> "_Desks":
        """Trading and look-up, which the faces of this gateway share."""
        assert self._entry is not None, "the api needs order entry"
        recorders = [
            HistorySocket(
                history,
                sockets.history_dealer(self._context, shard.recorder_history, self._keyring),
                self._clock,
            )
            for history, shard in zip(histories, self._shards, strict=True)
        ]
        for recorder in recorders:
            self._starting.append(recorder.start)
            self._stopping.append(recorder.stop)

        def wake() -> None:
            for recorder in recorders:
                recorder.wake()

        render, local = self._entry.render, self._entry.local
        history = HistoryQueries(local, histories, wake)
        make_time = ExchangeTime if self._faults is None else self._faults.time
        time = make_time(local, feed, history, self._clock, render.instruments)
        lookup = Lookup(local, history, feed, time, render, operations.process_faults)
        lookup.keys_for = operations.keys_for
        if self._faults is not None:
            lookup.faults_in_force = self._faults.in_force
        return _Desks(Trading(local, lookup, render, self._entry.limits), lookup, history)

    def _api(
        self, desks: "_Desks", operations: Operations, hosts: AllowedHosts, access: Access
    ) -> tuple[AsgiApp, OrderStreams]:
        settings = self._settings
        assert self._entry is not None, "the api needs order entry"
        trading, lookup, limits = desks.trading, desks.lookup, self._entry.limits
        prefix = secrets.token_hex(4)
        origins = allowed_origins(settings.cors_origins)
        app = make_app(trading, lookup, operations.metrics, access, prefix, hosts, origins, limits)
        self._stopping.append(lambda: give_back(app))
        check = access.check if isinstance(access, AnyAccount) else None
        local, render = self._entry.local, self._entry.render
        return app, OrderStreams(local, trading, render, settings.account, check)

    def _with_binance(
        self,
        app: AsgiApp,
        desks: "_Desks",
        metrics: GatewayMetrics,
        buckets: TokenBuckets | None,
        admission: Admission,
        access: Access,
    ) -> "FaceRest":
        """The application behind the Binance-spot face. Raises `ConfigError` where two instruments
        have one name there."""
        from crossbook.gateway.binance.assembly import FaceLimits, rest_face

        settings = self._settings
        feed, streams = metrics.feed, metrics.face_streams
        assert feed is not None, "the face needs market data"
        assert streams is not None, "the face has streams"
        assert self._entry is not None, "the face needs order entry"
        limits = FaceLimits(
            settings.limit("address_requests_per_second"),
            settings.limit("orders_per_second"),
            settings.rules().max_open_orders,
            buckets,
        )
        check = access.check if isinstance(access, AnyAccount) else None
        return rest_face(
            app,
            desks.trading,
            desks.lookup,
            desks.history,
            self._entry.local,
            feed,
            limits,
            admission,
            self._keys,
            check,
            settings.feed_access == "keyed",
            number_of=streams.number_of,
            listen_keys=None if self._faults is None else self._faults.listen_keys(),
        )

    def _with_user_streams(self, face: "FaceRest", metrics: GatewayMetrics) -> ApiRoute:
        """The path of the WebSocket API of the Binance-spot face, with its user streams."""
        from crossbook.gateway.binance.user.streams import UserStreams
        from crossbook.gateway.binance.ws_api.assembly import user_face

        assert self._entry is not None, "the face needs order entry"
        assert metrics.face_streams is not None, "the face has streams"
        user = user_face(
            face,
            metrics.face_streams,
            self._entry.local,
            self._settings.binance_connection_s,
            make_streams=UserStreams
            if self._faults is None
            else self._faults.user_streams(face.venue),
        )
        metrics.user_streams = user.api.streams
        self._starting.append(user.start)
        self._ending.append(user.shut_down)
        self._stopping.append(user.stop)
        return user.api.route


class _Desks(Struct, frozen=True):
    """The parts that REST and `/ws/orders` of every face use."""

    trading: Trading
    lookup: Lookup
    history: HistoryQueries
