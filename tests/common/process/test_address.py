"""Addresses: their forms, the longest path of one, and the hosts that can reach it."""

import pytest
import zmq

from crossbook.common.errors import ConfigError
from crossbook.common.process.address import (
    IPC_PATH_MAX,
    check_address,
    is_loopback,
    is_on_this_machine,
)


@pytest.mark.parametrize(
    "address",
    ["tcp://127.0.0.1:1", "tcp://127.0.0.1:65535", "tcp://[::1]:5560", "tcp://localhost:5560",
     "tcp://gateway:5560", "tcp://my_host-1.example.org:5560", "tcp://*:5560", "tcp://eth0.100:1",
     "ipc://x", "ipc://a/b.sock", "ipc:///tmp/a b", "ipc://" + "x" * IPC_PATH_MAX],
)  # fmt: skip
def test_an_address_that_can_work_is_admitted(address: str) -> None:
    check_address("GATEWAY_ORDERS", address, bind=False, insecure=False)


@pytest.mark.parametrize(
    "address",
    ["", "tcp", "tcp:", "tcp://", "127.0.0.1:1", "udp://127.0.0.1:1", "inproc://x", "TCP://a:1",
     "tcp://127.0.0.1", "tcp://127.0.0.1:", "tcp://127.0.0.1:0", "tcp://127.0.0.1:65536",
     "tcp://127.0.0.1:-1", "tcp://127.0.0.1:+1", "tcp://127.0.0.1: 1", "tcp://127.0.0.1:1 ",
     "tcp://127.0.0.1:1/", "tcp://127.0.0.1:\u00b2", "tcp://127.0.0.1:\u0661",
     "tcp://127.0.0.1:*",
     "tcp://:5560", "tcp://[::1]", "tcp://::1:5560", "tcp://::1", "tcp://[::1:5560",
     "tcp://[]:5560", "tcp://[127.0.0.1]:1", "tcp://[::g]:1",
     "tcp://127.0.0:1", "tcp://300.0.0.1:1",
     "tcp://a b:1", "tcp://a;b:1", "tcp://me@host:1", "tcp://-a:1", "tcp://http://a:1",
     "ipc://", "ipc://data/", "ipc://.", "ipc://..", "ipc:///", "ipc://a/..", "ipc://*",
     "ipc://@abstract"],
)  # fmt: skip
def test_an_address_that_cannot_work_is_refused_by_name(address: str) -> None:
    for bind in (True, False):
        with pytest.raises(ConfigError, match=r"^GATEWAY_ORDERS: ") as caught:
            check_address("GATEWAY_ORDERS", address, bind=bind, insecure=True)
        assert repr(address) in str(caught.value)


def test_a_path_too_long_is_refused_with_its_length_and_the_limit() -> None:
    path = "/srv/" + "\u00e4" * 60
    with pytest.raises(ConfigError) as caught:
        check_address("MATCHER_ADMIN", f"ipc://{path}", bind=True, insecure=False)
    text = str(caught.value)
    assert text.startswith(f"MATCHER_ADMIN: the path {path} has 125 bytes")
    assert f"at most {IPC_PATH_MAX}" in text
    assert "shorter DATA_DIR" in text


def test_the_limit_is_that_of_the_library() -> None:
    assert IPC_PATH_MAX == zmq.IPC_PATH_MAX_LEN


@pytest.mark.parametrize(
    ("host", "private"),
    [("127.0.0.1", True), ("127.255.255.254", True), ("localhost", True), ("[::1]", True),
     ("0.0.0.0", False), ("*", False), ("[::]", False), ("lo", False), ("192.168.0.1", False),
     ("localhost.example.org", False), ("", False)],
)  # fmt: skip
def test_loopback_is_recognised(host: str, private: bool) -> None:
    assert is_loopback(host) is private


@pytest.mark.parametrize(
    ("address", "expected"),
    [("ipc://data/x.sock", True), ("inproc://x", True), ("tcp://127.0.0.1:1", True),
     ("tcp://[::1]:1", True), ("tcp://localhost:1", True), ("tcp://192.0.2.1:1", False),
     ("tcp://gateway:1", False)],
)  # fmt: skip
def test_an_endpoint_is_on_this_machine_or_not(address: str, expected: bool) -> None:
    assert is_on_this_machine(address) is expected
