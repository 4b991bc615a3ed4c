"""Every socket carries its limits, and ZeroMQ enforces those that protect a process."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from crossbook.common.errors import ConfigError
from crossbook.common.process import sockets
from crossbook.common.process.address import IPC_PATH_MAX, check_address
from tests.system.exchange import free_ports

Context = zmq.Context[zmq.Socket[bytes]]

SERVERS = [
    sockets.commands_pull,
    sockets.events_pub,
    sockets.matcher_queries_router,
    sockets.orders_router,
    sockets.feed_pub,
    sockets.snapshots_router,
]
CLIENTS = [
    sockets.commands_push,
    sockets.events_sub,
    sockets.matcher_queries_dealer,
    sockets.orders_dealer,
    sockets.feed_sub,
    sockets.snapshots_dealer,
]
PUBLIC: dict[Any, int] = {
    sockets.orders_router: sockets.CLIENT_MESSAGE_MAX,
    sockets.feed_pub: sockets.SUBSCRIPTION_MAX,
    sockets.snapshots_router: sockets.REQUEST_MESSAGE_MAX,
}
LINGER_MS: dict[Any, int] = {
    sockets.commands_push: 200,
    sockets.events_pub: 200,
    sockets.matcher_queries_router: 200,
    sockets.orders_router: 200,
    sockets.feed_pub: 200,
    sockets.snapshots_router: 200,
    sockets.orders_dealer: 1_000,
}
"""Milliseconds for which a stopping process still sends its last messages. Every other socket sends
none, or only requests and subscriptions."""

Make = Callable[[Any, str], "zmq.Socket[bytes]"]


@pytest.fixture
def context() -> Iterator[Context]:
    made: Context = zmq.Context()
    yield made
    made.destroy(linger=0)


@pytest.mark.parametrize("make", SERVERS + CLIENTS)
def test_every_socket_has_its_limits(context: Context, make: Make) -> None:
    made = make(context, f"tcp://127.0.0.1:{free_ports(1)[0]}")
    assert made.getsockopt(zmq.LINGER) == LINGER_MS.get(make, 0)
    assert made.getsockopt(zmq.HANDSHAKE_IVL) == 5_000
    often = 4_000 if make is sockets.orders_dealer else 2_000
    quiet = make in PUBLIC or make is sockets.feed_sub
    assert made.getsockopt(zmq.HEARTBEAT_IVL) == (0 if quiet else often)
    assert made.getsockopt(zmq.HEARTBEAT_TIMEOUT) == 10_000
    reconnect = (made.getsockopt(zmq.RECONNECT_IVL), made.getsockopt(zmq.RECONNECT_IVL_MAX))
    assert reconnect == ((2, 16) if make in CLIENTS else (50, 1_000))
    assert made.getsockopt(zmq.TCP_KEEPALIVE) == 1
    assert made.getsockopt(zmq.MAXMSGSIZE) == PUBLIC.get(make, sockets.INTERNAL_MESSAGE_MAX)


@pytest.mark.parametrize("make", CLIENTS)
def test_connections_to_other_machines_are_tried_less_often(context: Context, make: Make) -> None:
    made = make(context, "tcp://192.0.2.1:5560")
    assert made.getsockopt(zmq.RECONNECT_IVL) == 50
    assert made.getsockopt(zmq.RECONNECT_IVL_MAX) == 1_000


@pytest.mark.parametrize("make", SERVERS)
def test_no_server_queues_without_bound(context: Context, make: Make) -> None:
    made = make(context, f"tcp://127.0.0.1:{free_ports(1)[0]}")
    assert 0 < int(made.getsockopt(zmq.SNDHWM)) <= 10_000
    if make in PUBLIC:
        # A full queue and the end of its connection would abort the process; see `_CROWD`.
        assert made.getsockopt(zmq.RCVHWM) == 0
    else:
        assert 0 < int(made.getsockopt(zmq.RCVHWM)) <= 10_000


def test_a_client_queues_ten_thousand_frames_and_takes_every_answer(context: Context) -> None:
    made = sockets.orders_dealer(context, f"tcp://127.0.0.1:{free_ports(1)[0]}")
    assert (made.getsockopt(zmq.SNDHWM), made.getsockopt(zmq.RCVHWM)) == (10_000, 0)


def test_a_consumer_queues_a_hundred_thousand_messages_and_every_subscription(
    context: Context,
) -> None:
    made = sockets.feed_sub(context, f"tcp://127.0.0.1:{free_ports(1)[0]}")
    assert (made.getsockopt(zmq.RCVHWM), made.getsockopt(zmq.SNDHWM)) == (100_000, 0)


@pytest.mark.parametrize("make", [sockets.commands_push, sockets.matcher_queries_dealer])
def test_nothing_is_queued_for_an_absent_matcher(context: Context, make: Make) -> None:
    made = make(context, f"tcp://127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(zmq.Again):
        made.send(b"x", zmq.NOBLOCK)


@pytest.mark.parametrize(
    "make", [sockets.matcher_queries_router, sockets.orders_router, sockets.snapshots_router]
)
def test_a_reply_to_a_gone_peer_fails_loudly(context: Context, make: Make) -> None:
    made = make(context, f"tcp://127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(zmq.ZMQError) as caught:
        made.send_multipart([b"nobody", b"x"], zmq.NOBLOCK)
    assert caught.value.errno == zmq.EHOSTUNREACH


def test_a_full_queue_to_the_matcher_refuses_the_send(context: Context) -> None:
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    pull = sockets.commands_pull(context, address)
    push = sockets.commands_push(context, address)
    assert push.poll(5_000, zmq.POLLOUT)
    body = b"x" * 20_000
    for _ in range(30_000):
        if not push.poll(0, zmq.POLLOUT):
            break
        push.send(body, zmq.NOBLOCK, copy=False)
    with pytest.raises(zmq.Again):
        push.send(body, zmq.NOBLOCK)
    assert pull.recv() == body


def test_an_oversized_frame_ends_its_connection_and_no_other(context: Context) -> None:
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    router = sockets.orders_router(context, address)
    good = sockets.orders_dealer(context, address)
    bad = sockets.orders_dealer(context, address)
    monitor = bad.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    good.send(b"before")
    assert router.poll(5_000)
    assert router.recv_multipart()[1] == b"before"
    bad.send(b"x" * (sockets.CLIENT_MESSAGE_MAX + 1))
    assert monitor.poll(5_000), "the sender of an oversized frame was not disconnected"
    good.send(b"y" * sockets.CLIENT_MESSAGE_MAX)
    assert router.poll(5_000)
    assert router.recv_multipart()[1] == b"y" * sockets.CLIENT_MESSAGE_MAX
    bad.disable_monitor()
    monitor.close()


def test_a_half_open_handshake_is_ended(context: Context) -> None:
    router = sockets.orders_router(context, f"tcp://127.0.0.1:{free_ports(1)[0]}")
    # A shorter limit on a second port makes the option's effect visible.
    router.setsockopt(zmq.HANDSHAKE_IVL, 100)
    port = free_ports(1)[0]
    router.bind(f"tcp://127.0.0.1:{port}")
    with socket.create_connection(("127.0.0.1", port), timeout=5) as stranger:
        stranger.settimeout(5)
        while stranger.recv(1024):
            pass


def test_a_second_subscription_beyond_a_thousand_is_kept(context: Context) -> None:
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    publisher = sockets.feed_pub(context, address)
    subscriber = sockets.feed_sub(context, address)
    for number in range(1_500):
        subscriber.setsockopt(zmq.SUBSCRIBE, f"t{number}|".encode())
    poller_tries = 200
    for _ in range(poller_tries):
        publisher.send(b"t1499|")
        if subscriber.poll(25):
            return
    pytest.fail("the last subscription never arrived")


BOUND = {
    sockets.commands_pull: "MATCHER_COMMANDS",
    sockets.events_pub: "MATCHER_EVENTS",
    sockets.matcher_queries_router: "MATCHER_SYNC",
    sockets.admin_router: "MATCHER_ADMIN",
    sockets.orders_router: "GATEWAY_ORDERS",
    sockets.feed_pub: "PUBLISHER_FEED",
    sockets.snapshots_router: "PUBLISHER_SNAPSHOTS",
    sockets.history_router: "RECORDER_HISTORY",
}


@pytest.mark.parametrize(("make", "setting"), BOUND.items())
@pytest.mark.parametrize("scheme", ["tcp", "ipc"])
def test_an_address_in_use_is_refused_naming_it_and_its_setting(
    context: Context, tmp_path: Path, make: Make, setting: str, scheme: str
) -> None:
    place = f"127.0.0.1:{free_ports(1)[0]}" if scheme == "tcp" else f"{tmp_path}/x.sock"
    address = f"{scheme}://{place}"
    first = make(context, address)
    with pytest.raises(ConfigError, match=f"^{setting}: cannot bind {address}: .*in use"):
        make(context, address)
    assert not first.closed
    client = sockets.matcher_queries_dealer(context, address)
    assert client.poll(5_000, zmq.POLLOUT) or make in (sockets.commands_pull, sockets.events_pub,
                                                       sockets.feed_pub)  # fmt: skip


def test_a_live_ipc_endpoint_keeps_its_messages(context: Context, tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/commands.sock"
    first = sockets.commands_pull(context, address)
    with pytest.raises(ConfigError, match=f"process {os.getpid()}.*DATA_DIR"):
        sockets.commands_pull(context, address)
    push = sockets.commands_push(context, address)
    assert push.poll(5_000, zmq.POLLOUT)
    push.send(b"mine")
    assert first.poll(5_000)
    assert first.recv() == b"mine"


def test_a_closed_endpoint_may_be_bound_again(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/x.sock"
    for _ in range(3):
        # ZeroMQ closes in a thread of the context, which ends with the context.
        with zmq.Context() as context:
            sockets.feed_pub(context, address).close()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277])
def test_an_ipc_endpoint_is_its_owners_alone(context: Context, tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        sockets.orders_router(context, f"ipc://{tmp_path}/new/x.sock")
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    modes = [(tmp_path / "new" / name).stat().st_mode & 0o777 for name in ("x.sock", ".")]
    assert modes == [0o600, 0o700]


def test_a_file_in_the_place_of_a_socket_is_kept(context: Context, tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    path.write_text("precious")
    with pytest.raises(ConfigError, match=f"RECORDER_HISTORY: cannot bind ipc://{path}: .*socket"):
        sockets.history_router(context, f"ipc://{path}")
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    ("bound", "connected"),
    [("[::1]", "[::1]"), ("localhost", "localhost"), ("127.0.0.1", "127.0.0.1"),
     ("localhost", "127.0.0.1"), ("*", "*"), ("0.0.0.0", "0.0.0.0"), ("[::]", "[::]"),
     ("[::]", "127.0.0.1")],
)  # fmt: skip
def test_every_admitted_host_carries_messages(context: Context, bound: str, connected: str) -> None:
    port = free_ports(1)[0]
    pull = sockets.commands_pull(context, f"tcp://{bound}:{port}")
    push = sockets.commands_push(context, f"tcp://{connected}:{port}")
    assert push.poll(5_000, zmq.POLLOUT)
    push.send(b"x")
    assert pull.poll(5_000)


def test_the_longest_path_of_an_endpoint_carries_messages(context: Context, tmp_path: Path) -> None:
    path = str(tmp_path / "long")
    path += "g" * (IPC_PATH_MAX - len(path))
    check_address("X", f"ipc://{path}", bind=True, insecure=False)
    pull = sockets.commands_pull(context, f"ipc://{path}")
    push = sockets.commands_push(context, f"ipc://{path}")
    assert push.poll(5_000, zmq.POLLOUT)
    push.send(b"x")
    assert pull.poll(5_000)
    with pytest.raises(ConfigError, match="File name too long"):
        sockets.commands_pull(context, f"ipc://{path}g")
    with pytest.raises(ConfigError, match="File name too long"):
        sockets.commands_push(context, f"ipc://{path}g")


def test_an_address_of_no_local_interface_is_refused_with_the_accepted_forms(
    context: Context,
) -> None:
    with pytest.raises(ConfigError, match=r"PUBLISHER_FEED: .*example\.org.*not a host name"):
        sockets.feed_pub(context, "tcp://example.org:5999")


def test_an_invalid_address_is_named(context: Context) -> None:
    with pytest.raises(ConfigError, match="cannot connect to nonsense") as caught:
        sockets.orders_dealer(context, "nonsense")
    # Left open, the socket would delay the end of its context.
    assert caught.traceback[-1].locals["made"].closed


def test_many_sockets_may_be_held() -> None:
    made: Context = zmq.Context()
    try:
        sockets.allow_many_sockets(made)
        assert made.get(zmq.MAX_SOCKETS) > 10_000
    finally:
        made.term()
