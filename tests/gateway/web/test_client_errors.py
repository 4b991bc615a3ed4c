"""The gateway logs no traceback for any input, or missing input, of a client. One traceback for
each request would fill the disk."""

import asyncio

import pytest
import uvloop

from tests.gateway.http_world import HttpWorld, request

SOCKET = (
    "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)  # fmt: skip
ORDER = b'{"symbol":"BTC-USDT","order_type":"limit","side":"buy","quantity":"1","price":"1"}'


def upgrade(*headers: str) -> bytes:
    return "\r\n".join(["GET /ws/orders HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


SENT = [
    b"",
    b"\0" * 100,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nbad header\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /%ff%fe HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /?\xff=\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"POST /api/v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n"
    b"Content-Type: application/json\r\n\r\n{",
    b"POST /api/v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST /api/v1/orders HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Type: application/json\r\n\r\nzz\r\n",
    b"POST /api/v1/orders HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
    b"Content-Length: 5\r\nContent-Type: application/json\r\n\r\n",
    request("POST", "/api/v1/orders", b"\xff" * 300_000),
    request("POST", "/api/v1/orders", b"[" * 100_000),
    request("POST", "/api/v1/orders/batch", b'{"orders":' + b"[" * 100_000),
    request("POST", "/api/v1/orders", ORDER, "Content-Type: text/plain"),
    request("POST", "/api/v1/orders", ORDER, "Content-Encoding: gzip"),
    request("GET", "/api/v1/orders", b"body"),
    request("PURGE", "/api/v1/orders"),
    request("GET", "/page/%00"),
    request("GET", "/page/" + "a" * 150),
    upgrade("Upgrade: websocket", "Connection: Upgrade"),
    upgrade("Upgrade: h2c", "Connection: Upgrade"),
    upgrade(*SOCKET[:3], "Sec-WebSocket-Key: short"),
    upgrade(*SOCKET[:2], "Sec-WebSocket-Version: 99", SOCKET[3]),
    upgrade(*SOCKET, "Content-Length: 4") + b"body",
    upgrade(*SOCKET, "Sec-WebSocket-Extensions: ,;="),
    upgrade(*SOCKET) + b"\xff" * 200,
    upgrade(*SOCKET) + b"\x81\x05hello",
    upgrade(*SOCKET) + b"\x81\xfe\xff\xff",
    upgrade(*SOCKET) + b"\x88\x81\0\0\0\0\x03",
]


def check(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """Check that neither the gateway nor its libraries have logged a traceback."""
    shown = capfd.readouterr()
    assert "Traceback" not in shown.err + shown.out, shown.err[-3_000:]
    assert not [each.getMessage() for each in caplog.records if each.exc_info]


@pytest.mark.parametrize("ends", ["half-closed", "dropped", "reset"])
def test_no_input_writes_a_traceback(
    ends: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def send(port: int, sent: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        try:
            if ends == "half-closed":
                await writer.drain()
                writer.write_eof()
                await asyncio.wait_for(reader.read(), 20)
            elif ends == "reset":
                await writer.drain()
                writer.transport.abort()
        except (ConnectionError, OSError):
            pass
        finally:
            writer.close()

    async def main() -> None:
        async with HttpWorld() as world:
            for sent in SENT:
                await send(world.server.port, sent)
            (answer,) = await world.send(request("GET", "/health"))
            assert answer.status == 200

    uvloop.run(main())
    check(capfd, caplog)


def test_answers_to_clients_that_are_gone_write_no_traceback(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with HttpWorld() as world:
            for _ in range(20):
                _, writer = await asyncio.open_connection("127.0.0.1", world.server.port)
                writer.write(request("GET", "/openapi.json", b"", version="1.1") * 5)
                await writer.drain()
                writer.transport.abort()
            (answer,) = await world.send(request("GET", "/health"))
            assert answer.status == 200

    uvloop.run(main())
    check(capfd, caplog)
