"""The peers that a socket with keys admits."""

import pytest
from msgspec.structs import replace

from crossbook.common.keys import Key, KeyScheme, Scope
from crossbook.common.peer_admission import (
    ADMITTED,
    EXCHANGE,
    LATER,
    REFUSED,
    PeerAdmission,
    Verdict,
    key_of_user,
    user_of,
)

INTERNAL, ALICE, BEFORE = b"i" * 32, b"a" * 32, b"b" * 32
KEY = Key(
    key_id="alice",
    scheme=KeyScheme.CURVE,
    material=ALICE,
    scopes=Scope.READ | Scope.TRADE,
    account=7,
)
NOW = 1_000


class Table:
    """Keys by public key, as a gateway's table has them."""

    def __init__(self, *keys: Key) -> None:
        self.keys = {public: key for key in keys for public in (key.material, key.previous)}
        self.is_loaded = True

    def admission(self) -> PeerAdmission:
        return PeerAdmission(INTERNAL, self.keys.get, lambda: self.is_loaded, lambda: NOW)


def decide(key: Key, realm: str, public: bytes = ALICE, address: str = "192.0.2.1") -> Verdict:
    return Table(key).admission().decide(realm, public, address)


@pytest.mark.parametrize("realm", ["internal", "orders", "feed", "admin"])
def test_the_exchanges_own_processes_are_admitted_everywhere(realm: str) -> None:
    table = Table()
    table.is_loaded = False
    verdict = table.admission().decide(realm, INTERNAL, "")
    assert verdict == Verdict(ADMITTED, user=EXCHANGE)


@pytest.mark.parametrize("realm", ["orders", "feed"])
def test_a_clients_key_is_admitted_and_names_its_connection(realm: str) -> None:
    assert decide(KEY, realm) == Verdict(ADMITTED, user="alice:6161616161616161")


def test_a_clients_key_is_no_key_of_a_process_or_an_administrator() -> None:
    assert decide(KEY, "internal").status == REFUSED
    assert decide(KEY, "admin") == Verdict(REFUSED, "key alice has scope read,trade, not ADMIN")


def test_an_administrators_key_is_admitted_to_its_socket_and_not_to_order_entry() -> None:
    key = replace(KEY, scopes=Scope.ADMIN, account=0)
    assert decide(key, "admin").status == ADMITTED
    assert decide(key, "orders") == Verdict(REFUSED, "key alice has no account")


@pytest.mark.parametrize("realm", ["orders", "feed", "admin"])
def test_an_unknown_key_is_refused(realm: str) -> None:
    assert decide(KEY, realm, b"x" * 32) == Verdict(REFUSED, "unknown key")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"enabled": False}, "key alice is disabled"),
        ({"expires_ns": NOW}, "key alice expired at 1970-01-01T00:00:00"),
        ({"addresses": ("10.0.0.0/8",)}, "key alice may not be used from 192.0.2.1"),
    ],
)
@pytest.mark.parametrize("realm", ["orders", "feed"])
def test_an_unusable_key_is_refused(realm: str, change: dict[str, object], why: str) -> None:
    verdict = decide(replace(KEY, **change), realm)
    assert verdict.status == REFUSED
    assert verdict.reason.startswith(why)


def test_peers_try_again_until_the_keys_are_loaded() -> None:
    table = Table(KEY)
    table.is_loaded = False
    assert table.admission().decide("orders", ALICE, "").status == LATER


def test_a_rotated_key_is_admitted_by_both_publics_until_the_overlap_ends() -> None:
    key = replace(KEY, previous=BEFORE, previous_until_ns=NOW + 1)
    assert decide(key, "orders", BEFORE).user == user_of(key, BEFORE) != user_of(key, ALICE)
    ended = replace(key, previous_until_ns=NOW)
    assert decide(ended, "orders", BEFORE) == Verdict(REFUSED, "unknown key")
    assert decide(ended, "orders", ALICE).status == ADMITTED


def acting(key: Key, public: bytes = ALICE, scope: Scope = Scope.READ) -> Key | str:
    """The key that a connection acts by that proved `public`, where `key` is the only one."""
    return key_of_user(user_of(KEY, public), {key.key_id: key}.get, scope, NOW)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"enabled": False}, "key alice is disabled"),
        ({"expires_ns": NOW}, "key alice expired at 1970-01-01T00:00:00"),
        ({"material": b"n" * 32}, "key alice is no longer the one of this connection"),
        ({"key_id": "bob"}, "key alice is no longer the one of this connection"),
    ],
)
def test_a_connection_acts_no_more_by_an_unusable_key(change: dict[str, object], why: str) -> None:
    assert acting(KEY) == KEY
    refusal = acting(replace(KEY, **change))
    assert isinstance(refusal, str)
    assert refusal.startswith(why)


def test_a_connection_acts_within_the_scopes_of_its_key() -> None:
    assert acting(KEY, scope=Scope.TRADE) == KEY
    assert acting(KEY, scope=Scope.ADMIN) == "key alice has scope read,trade, not ADMIN"


def test_a_connection_acts_by_its_key_whatever_the_address_list() -> None:
    key = replace(KEY, addresses=("10.0.0.0/8",))
    assert acting(key) == key


def test_connections_act_by_a_rotated_key_until_the_overlap_ends() -> None:
    key = replace(KEY, previous=BEFORE, previous_until_ns=NOW + 1)
    assert acting(key, ALICE) == acting(key, BEFORE) == key
    ended = replace(key, previous_until_ns=NOW)
    assert acting(ended, ALICE) == ended
    assert acting(ended, BEFORE) == "key alice is no longer the one of this connection"
