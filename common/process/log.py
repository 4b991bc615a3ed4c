"""Structured logs, set up the same way in every process, on standard error."""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import FilteringBoundLogger


def set_up_logging(process: str, level: str, form: Literal["json", "console"]) -> None:
    """Make every later `logger()` write lines of `form`, from `level` up, naming `process`."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)


def logger() -> FilteringBoundLogger:
    """The process's logger: `logger().info("event_name", key=value)`."""
    log: FilteringBoundLogger = structlog.get_logger()
    return log
