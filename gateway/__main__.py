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
from common.sequence import base_at, epoch_of, first_of
from gateway.desk import OrderDesk
from gateway.link import MatcherLink
from gateway.service import OrderService
from gateway.session import SessionTable

EPOCHS_DRAWN = 4096
"""Epochs of request numbers, an eighth of a second each, that one of is drawn from at start."""


async def serve(settings: Settings, instruments: tuple[Instrument, ...]) -> bool:
    """Serve order entry until a signal; false when another gateway took over instead.

    Raises `ConfigError` when an address is taken.
    """
    clock = SystemClock()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    sockets.allow_many_sockets(context)
    desk = OrderDesk(
        instruments,
        settings.gateway_id,
        settings.order_queue_size,
        SessionTable(settings.max_order_sessions, lambda: secrets.randbits(63)),
    )
    # Two gateways given the same id by mistake and started together draw different epochs, so
    # that one of them finds itself taken over instead of hearing the other's answers.
    epoch = epoch_of(base_at(clock.now_ns())) + secrets.randbelow(EPOCHS_DRAWN)
    link = MatcherLink(desk, settings.gateway_id, first_of(epoch))
    service = OrderService(
        desk,
        link,
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
    if link.fenced:
        logger().error(
            "gateway_fenced", reason=f"another gateway has GATEWAY_ID={settings.gateway_id}"
        )
    in_flight = len(desk.in_flight)
    logger().info("gateway_stopped", sessions=len(desk.sessions), in_flight=in_flight)
    context.destroy(linger=200)
    return not link.fenced


def main() -> None:
    """Run the gateway; exits 0 after a signal, 2 on a wrong setting, 1 when another gateway
    with its id has taken over."""
    try:
        settings = load_settings("gateway")
        set_up_logging("gateway", settings.log_level, settings.log_format)
        served = uvloop.run(serve(settings, settings.instruments()))
    except ConfigError as error:
        exit_on_config_error(error)
    sys.exit(0 if served else 1)


if __name__ == "__main__":
    main()
