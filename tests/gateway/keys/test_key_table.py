"""The table of keys: found by id and by public key, with a version that rises with each change."""

from msgspec.structs import replace

from crossbook.common.keys import Key, KeyScheme, Scope
from crossbook.gateway.keys.key_table import KeyTable

HMAC = Key(
    key_id="alice", scheme=KeyScheme.HMAC_SHA256, material=b"s" * 64, scopes=Scope.READ, account=7
)
CURVE = Key(
    key_id="desk", scheme=KeyScheme.CURVE, material=b"1" * 32, scopes=Scope.TRADE, account=8
)


def test_a_key_is_found_by_its_id_and_its_public_key() -> None:
    table = KeyTable()
    table.put(HMAC)
    table.put(CURVE)
    assert table.find("alice") is HMAC
    assert table.find("bob") is None
    assert table.find_curve(b"1" * 32) is CURVE
    # The secret of a key of another scheme is not a public key.
    assert table.find_curve(b"s" * 64) is None
    assert table.all() == [HMAC, CURVE]
    assert (len(table), table.version) == (2, 2)


def test_a_rotated_key_is_found_by_both_public_keys() -> None:
    table = KeyTable()
    table.put(CURVE)
    rotated = replace(CURVE, material=b"2" * 32, previous=b"1" * 32, previous_until_ns=9)
    table.put(rotated)
    assert table.find_curve(b"1" * 32) is rotated
    assert table.find_curve(b"2" * 32) is rotated
    table.put(replace(rotated, previous=b""))
    assert table.find_curve(b"1" * 32) is None


def test_a_previous_public_key_gives_way_to_a_present_one() -> None:
    rotated = replace(CURVE, material=b"2" * 32, previous=b"1" * 32, previous_until_ns=9)
    other = replace(CURVE, key_id="other")
    for keys in ((rotated, other), (other, rotated)):
        table = KeyTable()
        for key in keys:
            table.put(key)
        assert table.find_curve(b"1" * 32) is other


def test_a_removed_key_is_not_found() -> None:
    table = KeyTable()
    table.put(CURVE)
    table.remove("desk")
    assert table.find("desk") is None
    assert table.find_curve(b"1" * 32) is None
    assert table.version == 2
    table.remove("desk")
    assert table.version == 2


def test_replacing_all_keys_counts_once_and_only_where_they_differ() -> None:
    table = KeyTable()
    table.put(CURVE)
    table.replace([HMAC, replace(CURVE, enabled=False)])
    assert table.version == 2
    found = table.find_curve(b"1" * 32)
    assert found is not None
    assert not found.enabled
    table.replace([replace(CURVE, enabled=False), HMAC])
    assert table.version == 2
    table.replace([])
    assert (len(table), table.version) == (0, 3)
    assert table.find_curve(b"1" * 32) is None
