"""The start of a process, and its end when its configuration is wrong."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from crossbook.common.errors import ConfigError
from crossbook.common.process.config import Settings, load_settings
from crossbook.common.process.startup import (
    FILES_SPARE,
    ProcessName,
    exit_on_config_error,
    files_wanted,
    started,
)


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("SCHEDULING", "normal")
    monkeypatch.chdir(tmp_path)
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The output of a process with two faults in its settings."""
    with pytest.raises(SystemExit) as caught:
        exit_on_config_error(ConfigError("A=1: bad\nB=2: bad"), "matcher")
    assert caught.value.code == 2
    return capsys.readouterr().err.splitlines()


def test_a_configuration_error_leaves_with_status_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys) == ["configuration error: A=1: bad", "configuration error: B=2: bad"]


@pytest.mark.parametrize("where", ["environment", "file", "broken file"])
def test_the_error_is_json_where_the_log_is_json_under_any_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    if where == "file":
        Path(".env").write_text("LOG_FORMAT=json\nLOG_LEVEL=LOUD\n")
    else:
        monkeypatch.setenv("LOG_FORMAT", "json")
    if where == "broken file":
        Path(".env").write_bytes(b"\xff")
    lines = [json.loads(line) for line in printed(capsys)]
    assert [line["reason"] for line in lines] == ["A=1: bad", "B=2: bad"]
    assert {(line["event"], line["level"], line["process"]) for line in lines} == {
        ("configuration_error", "error", "matcher")
    }


def test_a_line_that_is_no_setting_is_reported_once_and_in_one_form(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Path(".env").write_text("LOG_FORMAT=json\nACCOUNT 5\n")
    with pytest.raises(ConfigError) as caught:
        load_settings("matcher")
    assert str(caught.value) == ".env: line 2 is not NAME=VALUE"
    assert not caplog.records, "the parser writes its own lines, which are no JSON"


def test_a_start_logs_names_that_are_no_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(".env").write_text("LOG_FORMAT=json\nPOSTGRES_PASSWORD=x\n")
    monkeypatch.setenv("ACOUNTS", "off")
    assert started("publisher").log_format == "json"
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    found = [line["remark"] for line in lines if line["event"] == "unknown_setting"]
    assert any("ACOUNTS" in remark and "ACCOUNTS" in remark for remark in found)
    assert any("POSTGRES_PASSWORD" in remark for remark in found)
    assert "x" not in {word for remark in found for word in remark.split()}


@pytest.mark.parametrize(
    ("process", "roles", "expected"),
    [
        ("matcher", "orders,api,streams", FILES_SPARE),
        ("recorder", "orders,api,streams", FILES_SPARE),
        ("publisher", "orders,api,streams", 2 * 30 + FILES_SPARE),
        ("gateway", "orders,api,streams", 10 + 20 + FILES_SPARE),
        ("gateway", "orders", 20 + FILES_SPARE),
        ("gateway", "streams", 10 + FILES_SPARE),
    ],
)
def test_a_process_needs_a_file_for_each_connection(
    process: ProcessName, roles: str, expected: int
) -> None:
    settings = Settings(
        gateway_roles=roles,  # type: ignore[arg-type]
        max_websocket_connections=10,
        max_order_sessions=20,
        max_feed_connections=30,
    )
    assert files_wanted(process, settings) == expected


@pytest.mark.parametrize("process", ["matcher", "gateway", "publisher", "recorder"])
def test_every_process_raises_its_limit_and_logs_one_that_is_too_low(
    process: ProcessName, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOG_FORMAT", "json")
    requested = []

    def allow(files: int) -> int:
        requested.append(files)
        return 256

    monkeypatch.setattr("crossbook.common.process.startup.allow_open_files", allow)
    settings = started(process)
    assert requested == [files_wanted(process, settings)]
    lines = map(json.loads, capsys.readouterr().err.splitlines())
    (short,) = (line for line in lines if line["event"] == "few_open_files")
    assert (short["limit"], short["wanted"], short["process"]) == (256, requested[0], process)
