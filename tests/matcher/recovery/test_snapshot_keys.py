"""API keys in the snapshot and the state hash; a venue that never had one has neither."""

import msgspec
import pytest
from msgspec.structs import replace

from crossbook.common.keys import Key, KeyScheme, Scope
from crossbook.common.messages.codec import encode
from crossbook.common.messages.commands import CreateKey, DeleteKey, RotateKey, SetKeyEnabled
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.recovery.snapshot import (
    SavedEngine,
    SavedEngineWithMore,
    capture,
    restore,
    state_hash,
)
from tests.worlds.venue import ALICE, BTC, BUY, limit, venue

KEY = Key(
    key_id="alice",
    scheme=KeyScheme.HMAC_SHA256,
    material=b"s" * 64,
    scopes=Scope.READ,
    account=ALICE,
    addresses=("10.0.0.0/8",),
)
OTHER = replace(KEY, key_id="bob", account=2)
NOW_NS = 10**18


def lived_in(*keys: Key) -> Engine:
    engine = venue()
    engine.apply(limit(ALICE, BUY, 100, 5), NOW_NS)
    for key in keys:
        engine.apply(
            CreateKey(gateway=0, request_seq=0, account=key.account, instrument=0, key=key), NOW_NS
        )
    return engine


def test_a_venue_without_keys_is_captured_as_before() -> None:
    snapshot = capture(lived_in())
    before = msgspec.msgpack.decode(snapshot, type=SavedEngine)
    assert encode(before) == snapshot
    assert len(msgspec.msgpack.decode(snapshot)) == len(SavedEngine.__struct_fields__)


def test_keys_come_back_with_their_snapshot() -> None:
    engine = lived_in(KEY, OTHER)
    engine.apply(
        RotateKey(
            gateway=0,
            request_seq=0,
            account=0,
            instrument=0,
            key_id="bob",
            material=b"t" * 64,
            overlap_ns=10**9,
        ),
        NOW_NS,
    )
    restored = restore(capture(engine))
    assert restored.keys == engine.keys
    assert restored.keys_seq == engine.seq
    assert capture(restored) == capture(engine)


def test_the_hash_covers_every_key_and_none_that_is_gone() -> None:
    plain, one = lived_in(), lived_in(KEY)
    assert state_hash(one) != state_hash(plain)
    assert state_hash(lived_in(KEY, OTHER)) == state_hash(lived_in(OTHER, KEY))
    for act in (
        SetKeyEnabled(
            gateway=0, request_seq=0, account=0, instrument=0, key_id="alice", enabled=False
        ),
        RotateKey(
            gateway=0, request_seq=0, account=0, instrument=0, key_id="alice", material=b"t" * 64
        ),
    ):
        changed = lived_in(KEY)
        changed.apply(act, NOW_NS)
        assert state_hash(changed) != state_hash(one)
    one.apply(DeleteKey(gateway=0, request_seq=0, account=0, instrument=0, key_id="alice"), NOW_NS)
    assert state_hash(one) == state_hash(plain)
    assert restore(capture(one)).keys_seq == one.seq


def test_keys_that_contradict_each_other_are_refused() -> None:
    record = msgspec.msgpack.decode(capture(lived_in(KEY, OTHER)), type=SavedEngineWithMore)
    twice = replace(record, keys=[KEY, KEY])
    unmade = replace(record, keys_seq=0)
    for wrong in (twice, unmade):
        with pytest.raises(msgspec.ValidationError, match="API keys"):
            restore(encode(wrong))
    assert restore(encode(record)).books[BTC.id].bids
