"""API keys in the engine: what each act leads to, and the limits of how many there may be."""

import pytest
from msgspec.structs import replace

from crossbook.common.keys import (
    KEYS_PER_ACCOUNT_MAX,
    KEYS_WITHOUT_ACCOUNT_MAX,
    Key,
    KeyScheme,
    Scope,
)
from crossbook.common.messages.commands import (
    Administer,
    CreateKey,
    DeleteKey,
    KeyAct,
    MassCancelOrders,
    RotateKey,
    SetKeyEnabled,
)
from crossbook.common.messages.events import (
    CommandRejected,
    Event,
    KeyChanged,
    KeyDeleted,
    OrdersMassCanceled,
)
from crossbook.common.shards import base_of
from crossbook.common.types import RejectReason
from crossbook.matcher.engine import keys
from crossbook.matcher.engine.engine import Engine
from tests.worlds.venue import venue

NOW_NS = 10**18
KEY = Key(
    key_id="alice",
    scheme=KeyScheme.HMAC_SHA256,
    material=b"s" * 64,
    scopes=Scope.READ | Scope.TRADE,
    account=7,
    label="bot",
)
CURVE = Key(
    key_id="desk", scheme=KeyScheme.CURVE, material=b"1" * 32, scopes=Scope.TRADE, account=7
)


def create(key: Key) -> CreateKey:
    return CreateKey(gateway=0, request_seq=0, account=key.account, instrument=0, key=key)


def rotate(key_id: str, material: bytes, overlap_ns: int = 0, expires_ns: int = -1) -> RotateKey:
    return RotateKey(
        gateway=0,
        request_seq=0,
        account=0,
        instrument=0,
        key_id=key_id,
        material=material,
        overlap_ns=overlap_ns,
        expires_ns=expires_ns,
    )


def apply(engine: Engine, act: KeyAct, time_ns: int = NOW_NS) -> Event:
    (event,) = engine.apply(act, time_ns)
    return event


def with_keys(*made: Key) -> Engine:
    engine = venue()
    for key in made:
        assert isinstance(apply(engine, create(key)), KeyChanged)
    return engine


def test_a_key_is_created_at_the_time_of_its_command() -> None:
    engine = venue()
    planted = replace(KEY, created_ns=1, previous=b"planted" * 8, previous_until_ns=2 * NOW_NS)
    created = replace(KEY, created_ns=NOW_NS)
    assert apply(engine, create(planted)) == KeyChanged(1, 0, 0, created)
    assert engine.keys == {"alice": created}
    assert engine.keys_seq == 1


def test_a_key_is_disabled_and_enabled() -> None:
    engine = with_keys(KEY)
    for number, enabled in ((2, False), (3, False), (4, True)):
        event = apply(
            engine,
            SetKeyEnabled(
                gateway=0, request_seq=0, account=0, instrument=0, key_id="alice", enabled=enabled
            ),
        )
        assert isinstance(event, KeyChanged)
        assert (event.seq, event.key.enabled) == (number, enabled)
        assert engine.keys["alice"] == event.key
        assert engine.keys_seq == number


def test_a_rotated_key_has_both_materials_for_the_overlap() -> None:
    engine = with_keys(KEY)
    event = apply(engine, rotate("alice", b"t" * 64, overlap_ns=5))
    assert isinstance(event, KeyChanged)
    assert event.key == replace(
        KEY,
        created_ns=NOW_NS,
        material=b"t" * 64,
        previous=b"s" * 64,
        previous_until_ns=NOW_NS + 5,
    )
    again = apply(engine, rotate("alice", b"u" * 64, expires_ns=2 * NOW_NS))
    assert isinstance(again, KeyChanged)
    assert (again.key.previous, again.key.previous_until_ns) == (b"", 0)
    assert again.key.expires_ns == 2 * NOW_NS


def test_a_rotation_leaves_the_expiry_unless_it_names_another() -> None:
    engine = with_keys(replace(KEY, expires_ns=NOW_NS + 9))
    for material, given, found in ((b"t", -1, NOW_NS + 9), (b"u", 0, 0), (b"v", NOW_NS + 1, 1)):
        event = apply(engine, rotate("alice", material * 64, expires_ns=given))
        assert isinstance(event, KeyChanged)
        assert event.key.expires_ns == (NOW_NS + found if found == 1 else found)


def test_an_expired_key_is_rotated_with_a_new_expiry_only() -> None:
    engine = with_keys(replace(KEY, expires_ns=NOW_NS + 1))
    late = apply(engine, rotate("alice", b"t" * 64), NOW_NS + 1)
    assert isinstance(late, CommandRejected)
    assert (late.reason, late.field) == (RejectReason.TOO_LATE, "expires")
    assert isinstance(
        apply(engine, rotate("alice", b"t" * 64, expires_ns=NOW_NS + 2), NOW_NS + 1), KeyChanged
    )


def test_a_deleted_key_is_gone_and_its_id_and_public_key_may_be_used_again() -> None:
    engine = with_keys(CURVE)
    assert apply(
        engine, DeleteKey(gateway=0, request_seq=0, account=0, instrument=0, key_id="desk")
    ) == KeyDeleted(2, 0, 0, "desk")
    assert (engine.keys, engine.keys_seq) == ({}, 2)
    assert isinstance(apply(engine, create(CURVE)), KeyChanged)


@pytest.mark.parametrize(
    ("act", "reason", "field"),
    [
        (create(KEY), RejectReason.DUPLICATE_KEY, "key_id"),
        (create(replace(CURVE, key_id="two")), RejectReason.DUPLICATE_KEY, "material"),
        (create(replace(KEY, key_id="a b")), RejectReason.MALFORMED, "key_id"),
        (create(replace(KEY, key_id="two", label="x" * 41)), RejectReason.MALFORMED, "label"),
        (
            create(replace(KEY, key_id="two", expires_ns=NOW_NS)),
            RejectReason.TOO_LATE,
            "expires",
        ),
        (
            CreateKey(
                gateway=0, request_seq=0, account=8, instrument=0, key=replace(KEY, key_id="two")
            ),
            RejectReason.MALFORMED,
            "account",
        ),
        (
            SetKeyEnabled(gateway=0, request_seq=0, account=0, instrument=0, key_id="bob"),
            RejectReason.UNKNOWN_KEY,
            "key_id",
        ),
        (
            DeleteKey(gateway=0, request_seq=0, account=0, instrument=0, key_id="bob"),
            RejectReason.UNKNOWN_KEY,
            "key_id",
        ),
        (rotate("bob", b"t" * 64), RejectReason.UNKNOWN_KEY, "key_id"),
        (rotate("alice", b"t" * 31), RejectReason.MALFORMED, "material"),
        (rotate("alice", KEY.material), RejectReason.MALFORMED, "material"),
        (rotate("alice", b"t" * 64, overlap_ns=-1), RejectReason.EXCEEDS_LIMIT, "overlap"),
        (
            rotate("alice", b"t" * 64, 30 * 86_400 * 10**9 + 1),
            RejectReason.EXCEEDS_LIMIT,
            "overlap",
        ),
        (rotate("alice", b"t" * 64, 0, NOW_NS), RejectReason.TOO_LATE, "expires"),
        (rotate("alice", b"t" * 64, 0, 2**63), RejectReason.EXCEEDS_LIMIT, "expires"),
        (rotate("other", CURVE.material), RejectReason.DUPLICATE_KEY, "material"),
    ],
)
def test_a_refused_act_names_the_field_and_changes_nothing(
    act: KeyAct, reason: RejectReason, field: str
) -> None:
    engine = with_keys(KEY, CURVE, replace(CURVE, key_id="other", material=b"2" * 32))
    before = dict(engine.keys)
    event = apply(engine, act)
    assert isinstance(event, CommandRejected)
    assert (event.reason, event.field) == (reason, field)
    assert (engine.keys, engine.keys_seq) == (before, 3)


def test_the_previous_public_key_of_another_key_is_refused_too() -> None:
    engine = with_keys(CURVE)
    apply(engine, rotate("desk", b"2" * 32, overlap_ns=5))
    for material in (b"1" * 32, b"2" * 32):
        event = apply(engine, create(replace(CURVE, key_id="two", material=material)))
        assert isinstance(event, CommandRejected)
        assert (event.reason, event.field) == (RejectReason.DUPLICATE_KEY, "material")
    # Back to its own previous one: no other key has it.
    assert isinstance(apply(engine, rotate("desk", b"1" * 32)), KeyChanged)


@pytest.mark.parametrize(
    ("account", "scopes", "most"),
    [(7, Scope.READ, KEYS_PER_ACCOUNT_MAX), (0, Scope.ADMIN, KEYS_WITHOUT_ACCOUNT_MAX)],
)
def test_an_account_has_so_many_keys(account: int, scopes: Scope, most: int) -> None:
    engine = with_keys(replace(KEY, key_id="elsewhere", account=8))
    key = replace(KEY, account=account, scopes=scopes)
    for number in range(most):
        assert isinstance(apply(engine, create(replace(key, key_id=f"k{number}"))), KeyChanged)
    event = apply(engine, create(key))
    assert isinstance(event, CommandRejected)
    assert (event.reason, event.field) == (RejectReason.EXCEEDS_LIMIT, "account")
    apply(engine, DeleteKey(gateway=0, request_seq=0, account=0, instrument=0, key_id="k0"))
    assert isinstance(apply(engine, create(key)), KeyChanged)


def test_a_venue_has_so_many_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "KEYS_MAX", 2)
    engine = with_keys(KEY, CURVE)
    event = apply(engine, create(replace(KEY, key_id="three", account=9)))
    assert isinstance(event, CommandRejected)
    assert (event.reason, event.field) == (RejectReason.EXCEEDS_LIMIT, "key_id")


@pytest.mark.parametrize(
    "act",
    [
        create(KEY),
        SetKeyEnabled(gateway=0, request_seq=0, account=0, instrument=0, key_id="alice"),
        DeleteKey(gateway=0, request_seq=0, account=0, instrument=0, key_id="alice"),
    ],
)
def test_only_shard_zero_has_keys(act: KeyAct) -> None:
    engine = venue()
    engine.seq = base_of(1)
    event = apply(engine, act)
    assert isinstance(event, CommandRejected)
    assert (event.reason, event.field) == (RejectReason.UNSUPPORTED_COMBINATION, "shard")


def test_an_act_of_an_administrator_has_the_origin_of_the_command_around_it() -> None:
    engine = venue()
    first = Administer(
        gateway=5,
        request_seq=2**30 + 1,
        account=7,
        instrument=0,
        requested_by="root",
        act=create(KEY),
    )
    (event,) = engine.apply(first, NOW_NS)
    assert isinstance(event, KeyChanged)
    assert (event.gateway, event.request_seq) == (5, 2**30 + 1)
    assert engine.apply(first, NOW_NS) == []
    cancel = Administer(
        gateway=0,
        request_seq=0,
        account=0,
        instrument=0,
        requested_by="local",
        act=MassCancelOrders(0, 0, 0),
    )
    assert engine.apply(cancel, NOW_NS) == [
        OrdersMassCanceled(
            seq=2, gateway=0, request_seq=0, account=0, instrument=0, side=0, count=0
        )
    ]


def test_keys_are_listed_in_pages_by_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "PAGE_KEYS", 2)
    engine = with_keys(*(replace(KEY, key_id=name) for name in ("c", "a", "b")))
    found, more = keys.keys_page(engine, "")
    assert ([key.key_id for key in found], more) == (["a", "b"], True)
    found, more = keys.keys_page(engine, "b")
    assert ([key.key_id for key in found], more) == (["c"], False)
    assert keys.keys_page(engine, "c") == ([], False)
