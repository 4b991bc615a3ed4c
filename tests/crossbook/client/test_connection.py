"""Where clients connect: arguments, else the settings of the command line."""

from pathlib import Path

import pytest

from crossbook import Client, MarketData
from crossbook.client import connection
from crossbook.common.errors import ConfigError

SETTINGS = {
    "GATEWAY_ORDERS": "tcp://127.0.0.1:6001",
    "ACCOUNT": "17",
    "PUBLISHER_FEED": "tcp://127.0.0.1:6002",
    "PUBLISHER_SNAPSHOTS": "tcp://127.0.0.1:6003",
}


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (*SETTINGS, "SHARDS"):
        monkeypatch.delenv(name, raising=False)


def test_without_settings_the_defaults_are_those_of_an_exchange_on_this_machine() -> None:
    assert connection.order_entry(None, None) == ("tcp://127.0.0.1:5560", 1)
    feeds = connection.market_data(None, None)
    assert feeds == (["tcp://127.0.0.1:5570"], ["tcp://127.0.0.1:5571"])


@pytest.mark.parametrize("place", ["environment", ".env"])
def test_settings_come_from_the_environment_and_the_file(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if place == ".env":
        (tmp_path / ".env").write_text("".join(f"{k}={v}\n" for k, v in SETTINGS.items()))
    else:
        for name, value in SETTINGS.items():
            monkeypatch.setenv(name, value)
    client = Client()
    try:
        assert (client.address, client.account) == ("tcp://127.0.0.1:6001", 17)
    finally:
        client.close()
    assert connection.market_data(None, None) == (
        [SETTINGS["PUBLISHER_FEED"]],
        [SETTINGS["PUBLISHER_SNAPSHOTS"]],
    )


def test_arguments_beat_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    assert connection.order_entry("tcp://a:1", None) == ("tcp://a:1", 17)
    assert connection.order_entry(None, 3) == ("tcp://127.0.0.1:6001", 3)
    assert connection.market_data("tcp://a:1", None) == (["tcp://a:1"], ["tcp://127.0.0.1:6003"])
    assert connection.market_data(None, ["tcp://a:1"]) == (["tcp://127.0.0.1:6002"], ["tcp://a:1"])


def test_with_all_arguments_no_setting_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCOUNT", "none")
    assert connection.order_entry("tcp://a:1", 2) == ("tcp://a:1", 2)
    assert connection.market_data("tcp://a:1, tcp://a:2", ["tcp://b:1", "tcp://b:2"]) == (
        ["tcp://a:1", "tcp://a:2"],
        ["tcp://b:1", "tcp://b:2"],
    )
    with pytest.raises(ConfigError, match="ACCOUNT"):
        Client("tcp://a:1")


def test_every_shard_has_its_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARDS", "2")
    assert connection.market_data(None, None) == (
        ["tcp://127.0.0.1:5570", "tcp://127.0.0.1:5580"],
        ["tcp://127.0.0.1:5571", "tcp://127.0.0.1:5581"],
    )
    with pytest.raises(ValueError, match="snapshots: 2 addresses for 1 feeds"):
        MarketData("tcp://a:1")
