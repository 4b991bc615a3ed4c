"""HTTPS and wss with a certificate made here, also renewed while the server runs."""

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import uvloop
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from crossbook.common.errors import ConfigError
from crossbook.common.process.tls import own_context
from crossbook.gateway.web import http_server
from crossbook.gateway.web.certificate import Certificate
from tests.gateway.http_world import HttpWorld, request
from tests.worlds.certificates import certificate


def play(folder: Path, act: Callable[[HttpWorld, ssl.SSLContext], Awaitable[Any]]) -> None:
    async def main() -> None:
        files = certificate(folder)
        async with HttpWorld(tls=Certificate(*files).context) as world:
            await asyncio.wait_for(act(world, own_context(files[0])), 20)

    uvloop.run(main())


async def exchange(world: HttpWorld, client: ssl.SSLContext, sent: bytes) -> bytes:
    """What the server sends until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.server.port, ssl=client)
    writer.write(sent)
    try:
        return await reader.read()
    finally:
        writer.close()


def test_requests_are_served_over_https(tmp_path: Path) -> None:
    async def act(world: HttpWorld, client: ssl.SSLContext) -> None:
        assert (await exchange(world, client, request("GET", "/health"))).startswith(
            b"HTTP/1.1 200"
        )
        own_page = request("GET", "https://localhost/health", b"", "Origin: https://localhost")
        assert b" 200 " in await exchange(world, client, own_page)
        other_scheme = request("GET", "http://localhost/health")
        assert b" 400 " in await exchange(world, client, other_scheme)
        malformed = await exchange(world, client, b"GET / HTTP/1.1\r\nbad header\r\n\r\n")
        assert b" 400 " in malformed

    play(tmp_path, act)


def test_websockets_are_served_over_wss(tmp_path: Path) -> None:
    async def act(world: HttpWorld, client: ssl.SSLContext) -> None:
        url = f"wss://localhost:{world.server.port}/ws/orders"
        async with connect(url, ssl=client) as socket:
            assert '"welcome"' in str(await socket.recv())
        async with connect(url, ssl=client) as socket:
            await socket.recv()
            # No frame: a reserved bit is set. The other side closes with its reason all the same.
            socket.transport.write(b"\xf1\x80\0\0\0\0")
            with pytest.raises(ConnectionClosed) as caught:
                await socket.recv()
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1002

    play(tmp_path, act)


def test_plain_http_and_half_a_handshake_are_dropped_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(http_server, "REQUEST_WITHIN_S", 0.2)

    async def act(world: HttpWorld, client: ssl.SSLContext) -> None:
        for sent in (request("GET", "/health"), b"\x16\x03\x01", b""):
            reader, writer = await asyncio.open_connection("127.0.0.1", world.server.port)
            writer.write(sent)
            with suppress(ConnectionResetError):
                assert b"HTTP" not in await reader.read()
            writer.close()
        assert b" 200 " in await exchange(world, client, request("GET", "/health"))

    play(tmp_path, act)
    assert "Traceback" not in capfd.readouterr().err


def test_a_renewed_certificate_is_used_and_a_broken_one_is_not(tmp_path: Path) -> None:
    async def main() -> None:
        pem, key = certificate(tmp_path)
        found = Certificate(pem, key)
        async with HttpWorld(tls=found.context) as world:
            old = own_context(pem)
            pem.write_text("half of a file")
            found.look()
            assert b" 200 " in await exchange(world, old, request("GET", "/health"))
            new = certificate(tmp_path, "new.example")
            os.replace(new[1], key)
            os.replace(new[0], pem)
            found.look()
            assert b" 200 " in await exchange(world, own_context(pem), request("GET", "/health"))
            with pytest.raises(ssl.SSLError):
                await exchange(world, old, request("GET", "/health"))
        found.stop()

    asyncio.run(main())


def test_a_server_without_its_files_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="TLS_CERTIFICATE"):
        Certificate(tmp_path / "absent.pem", tmp_path / "absent.key")
