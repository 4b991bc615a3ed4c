"""WebSocket handshakes: the accepted ones and the refused ones."""

import pytest
import uvloop

from crossbook.gateway.web.hosts import AllowedHosts
from tests.gateway.api.test_identity import SOCKET
from tests.gateway.http_world import HttpWorld, request

HOSTS = AllowedHosts(("trade.example",))


def handshake(path: str, *headers: str) -> bytes:
    return request("GET", path, b"", *SOCKET, *headers).replace(b"Connection: close\r\n", b"")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (("Host: localhost:8000",), 101),
        (("Host: localhost:8000", "Origin: http://localhost:8000"), 101),
        (("Host: Trade.Example", "Origin: https://trade.example"), 101),
        (("Host: localhost:8000", "Origin: http://localhost:9000"), 403),
        (("Host: localhost:8000", "Origin: http://127.0.0.1:8000"), 403),
        (("Host: localhost:8000", "Origin: https://elsewhere.example"), 403),
        (("Host: localhost:8000", "Origin: null"), 403),
        (("Host: localhost", "Origin: http://localhost", "Origin: http://localhost"), 400),
        (("Host: evil.example", "Origin: http://evil.example"), 403),
        (("Host: localhost", "Host: localhost"), 400),
        (("Host: local host",), 400),
        (("Host: localhost", "Content-Length: 2"), 400),
    ],
)
def test_only_pages_of_this_address_may_connect_to_orders(
    headers: tuple[str, ...], status: int
) -> None:
    async def main() -> None:
        async with HttpWorld(HOSTS) as world:
            (answer, *_) = await world.send(handshake("/ws/orders", *headers), ends=True)
            assert answer.status == status
            assert len(world.desk.sessions) == 0

    uvloop.run(main())


def test_the_refusal_of_a_name_has_the_name_and_the_setting() -> None:
    async def main() -> None:
        async with HttpWorld() as world:
            for path in ("/ws/orders", "/ws/trades/BTC-USDT"):
                (answer,) = await world.send(handshake(path, "Host: evil.example"))
                assert answer.status == 403
                assert b"evil.example" in answer.body
                assert b"ALLOWED_HOSTS" in answer.body

    uvloop.run(main())


@pytest.mark.parametrize("path", ["/ws/orders/", "/ws//orders", "/ws%2Forders", "/ws/orders%00"])
def test_a_path_has_one_reading(path: str) -> None:
    async def main() -> None:
        async with HttpWorld() as world:
            (answer,) = await world.send(handshake(path))
            assert answer.status in (400, 404)

    uvloop.run(main())


@pytest.mark.parametrize(
    "query",
    ["x=1", "from_seq=1&from_seq=2", "from_seq=", "from_seq=%00", "cancel_on_disconnect=1",
     "cancel_on_disconnect=true&cancel_on_disconnect=false"],
)  # fmt: skip
def test_a_query_that_is_not_read_is_refused(query: str) -> None:
    async def main() -> None:
        async with HttpWorld() as world:
            (answer,) = await world.send(handshake(f"/ws/orders?{query}"))
            assert answer.status == 400

    uvloop.run(main())


def test_a_gateway_without_streams_names_the_path_and_the_role() -> None:
    async def main() -> None:
        async with HttpWorld() as world:
            for path in ("/ws/trades/BTC-USDT", "/ws/" + "x" * 150):
                (answer,) = await world.send(handshake(path))
                text = f"no stream at {path[:100]}; this gateway has no role streams\n"
                assert (answer.status, answer.body.decode()) == (404, text)

    uvloop.run(main())
