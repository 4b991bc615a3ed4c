"""Logs have one form in every process."""

import json
from collections.abc import Iterator

import pytest
import structlog

from crossbook.common.process.log import logger, set_up_logging


@pytest.fixture(autouse=True)
def _defaults_again() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_json_lines_carry_process_level_time_and_facts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logging("matcher", "INFO", "json")
    logger().warning("gap_found", expected=5, found=7)
    captured = capsys.readouterr()
    assert captured.out == ""
    line = json.loads(captured.err)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "gap_found", "level": "warning", "process": "matcher", "expected": 5, "found": 7,
    }  # fmt: skip


def test_lines_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("gateway", "WARNING", "json")
    logger().info("quiet")
    logger().debug("quieter")
    logger().error("loud")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["loud"]


def test_console_lines_are_plain_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logging("publisher", "DEBUG", "console")
    logger().debug("started", address="tcp://127.0.0.1:5570")
    text = capsys.readouterr().err
    assert "started" in text
    assert "address=tcp://127.0.0.1:5570" in text
    assert "\x1b" not in text


def test_exceptions_are_printed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("matcher", "INFO", "json")
    try:
        raise ValueError("what went wrong")
    except ValueError:
        logger().exception("failed")
    assert "what went wrong" in json.loads(capsys.readouterr().err)["exception"]
