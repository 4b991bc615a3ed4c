"""`python -m gateway`: parse settings, build the parts, run until SIGINT or SIGTERM."""

import asyncio
import gc
import secrets
import signal
import sys

import uvloop
import zmq

from common import sockets
from common.clock import SystemClock
from common.config import Settings, exit_on_config_error, load_settings
from common.errors import ConfigError
from common.instruments import Instrument
from common.log import logger, set_up_logging
from common.sequence import base_at
from common.stream import StreamFollower
from gateway.desk import OrderDesk
from gateway.service import OrderService
from gateway.session import SessionTable


async def serve(settings: Settings, instruments: tuple[Instrument, ...]) -> None:
    """Serve order entry until a signal; raises `ConfigError` when an address is taken."""
    clock = SystemClock()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    sockets.allow_many_sockets(context)
    desk = OrderDesk(
        instruments,
        settings.gateway_id,
        base_at(clock.now_ns()),
        settings.order_queue_size,
        SessionTable(settings.max_order_sessions, lambda: secrets.randbits(63)),
    )
    service = OrderService(
        desk,
        StreamFollower(from_start=False),
        sockets.orders_router(context, settings.gateway_orders),
        sockets.commands_push(context, settings.matcher_commands),
        sockets.events_sub(context, settings.matcher_events),
        sockets.sync_dealer(context, settings.matcher_sync),
        clock,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, service.stop)
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    logger().info("gateway_ready", orders=settings.gateway_orders, gateway=settings.gateway_id)
    await service.run()
    logger().info("gateway_stopped", sessions=len(desk.sessions), in_flight=desk.in_flight)
    context.destroy(linger=200)


def main() -> None:
    """Run the gateway; exits 0 after a signal, 2 on a wrong setting."""
    try:
        settings = load_settings("gateway")
        set_up_logging("gateway", settings.log_level, settings.log_format)
        uvloop.run(serve(settings, settings.instruments()))
    except ConfigError as error:
        exit_on_config_error(error)
    sys.exit(0)


if __name__ == "__main__":
    main()
