"""Settings of keys: the addresses that they allow, and the keys of each process."""

from pathlib import Path
from typing import Literal

import pytest

from crossbook.common.errors import ConfigError
from crossbook.common.process.config import Settings, load_settings
from crossbook.common.process.curve import KeyFile, new_pair, read_key_file, write_key_file

Process = Literal["matcher", "gateway", "publisher", "recorder"]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting in the environment and no `.env` in the working folder."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


PUBLIC: dict[Process, dict[str, str]] = {
    "gateway": {"GATEWAY_ORDERS": "tcp://10.0.0.3:5560"},
    "publisher": {
        "PUBLISHER_FEED": "tcp://10.0.0.2:5570",
        "PUBLISHER_SNAPSHOTS": "tcp://10.0.0.2:5571",
    },
    "matcher": {
        "MATCHER_COMMANDS": "tcp://10.0.0.1:5551",
        "MATCHER_EVENTS": "tcp://10.0.0.1:5552",
        "MATCHER_SYNC": "tcp://10.0.0.1:5553",
        "MATCHER_ADMIN": "tcp://10.0.0.1:5554",
    },
    "recorder": {"RECORDER_HISTORY": "tcp://10.0.0.4:5580"},
}
"""Each process, and addresses of its sockets that other machines reach."""
PLACES = [
    (process, name, address)
    for process, places in PUBLIC.items()
    for name, address in places.items()
]


def make_keys() -> None:
    write_key_file(Path("data/curve.key"), KeyFile(new_pair()), "The exchange's.")


@pytest.mark.parametrize(("process", "name", "address"), PLACES)
def test_keys_allow_an_address_that_other_machines_reach(
    monkeypatch: pytest.MonkeyPatch, process: Process, name: str, address: str
) -> None:
    monkeypatch.setenv(name, address)
    with pytest.raises(ConfigError, match=f"^{name}: .*give the exchange keys"):
        load_settings(process)
    make_keys()
    with pytest.raises(ConfigError, match=f"^{name}: .*give the exchange keys"):
        load_settings(process)
    monkeypatch.setenv("AUTH", "on")
    keyring = load_settings(process).keyring()
    assert keyring is not None
    assert keyring.server == read_key_file(Path("data/curve.key"), "").pair


@pytest.mark.parametrize("process", ["matcher", "gateway", "publisher", "recorder"])
@pytest.mark.parametrize("name", [*PUBLIC["matcher"], *PUBLIC["recorder"]])
def test_with_auth_an_internal_address_of_this_machine_needs_keys_too(
    monkeypatch: pytest.MonkeyPatch, process: Process, name: str
) -> None:
    monkeypatch.setenv(name, "tcp://127.0.0.1:5551")
    assert load_settings(process).keyring() is None
    monkeypatch.setenv("AUTH", "on")
    with pytest.raises(ConfigError, match=rf"^{name}: .* CURVE_KEY_FILE data/curve\.key\. Use ipc"):
        load_settings(process)
    load_settings("client")
    make_keys()
    assert load_settings(process).has_keys()


def test_the_insecure_setting_stands_in_for_keys_except_for_the_administrator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AUTH", "on")
    monkeypatch.setenv("INSECURE_ALLOW_PUBLIC_BIND", "true")
    monkeypatch.setenv("MATCHER_COMMANDS", "tcp://10.0.0.1:5551")
    assert load_settings("matcher").keyring() is None
    monkeypatch.setenv("MATCHER_ADMIN", "tcp://10.0.0.1:5554")
    with pytest.raises(ConfigError, match=r"^MATCHER_ADMIN: "):
        load_settings("matcher")


def test_a_keyed_feed_needs_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEED_ACCESS", "keyed")
    make_keys()
    with pytest.raises(ConfigError, match=r"^FEED_ACCESS=keyed: .*set AUTH=on"):
        load_settings("publisher")
    monkeypatch.setenv("AUTH", "on")
    keyring = load_settings("publisher").keyring()
    assert keyring is not None
    assert keyring.has_keyed_feed


def test_every_shard_has_the_key_file_of_the_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARDS", "2")
    monkeypatch.setenv("SHARD", "1")
    monkeypatch.setenv("DATABASE_URL", "sqlite:///{DATA_DIR}/history.db")
    settings = load_settings("matcher")
    assert settings.data_dir == Path("data/shard-1")
    assert settings.key_file() == Path("data/curve.key")
    assert load_settings("gateway").each_shard()[1].key_file() == Path("data/curve.key")


def test_a_client_has_its_own_keys_or_those_of_an_exchange_it_may_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_keys()
    assert load_settings("client").client_keyring() is None
    monkeypatch.setenv("AUTH", "on")
    exchange = load_settings("client").client_keyring()
    assert exchange == load_settings("gateway").keyring()
    pair = new_pair()
    write_key_file(tmp_path / "alice.key", KeyFile(pair, b"s" * 32), "A client's.")
    monkeypatch.setenv("CLIENT_KEY_FILE", str(tmp_path / "alice.key"))
    own = load_settings("client").client_keyring()
    assert own is not None
    assert (own.own, own.server_public, own.has_keyed_feed) == (pair, b"s" * 32, False)
    monkeypatch.setenv("CLIENT_KEY_FILE", "none.key")
    with pytest.raises(ConfigError, match=r"^CLIENT_KEY_FILE: none\.key: No such file"):
        load_settings("client").client_keyring()
