"""Handshakes of sockets with keys, decided by the handler of their context."""

from collections.abc import Iterator
from typing import Any

import pytest
import zmq
from structlog.testing import capture_logs

from crossbook.common.peer_admission import ADMITTED, LATER, REFUSED, Verdict
from crossbook.common.process import sockets
from crossbook.common.process.clock import SystemClock
from crossbook.common.process.curve import new_pair
from crossbook.common.process.keyring import Keyring, Realm
from crossbook.common.process.zap import ZapHandler
from tests.system.exchange import free_ports
from tests.system.history_line import until

EXCHANGE, CLIENT = new_pair(), new_pair()
BOUND = Keyring.of_exchange(EXCHANGE, has_keyed_feed=True)
KNOWN = Keyring(CLIENT, EXCHANGE.public)
WAIT_MS = 5_000


class Door:
    """An order-entry socket with keys. Its handler answers every handshake with `verdict`."""

    def __init__(self, context: Any, port: int) -> None:
        self.seen: list[tuple[str, bytes, str]] = []
        self.verdict = Verdict(ADMITTED, user="alice:61")
        self.is_broken = False
        self.handler = ZapHandler(context, self.decide, SystemClock())
        self.handler.start()
        self.address = f"tcp://127.0.0.1:{port}"
        self.router = sockets.orders_router(context, self.address, BOUND)

    def decide(self, realm: str, public: bytes, address: str) -> Verdict:
        self.seen.append((realm, public, address))
        assert not self.is_broken
        return self.verdict

    def fault(self, keyring: Keyring | None) -> str:
        """The fault of a handshake with these keys; empty text where there is none."""
        return sockets.handshake_fault(self.address, Realm.ORDERS, keyring, WAIT_MS)


@pytest.fixture
def door() -> Iterator[Door]:
    with zmq.Context() as context:
        door = Door(context, free_ports(1)[0])
        yield door
        door.router.close(0)
        door.handler.stop()


def test_an_admitted_peer_has_its_user_id_on_every_message(door: Door) -> None:
    with zmq.Context() as context, sockets.orders_dealer(context, door.address, KNOWN) as client:
        for _ in range(2):
            client.send(b"hello")
            assert door.router.poll(WAIT_MS)
            door.router.recv()
            frame = door.router.recv(copy=False)
            assert (frame.bytes, frame.get("User-Id")) == (b"hello", "alice:61")
    assert door.seen == [("orders", CLIENT.public, "127.0.0.1")]
    assert (door.handler.admitted, door.handler.refused) == (1, 0)
    assert door.fault(KNOWN) == ""


def test_a_refused_peer_reports_that_its_key_is_refused(door: Door) -> None:
    door.verdict = Verdict(REFUSED, "unknown key")
    with capture_logs() as logs:
        assert "refuses this key" in door.fault(KNOWN)
        assert "refuses this key" in door.fault(KNOWN)
    assert door.handler.refused == 2
    assert [(each["event"], each["reason"], each["address"]) for each in logs] == [
        ("handshake_refused", "unknown key", "127.0.0.1")
    ]


def test_a_peer_without_keys_reports_that_it_needs_one(door: Door) -> None:
    assert "admits only clients with a key" in door.fault(None)
    assert door.seen == []


def test_a_peer_with_the_key_of_another_server_reports_it(door: Door) -> None:
    assert "not the one named server" in door.fault(Keyring(CLIENT, new_pair().public))
    assert door.seen == []


def test_a_peer_with_keys_reports_a_server_without_keys() -> None:
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    with zmq.Context() as context, sockets.orders_router(context, address):
        fault = sockets.handshake_fault(address, Realm.ORDERS, KNOWN, WAIT_MS)
    assert fault == "it uses no keys, and this client does"


def test_where_nothing_listens_there_is_no_fault_of_a_handshake() -> None:
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    assert sockets.handshake_fault(address, Realm.ORDERS, KNOWN, 50) == ""


def test_a_peer_that_connects_before_the_keys_are_loaded_waits_for_them(door: Door) -> None:
    door.verdict = Verdict(LATER, "not loaded")
    with zmq.Context() as context, sockets.orders_dealer(context, door.address, KNOWN) as client:
        client.send(b"hello")
        until("a second look", lambda: len(door.seen) > 1)
        door.verdict = Verdict(ADMITTED, user="alice:61")
        assert door.router.poll(WAIT_MS)
    assert door.handler.refused == 0


def test_a_broken_decision_refuses_one_peer_and_ends_nothing(door: Door) -> None:
    door.is_broken = True
    with capture_logs() as logs:
        assert door.fault(KNOWN)
    assert "handshake_undecided" in [each["event"] for each in logs]
    door.is_broken = False
    assert door.fault(KNOWN) == ""


def test_without_a_handler_no_peer_is_admitted() -> None:
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    with zmq.Context() as context, sockets.orders_router(context, address, BOUND):
        assert sockets.handshake_fault(address, Realm.ORDERS, KNOWN, WAIT_MS)


def test_a_message_of_another_mechanism_is_refused(door: Door) -> None:
    with zmq.Context() as context:
        handler = ZapHandler(context, door.decide, SystemClock())
        handler.start()
        with context.socket(zmq.REQ) as libzmq:
            libzmq.connect("inproc://zeromq.zap.01")
            libzmq.send_multipart([b"1.0", b"9", b"orders", b"::1", b"", b"NULL"])
            assert libzmq.recv_multipart()[:3] == [b"1.0", b"9", b"400"]
        handler.stop()
    assert door.seen == []
