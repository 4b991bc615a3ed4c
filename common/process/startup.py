"""The first steps of every process (settings, log, scheduling), and its exit where they fail."""

import os
import sys
from typing import Literal, NoReturn

from crossbook.common.errors import ConfigError
from crossbook.common.process.config import (
    EXAMPLE_INSTRUMENTS,
    Settings,
    load_settings,
    names_found,
)
from crossbook.common.process.log import logger, set_up_logging
from crossbook.common.process.scheduling import set_up_scheduling

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
    return settings


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
