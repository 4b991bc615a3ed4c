"""Paths of the face's streams beside those of the exchange's own."""

import pytest

from crossbook.gateway.binance.streams.client import STREAMS_MAX, StreamClient
from crossbook.gateway.binance.streams.message import MICROSECONDS, WRAPPED
from crossbook.gateway.web.channel import HandshakeRefusal
from tests.worlds.face_stream_world import FaceStreamWorld
from tests.worlds.stream_world import FakeConnection


def names(path: str, query: str = "") -> list[str]:
    client = FaceStreamWorld(live=False).paths.find(path, query)
    assert isinstance(client, StreamClient)
    FakeConnection(client)
    return list(client.names)


@pytest.mark.parametrize(
    ("path", "query", "form", "expected"),
    [
        ("/ws", "", 0, []),
        ("/ws/", "", 0, []),
        ("/ws/0", "", 0, ["0"]),
        ("/ws/a@trade/b@trade", "", 0, ["a@trade", "b@trade"]),
        ("/ws/!ticker@arr", "timeUnit=microsecond", MICROSECONDS, ["!ticker@arr"]),
        ("/stream", "", WRAPPED, []),
        ("/stream", "streams=", WRAPPED, []),
        ("/stream", "streams=a/b", WRAPPED, ["a", "b"]),
        ("/stream", "streams=a%40trade%2Fb", WRAPPED, ["a@trade", "b"]),
        (
            "/stream", "timeUnit=MICROSECOND&streams=a&other=1", WRAPPED | MICROSECONDS, ["a"],
        ),
        ("/stream/ws", "", 0, []),
        ("/stream/ws/0", "", 0, ["0"]),
        ("/stream/ws/a@trade", "", 0, ["a@trade"]),
        ("/stream/stream", "streams=a", WRAPPED, ["a"]),
    ],
)  # fmt: skip
def test_a_path_names_streams_and_decides_the_form(
    path: str, query: str, form: int, expected: list[str]
) -> None:
    assert names(path, query) == expected
    client = FaceStreamWorld(live=False).paths.find(path, query)
    assert isinstance(client, StreamClient)
    assert client.form == form


@pytest.mark.parametrize(
    "path",
    [
        "/ws/orders", "/ws/market-data/BTC-USDT", "/ws/trades/BTC-USDT", "/ws/candles/BTC-USDT",
        "/ws/ticker/BTC-USDT", "/ws/ticker/GONE", "/ws/tickers/BTC-USDT", "/wsx", "/", "/streams",
        "/api/v1/orders", "ws-api/v3", "/ws-api/v3",
    ],
)  # fmt: skip
def test_paths_of_the_exchange_itself_stay_with_it(path: str) -> None:
    assert FaceStreamWorld().paths.find(path, "") is None


def test_too_many_names_and_a_malformed_query_are_refused() -> None:
    paths = FaceStreamWorld().paths
    many = "/".join(f"a{n}" for n in range(STREAMS_MAX + 1))
    for query in (f"streams={many}", "streams=%zz"):
        refusal = paths.find("/stream", query)
        assert isinstance(refusal, HandshakeRefusal)
        assert refusal.status == 400
