"""`python -m crossbook.gateway`: parse settings, build the parts, run until SIGINT or SIGTERM."""

import asyncio
import gc
import secrets
import signal
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import uvloop
import zmq

from crossbook.common.errors import ConfigError
from crossbook.common.instruments import Instrument
from crossbook.common.process import sockets
from crossbook.common.process.clock import ManualClock, SystemClock
from crossbook.common.process.config import Settings
from crossbook.common.process.connections import MIB, Bounds, Connections
from crossbook.common.process.counters import TIMES_NS, Buckets
from crossbook.common.process.log import logger
from crossbook.common.process.notify import notify_ready
from crossbook.common.process.startup import exit_on_config_error, started
from crossbook.common.process.zap import handle_peers
from crossbook.common.sequence import base_at, epoch_of, first_of
from crossbook.gateway.api.render import Renderer
from crossbook.gateway.auth.opened_accounts import OpenedAccounts
from crossbook.gateway.keys.key_follower import KeyFollower
from crossbook.gateway.keys.key_table import KeyTable
from crossbook.gateway.limits.account_limits import AccountLimits
from crossbook.gateway.orders.desk import OrderDesk
from crossbook.gateway.orders.front_desk import FrontDesk
from crossbook.gateway.orders.logon_limits import limited_logon
from crossbook.gateway.orders.matcher_link import MatcherLink
from crossbook.gateway.orders.matcher_sockets import MatcherSockets
from crossbook.gateway.orders.outbox import Outbox
from crossbook.gateway.orders.service import OrderService
from crossbook.gateway.orders.session import SessionTable
from crossbook.gateway.orders.sharded_desk import ShardedDesk
from crossbook.gateway.web.listener import listening

if TYPE_CHECKING:
    from crossbook.gateway.faults.assembly import GatewayFaults
    from crossbook.gateway.interfaces import Interfaces

PLACES_SPARE = 256
"""ZeroMQ connections besides those of sessions: of clients that log on again, or not at all."""

EPOCHS_DRAWN = 4096
"""Epochs of command numbers, an eighth of a second each, of which one is drawn at start."""


class Gateway:
    """The parts that the roles of this process need, and their sockets."""

    def __init__(
        self, settings: Settings, instruments: tuple[Instrument, ...], context: Any
    ) -> None:
        self._settings = settings
        self._instruments = instruments
        self._context = context
        self._clock = SystemClock()
        if settings.clock == "manual":
            # Until the matcher's first time arrives.
            self._clock = ManualClock(settings.clock_start_ns())
        self._shards = settings.each_shard()
        self._keyring = settings.keyring()
        self._faults = self._with_faults() if settings.faults == "on" else None
        self.keys = KeyTable() if settings.auth == "on" else None
        # Before any socket with keys: without a handler ZeroMQ admits nobody there.
        self.peers = None
        if self.keys is not None:
            find = self.keys.find_curve
            self.peers = handle_peers(context, self._keyring, self._clock, find, self._has_keys)
        most = settings.accounts_per_address
        self.opened = OpenedAccounts(most) if self.keys is None and most else None
        self.desk: FrontDesk | None = None
        self.matchers: list[MatcherSockets] = []
        self.orders: OrderService | None = None
        self._render = Renderer(instruments)
        self._limits = AccountLimits(
            settings.limit("orders_per_second"),
            settings.limit("queries_per_second"),
            settings.limit("catch_ups_per_minute"),
            SystemClock().monotonic_ns,
        )
        self._listener: socket.socket | None = None
        roles = settings.gateway_roles
        if roles & {"orders", "api", "binance"}:
            self.orders = self._order_service("orders" in roles)
        if roles & {"api", "streams", "binance"}:
            # Bound before anything is served; connections wait until the server has started.
            self._listener = listening(settings.api_host, settings.api_port)

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
            for process in ("matcher", "publisher", "recorder")
        }
        return GatewayFaults(processes, self._clock)

    async def run(self, stopped: asyncio.Event) -> None:
        """Serve until `stopped` is set, or until another gateway took over."""
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(stopped.wait())]
        if self.orders is not None:
            waits.append(asyncio.create_task(self.orders.run()))
        interfaces = None
        if self._listener is not None:
            interfaces = await self._interfaces(self._listener)
            await interfaces.start()
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 50, 50)
        logger().info(
            "gateway_ready",
            roles=",".join(sorted(self._settings.gateway_roles)),
            gateway=self._settings.gateway_id,
            orders=self._settings.gateway_orders,
            http=f"{self._settings.api_host}:{self._settings.api_port}",
        )
        notify_ready()
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if interfaces is not None:
            await interfaces.stop()
        if self.orders is not None:
            self.orders.stop()
        stopped.set()
        await asyncio.gather(*waits)
        if interfaces is not None:
            interfaces.close()

    async def _interfaces(self, listener: socket.socket) -> "Interfaces":
        """HTTP and WebSockets; their modules are imported in a thread, beside the first orders."""
        await asyncio.to_thread(_import_interfaces, "binance" in self._settings.gateway_roles)
        from crossbook.gateway.interfaces import EntryParts, Interfaces

        entry = None
        if self.desk is not None and self.orders is not None:
            entry = EntryParts(
                self.desk, self.orders.local, self.orders, self.matchers, self._render,
                self._limits, self.opened, self.peers,
            )  # fmt: skip
        return Interfaces(
            self._settings, self._context, self._clock, self._exchange_ns, entry, listener,
            self._faults, self.keys,
        )  # fmt: skip

    def _order_service(self, with_clients: bool) -> OrderService:
        settings = self._settings
        sessions = SessionTable(
            settings.max_order_sessions,
            lambda: secrets.randbits(63),
            settings.max_account_sessions,
        )
        outbox = Outbox()
        assignment = settings.assignment()
        answer_times = Buckets(TIMES_NS)
        rules = settings.rules()
        make_desk = OrderDesk if self._faults is None else self._faults.order_desk
        desks: list[OrderDesk] = []
        for shard in self._shards:
            own = [each for each in self._instruments if assignment[each.id] == shard.shard]
            desk = make_desk(
                own, settings.gateway_id, settings.order_queue_size, sessions, outbox, rules
            )
            desks.append(desk)
            self.matchers.append(self._matcher_sockets(desk, shard, answer_times))
        self.desk = desks[0]
        if len(desks) > 1:
            self.desk = ShardedDesk(desks, self._instruments, assignment, settings.gateway_id)
        self.desk.instrument_listeners.append(self._render.learn)
        if self._limits.buckets:
            self.desk.limit_by(self._limits.admit)
        service = OrderService(
            self._front(self.desk),
            self.matchers,
            self._clients() if with_clients else None,
            answer_times,
        )
        if self._faults is not None:
            self._faults.woken_by(service.wake)
        return service

    def _clients(self) -> Connections:
        """The connections of ZeroMQ clients, from now on."""
        settings = self._settings
        places = settings.max_order_sessions + PLACES_SPARE
        bounds = Bounds(
            connections=places,
            of_address=settings.places_of_address(places),
            of_address_per_s=settings.limit("connections_per_second"),
            unread_of_all=settings.max_unread_mb * MIB,
        )
        router = sockets.orders_router(self._context, settings.gateway_orders, self._keyring)
        return Connections(self._context, router, bounds)

    def _front(self, desk: FrontDesk) -> FrontDesk:
        """What receives the frames of ZeroMQ clients: the desk, behind what the settings add."""
        front = desk if self._faults is None else self._faults.desk(desk)
        if self.keys is None:
            if self.opened is not None:
                desk.admit_logon = limited_logon(self.opened, self._address_of)
            return front
        # Imported here: without AUTH=on nothing of it is loaded.
        from crossbook.gateway.orders.keyed_desk import KeyedDesk, nobody

        user_of: Callable[[Any], str] = sockets.user_of
        if self._keyring is None:
            user_of = nobody
            logger().warning(
                "order_entry_closed",
                reason="AUTH=on, and there is no key pair for CURVE",
                remedy=f"crossbook keys curve-server makes {self._settings.key_file()}",
            )
        keyed = KeyedDesk(front, self.keys, user_of, self._exchange_ns)
        desk.admit_logon = keyed.admit_logon
        return cast(FrontDesk, keyed)

    def _address_of(self, identity: bytes) -> str:
        """The address of a ZeroMQ client's connection; empty for one of ipc."""
        connections = self.orders.connections if self.orders is not None else None
        peer = connections.by_identity.get(identity) if connections is not None else None
        return peer.owner if peer is not None else ""

    def _exchange_ns(self) -> int:
        """The time that keys expire by."""
        now_ns = self._clock.now_ns()
        if self.desk is None or not self._clock.is_manual:
            return now_ns
        return max(now_ns, *self.desk.times_ns)

    def _has_keys(self) -> bool:
        """Whether the keys of clients are loaded."""
        return self.keys is not None and self.keys.is_loaded

    def _matcher_sockets(
        self, desk: OrderDesk, shard: Settings, answer_times: Buckets
    ) -> MatcherSockets:
        # Two gateways given the same id by mistake and started together draw different epochs, so
        # that one of them finds itself taken over instead of receiving the other's answers.
        epoch = epoch_of(base_at(self._clock.now_ns())) + secrets.randbelow(EPOCHS_DRAWN)
        if self._clock.is_manual:
            # Command numbers land in the journal, and two runs of a test shall have the same one:
            # the first epoch above those that the matcher knows of this id.
            epoch = 1
        keys = None
        if self.keys is not None and not shard.shard:
            keys = KeyFollower(self.keys)
        return MatcherSockets(
            MatcherLink(desk, shard.gateway_id, first_of(epoch), shard.shard, keys),
            sockets.commands_push(self._context, shard.matcher_commands, self._keyring),
            sockets.events_sub(self._context, shard.matcher_events, self._keyring),
            sockets.matcher_queries_dealer(self._context, shard.matcher_sync, self._keyring),
            self._clock,
            answer_times,
        )


def _import_interfaces(with_binance: bool) -> None:
    import crossbook.gateway.interfaces

    if with_binance:
        import crossbook.gateway.binance.assembly  # noqa: F401


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
    await gateway.run(stopped)
    fenced = any(matcher.link.fenced for matcher in gateway.matchers)
    if fenced:
        logger().error(
            "gateway_fenced", reason=f"another gateway has GATEWAY_ID={settings.gateway_id}"
        )
    in_flight = gateway.desk.commands_waiting if gateway.desk is not None else 0
    logger().info("gateway_stopped", in_flight=in_flight)
    if gateway.peers is not None:
        gateway.peers.stop()
    context.destroy()
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
