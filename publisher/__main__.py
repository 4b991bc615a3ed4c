"""`python -m crossbook.publisher`: parse settings, build the parts, run until SIGINT or SIGTERM."""

import gc
import signal
import sys
from typing import TYPE_CHECKING

import zmq

from crossbook.common.errors import ConfigError
from crossbook.common.process import sockets
from crossbook.common.process.clock import SystemClock, follower_clock
from crossbook.common.process.log import logger
from crossbook.common.process.notify import notify_ready
from crossbook.common.process.startup import exit_on_config_error, started
from crossbook.common.sequence import base_at
from crossbook.publisher.feed import Feed
from crossbook.publisher.metrics import PublisherMetrics
from crossbook.publisher.replica import PublisherReplica
from crossbook.publisher.service import PublisherService, Rounds
from crossbook.publisher.snapshot_server import SnapshotServer

if TYPE_CHECKING:
    from crossbook.common.process.fault_server import FaultServer


def main() -> None:
    """Run the publisher; exits 0 after a signal, 2 on a wrong setting."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # Until the service can be stopped.
        signal.signal(number, lambda *_: sys.exit(0))
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    faults: FaultServer | None = None
    try:
        settings = started("publisher")
        if settings.faults == "on":
            # Imported here: without it nothing of the rules is loaded.
            from crossbook.common.process.fault_server import serve_faults

            faults = serve_faults(context, settings.data_dir, "publisher", settings.shard)
        # Numbers of topics grow from start to start by the machine's clock, also where the
        # exchange's time stands still.
        base = base_at(SystemClock().now_ns())
        feed = Feed(settings.own_instruments(), base, settings.feed_history)
        replica = PublisherReplica(feed)
        server = SnapshotServer(replica)
        rounds = Rounds()
        server.metrics = PublisherMetrics(replica, server, rounds).text
        public = sockets.feed_pub(context, settings.publisher_feed)
        service = PublisherService(
            replica,
            server,
            sockets.events_sub(context, settings.matcher_events),
            sockets.matcher_queries_dealer(context, settings.matcher_sync),
            sockets.history_dealer(context, settings.recorder_history),
            public,
            sockets.snapshots_router(context, settings.publisher_snapshots),
            sockets.Peers(context, public),
            follower_clock(settings.clock),
            settings.heartbeat_ms,
            rounds,
        )
    except ConfigError as error:
        exit_on_config_error(error, "publisher")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: service.stop())
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
    notify_ready()
    service.run()
    logger().info("publisher_stopped", seq=feed.seq)
    if faults is not None:
        faults.stop()
    context.destroy(linger=200)
    sys.exit(0)


if __name__ == "__main__":
    main()
