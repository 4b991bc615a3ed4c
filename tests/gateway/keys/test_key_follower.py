"""The keys of a gateway equal those of the matcher, over pages, events, losses and restarts."""

from random import Random

import pytest
from msgspec.structs import replace

from crossbook.common.keys import Key, KeyScheme, Scope
from crossbook.common.messages.codec import encode
from crossbook.common.messages.commands import Administer, CreateKey, DeleteKey, SetKeyEnabled
from crossbook.common.messages.events import KeyChanged, KeyDeleted
from crossbook.common.messages.matcher_queries import KeyPage, KeysRequest
from crossbook.common.types import RejectReason
from crossbook.gateway.keys.key_follower import AGAIN_NS, KeyFollower
from crossbook.gateway.keys.key_table import KeyTable
from crossbook.matcher.engine import keys as engine_keys
from tests.properties.key_acts import key_acts
from tests.worlds.link_world import ANN, LinkWorld, NetworkFaults, answers, order, reasons

A, B, C = (
    Key(
        key_id=name,
        scheme=KeyScheme.HMAC_SHA256,
        material=name.encode() * 64,
        scopes=Scope.READ,
        account=7,
    )
    for name in ("a", "b", "c")
)


def begun() -> tuple[KeyFollower, KeysRequest]:
    """A follower that has sent its first request."""
    follower = KeyFollower(KeyTable())
    assert follower.next_request(0) is None
    follower.begin()
    request = follower.next_request(0)
    assert request is not None
    assert request.after_key_id == ""
    return follower, request


def page(request: KeysRequest, seq: int, *keys: Key, more: bool = False) -> KeyPage:
    return KeyPage(
        request_id=request.request_id, incarnation=1, changed_seq=seq, keys=list(keys), more=more
    )


def test_all_pages_of_one_state_are_loaded_at_once() -> None:
    follower, first = begun()
    follower.receive(page(first, 5, A, B, more=True))
    assert not follower.table.is_loaded
    assert len(follower.table) == 0
    second = follower.next_request(1)
    assert second is not None
    assert second.after_key_id == "b"
    follower.receive(page(second, 5, C))
    assert follower.table.is_loaded
    assert follower.table.all() == [A, B, C]
    assert follower.next_request(AGAIN_NS * 9) is None


def test_a_change_between_two_pages_begins_anew() -> None:
    follower, first = begun()
    follower.receive(page(first, 5, A, B, more=True))
    second = follower.next_request(1)
    assert second is not None
    follower.receive(page(second, 6, C))
    assert not follower.table.is_loaded
    again = follower.next_request(2)
    assert again is not None
    assert again.after_key_id == ""
    follower.receive(page(second, 6, C))
    follower.receive(page(again, 6, A, C))
    assert follower.table.all() == [A, C]


def test_an_event_of_the_loaded_state_changes_nothing_and_a_later_one_does() -> None:
    follower, request = begun()
    follower.receive(page(request, 5, A))
    follower.apply(KeyChanged(4, 0, 0, B))
    follower.apply(KeyDeleted(5, 0, 0, "a"))
    assert follower.table.all() == [A]
    follower.apply(KeyChanged(6, 0, 0, B))
    follower.apply(KeyDeleted(7, 0, 0, "a"))
    assert follower.table.all() == [B]


def test_a_state_older_than_an_event_is_requested_again() -> None:
    follower, request = begun()
    follower.apply(KeyDeleted(8, 0, 0, "a"))
    follower.receive(page(request, 5, A))
    assert not follower.table.is_loaded
    again = follower.next_request(1)
    assert again is not None
    follower.receive(page(again, 8, B))
    assert follower.table.all() == [B]


def test_the_table_stays_while_all_keys_are_requested_again() -> None:
    follower, request = begun()
    follower.receive(page(request, 5, A))
    version = follower.table.version
    follower.begin()
    assert follower.table.all() == [A]
    assert follower.table.is_loaded
    again = follower.next_request(1)
    assert again is not None
    follower.receive(page(request, 5, C))
    assert follower.table.all() == [A]
    follower.receive(page(again, 2, A))
    assert follower.table.version == version


def test_a_request_is_repeated_after_a_while_or_at_once_where_it_was_not_sent() -> None:
    follower, request = begun()
    assert follower.next_request(AGAIN_NS - 1) is None
    assert follower.next_request(AGAIN_NS) == request
    follower.not_sent()
    assert follower.next_request(AGAIN_NS) == request


def administer(world: LinkWorld, *acts: CreateKey | SetKeyEnabled | DeleteKey) -> None:
    """Let the matcher apply acts; the events leave on their wire."""
    assert world.matcher is not None
    commands = [
        Administer(
            gateway=0,
            request_seq=0,
            account=act.account,
            instrument=0,
            requested_by="local",
            act=act,
        )
        for act in acts
    ]
    world.events.put(world.matcher.apply([encode(commands)], world.now_ns))


def keys_of(world: LinkWorld) -> list[Key]:
    """The matcher's keys by id."""
    assert world.matcher is not None
    return [key for _, key in sorted(world.matcher.engine.keys.items())]


def test_a_gateway_accepts_commands_once_it_has_the_keys() -> None:
    world = LinkWorld(with_keys=True)
    administer(world, CreateKey(gateway=0, request_seq=0, account=7, instrument=0, key=A))
    assert not world.keys.is_loaded
    world.step(5)
    assert [key.key_id for key in world.keys.all()] == ["a"]
    token = world.log_on(ANN, 7)
    world.send(ANN, token, order(2))
    world.settle(20)
    assert reasons(answers(world)) == [0]


def test_a_gateway_without_the_keys_is_busy() -> None:
    world = LinkWorld(with_keys=True)
    while not world.link.gap() and "matcher_reached" not in world.notices:
        world.step()
    # The link has the matcher's state, and the answer about the keys is on its way.
    assert not world.keys.is_loaded
    assert not world.desk.is_accepting
    token = world.log_on(ANN, 7)
    world.send(ANN, token, order(2))
    world.deliver()
    assert reasons(answers(world)) == [RejectReason.BUSY]
    world.step(5)
    assert world.desk.is_accepting


def test_a_gap_and_lost_events_are_repaired() -> None:
    world = LinkWorld(with_keys=True)
    world.step(5)
    administer(world, CreateKey(gateway=0, request_seq=0, account=7, instrument=0, key=A))
    world.events.messages.clear()
    administer(world, CreateKey(gateway=0, request_seq=0, account=7, instrument=0, key=B))
    world.step(30)
    assert world.keys.all() == keys_of(world)
    assert len(world.keys) == 2
    assert world.matcher is not None
    administer(world, DeleteKey(gateway=0, request_seq=0, account=0, instrument=0, key_id="a"))
    world.events.messages.clear()
    world.matcher.first_held = world.matcher.engine.seq + 1
    world.matcher.batches.clear()
    administer(
        world,
        SetKeyEnabled(gateway=0, request_seq=0, account=0, instrument=0, key_id="b", enabled=False),
    )
    world.step(60)
    assert "events_lost" in world.notices
    (found,) = world.keys.all()
    assert (found.key_id, found.enabled) == ("b", False)


def test_keys_of_an_earlier_matcher_are_removed_when_its_successor_lacks_them() -> None:
    world = LinkWorld(with_keys=True)
    world.step(5)
    administer(
        world,
        CreateKey(gateway=0, request_seq=0, account=7, instrument=0, key=A),
        CreateKey(gateway=0, request_seq=0, account=7, instrument=0, key=B),
    )
    world.step(5)
    assert len(world.keys) == 2
    dead = world.kill_matcher()
    world.matcher = type(dead)(incarnation=2)
    administer(world, CreateKey(gateway=0, request_seq=0, account=7, instrument=0, key=C))
    world.step(30)
    assert world.keys.all() == keys_of(world)
    assert [key.key_id for key in world.keys.all()] == ["c"]


@pytest.mark.parametrize("seed", range(12))
def test_any_two_gateways_agree_with_the_matcher_after_random_acts_and_faults(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two gateways are one that is started again, and one that runs all the time."""
    monkeypatch.setattr(engine_keys, "PAGE_KEYS", 3)
    random = Random(seed)
    faults = NetworkFaults(lose=0.15, double=0.15, delay=0.4)
    world = LinkWorld(seed, faults, with_keys=True)
    for number, (command, _) in enumerate(key_acts(seed, 150)):
        assert world.matcher is not None
        timed = world.now_ns + 20_000 * 86_400 * 10**9
        if batch := world.matcher.apply([encode([command])], timed):
            world.events.put(batch)
        faults.reorder = random.random() < 0.3
        if random.random() < 0.02:
            world.start_gateway()
        if number == 75:
            # Events from before are held no more.
            world.matcher.first_held = world.matcher.engine.seq + 1
            world.matcher.batches.clear()
        world.step(random.randint(0, 4))
    ran = world.keys
    world.settle(200)
    expected = keys_of(world)
    assert len(expected) > 5
    assert ran.all() == expected, f"seed {seed}"
    world.start_gateway()
    world.settle(50)
    assert world.keys.all() == expected, f"seed {seed}"
    for key in expected:
        if key.scheme == KeyScheme.CURVE:
            assert ran.find_curve(key.material) == key
    assert ran.find_curve(b"?" * 32) is None
    assert ran.find(expected[0].key_id) == replace(expected[0])
