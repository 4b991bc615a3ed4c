"""`python -m crossbook.gateway`: parse settings, build the parts, run until SIGINT or SIGTERM."""

import asyncio
import gc
import secrets
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import uvloop
import zmq

from crossbook.common.errors import ConfigError
from crossbook.common.instruments import Instrument
from crossbook.common.process import sockets
from crossbook.common.process.clock import SystemClock
from crossbook.common.process.config import Settings
from crossbook.common.process.counters import TIMES_NS, Buckets
from crossbook.common.process.log import logger
from crossbook.common.process.open_files import allow_open_files, few
from crossbook.common.process.startup import exit_on_config_error, started
from crossbook.common.sequence import base_at, epoch_of, first_of
from crossbook.gateway.api.lookup import Lookup
from crossbook.gateway.api.order_stream import OrderStreams
from crossbook.gateway.api.render import Renderer
from crossbook.gateway.api.rest import make_app
from crossbook.gateway.api.trading import Trading
from crossbook.gateway.history.link import HistoryLink
from crossbook.gateway.history.queries import HistoryQueries
from crossbook.gateway.history.socket import HistorySocket
from crossbook.gateway.market_feed import MarketFeed
from crossbook.gateway.operations.metrics import GatewayMetrics
from crossbook.gateway.operations.operations import Operations, without_api
from crossbook.gateway.operations.probes import Probes
from crossbook.gateway.orders.desk import OrderDesk
from crossbook.gateway.orders.front_desk import FrontDesk
from crossbook.gateway.orders.matcher_link import MatcherLink
from crossbook.gateway.orders.matcher_sockets import MatcherSockets
from crossbook.gateway.orders.outbox import Outbox
from crossbook.gateway.orders.service import OrderService
from crossbook.gateway.orders.session import SessionTable
from crossbook.gateway.orders.sharded_desk import ShardedDesk
from crossbook.gateway.streams.loop import StreamLoop
from crossbook.gateway.streams.routes import Streams
from crossbook.gateway.web.admission import Admission
from crossbook.gateway.web.entrance import AsgiApp
from crossbook.gateway.web.hosts import AllowedHosts, allowed_origins
from crossbook.gateway.web.http_connection import HttpConnection
from crossbook.gateway.web.http_counter import HttpCounter
from crossbook.gateway.web.http_server import HttpServer
from crossbook.gateway.web.stream_router import stream_router
from crossbook.gateway.web.websocket import Hub, Limits

if TYPE_CHECKING:
    from crossbook.gateway.faults.assembly import GatewayFaults

EPOCHS_DRAWN = 4096
"""Epochs of command numbers, an eighth of a second each, of which one is drawn at start."""

FILES_SPARE = 5_000
"""Open files a gateway may need besides its WebSockets."""


class Gateway:
    """The parts that the roles of this process need, and their sockets."""

    def __init__(
        self, settings: Settings, instruments: tuple[Instrument, ...], context: Any
    ) -> None:
        self._settings = settings
        self._instruments = instruments
        self._context = context
        self._clock = SystemClock()
        self._starting: list[Callable[[], None]] = []
        self._stopping: list[Callable[[], None]] = []
        self._shards = settings.each_shard()
        self._faults = self._with_faults() if settings.faults == "on" else None
        self.desk: FrontDesk | None = None
        self.matchers: list[MatcherSockets] = []
        self.orders: OrderService | None = None
        self.server: HttpServer | None = None
        roles = settings.gateway_roles
        if "orders" in roles or "api" in roles:
            self.orders = self._order_service("orders" in roles)
        if "api" in roles or "streams" in roles:
            self._allow_files()
            self.server = self._web()

    def _with_faults(self) -> "GatewayFaults":
        """The fault rules, and the sockets to those of the other processes."""
        # Imported here: without FAULTS=on nothing of it is loaded.
        from crossbook.common.process.fault_server import faults_address
        from crossbook.gateway.faults.assembly import GatewayFaults

        logger().warning("faults_on", route="/api/v1/admin/faults")
        processes = {
            f"{process}-{shard.shard}" if shard.shard else process: sockets.faults_dealer(
                self._context, faults_address(shard.data_dir, process)
            )
            for shard in self._shards
            for process in ("matcher", "publisher")
        }
        return GatewayFaults(processes, self._clock, self._settings.account)

    async def run(self, stopped: asyncio.Event) -> None:
        """Serve until `stopped` is set, or until another gateway took over."""
        for start in self._starting:
            start()
        if self.server is not None:
            await self.server.start()
        logger().info(
            "gateway_ready",
            roles=",".join(sorted(self._settings.gateway_roles)),
            gateway=self._settings.gateway_id,
            orders=self._settings.gateway_orders,
            http=f"{self._settings.api_host}:{self._settings.api_port}",
        )
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(stopped.wait())]
        if self.orders is not None:
            waits.append(asyncio.create_task(self.orders.run()))
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if self.server is not None:
            await self.server.stop()
        if self.orders is not None:
            self.orders.stop()
        stopped.set()
        await asyncio.gather(*waits)
        for stop in self._stopping:
            stop()

    def _web(self) -> HttpServer:
        """The HTTP and WebSocket server with the routes of the roles; `/metrics` counts all of
        them."""
        settings = self._settings
        metrics = GatewayMetrics(settings.order_queue_size, settings.max_order_sessions)
        feed = metrics.feed = self._market_feed()
        operations = Operations(metrics, self._probes(), feed)
        hosts = AllowedHosts(settings.allowed_hosts, settings.api_host)
        order_streams = None
        if "api" in settings.gateway_roles:
            metrics.histories = [HistoryLink() for _ in self._shards]
            app, order_streams = self._api(feed, metrics.histories, operations, hosts)
        else:
            app = without_api(operations, Admission(hosts))
        connection = HttpConnection
        if self._faults is not None:
            from crossbook.gateway.faults.http import AbortableConnection

            connection = AbortableConnection
            app = self._faults.app(app, Admission(hosts))
            metrics.faults = self._faults.table
            operations.faults_in_force = self._faults.in_force
        if self.orders is not None:
            metrics.desk, metrics.traffic = self.desk, self.orders
            metrics.links = [matcher.link for matcher in self.matchers]
        if "streams" in settings.gateway_roles:
            metrics.streams = Streams()
            StreamLoop(feed, metrics.streams, self._clock)
        router = stream_router(Admission(hosts), order_streams, metrics.streams)
        if self._faults is not None:
            router = self._faults.router(router)
        limits = Limits(connections_max=settings.max_websocket_connections)
        hub = metrics.hub = Hub(router, limits)
        metrics.http = HttpCounter(app, self._clock)
        server = HttpServer(metrics.http, hub, settings.api_host, settings.api_port, connection)
        metrics.server = server
        return server

    def _probes(self) -> Probes:
        addresses: dict[str, str] = {}
        for shard in self._shards:
            end = f"-{shard.shard}" if shard.shard else ""
            addresses[f"matcher{end}"] = shard.matcher_sync
            addresses[f"publisher{end}"] = shard.publisher_snapshots
            addresses[f"recorder{end}"] = shard.recorder_history
        return Probes(
            {
                name: sockets.metrics_dealer(self._context, address)
                for name, address in addresses.items()
            },
            self._clock,
        )

    def _allow_files(self) -> None:
        """Every connection is an open file: raise the limit as far as it goes."""
        wanted = self._settings.max_websocket_connections + FILES_SPARE
        limit = allow_open_files(wanted)
        if few(limit, wanted):
            logger().warning("few_open_files", limit=limit, wanted=wanted, raise_with="ulimit -n")

    def _order_service(self, with_clients: bool) -> OrderService:
        settings, context = self._settings, self._context
        sessions = SessionTable(settings.max_order_sessions, lambda: secrets.randbits(63))
        outbox = Outbox()
        assignment = settings.assignment()
        answer_times = Buckets(TIMES_NS)
        limit = settings.rules().max_open_orders
        desks: list[OrderDesk] = []
        for shard in self._shards:
            own = [each for each in self._instruments if assignment[each.id] == shard.shard]
            desk = OrderDesk(
                own, settings.gateway_id, settings.order_queue_size, sessions, outbox, limit
            )
            desks.append(desk)
            self.matchers.append(self._matcher_sockets(desk, shard, answer_times))
        self.desk = desks[0]
        if len(desks) > 1:
            self.desk = ShardedDesk(desks, self._instruments, assignment, settings.gateway_id)
        service = OrderService(
            self.desk if self._faults is None else self._faults.desk(self.desk),
            self.matchers,
            sockets.orders_router(context, settings.gateway_orders) if with_clients else None,
            answer_times,
        )
        if self._faults is not None:
            self._faults.woken_by(service.wake)
        return service

    def _matcher_sockets(
        self, desk: OrderDesk, shard: Settings, answer_times: Buckets
    ) -> MatcherSockets:
        # Two gateways given the same id by mistake and started together draw different epochs, so
        # that one of them finds itself taken over instead of receiving the other's answers.
        epoch = epoch_of(base_at(self._clock.now_ns())) + secrets.randbelow(EPOCHS_DRAWN)
        return MatcherSockets(
            MatcherLink(desk, shard.gateway_id, first_of(epoch), shard.shard),
            sockets.commands_push(self._context, shard.matcher_commands),
            sockets.events_sub(self._context, shard.matcher_events),
            sockets.matcher_queries_dealer(self._context, shard.matcher_sync),
            self._clock,
            answer_times,
        )

    def _market_feed(self) -> MarketFeed:
        publishers = [
            (
                sockets.feed_sub(self._context, shard.publisher_feed),
                sockets.snapshots_dealer(self._context, shard.publisher_snapshots),
            )
            for shard in self._shards
        ]
        feed = MarketFeed(publishers, self._clock)
        self._starting.append(feed.start)
        self._stopping.append(feed.stop)
        return feed

    def _api(
        self,
        feed: MarketFeed,
        histories: Sequence[HistoryLink],
        operations: Operations,
        hosts: AllowedHosts,
    ) -> tuple[AsgiApp, OrderStreams]:
        settings = self._settings
        assert self.orders is not None, "the api needs order entry"
        recorders = [
            HistorySocket(
                history,
                sockets.history_dealer(self._context, shard.recorder_history),
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

        render = Renderer(self._instruments)
        local = self.orders.local
        local.add_instrument_listener(render.learn)
        history = HistoryQueries(local, histories, wake)
        lookup = Lookup(local, history, feed, self._clock, render, operations.clock_fault)
        if self._faults is not None:
            lookup.faults_in_force = self._faults.in_force
        trading = Trading(local, lookup, render)
        prefix = secrets.token_hex(4)
        origins = allowed_origins(settings.cors_origins)
        app = make_app(
            trading, lookup, operations.metrics, settings.account, prefix, hosts, origins
        )
        return app, OrderStreams(local, trading, render, settings.account)


async def serve(settings: Settings, instruments: tuple[Instrument, ...]) -> bool:
    """Serve until a signal; false when another gateway took over instead.

    Raises `ConfigError` when an address is taken.
    """
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    sockets.allow_many_sockets(context)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stopped.set)
    gateway = Gateway(settings, instruments, context)
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    await gateway.run(stopped)
    fenced = any(matcher.link.fenced for matcher in gateway.matchers)
    if fenced:
        logger().error(
            "gateway_fenced", reason=f"another gateway has GATEWAY_ID={settings.gateway_id}"
        )
    in_flight = gateway.desk.commands_waiting if gateway.desk is not None else 0
    logger().info("gateway_stopped", in_flight=in_flight)
    context.destroy(linger=200)
    return not fenced


def main() -> None:
    """Run the gateway; exits 0 after a signal, 2 on a wrong setting, 1 when another gateway
    with its id has taken over."""
    try:
        settings = started("gateway")
        served = uvloop.run(serve(settings, settings.instruments()))
    except ConfigError as error:
        exit_on_config_error(error, "gateway")
    sys.exit(0 if served else 1)


if __name__ == "__main__":
    main()
