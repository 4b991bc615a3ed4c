"""API keys: limits of their fields, the times at which they may be used, and the secrets that they
never show."""

import msgspec
import pytest
from msgspec.structs import replace

from crossbook.common.keys import (
    ADDRESSES_MAX,
    KEY_ID_MAX,
    LABEL_MAX,
    Key,
    KeyScheme,
    Scope,
    add_by_public,
    key_faults,
    parse_network,
    parse_scopes,
    scope_text,
)
from crossbook.common.times import parse_time

SECRET = b"0123456789abcdef" * 4
KEY = Key(
    key_id="alice-1",
    scheme=KeyScheme.HMAC_SHA256,
    material=SECRET,
    scopes=Scope.READ | Scope.TRADE,
    account=7,
)
CURVE = Key("desk", KeyScheme.CURVE, b"2" * 32, Scope.TRADE, 8)


def test_no_text_of_a_key_shows_its_material() -> None:
    rotated = replace(KEY, previous=b"fedcba9876543210" * 4, previous_until_ns=5)
    for text in (repr(rotated), str(rotated), f"{rotated}", f"{[rotated]}"):
        assert "alice-1" in text
        for material in (rotated.material, rotated.previous):
            assert material.decode() not in text
            assert material.hex() not in text
            assert repr(material) not in text


def test_a_key_comes_back_from_its_bytes() -> None:
    key = replace(KEY, addresses=("10.0.0.0/8",), expires_ns=5, label="bot", created_ns=3)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(key), type=Key) == key


@pytest.mark.parametrize(
    ("changes", "scope", "address", "now_ns", "words"),
    [
        ({}, Scope.READ, "192.0.2.1", 0, None),
        ({}, Scope.READ | Scope.TRADE, "", 0, None),
        ({}, Scope.ADMIN, "192.0.2.1", 0, "key alice-1 has scope read,trade, not ADMIN"),
        ({"scopes": Scope.ADMIN}, Scope.READ, "", 0, "has scope admin, not READ"),
        ({"enabled": False}, Scope.READ, "", 0, "is disabled"),
        ({"expires_ns": 10}, Scope.READ, "", 9, None),
        ({"expires_ns": 10}, Scope.READ, "", 10, "expired at 1970-01-01"),
        ({"addresses": ("10.0.0.0/8",)}, Scope.READ, "10.255.0.1", 0, None),
        ({"addresses": ("10.0.0.0/8",)}, Scope.READ, "::ffff:10.0.0.1", 0, None),
        ({"addresses": ("10.0.0.0/8",)}, Scope.READ, "11.0.0.1", 0, "not be used from 11.0.0.1"),
        ({"addresses": ("10.0.0.0/8",)}, Scope.READ, "::1", 0, "not be used from ::1"),
        ({"addresses": ("10.0.0.0/8", "::1/128")}, Scope.READ, "::1", 0, None),
        ({"addresses": ("10.0.0.0/8",)}, Scope.READ, "", 0, "from a local socket"),
    ],
)
def test_a_key_is_refused_with_the_reason(
    changes: dict[str, object], scope: Scope, address: str, now_ns: int, words: str | None
) -> None:
    refusal = replace(KEY, **changes).refusal(scope, address, now_ns)
    assert (refusal is None) if words is None else (refusal is not None and words in refusal)


def test_the_previous_material_counts_until_its_time() -> None:
    rotated = replace(KEY, previous=b"old" * 11, previous_until_ns=10)
    assert rotated.materials(9) == (SECRET, b"old" * 11)
    assert rotated.materials(10) == (SECRET,)
    assert KEY.materials(0) == (SECRET,)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"key_id": ""}, "key_id"),
        ({"key_id": "a" * (KEY_ID_MAX + 1)}, "key_id"),
        ({"key_id": "a b"}, "key_id"),
        ({"key_id": "ключ"}, "key_id"),
        ({"material": b"s" * 31}, "material"),
        ({"material": b"s" * 129}, "material"),
        ({"material": b" " * 64}, "material"),
        ({"scheme": KeyScheme.ED25519}, "material"),
        ({"scheme": KeyScheme.CURVE, "material": b"p" * 33}, "material"),
        ({"scheme": KeyScheme.RSA, "material": b"p" * 100}, "material"),
        ({"scopes": Scope(0)}, "scopes"),
        ({"scopes": Scope(8)}, "scopes"),
        ({"account": 0}, "account"),
        ({"account": 0, "scopes": Scope.ADMIN | Scope.READ}, "account"),
        ({"account": -1}, "account"),
        ({"account": 2**31}, "account"),
        ({"addresses": ("10.0.0.1/8",)}, "addresses"),
        ({"addresses": ("10.0.0.1",)}, "addresses"),
        ({"addresses": ("fe80::1%eth0/128",)}, "addresses"),
        ({"addresses": ("10.0.0.1/32",) * (ADDRESSES_MAX + 1)}, "addresses"),
        ({"expires_ns": -1}, "expires"),
        ({"expires_ns": 2**63}, "expires"),
        ({"label": "x" * (LABEL_MAX + 1)}, "label"),
        ({"label": "a\nb"}, "label"),
    ],
)
def test_a_field_beyond_its_limit_is_named(changes: dict[str, object], field: str) -> None:
    faults = list(key_faults(replace(KEY, **changes)))
    assert [name for name, _ in faults] == [field]
    assert SECRET.decode() not in faults[0][1]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"key_id": "A-z_9" + "a" * (KEY_ID_MAX - 5)},
        {"scopes": Scope.ADMIN, "account": 0},
        {"scopes": Scope.ADMIN | Scope.TRADE, "account": 2**31 - 1},
        {"addresses": ("10.0.0.0/8", "::/0")},
        {"expires_ns": parse_time("2030-01-01")},
        {"label": "Größe"},
        {"scheme": KeyScheme.RSA, "material": b"p" * 294},
        {"scheme": KeyScheme.CURVE, "material": b"p" * 32},
    ],
)
def test_a_sound_key_has_no_fault(changes: dict[str, object]) -> None:
    assert not list(key_faults(replace(KEY, **changes)))


def by_public(*keys: Key) -> dict[bytes, Key]:
    """The keys by their public keys, entered in this order."""
    found: dict[bytes, Key] = {}
    for key in keys:
        add_by_public(found, key)
    return found


def test_only_keys_of_curve_have_public_keys_to_be_found_by() -> None:
    signer = replace(CURVE, key_id="signer", scheme=KeyScheme.ED25519, material=b"3" * 32)
    assert by_public(KEY, signer, CURVE) == {b"2" * 32: CURVE}


def test_a_previous_public_key_gives_way_to_a_present_one() -> None:
    rotated = replace(CURVE, previous=b"1" * 32, previous_until_ns=9)
    other = replace(CURVE, key_id="other", material=b"1" * 32)
    assert by_public(rotated) == {b"2" * 32: rotated, b"1" * 32: rotated}
    assert by_public(rotated, other) == by_public(other, rotated)
    assert by_public(rotated, other) == {b"2" * 32: rotated, b"1" * 32: other}


def test_scopes_are_read_by_name() -> None:
    assert parse_scopes(["read", "ADMIN"]) == Scope.READ | Scope.ADMIN
    assert scope_text(parse_scopes(["trade", "read"])) == "read,trade"
    with pytest.raises(ValueError, match="'write' is no scope; the scopes are read, trade, admin"):
        parse_scopes(["write"])
    with pytest.raises(ValueError, match="at least one scope"):
        parse_scopes([])


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0", "host", "fe80::1%eth0", ""])
def test_text_that_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no IP address or network|names an interface"):
        parse_network(text)
