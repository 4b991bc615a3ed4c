"""A connection that exceeds a bound of its socket is ended, and no other one is."""

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import psutil
import pytest
import zmq

from crossbook.common.process import connections, sockets
from crossbook.common.process.connections import (
    BEATS,
    HEARTBEAT_BYTES,
    KIB,
    MIB,
    UNREAD_NS,
    Bounds,
    Connections,
)
from crossbook.common.process.tcp_facts import HAS_FACTS
from crossbook.common.times import SECOND_NS
from crossbook.common.token_buckets import CONNECTIONS_S
from tests.fuzz import zmtp
from tests.system.exchange import free_ports, select_nothing

pytestmark = pytest.mark.skipif(not HAS_FACTS, reason="the kernel does not count bytes")

SECONDS: Final = 10.0
FLOOD: Final = 64 * MIB
"""Bytes after which a peer gives up where the server has not cut it off."""


class Server:
    """A public socket and its connections; `now_ns` is added to the clock."""

    def __init__(self, context: Any, make: Any, **bounds: int) -> None:
        self.port = free_ports(1)[0]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.socket = make(context, self.address)
        self.ahead_ns = 0
        given = {"connections": 100, "of_address": 100, **bounds}
        self.connections = Connections(
            context, self.socket, Bounds(**given), lambda: time.monotonic_ns() + self.ahead_ns
        )

    def peer(self, kind: bytes = b"DEALER", host: str = "127.0.0.1") -> socket.socket:
        """A connection after its handshake."""
        made = socket.create_connection(("127.0.0.1", self.port), SECONDS, source_address=(host, 0))
        made.sendall(zmtp.GREETING + zmtp.ready(kind, b""))
        zmtp.shake_hands(made)
        return made

    def until(self, condition: Callable[[], object]) -> None:
        """Check the connections until a condition holds."""
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < deadline, self.connections.cut_off
            self.connections.check()
            select_nothing(0.002)

    def receive(self) -> bytes:
        """Receive one message; returns the identity of its peer."""
        assert self.socket.poll(round(SECONDS * 1_000))
        identity = self.socket.recv()
        frame = self.socket.recv(copy=False)
        peer = self.connections.by_identity.get(identity)
        peer = peer or self.connections.meet(identity, frame)
        peer.delivered += len(frame)
        return bytes(identity)

    def flood(self, peer: socket.socket, frames: bytes) -> int:
        """Let a peer send until it is cut off; returns how many bytes it could send."""
        sent = 0
        # A window that is closed when the connection ends stays closed.
        peer.settimeout(1.0)
        with contextlib.suppress(OSError):
            while sent < FLOOD:
                peer.sendall(frames)
                sent += len(frames)
                self.connections.check()
        return sent


@pytest.fixture
def context() -> Iterator["zmq.Context[zmq.Socket[bytes]]"]:
    made: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield made
    made.destroy(linger=0)


def is_ended(peer: socket.socket) -> bool:
    """Whether the server has ended a connection; reads what came before."""
    with contextlib.suppress(ConnectionError):
        while peer.recv(65_536):
            pass
    return True


@pytest.mark.parametrize("body", [b"", bytes(60_000)])
@pytest.mark.parametrize("kind", ["orders", "snapshots", "feed"])
def test_a_message_without_end_is_cut_off(context: Any, kind: str, body: bytes) -> None:
    make = {"orders": sockets.orders_router, "snapshots": sockets.snapshots_router,
            "feed": sockets.feed_pub}[kind]  # fmt: skip
    server = Server(context, make, partial=256 * KIB)
    if kind != "orders":
        body = body[:900]
    other = server.peer() if kind != "feed" else None
    memory = psutil.Process().memory_info
    before = memory().rss
    with server.peer(b"SUB" if kind == "feed" else b"DEALER") as bad:
        sent = server.flood(bad, zmtp.frame(1, body) * max(1, 60_000 // (len(body) + 2)))
        assert sent < 16 * MIB
        assert is_ended(bad)
    server.until(lambda: server.connections.cut_off == {"held": 1})
    assert memory().rss - before < 300 * MIB
    if other is not None:
        with other:
            other.sendall(zmtp.frame(0, b"good"))
            server.receive()
            server.until(lambda: len(server.connections) == 1)
    server.until(lambda: len(server.connections) == 0)
    assert server.connections.held == 0


def test_messages_that_wait_are_bounded_too(context: Any) -> None:
    server = Server(context, sockets.orders_router, waiting=2 * MIB, partial=2 * MIB)
    with server.peer() as bad:
        assert server.flood(bad, zmtp.frame(0, bytes(200_000))) < 32 * MIB
        assert is_ended(bad)
    assert server.connections.cut_off == {"held": 1}


def test_what_was_delivered_is_held_no_more(context: Any) -> None:
    server = Server(context, sockets.orders_router, waiting=MIB, partial=64 * KIB)
    with server.peer() as good:
        for _ in range(200):
            good.sendall(zmtp.frame(0, bytes(50_000)))
            server.receive()
            server.connections.check()
        server.until(lambda: server.connections.held == 0)
    assert not server.connections.cut_off


def test_heartbeats_of_every_second_are_not_held(context: Any) -> None:
    server = Server(context, sockets.orders_router)
    with server.peer() as slow:
        slow.sendall(zmtp.frame(1, bytes(20_000))[:3_900])
        server.until(lambda: server.connections.held)
        before = server.connections.held
        server.ahead_ns = 20 * SECOND_NS
        server.until(lambda: server.connections.held != before)
        assert (before - server.connections.held) // HEARTBEAT_BYTES in (20, 21)


def test_all_peers_together_are_bounded_and_the_greatest_address_pays(context: Any) -> None:
    server = Server(context, sockets.orders_router, partial_of_all=MIB)
    with contextlib.ExitStack() as stack:
        small = stack.enter_context(server.peer(host="127.0.0.2"))
        small.sendall(zmtp.frame(1, bytes(300_000)))
        many = [stack.enter_context(server.peer()) for _ in range(6)]
        for peer in many:
            peer.sendall(zmtp.frame(1, bytes(200_000)))
        server.until(lambda: server.connections.cut_off["held_of_all"] == 3)
        server.until(lambda: len(server.connections) == 4)
        assert server.connections.held < MIB
        small.sendall(zmtp.frame(0, b"end"))
        server.receive()
    assert set(server.connections.cut_off) == {"held_of_all"}


def test_one_address_makes_its_connections_at_a_bounded_rate(context: Any) -> None:
    server = Server(context, sockets.orders_router, of_address_per_s=1)
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS_S):
            stack.enter_context(server.peer())
        server.until(lambda: len(server.connections) == CONNECTIONS_S)
        with contextlib.suppress(ConnectionError):
            stack.enter_context(server.peer())
        server.until(lambda: server.connections.cut_off == {"rate_of_address": 1})
        stack.enter_context(server.peer(host="127.0.0.2"))
        server.until(lambda: len(server.connections) == CONNECTIONS_S + 1)
        server.ahead_ns = 2 * SECOND_NS
        server.connections.check()
        stack.enter_context(server.peer())
        server.until(lambda: len(server.connections) == CONNECTIONS_S + 2)


def test_one_address_has_a_part_of_the_places(context: Any) -> None:
    server = Server(context, sockets.orders_router, of_address=3, connections=5)
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(server.peer())
        server.until(lambda: len(server.connections) == 3)
        with contextlib.suppress(ConnectionError):
            stack.enter_context(server.peer())
        server.until(lambda: server.connections.cut_off == {"connections_of_address": 1})
        server.until(lambda: len(server.connections) == 3)
        for _ in range(2):
            stack.enter_context(server.peer(host="127.0.0.2"))
        server.until(lambda: len(server.connections) == 5)
        with contextlib.suppress(ConnectionError):
            stack.enter_context(server.peer(host="127.0.0.3"))
        server.until(lambda: server.connections.cut_off["connections"] == 1)
    server.until(lambda: len(server.connections) == 0)
    with server.peer() as again:
        again.sendall(zmtp.frame(0, b"x"))
        server.receive()


def test_a_peer_that_leaves_too_much_unread_is_cut_off(context: Any) -> None:
    server = Server(context, sockets.orders_router, unread=MIB)
    with server.peer() as bad, server.peer() as good:
        good.sendall(zmtp.frame(0, b"hello"))
        server.receive()
        bad.sendall(zmtp.frame(0, b"hello"))
        identity = server.receive()
        peer = server.connections.by_identity[identity]
        answer = bytes(100_000)
        while peer.sent < FLOOD and not peer.is_cut_off:
            server.socket.send_multipart([identity, answer], zmq.NOBLOCK)
            peer.sent += len(answer)
            if peer.sent > peer.sent_max:
                server.connections.look(peer)
        assert peer.sent < 16 * MIB, "more than the buffers of both kernels"
        assert server.connections.cut_off == {"unread": 1}
        server.until(lambda: server.connections.take_gone() == [identity])
        server.until(lambda: len(server.connections) == 1)


def test_a_peer_that_reads_nothing_for_long_is_cut_off(context: Any) -> None:
    server = Server(context, sockets.orders_router)
    with server.peer() as bad, server.peer() as good:
        for each in (bad, good):
            each.sendall(zmtp.frame(0, b"hello"))
            server.receive()
        peers = list(server.connections.by_identity.values())
        for peer in peers:
            for _ in range(80):
                server.socket.send_multipart([peer.identity, bytes(100_000)], zmq.NOBLOCK)
                peer.sent += 100_000
        left = 8_000_000
        while left > 0:
            left -= len(good.recv(65_536))
        server.until(lambda: server.connections.unread > MIB)
        server.until(lambda: peers[1].unread == 0)
        server.ahead_ns += UNREAD_NS // 2
        server.connections.check()
        assert not server.connections.cut_off
        server.ahead_ns += UNREAD_NS
        server.until(lambda: server.connections.cut_off == {"unread": 1})
        assert is_ended(bad)
        server.until(lambda: len(server.connections) == 1)


def test_stalled_subscribers_are_bounded_by_their_queues(context: Any) -> None:
    server = Server(context, sockets.feed_pub, unread_of_all=2 * MIB, queue=MIB)
    with contextlib.ExitStack() as stack:
        stalled = []
        for _ in range(5):
            peer = stack.enter_context(server.peer(b"SUB"))
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            peer.sendall(zmtp.frame(4, b"\x09SUBSCRIBEt"))
            stalled.append(peer)
        server.until(lambda: len(server.connections) == 5)
        deadline = time.monotonic() + SECONDS
        while server.connections.cut_off["unread_of_all"] < 3:
            assert time.monotonic() < deadline
            server.socket.send_multipart([b"t", bytes(100_000)])
            server.connections.check()
            select_nothing(0.001)
        server.until(lambda: len(server.connections) == 2)
    assert server.connections.cut_off == {"unread_of_all": 3}


def test_a_peer_whose_heartbeats_end_is_cut_off(
    context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SILENT_MS", 300)
    server = Server(context, sockets.orders_router)
    with server.peer() as silent, server.peer() as speaking, server.peer() as mute:
        for _ in range(BEATS + 1):
            for peer in (silent, speaking):
                peer.sendall(zmtp.frame(4, b"\x04PING\x00\x00"))
            select_nothing(0.02)
            server.connections.check()
        deadline = time.monotonic() + SECONDS
        while server.connections.cut_off != {"silent": 1}:
            assert time.monotonic() < deadline
            speaking.sendall(zmtp.frame(4, b"\x04PING\x00\x00"))
            server.connections.check()
            select_nothing(0.01)
        assert is_ended(silent)
        mute.sendall(zmtp.frame(0, b"a peer without heartbeats may be silent"))
        server.receive()


@pytest.mark.parametrize("kind", ["orders", "feed"])
def test_an_end_behind_a_full_queue_with_a_heartbeat_unread_harms_nothing(
    context: Any, kind: str
) -> None:
    server = Server(context, sockets.feed_pub if kind == "feed" else sockets.orders_router)
    message = zmtp.frame(4, b"\x09SUBSCRIBEx") if kind == "feed" else zmtp.frame(0, b"")
    for _ in range(3):
        with server.peer(b"SUB" if kind == "feed" else b"DEALER") as peer:
            peer.sendall(message * 12_000 + zmtp.frame(4, b"\x04PING\x00\x00"))
            select_nothing(0.05)
            # Closes by a reset, at once.
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.until(lambda: len(server.connections) == 0)
        if kind == "feed":
            server.socket.send_multipart([b"x", b"y"])
        else:
            while server.socket.poll(20):
                server.receive()


def kept_of_an_ended_connection(server: Server, own_name: bytes = b"") -> tuple[bytes, zmq.Frame]:
    """A frame that ZeroMQ has kept of a connection that has ended, and its identity."""
    peer = socket.create_connection(("127.0.0.1", server.port), SECONDS)
    peer.sendall(zmtp.GREETING + zmtp.ready(b"DEALER", own_name))
    zmtp.shake_hands(peer)
    peer.sendall(zmtp.frame(0, b"first") + zmtp.frame(0, b"second"))
    identity = server.receive()
    peer.close()
    server.until(lambda: len(server.connections) == 0)
    assert server.socket.poll(round(SECONDS * 1_000))
    return identity, server.socket.recv_multipart(copy=False)[1]


def test_a_frame_that_was_kept_of_an_ended_connection_is_known_as_such(context: Any) -> None:
    server = Server(context, sockets.orders_router)
    identity, frame = kept_of_an_ended_connection(server)
    assert server.connections.meet(identity, frame).is_gone
    assert not server.connections.by_identity
    with server.peer() as other:
        other.sendall(zmtp.frame(0, b"x"))
        other_identity = server.receive()
        assert not server.connections.by_identity[other_identity].is_gone


def test_an_identity_that_its_peer_chose_may_come_back(context: Any) -> None:
    server = Server(context, sockets.orders_router)
    identity, frame = kept_of_an_ended_connection(server, b"bot-7")
    assert identity == b"bot-7"
    assert not server.connections.meet(identity, frame).is_gone


def test_a_bounded_number_of_ended_connections_is_noted(
    context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "ENDED_MAX", 1)
    server = Server(context, sockets.orders_router)
    first, frame = kept_of_an_ended_connection(server)
    second, _ = kept_of_an_ended_connection(server)
    assert not server.connections.meet(first, frame).is_gone
    assert server.connections.meet(second, frame).is_gone


def test_peers_over_ipc_are_counted_and_not_bounded(context: Any, tmp_path: Any) -> None:
    address = f"ipc://{tmp_path}/x.sock"
    router = sockets.orders_router(context, address)
    counted = Connections(context, router, Bounds(connections=1, of_address=1))
    dealers = [sockets.orders_dealer(context, address) for _ in range(3)]
    for dealer in dealers:
        dealer.send(b"x")
        assert router.poll(5_000)
        identity, frame = router.recv_multipart(copy=False)
        counted.meet(identity.bytes, frame).delivered += 1
    counted.check()
    assert len(counted) == 3
    assert not counted.cut_off


def test_subscriptions_are_bounded_while_the_socket_stores_them(context: Any) -> None:
    server = Server(context, sockets.feed_pub, partial=64 * KIB)
    memory = psutil.Process().memory_info
    before = memory().rss
    watch = connections.Watch(lambda: server.connections)
    try:
        with server.peer(b"SUB") as bad, contextlib.suppress(OSError):
            bad.settimeout(1.0)
            for number in range(100_000):
                bad.sendall(zmtp.frame(0, b"\x01" + struct.pack(">Q", number) * 100))
                if number % 100 == 0:
                    server.socket.send(b"x")
            pytest.fail("80 MB of subscriptions were accepted")
        deadline = time.monotonic() + SECONDS
        while len(server.connections):
            assert time.monotonic() < deadline
            server.socket.send(b"x")
            select_nothing(0.002)
        assert server.connections.cut_off == {"held": 1}
        assert memory().rss - before < 500 * MIB
    finally:
        watch.stop()
