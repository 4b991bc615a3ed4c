"""A peer that sends without end, or reads nothing, is cut off: memory stays bounded, and other
peers are served.

Measured without the bounds: 600 MB in 6 s at a gateway or publisher, 876 MB for 24 KB of requests,
8.2 GB for unread HTTP, 240 MB for five subscriptions. A KB of messages, a heartbeat and a reset
ended a process.
"""

import contextlib
import socket
import struct
from collections.abc import Iterator
from functools import partial
from typing import Final

import psutil
import pytest

from crossbook.common.messages.codec import encode
from crossbook.common.messages.entry import Ack
from crossbook.common.messages.feed import HEARTBEAT_TOPIC, RangeRequest
from crossbook.common.process.tcp_facts import HAS_FACTS
from tests.fuzz import zmtp
from tests.system import scrape
from tests.system.exchange import Exchange, select_nothing
from tests.system.session import RawSession
from tests.system.test_stalled import order

pytestmark = pytest.mark.skipif(not HAS_FACTS, reason="the kernel does not count bytes")

MIB: Final = 1024 * 1024
GROWN_MB_MAX: Final = 4.0 * 48
"""Most megabytes that an attack adds to a process, which keeps freed memory for the next attack.

All connections of a feed may hold four MiB of subscriptions, which take 48 times their bytes
(docs/decisions/0037). One connection to a gateway may hold 1 MiB of empty frames, which take 32
times their bytes. On a busy machine several times that arrives between two checks.
"""

CUT_OFF: Final = "crossbook_gateway_peers_cut_off_total"

FLOOD: Final = 200 * MIB
"""Bytes after which an attack gives up where the server has not cut it off."""


@pytest.fixture(scope="module")
def attacked() -> Iterator[Exchange]:
    """An exchange for all attacks of this file, with an HTTP interface."""
    with Exchange(GATEWAY_ROLES="orders,api", MAX_UNREAD_MB="32") as running:
        running.wait_http()
        yield running


@contextlib.contextmanager
def unharmed(exchange: Exchange, process: str) -> Iterator[None]:
    """Assert that the process neither ended nor grew beyond the bound, and that the exchange
    trades."""
    before = psutil.Process(exchange.pid(process)).memory_info().rss
    with RawSession(exchange.orders, 7) as honest:
        yield
        for _ in range(20):
            assert isinstance(honest.reply_to(order(honest)), Ack)
    exchange.check_alive()
    grown = psutil.Process(exchange.pid(process)).memory_info().rss - before
    assert grown / MIB < GROWN_MB_MAX


def connected(address: str, kind: bytes) -> socket.socket:
    """A bare connection, after its handshake."""
    port = int(address.rpartition(":")[2])
    made = socket.create_connection(("127.0.0.1", port), 5.0)
    made.sendall(zmtp.GREETING + zmtp.ready(kind, b""))
    zmtp.shake_hands(made)
    made.settimeout(0.5)
    return made


def is_counted(api: str, name: str) -> bool:
    """Whether a process has cut off a peer that sent too much."""
    with contextlib.suppress(OSError):
        return bool(scrape.value(api, name, reason="held"))
    return False


def flood(peer: socket.socket, part: bytes) -> int:
    """Send until the connection is cut off; returns how many bytes it took."""
    sent = 0
    with contextlib.suppress(OSError):
        while sent < FLOOD:
            peer.sendall(part)
            sent += len(part)
    return sent


@pytest.mark.parametrize("body", [b"", bytes(900)])
@pytest.mark.parametrize(
    ("process", "setting", "kind"),
    [
        ("gateway", "GATEWAY_ORDERS", b"DEALER"),
        ("publisher", "PUBLISHER_FEED", b"SUB"),
        ("publisher", "PUBLISHER_SNAPSHOTS", b"DEALER"),
    ],
)
def test_a_message_without_end_harms_no_process(
    attacked: Exchange, process: str, setting: str, kind: bytes, body: bytes
) -> None:
    with unharmed(attacked, process), connected(attacked.addresses[setting], kind) as peer:
        part = zmtp.frame(1, body) * (60_000 // (len(body) + 2))
        assert flood(peer, part) < FLOOD


def test_frames_without_a_byte_harm_no_process(attacked: Exchange) -> None:
    """A frame of two bytes takes far more memory than that."""
    with unharmed(attacked, "gateway"), connected(attacked.orders, b"DEALER") as peer:
        assert flood(peer, zmtp.frame(0, b"") * 30_000) < FLOOD
    attacked.wait_until(
        "it is counted", lambda: (scrape.value(attacked.api, CUT_OFF, reason="frames") or 0) > 0
    )


@pytest.mark.parametrize(
    ("process", "setting", "kind", "message"),
    [
        ("gateway", "GATEWAY_ORDERS", b"DEALER", zmtp.frame(0, b"")),
        ("publisher", "PUBLISHER_FEED", b"SUB", zmtp.frame(4, b"\x09SUBSCRIBEx")),
        ("publisher", "PUBLISHER_SNAPSHOTS", b"DEALER", zmtp.frame(0, b"")),
    ],
)
def test_a_reset_behind_many_messages_and_a_heartbeat_harms_no_process(
    attacked: Exchange, process: str, setting: str, kind: bytes, message: bytes
) -> None:
    with unharmed(attacked, process):
        for count in (70, 1_010, 10_010):
            with connected(attacked.addresses[setting], kind) as peer:
                peer.sendall(message * count + zmtp.frame(4, b"\x04PING\x00\x00"))
                select_nothing(0.02)
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_giant_and_endless_subscriptions_harm_no_process(attacked: Exchange) -> None:
    address = attacked.addresses["PUBLISHER_FEED"]
    with unharmed(attacked, "publisher"):
        for _ in range(5):
            with connected(address, b"SUB") as peer, contextlib.suppress(OSError):
                peer.sendall(zmtp.frame(0, b"\x01" + bytes(MIB)))
                peer.recv(1)
        with connected(address, b"SUB") as peer, contextlib.suppress(OSError):
            for number in range(50_000):
                peer.sendall(zmtp.frame(0, b"\x01" + struct.pack(">Q", number) * 100))
            raise AssertionError("40 MB of subscriptions were accepted")


def test_unread_answers_to_requests_for_earlier_messages_harm_no_process(
    attacked: Exchange,
) -> None:
    request = encode(RangeRequest(1, HEARTBEAT_TOPIC, 1, 2**62))
    with unharmed(attacked, "publisher"), connected(attacked.snapshots, b"DEALER") as peer:
        peer.sendall(zmtp.frame(0, request) * 1_000)
        select_nothing(1.0)


def test_unread_answers_over_http_harm_no_process(attacked: Exchange) -> None:
    port = int(attacked.api.rpartition(":")[2])
    get = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with unharmed(attacked, "gateway"), contextlib.ExitStack() as stack:
        for _ in range(60):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            client.settimeout(5.0)
            client.connect(("127.0.0.1", port))
            with contextlib.suppress(OSError):
                client.sendall(get * 2)


def test_the_floods_were_cut_off_and_counted(attacked: Exchange) -> None:
    with connected(attacked.orders, b"DEALER") as peer:
        flood(peer, zmtp.frame(1, bytes(60_000)))
        for process in ("gateway", "publisher"):
            name = f"crossbook_{process}_peers_cut_off_total"
            attacked.wait_until(
                f"the {process} counts it",
                partial(is_counted, attacked.api, name),
            )
