"""The addresses that clients connect to: arguments, else the settings of the command line."""

from functools import partial
from pathlib import Path

import pytest

from crossbook import Client, MarketData
from crossbook.client import connection
from crossbook.common.errors import ConfigError
from crossbook.common.process.curve import KeyFile, new_pair, write_key_file

SETTINGS = {
    "GATEWAY_ORDERS": "tcp://127.0.0.1:6001",
    "ACCOUNT": "17",
    "PUBLISHER_FEED": "tcp://127.0.0.1:6002",
    "PUBLISHER_SNAPSHOTS": "tcp://127.0.0.1:6003",
}


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (*SETTINGS, "SHARDS", "CLIENT_KEY_FILE", "AUTH", "FEED_ACCESS"):
        monkeypatch.delenv(name, raising=False)


def test_without_settings_clients_connect_to_an_exchange_on_this_machine() -> None:
    assert connection.order_entry(None, None) == ("tcp://127.0.0.1:5560", 1, None)
    feeds = connection.market_data(None, None)
    assert feeds == (["tcp://127.0.0.1:5570"], ["tcp://127.0.0.1:5571"], None)


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
        None,
    )


def test_arguments_beat_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    assert connection.order_entry("tcp://a:1", None) == ("tcp://a:1", 17, None)
    assert connection.order_entry(None, 3) == ("tcp://127.0.0.1:6001", 3, None)
    given, other = ["tcp://a:1"], ["tcp://127.0.0.1:6003"]
    assert connection.market_data("tcp://a:1", None) == (given, other, None)
    assert connection.market_data(None, given) == (["tcp://127.0.0.1:6002"], given, None)


def test_with_all_arguments_no_setting_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCOUNT", "none")
    assert connection.order_entry("tcp://a:1", 2) == ("tcp://a:1", 2, None)
    assert connection.market_data("tcp://a:1, tcp://a:2", ["tcp://b:1", "tcp://b:2"]) == (
        ["tcp://a:1", "tcp://a:2"],
        ["tcp://b:1", "tcp://b:2"],
        None,
    )
    with pytest.raises(ConfigError, match="ACCOUNT"):
        Client("tcp://a:1")


def test_every_shard_has_its_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARDS", "2")
    assert connection.market_data(None, None) == (
        ["tcp://127.0.0.1:5570", "tcp://127.0.0.1:5580"],
        ["tcp://127.0.0.1:5571", "tcp://127.0.0.1:5581"],
        None,
    )
    with pytest.raises(ValueError, match="snapshots: 2 addresses for 1 feeds"):
        MarketData("tcp://a:1")


def test_a_key_file_comes_from_the_settings_where_an_address_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_key_file(tmp_path / "alice.key", KeyFile(new_pair(), b"s" * 32), "A client's.")
    monkeypatch.setenv("CLIENT_KEY_FILE", str(tmp_path / "alice.key"))
    keyring = connection.order_entry(None, None)[2]
    assert keyring is not None
    assert keyring.server_public == b"s" * 32
    assert connection.market_data(None, None)[2] == keyring
    assert connection.order_entry("tcp://a:1", 2)[2] is None
    assert connection.market_data("tcp://a:1", "tcp://b:1")[2] is None


def test_the_keys_of_an_argument_beat_those_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = {name: new_pair() for name in ("alice", "bob")}
    for name, pair in pairs.items():
        write_key_file(tmp_path / f"{name}.key", KeyFile(pair, b"s" * 32), "A client's.")
    monkeypatch.setenv("CLIENT_KEY_FILE", str(tmp_path / "alice.key"))
    for found in (
        connection.order_entry(None, None, tmp_path / "bob.key")[2],
        connection.order_entry("tcp://a:1", 2, str(tmp_path / "bob.key"))[2],
        connection.market_data(None, None, tmp_path / "bob.key")[2],
        connection.market_data("tcp://a:1", "tcp://b:1", tmp_path / "bob.key")[2],
    ):
        assert found is not None
        assert found.own == pairs["bob"]
        assert connection.keyring_of(found) is found


def test_an_invalid_key_file_is_refused_with_the_argument(tmp_path: Path) -> None:
    for make in (partial(Client, "tcp://a:1", 2), partial(MarketData, "tcp://a:1", "tcp://b:1")):
        with pytest.raises(ConfigError, match=r"^keys: .*none\.key: No such file"):
            make(keys=tmp_path / "none.key")
