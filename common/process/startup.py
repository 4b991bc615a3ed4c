"""The first steps of every process (settings, log, scheduling), and its exit where they fail."""

import os
import sys
from typing import Final, Literal, NoReturn

from crossbook.common.errors import ConfigError
from crossbook.common.open_files import allow_open_files, few
from crossbook.common.process.config import (
    EXAMPLE_INSTRUMENTS,
    Settings,
    load_settings,
    names_found,
)
from crossbook.common.process.log import logger, set_up_logging
from crossbook.common.process.scheduling import set_up_scheduling

FILES_SPARE: Final = 5_000
"""Open files besides the connections that a setting bounds: files, HTTP, other processes."""

ProcessName = Literal["matcher", "gateway", "publisher", "recorder"]


def started(process: ProcessName) -> Settings:
    """The settings of this process, after its log and scheduling are set up by them.

    Raises `ConfigError`.
    """
    settings = load_settings(process)
    set_up_logging(process, settings.log_level, settings.log_format)
    names = names_found()
    for remark in (*names.remarks, *names.unknown):
        logger().warning("unknown_setting", remark=remark)
    if settings.instruments_file == EXAMPLE_INSTRUMENTS and process == "matcher":
        logger().info("example_instruments", file=str(EXAMPLE_INSTRUMENTS))
    set_up_scheduling(settings.scheduling, is_matcher=process == "matcher")
    wanted = files_wanted(process, settings)
    limit = allow_open_files(wanted)
    if few(limit, wanted):
        logger().warning("few_open_files", limit=limit, wanted=wanted, raise_with="ulimit -n")
    return settings


def files_wanted(process: ProcessName, settings: Settings) -> int:
    """The open files that a process may need: every connection is one."""
    if process == "publisher":
        # Feed and snapshots.
        return 2 * settings.max_feed_connections + FILES_SPARE
    if process != "gateway":
        return FILES_SPARE
    roles = settings.gateway_roles
    sessions = settings.max_order_sessions if "orders" in roles else 0
    serves_web = "api" in roles or "streams" in roles
    return sessions + serves_web * settings.max_websocket_connections + FILES_SPARE


def exit_on_config_error(error: ConfigError, process: str) -> NoReturn:
    """Log a `ConfigError`, one line a fault in the form of `LOG_FORMAT`; exit with status 2."""
    lines = str(error).splitlines()
    if _log_format() == "json":
        set_up_logging(process, "ERROR", "json")
        for line in lines:
            logger().error("configuration_error", reason=line)
    else:
        for line in lines:
            print(f"configuration error: {line}", file=sys.stderr)
    sys.exit(2)


def _log_format() -> str:
    """The configured log format, or the default where that setting itself is wrong."""
    given = {name.upper(): value for name, value in os.environ.items()}
    if "LOG_FORMAT" in given:
        return given["LOG_FORMAT"]
    try:
        return names_found().values.get("LOG_FORMAT", "console")
    except ConfigError:
        return "console"
