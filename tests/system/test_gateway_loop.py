"""The gateway's rounds of sending: each address gets its replies."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
import zmq

from crossbook.common.messages.codec import decode_replies, encode
from crossbook.common.messages.entry import TOKEN_BYTES, Ack, Ping, Reply
from crossbook.common.process.connections import Bounds, Connections, Peer
from crossbook.common.process.counters import Buckets
from crossbook.gateway.orders import service
from crossbook.gateway.orders.service import REPLIES_MAX, OrderService
from tests.worlds.desk_world import DeskWorld
from tests.worlds.websocket_server import SECONDS, run, until

ACK = Ack(
    request_seq=1, seq=2, order_id=3, status=0, client_order_id="", remaining_lots=0, time_ns=4
)


class ServiceWorld:
    """A service without a matcher: the desk's outbox is filled by hand.

    `near` is what a client inside the process received, call by call; `far` is the socket of a
    ZeroMQ client whose address is b"far".
    """

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        self.clients, self.far = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
        self.clients.router_mandatory = True
        self.far.routing_id = b"far"
        self.clients.bind("inproc://orders")
        self.far.connect("inproc://orders")
        self.far.send(b"")
        assert self.clients.poll(round(SECONDS * 1_000))
        self.clients.recv_multipart()
        self.desk = DeskWorld().desk
        times = Buckets((1,))
        bounds = Bounds(connections=10, of_address=10)
        self.connections = Connections(context, self.clients, bounds)
        self.service = OrderService(self.desk, (), self.connections, times)
        self.near: list[Sequence[Reply]] = []

    def open(self) -> bytes:
        """The address of a client inside the process."""
        session = self.service.local.open(7, self.near.append)
        assert session is not None
        return session.identity

    async def send(self, *outbox: tuple[bytes, list[Reply]]) -> None:
        """Let a round send these replies."""
        for identity, replies in outbox:
            self.desk.outbox.extend(identity, replies)
        self.service.wake()
        await until(lambda: not self.desk.outbox)

    def frames(self) -> list[int]:
        """How many replies came to the ZeroMQ client, frame by frame."""
        found: list[int] = []
        while self.far.poll(100):
            found.append(len(decode_replies(self.far.recv())))
        return found


@contextmanager
def service_world() -> Iterator[ServiceWorld]:
    """The service and its ZeroMQ client; their sockets are closed in the end."""
    with zmq.Context() as context:
        world = ServiceWorld(context)
        try:
            yield world
        finally:
            world.clients.close(0)
            world.far.close(0)


def test_every_address_is_sent_its_replies_after_any_other_address() -> None:
    async def main() -> None:
        with service_world() as world:
            first, last = world.open(), world.open()
            before = world.desk.sessions.open(8, b"gone", False)
            assert before is not None
            await world.send(
                (first, [ACK]), (b"gone", [ACK] * 2), (b"far", [ACK] * 3), (last, [ACK] * 4)
            )
            assert [len(given) for given in world.near] == [1, 4]
            assert world.frames() == [3]
            assert (world.service.replies, world.service.clients_dropped) == (10, 1)
            assert before.token not in world.desk.sessions.by_token

    run(main())


@pytest.mark.parametrize(
    ("count", "frames"),
    [
        (REPLIES_MAX, [REPLIES_MAX]),
        (REPLIES_MAX + 1, [REPLIES_MAX, 1]),
        (2 * REPLIES_MAX, [REPLIES_MAX, REPLIES_MAX]),
    ],
)
def test_a_frame_has_a_thousand_replies_at_most(count: int, frames: list[int]) -> None:
    async def main() -> None:
        with service_world() as world:
            await world.send((b"far", [ACK] * count))
            assert world.frames() == frames

    run(main())


def test_what_several_sessions_receive_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        with service_world() as world:
            encoded: list[int] = []

            def counted(replies: list[Reply]) -> bytes:
                encoded.append(len(replies))
                return encode(replies)

            monkeypatch.setattr(service, "encode", counted)
            own = Ack(7, 2, 1, 0, "", 10, 5)
            await world.send(
                (b"gone", [ACK] * 2), (b"far", [ACK] * 2), (b"lost", [ACK, own]), (b"late", [ACK])
            )
            assert encoded == [2, 2, 1]
            assert world.frames() == [2]

    run(main())


@pytest.mark.parametrize(("is_gone", "has_session", "replies"), [
    (False, False, [1]), (True, False, []), (True, True, [1]),
])  # fmt: skip
def test_what_was_kept_of_an_ended_connection_is_for_its_session_alone(
    is_gone: bool, has_session: bool, replies: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        with service_world() as world:
            peer = Peer(-1, ("", 0), 0, 1_000)
            peer.is_gone = is_gone
            monkeypatch.setattr(world.connections, "meet", lambda identity, frame: peer)
            session = world.desk.sessions.open(8, b"far", False)
            assert session is not None
            token = session.token if has_session else b"x" * TOKEN_BYTES
            world.far.send(token + encode([Ping(1)]))
            assert world.clients.poll(round(SECONDS * 1_000))
            world.service.wake()
            await until(lambda: not world.clients.poll(0))
            assert world.frames() == replies

    run(main())
