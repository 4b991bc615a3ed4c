"""Random acts on API keys: the engine equals the reference, a refusal changes nothing, and a
snapshot at any point leads to the same keys."""

from collections import Counter
from random import Random

import pytest

from crossbook.common.keys import Key
from crossbook.common.messages.codec import encode
from crossbook.common.messages.commands import Administer
from crossbook.common.messages.events import CommandRejected, KeyChanged, KeyDeleted
from crossbook.common.types import RejectReason
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.recovery.recovery import Recovered, recover
from crossbook.matcher.recovery.snapshot import capture, restore, state_hash
from crossbook.matcher.recovery.snapshot_store import SnapshotStore
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import Sequencer
from tests.model.reference import ReferenceMatcher
from tests.properties.key_acts import key_acts
from tests.properties.market import INSTRUMENTS
from tests.simulation.fake_disk import FakeDisk

SEEDS = range(900, 906)
ACTS = 600

EVERY_REFUSAL = {
    ("CreateKey", "DUPLICATE_KEY", "key_id"),
    ("CreateKey", "DUPLICATE_KEY", "material"),
    ("CreateKey", "EXCEEDS_LIMIT", "account"),
    ("CreateKey", "MALFORMED", "account"),
    ("CreateKey", "MALFORMED", "addresses"),
    ("CreateKey", "MALFORMED", "key_id"),
    ("CreateKey", "MALFORMED", "label"),
    ("CreateKey", "MALFORMED", "material"),
    ("CreateKey", "MALFORMED", "scopes"),
    ("CreateKey", "TOO_LATE", "expires"),
    ("DeleteKey", "UNKNOWN_KEY", "key_id"),
    ("RotateKey", "DUPLICATE_KEY", "material"),
    ("RotateKey", "EXCEEDS_LIMIT", "expires"),
    ("RotateKey", "EXCEEDS_LIMIT", "overlap"),
    ("RotateKey", "MALFORMED", "material"),
    ("RotateKey", "TOO_LATE", "expires"),
    ("RotateKey", "UNKNOWN_KEY", "key_id"),
    ("SetKeyEnabled", "UNKNOWN_KEY", "key_id"),
}


def test_the_engine_equals_the_reference_and_every_refusal_occurs() -> None:
    refused: Counter[tuple[str, str, str]] = Counter()
    happened: Counter[type] = Counter()
    for seed in SEEDS:
        engine, reference = Engine(INSTRUMENTS), ReferenceMatcher(INSTRUMENTS)
        for number, (command, time_ns) in enumerate(key_acts(seed, ACTS)):
            before = state_hash(engine)
            events = engine.apply(command, time_ns)
            assert events == reference.apply(command, time_ns), f"seed {seed}, act {number}"
            (event,) = events
            happened[type(event)] += 1
            if isinstance(event, CommandRejected):
                act = command.act if isinstance(command, Administer) else command
                reason = RejectReason(event.reason).name
                refused[type(act).__name__, reason, event.field] += 1
                assert state_hash(engine) == before, f"seed {seed}, act {number}"
        found: list[Key] = sorted(engine.keys.values(), key=lambda key: key.key_id)
        assert found == sorted(reference.keys.all, key=lambda key: key.key_id)
    assert set(refused) == EVERY_REFUSAL
    assert min(happened[KeyChanged], happened[KeyDeleted]) > 100


@pytest.mark.parametrize("seed", SEEDS)
def test_a_snapshot_and_the_later_acts_give_the_keys_of_the_whole_run(seed: int) -> None:
    acts = list(key_acts(seed, ACTS))
    whole = Engine(INSTRUMENTS)
    events: list[bytes] = []
    snapshots = []
    for number, (command, time_ns) in enumerate(acts):
        if number % 97 == 0:
            snapshots.append((number, capture(whole), state_hash(whole)))
        events.append(encode(whole.apply(command, time_ns)))
    for number, snapshot, hash_then in snapshots:
        engine = restore(snapshot)
        assert (capture(engine), state_hash(engine)) == (snapshot, hash_then)
        assert [encode(engine.apply(*each)) for each in acts[number:]] == events[number:]
        assert state_hash(engine) == state_hash(whole)
        assert capture(engine) == capture(whole)


@pytest.mark.parametrize("seed", SEEDS)
def test_keys_survive_a_loss_of_power_with_snapshots_and_without(seed: int) -> None:
    random = Random(seed)
    disk = FakeDisk()
    recovered = _recovered(disk, random)
    for number, (command, time_ns) in enumerate(key_acts(seed, 200)):
        made = Sequencer(recovered.engine, recovered.journal, EventResendBuffer(0))
        made.apply([encode([command])], time_ns)
        if random.random() < 0.05:
            store = SnapshotStore(disk, 2)
            store.save(recovered.engine, recovered.journal.incarnation, made.time_ns)
        if random.random() < 0.1:
            before = recovered.engine
            disk.crash(random)
            recovered = _recovered(disk, random)
            assert recovered.engine.keys == before.keys, f"seed {seed}, act {number}"
            assert recovered.engine.keys_seq == before.keys_seq
            assert state_hash(recovered.engine) == state_hash(before)
    assert len(recovered.engine.keys) > 5


def _recovered(disk: FakeDisk, random: Random) -> Recovered:
    return recover(disk, INSTRUMENTS, random.randrange(1, 10**9), 16 * 1024, "batch", 2)
