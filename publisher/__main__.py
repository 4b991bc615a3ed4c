"""`python -m crossbook.publisher`: parse settings, build the parts, run until SIGINT or SIGTERM."""

import gc
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import zmq

from crossbook.common.errors import ConfigError
from crossbook.common.process import sockets
from crossbook.common.process.clock import SystemClock, follower_clock
from crossbook.common.process.config import Settings
from crossbook.common.process.connections import KIB, MIB, Bounds, Connections, Watch
from crossbook.common.process.keyring import Keyring
from crossbook.common.process.log import logger
from crossbook.common.process.notify import notify_ready
from crossbook.common.process.startup import exit_on_config_error, started
from crossbook.common.process.waking import StopSignals
from crossbook.common.process.zap import ZapHandler, handle_peers
from crossbook.common.sequence import base_at
from crossbook.publisher.feed import Feed
from crossbook.publisher.key_lookup import KeyLookup
from crossbook.publisher.metrics import PublisherMetrics
from crossbook.publisher.replica import PublisherReplica
from crossbook.publisher.service import PublisherService, Rounds
from crossbook.publisher.snapshot_server import SnapshotServer

if TYPE_CHECKING:
    from crossbook.publisher.faults.assembly import PublisherFaults


def feed_bounds(settings: Settings) -> Bounds:
    """The bounds of the feed's subscribers. They send subscriptions alone, and a subscription costs
    up to 48 times its bytes. A full queue has three frames a message, of 64 bytes each."""
    places = settings.max_feed_connections
    return Bounds(
        connections=places,
        of_address=settings.places_of_address(places),
        of_address_per_s=settings.limit("connections_per_second"),
        partial=256 * KIB,
        partial_of_all=4 * MIB,
        unread_of_all=settings.max_unread_mb * MIB,
        queue=sockets.FEED_QUEUE * 3 * 64,
    )


def snapshot_bounds(settings: Settings) -> Bounds:
    """The bounds of the consumers that request snapshots and earlier messages."""
    places = settings.max_feed_connections
    return Bounds(
        connections=places,
        of_address=settings.places_of_address(places),
        of_address_per_s=settings.limit("connections_per_second"),
        partial=64 * KIB,
        partial_of_all=4 * MIB,
        waiting=MIB,
        waiting_of_all=16 * MIB,
        unread_of_all=settings.max_unread_mb * MIB,
    )


def build(
    settings: Settings,
    context: Any,
    keyring: Keyring | None,
    faults: "PublisherFaults | None",
) -> tuple[PublisherService, Feed]:
    """Put the publisher together; raises `ConfigError`."""
    # Numbers of topics grow from start to start by the machine's clock, also where the
    # exchange's time stands still.
    base = base_at(SystemClock().now_ns())
    make_feed = Feed if faults is None else faults.feed
    feed = make_feed(settings.own_instruments(), base, settings.feed_history)
    replica = PublisherReplica(feed)
    server = SnapshotServer(replica) if faults is None else faults.server(replica)
    rounds = Rounds()
    metrics = PublisherMetrics(replica, server, rounds)
    metrics.faults = None if faults is None else faults.table
    server.metrics = metrics.text
    subscribers = Connections(
        context,
        sockets.feed_pub(context, settings.publisher_feed, keyring),
        feed_bounds(settings),
        receives=False,
    )
    consumers = Connections(
        context,
        sockets.snapshots_router(context, settings.publisher_snapshots, keyring),
        snapshot_bounds(settings),
    )
    make_service = PublisherService if faults is None else _service_with(faults)
    service = make_service(
        replica,
        server,
        sockets.events_sub(context, settings.matcher_events, keyring),
        sockets.matcher_queries_dealer(context, settings.matcher_sync, keyring),
        sockets.history_dealer(context, settings.recorder_history, keyring),
        subscribers,
        consumers,
        follower_clock(settings.clock),
        settings.heartbeat_ms,
        rounds,
    )
    metrics.sockets = lambda: (service.subscribers, service.consumers)
    return service, feed


def _handle_peers(context: Any, settings: Settings, keyring: Keyring | None) -> ZapHandler | None:
    """The handler of the peers of the feed and of the snapshots; None where they need no key."""
    if keyring is None or not keyring.has_keyed_feed:
        return None
    clock = SystemClock()
    keys = KeyLookup(context, settings.keys_address(), keyring, clock)
    return handle_peers(context, keyring, clock, keys.find_curve, keys.is_loaded)


def _with_faults(context: Any, settings: Settings, keyring: Keyring | None) -> "PublisherFaults":
    # Imported here: without FAULTS=on nothing of the rules is loaded.
    from crossbook.publisher.faults.assembly import PublisherFaults

    return PublisherFaults(
        context,
        settings.data_dir,
        settings.shard,
        settings.publisher_feed,
        feed_bounds(settings),
        keyring,
    )


def _service_with(faults: "PublisherFaults") -> Callable[..., PublisherService]:
    from crossbook.publisher.faults.service import FaultyPublisherService

    return partial(FaultyPublisherService, faults=faults)


def main() -> None:
    """Run the publisher; exits 0 after a signal, 2 on a wrong setting."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # Until the service can be stopped.
        signal.signal(number, lambda *_: sys.exit(0))
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    faults = None
    try:
        settings = started("publisher")
        keyring = settings.keyring()
        # Before any socket with keys: without a handler ZeroMQ admits nobody there.
        peers = _handle_peers(context, settings, keyring)
        if settings.faults == "on":
            faults = _with_faults(context, settings, keyring)
        service, feed = build(settings, context, keyring, faults)
    except ConfigError as error:
        exit_on_config_error(error, "publisher")
    signals = StopSignals(service.stop)
    # Orders are tuples of integers and messages are untracked by the collector; nothing here makes
    # cycles.
    gc.collect()
    gc.freeze()
    gc.disable()
    logger().info(
        "publisher_ready",
        feed=settings.publisher_feed,
        snapshots=settings.publisher_snapshots,
        instruments=len(feed.markets),
    )
    watch = Watch(lambda: service.subscribers)
    notify_ready()
    service.run(signals.descriptor)
    signals.close()
    watch.stop()
    logger().info("publisher_stopped", seq=feed.seq)
    if faults is not None:
        faults.stop()
    if peers is not None:
        peers.stop()
    context.destroy()
    sys.exit(0)


if __name__ == "__main__":
    main()
