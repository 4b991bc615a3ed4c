"""Facts of TCP connections whose descriptor belongs to another library."""

import socket
import time
from collections.abc import Iterator

import pytest

from crossbook.common.process.tcp_facts import (
    HAS_FACTS,
    cut_off,
    facts_of,
    peer_of,
    unread_in_kernel,
)

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A client, and the connection that a server has accepted from it."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        accepted, _ = server.accept()
        with accepted:
            yield client, accepted


@pytest.mark.skipif(not HAS_FACTS, reason="the kernel has no such facts")
def test_bytes_of_both_directions_are_counted(pair: Pair) -> None:
    client, accepted = pair
    client.sendall(bytes(700))
    accepted.sendall(bytes(300))
    assert len(client.recv(1_000)) == 300
    until = time.monotonic() + 5
    while facts_of(accepted.fileno()) is None or unread_in_kernel(accepted.fileno()) < 700:
        assert time.monotonic() < until
    facts = facts_of(accepted.fileno())
    assert facts is not None
    silent_ms, acknowledged, received, unsent = facts
    assert (acknowledged, received, unsent) == (300, 700, 0)
    assert 0 <= silent_ms < 5_000
    accepted.recv(500)
    assert unread_in_kernel(accepted.fileno()) == 200


def test_descriptors_of_no_tcp_connection_have_no_facts(pair: Pair) -> None:
    closed = pair[0].fileno()
    pair[0].close()
    here, there = socket.socketpair()
    with here, there, open(__file__) as file:
        for descriptor in (closed, here.fileno(), file.fileno()):
            assert facts_of(descriptor) is None
            assert peer_of(descriptor) is None
            assert not cut_off(descriptor, ("127.0.0.1", 1))
        here.send(b"whole")
        assert there.recv(10) == b"whole"


def test_only_the_connection_of_the_named_peer_is_cut_off(pair: Pair) -> None:
    client, accepted = pair
    name = client.getsockname()
    assert peer_of(accepted.fileno()) == name
    assert not cut_off(accepted.fileno(), (name[0], name[1] + 1))
    accepted.sendall(b"x")
    assert client.recv(1) == b"x"
    assert cut_off(accepted.fileno(), name)
    assert client.recv(1) == b""
    assert accepted.fileno() >= 0, "the owner closes its descriptor"
