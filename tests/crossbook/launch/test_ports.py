"""Ports that no two exchanges share."""

import socket
import sys

import pytest

from crossbook.launch import ports
from crossbook.launch.ports import Ports


def bound(port: int, *, reuse: bool) -> bool:
    """Whether a socket can listen at the port."""
    with socket.socket() as made:
        if reuse:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind(("127.0.0.1", port))
            made.listen()
        except OSError:
            return False
    return True


def test_a_port_is_given_once() -> None:
    own = Ports()
    found = [own.take() for _ in range(50)]
    own.close()
    assert len(set(found)) == 50
    assert all(ports.LOWEST <= port <= ports.HIGHEST for port in found)


@pytest.mark.skipif(sys.platform != "linux", reason="ports are reserved on Linux only")
def test_a_port_is_kept_from_others_and_not_from_a_process_of_ours() -> None:
    own = Ports()
    port = own.take()
    assert not bound(port, reuse=False)
    # Twice: the first may have been killed.
    assert bound(port, reuse=True)
    assert bound(port, reuse=True)
    own.close()
    assert bound(port, reuse=False)


@pytest.mark.skipif(sys.platform != "linux", reason="ports are reserved on Linux only")
def test_another_exchange_has_other_ports_and_an_error_where_there_are_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own, other = Ports(), Ports()
    monkeypatch.setattr(ports, "LOWEST", first := own.take())
    monkeypatch.setattr(ports, "HIGHEST", first)
    with pytest.raises(OSError, match=f"no free TCP port from {first} to {first}"):
        other.take()
    own.close()
    assert other.take() == first
    other.close()
