"""The start of a process, and its end when its configuration is wrong."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from crossbook.common.errors import ConfigError
from crossbook.common.process.config import Settings
from crossbook.common.process.startup import exit_on_config_error, started


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
