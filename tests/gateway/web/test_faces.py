"""Paths of WebSockets of a gateway with two faces."""

from typing import Any

from crossbook.gateway.streams.routes import Streams
from crossbook.gateway.web.admission import Admission
from crossbook.gateway.web.channel import Channel, Handshake, HandshakeRefusal
from crossbook.gateway.web.hosts import AllowedHosts
from crossbook.gateway.web.stream_router import stream_router
from tests.worlds.face_stream_world import FaceStreamWorld

HEADERS = ((b"host", b"localhost"),)


def handshake(path: str, query: str = "") -> Handshake:
    return Handshake(path, query, HEADERS, "127.0.0.1", "127.0.0.1")


def test_native_paths_stay_native_and_the_others_are_the_faces() -> None:
    world, native = FaceStreamWorld(), Streams()
    native.describe(world.follower.instruments)
    orders: Any = object()
    route = stream_router(
        Admission(AllowedHosts()), lambda *_: orders, native, face=world.paths.find
    )
    assert route(handshake("/ws/orders")) is orders
    book = route(handshake("/ws/market-data/BTC-USDT"))
    assert book is native.route("/ws/market-data/BTC-USDT", "")
    mistaken = route(handshake("/ws/marketdata/BTC-USDT"))
    assert isinstance(mistaken, HandshakeRefusal)
    assert mistaken.status == 404
    for path, query in (("/ws", ""), ("/ws/btcusdt@trade", ""), ("/stream", "streams=a/b")):
        found = route(handshake(path, query))
        assert type(found).__name__ == "StreamClient"
    refused = route(handshake("/stream", "streams=%zz"))
    assert isinstance(refused, HandshakeRefusal)


def test_a_gateway_without_native_streams_has_the_faces() -> None:
    world = FaceStreamWorld()
    route = stream_router(Admission(AllowedHosts()), None, None, face=world.paths.find)
    assert not isinstance(route(handshake("/ws/btcusdt@trade")), HandshakeRefusal)
    assert isinstance(route(handshake("/ws/trades/BTC-USDT")), HandshakeRefusal)


def test_a_gate_of_market_data_holds_for_the_face_too() -> None:
    world, seen = FaceStreamWorld(), []

    def gate(asked: Handshake, channel: Channel) -> HandshakeRefusal:
        seen.append(channel)
        return HandshakeRefusal(401, "a key is needed")

    route = stream_router(Admission(AllowedHosts()), None, None, gate, world.paths.find)
    assert route(handshake("/stream", "streams=a")) == HandshakeRefusal(401, "a key is needed")
    assert len(seen) == 1
