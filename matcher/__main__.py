"""`python -m matcher`: parse settings, build the parts, run until SIGINT or SIGTERM."""

import gc
import signal
import sys

import zmq

from common import sockets
from common.clock import SystemClock
from common.config import exit_on_config_error, load_settings
from common.errors import ConfigError
from common.log import logger, set_up_logging
from matcher.engine import Engine
from matcher.sequencer import Sequencer
from matcher.service import MatcherService


def main() -> None:
    """Run the matcher; exits 0 after a signal, 2 on a wrong setting."""
    clock = SystemClock()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        settings = load_settings("matcher")
        set_up_logging("matcher", settings.log_level, settings.log_format)
        engine = Engine(settings.instruments())
        stream = clock.now_ns()
        sequencer = Sequencer(engine, stream, settings.event_history_mb * 1024 * 1024)
        service = MatcherService(
            sequencer,
            sockets.commands_pull(context, settings.matcher_commands),
            sockets.events_pub(context, settings.matcher_events),
            sockets.sync_router(context, settings.matcher_sync),
            clock,
            settings.heartbeat_ms,
        )
    except ConfigError as error:
        exit_on_config_error(error)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: service.stop())
    # Orders and levels are outside the collector's care, and nothing here makes cycles.
    gc.collect()
    gc.freeze()
    gc.disable()
    logger().info(
        "matcher_ready",
        commands=settings.matcher_commands,
        events=settings.matcher_events,
        sync=settings.matcher_sync,
        instruments=len(engine.books),
    )
    service.run()
    logger().info("matcher_stopped", seq=sequencer.seq)
    context.destroy(linger=200)
    sys.exit(0)


if __name__ == "__main__":
    main()
