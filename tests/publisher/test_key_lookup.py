"""The keys of the venue, which the publisher requests for handshakes."""

from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import pytest
import zmq
from msgspec.structs import replace

from crossbook.common.keys import Key, KeyScheme, Scope
from crossbook.common.messages.codec import decode_matcher_query, encode
from crossbook.common.messages.matcher_queries import KeyPage
from crossbook.common.process import sockets
from crossbook.common.process.clock import FakeClock
from crossbook.common.process.curve import new_pair
from crossbook.common.process.keyring import Keyring
from crossbook.common.process.zap import handle_peers
from crossbook.launch.ports import Ports
from crossbook.publisher.key_lookup import AGE_NS, KeyLookup

KEYRING = Keyring.of_exchange(new_pair(), has_keyed_feed=True)
KEYS = [
    Key(
        key_id=f"key-{number}",
        scheme=KeyScheme.CURVE,
        material=bytes([number]) * 32,
        scopes=Scope.READ,
        account=7,
    )
    for number in range(1, 6)
]


class Matcher:
    """Answers requests for keys, two a page, at a socket with keys."""

    def __init__(self, address: str) -> None:
        self.keys = list(KEYS)
        self.changed_seq = 1
        self.requests = 0
        self.changes_between_pages = False
        self._address = address
        self._stopped = Event()
        self._bound = Event()
        self._thread = Thread(target=self._serve)
        self._thread.start()
        assert self._bound.wait(5)

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _serve(self) -> None:
        with zmq.Context() as context:
            peers = handle_peers(context, KEYRING, FakeClock(1))
            assert peers is not None
            with sockets.matcher_queries_router(context, self._address, KEYRING) as router:
                self._bound.set()
                while not self._stopped.is_set():
                    if router.poll(10):
                        self._answer(router)
            peers.stop()

    def _answer(self, router: Any) -> None:
        identity, frame = router.recv_multipart()
        request: Any = decode_matcher_query(frame)
        self.requests += 1
        self.changed_seq += self.changes_between_pages
        later = [key for key in self.keys if key.key_id > request.after_key_id]
        page = KeyPage(
            request_id=request.request_id,
            incarnation=1,
            changed_seq=self.changed_seq,
            keys=later[:2],
            more=len(later) > 2,
        )
        router.send_multipart([identity, encode(page)])


class World:
    """A lookup, and the matcher that it requests from."""

    def __init__(self, context: Any, address: str) -> None:
        self.clock = FakeClock(AGE_NS)
        self.matcher = Matcher(address)
        self.lookup = KeyLookup(context, address, KEYRING, self.clock)


@pytest.fixture
def world() -> Iterator[World]:
    ports = Ports()
    with zmq.Context() as context:
        world = World(context, f"tcp://127.0.0.1:{ports.take()}")
        yield world
        world.matcher.stop()
        context.destroy(0)
    ports.close()


def test_every_page_is_loaded(world: World) -> None:
    assert world.lookup.is_loaded()
    assert [world.lookup.find_curve(key.material) for key in KEYS] == KEYS
    assert world.lookup.find_curve(b"x" * 32) is None
    assert world.matcher.requests == 3


def test_keys_are_requested_again_once_they_are_old(world: World) -> None:
    assert world.lookup.is_loaded()
    world.matcher.keys[0] = replace(KEYS[0], enabled=False)
    world.clock.advance_ns(AGE_NS - 1)
    assert world.lookup.is_loaded()
    assert world.matcher.requests == 3
    world.clock.advance_ns(1)
    assert world.lookup.is_loaded()
    assert world.lookup.find_curve(KEYS[0].material) == world.matcher.keys[0]


def test_without_the_matcher_the_keys_loaded_before_count(world: World) -> None:
    assert world.lookup.is_loaded()
    world.matcher.stop()
    world.clock.advance_ns(AGE_NS)
    assert world.lookup.is_loaded()
    assert world.lookup.find_curve(KEYS[0].material) == KEYS[0]


def test_without_any_answer_no_keys_are_loaded(world: World) -> None:
    world.matcher.stop()
    assert not world.lookup.is_loaded()


def test_pages_of_two_states_are_not_joined(world: World) -> None:
    world.matcher.changes_between_pages = True
    assert not world.lookup.is_loaded()
    world.matcher.changes_between_pages = False
    assert world.lookup.is_loaded()


def test_the_public_key_before_a_rotation_is_found(world: World) -> None:
    rotated = replace(KEYS[4], previous=b"p" * 32, previous_until_ns=AGE_NS)
    world.matcher.keys[4] = rotated
    assert world.lookup.is_loaded()
    assert world.lookup.find_curve(b"p" * 32) == rotated
