"""The sockets that use CURVE, and their keys."""

from pathlib import Path

import pytest

from crossbook.common.errors import ConfigError
from crossbook.common.process.curve import KeyFile, internal_pair, new_pair, write_key_file
from crossbook.common.process.keyring import Keyring, Realm

TCP, IPC = "tcp://10.0.0.1:5551", "ipc://data/commands.sock"


@pytest.mark.parametrize("has_keyed_feed", [False, True])
def test_each_realm_is_covered_where_its_address_needs_it(has_keyed_feed: bool) -> None:
    keyring = Keyring.of_exchange(new_pair(), has_keyed_feed=has_keyed_feed)
    covered = {(realm, at) for realm in Realm for at in (TCP, IPC) if keyring.covers(realm, at)}
    expected = {(Realm.INTERNAL, TCP), (Realm.ADMIN, TCP), (Realm.ORDERS, TCP), (Realm.ORDERS, IPC)}
    if has_keyed_feed:
        expected |= {(Realm.FEED, TCP), (Realm.FEED, IPC)}
    assert covered == expected


def test_a_process_proves_the_derived_key_and_binds_with_the_one_of_the_file() -> None:
    pair = new_pair()
    keyring = Keyring.of_exchange(pair, has_keyed_feed=False)
    assert (keyring.own, keyring.server, keyring.server_public) == (
        internal_pair(pair), pair, pair.public
    )  # fmt: skip


def test_a_client_proves_the_key_of_its_file(tmp_path: Path) -> None:
    pair, exchange = new_pair(), new_pair()
    write_key_file(tmp_path / "key", KeyFile(pair, exchange.public), "A client's.")
    keyring = Keyring.of_client(tmp_path / "key", "CLIENT_KEY_FILE")
    assert (keyring.own, keyring.server_public, keyring.server) == (pair, exchange.public, None)


def test_a_clients_file_names_the_exchange(tmp_path: Path) -> None:
    write_key_file(tmp_path / "key", KeyFile(new_pair()), "Of no exchange.")
    with pytest.raises(ConfigError, match=r"^CLIENT_KEY_FILE: .* has no server, the public key of"):
        Keyring.of_client(tmp_path / "key", "CLIENT_KEY_FILE")
