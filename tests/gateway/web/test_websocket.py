"""WebSocket connections over real sockets: handshake, limits, malformed input, slow clients."""

import asyncio
import contextlib
import gc
import struct
from typing import Any

import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from crossbook.gateway.web import http_connection, websocket
from crossbook.gateway.web.channel import text_frame
from crossbook.gateway.web.websocket import Limits
from tests.worlds.websocket_server import (
    HANDSHAKE,
    SECONDS,
    WebSocketWorld,
    run,
    served,
    turn,
    until,
)

MASK = b"\0\0\0\0"


@pytest.fixture(autouse=True)
def _short_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let durations in seconds pass ten times as fast."""
    monkeypatch.setattr(websocket, "SWEEP_S", 0.1)


def client_frame(head: int, payload: bytes, mask: bytes = MASK) -> bytes:
    """A frame as a client sends it, masked with zeros."""
    masked = 0x80 if mask else 0
    size = len(payload)
    if size < 126:
        return bytes((head, masked | size)) + mask + payload
    if size < 65_536:
        return bytes((head, masked | 126)) + struct.pack("!H", size) + mask + payload
    return bytes((head, masked | 127)) + struct.pack("!Q", size) + mask + payload


async def close_code(reader: asyncio.StreamReader) -> int:
    """The code of the close frame that comes next."""
    head, size = await asyncio.wait_for(reader.readexactly(2), SECONDS)
    assert head == 0x88
    payload = await asyncio.wait_for(reader.readexactly(size), SECONDS)
    return int.from_bytes(payload[:2], "big")


async def ended(client: Any) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as caught:
        await asyncio.wait_for(client.recv(), SECONDS)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


def test_text_travels_whole_in_pieces_and_large() -> None:
    async def test() -> None:
        async with served() as world, connect(world.url) as client:
            for text in ("a", "", "ä" * 100, "x" * 65_536):
                await client.send(text)
                assert await client.recv() == text
            await client.send(["one ", "", "two ", "three"])
            assert await client.recv() == "one two three"
            assert await (await client.ping()) >= 0

    run(test())


def test_the_refusal_of_a_handshake_names_the_fault() -> None:
    async def test() -> None:
        async with served() as world:
            for path, status, body in (
                ("/x%20y?a=b", 404, b"no stream at /x%20y?a=b\n"),
                ("/broken", 500, b"the server failed to open this stream\n"),
            ):
                with pytest.raises(InvalidStatus) as caught:
                    await connect(f"ws://127.0.0.1:{world.port}{path}")
                assert caught.value.response.status_code == status
                assert caught.value.response.body == body
            for old, new, status in (
                ("version: 13", "version: 12", 400),
                ("dGhlIHNhbXBsZSBub25jZQ==", "short", 400),
                ("GET", "POST", 405),
            ):
                reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
                writer.write(HANDSHAKE.format(path="/echo").replace(old, new).encode())
                answer = await asyncio.wait_for(reader.read(), SECONDS)
                assert answer.startswith(f"HTTP/1.1 {status}".encode()), answer
                writer.close()
            assert world.echo.opened_count == 0

    run(test())


def test_headers_can_be_read_while_a_connection_opens() -> None:
    async def test() -> None:
        async with served() as world:
            async with connect(world.url, additional_headers={"X-Test": "7"}):
                await until(lambda: world.echo.opened_count == 1)
            async with connect(world.url):
                await until(lambda: world.echo.opened_count == 2)
            assert world.echo.headers == ["7", None]

    run(test())


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(client_frame(0x81, b"hello", mask=b""), 1002, id="not masked"),
        pytest.param(client_frame(0x83, b"x"), 1002, id="reserved opcode"),
        pytest.param(client_frame(0xC1, b"x"), 1002, id="compressed without agreement"),
        pytest.param(client_frame(0x80, b"x"), 1002, id="continuation of nothing"),
        pytest.param(client_frame(0x01, b"x") * 2, 1002, id="new text within a text"),
        pytest.param(client_frame(0x09, b"x"), 1002, id="ping in pieces"),
        pytest.param(client_frame(0x89, b"x" * 126), 1002, id="long ping"),
        pytest.param(client_frame(0x88, b"x"), 1002, id="half a close code"),
        pytest.param(client_frame(0x88, struct.pack("!H", 999)), 1002, id="wrong close code"),
        pytest.param(client_frame(0x81, b"\xff"), 1007, id="not UTF-8"),
        pytest.param(client_frame(0x82, b"x"), 1003, id="binary"),
        pytest.param(client_frame(0x81, b"x" * 65_537), 1009, id="too large"),
        pytest.param(bytes((0x81, 0xFF)) + b"\xff" * 8, 1009, id="larger than anything"),
        pytest.param(
            client_frame(0x01, b"x" * 40_000) + client_frame(0x00, b"x" * 40_000),
            1009,
            id="too large in pieces",
        ),
        pytest.param(client_frame(0x81, b"fail"), 1011, id="a fault of ours"),
    ],
)
def test_malformed_input_ends_one_connection_with_a_close_code(data: bytes, code: int) -> None:
    async def test() -> None:
        async with served() as world, connect(world.url) as bystander:
            reader, writer = await world.raw()
            writer.write(data)
            assert await close_code(reader) == code
            writer.write(client_frame(0x88, struct.pack("!H", code)))
            assert await asyncio.wait_for(reader.read(), SECONDS) == b""
            writer.close()
            await bystander.send("still here")
            assert await bystander.recv() == "still here"
            await until(lambda: len(world.hub) == 1)
            assert len(world.echo.open) == 1

    run(test())


def test_a_close_that_follows_a_refused_frame_is_answered() -> None:
    async def test() -> None:
        async with served(Limits(close_within_s=100_000)) as world:
            reader, writer = await world.raw()
            writer.write(client_frame(0x82, b"x") + client_frame(0x88, struct.pack("!H", 1000)))
            assert await close_code(reader) == 1000
            assert await asyncio.wait_for(reader.read(), SECONDS) == b""
            # The server does not wait for the client to end its side.
            await until(lambda: len(world.hub) == 0)
            writer.close()
            assert world.echo.closed_count == 1

    run(test())


def test_endless_empty_pieces_take_no_memory() -> None:
    async def test() -> None:
        async with served() as world:
            reader, writer = await world.raw()
            writer.write(client_frame(0x01, b"a"))
            await writer.drain()
            before = psutil.Process().memory_info().rss
            for _ in range(200):
                writer.write(client_frame(0x00, b"") * 1_000)
                await writer.drain()
            writer.write(client_frame(0x80, b"b"))
            assert await asyncio.wait_for(reader.readexactly(4), SECONDS) == text_frame(b"ab")
            assert psutil.Process().memory_info().rss - before < 8_000_000
            writer.close()

    run(test())


def test_one_connection_too_many_is_refused_and_a_free_place_is_taken_again() -> None:
    async def test() -> None:
        async with served(Limits(connections_max=2)) as world:
            async with connect(world.url) as first, connect(world.url):
                async with connect(world.url) as third:
                    code, reason = await ended(third)
                assert code == 1013
                assert reason == "too many connections: MAX_WEBSOCKET_CONNECTIONS=2"
                await first.close()
                await until(lambda: len(world.hub) == 1)
                async with connect(world.url) as again:
                    await again.send("in")
                    assert await again.recv() == "in"
            assert world.hub.refused == 1
            assert world.echo.opened_count == 3

    run(test())


def test_silent_clients_are_pinged_and_dead_ones_are_dropped() -> None:
    async def test() -> None:
        limits = Limits(ping_after_s=1, pong_within_s=1)
        async with served(limits) as world, connect(world.url, ping_interval=None) as alive:
            reader, writer = await world.raw()
            await until(lambda: len(world.hub) == 2)
            data = await asyncio.wait_for(reader.read(), SECONDS)
            assert data.startswith(b"\x89\x00"), "no ping before the end"
            writer.close()
            await until(lambda: len(world.hub) == 1)
            await alive.send("still here")
            assert await alive.recv() == "still here"

    run(test())


async def fill(world: WebSocketWorld) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that does not read, after as many messages as fill its buffers."""
    reader, writer = await world.raw()
    await until(lambda: len(world.echo.open) == 1)
    connection = world.echo.open[0]
    frame = text_frame(b"x" * 60_000)
    while not connection.full:
        connection.send(frame)
        await turn()
    return reader, writer


def test_a_client_that_does_not_read_is_full_then_drained_when_it_reads_again() -> None:
    async def test() -> None:
        async with served() as world:
            reader, writer = await fill(world)
            connection = world.echo.open[0]
            assert connection.buffered > Limits().buffered_max
            assert world.echo.drained_count == 0
            while connection.full:
                assert await asyncio.wait_for(reader.read(1 << 20), SECONDS)
            assert world.echo.drained_count == 1
            assert connection.buffered <= Limits().buffered_low
            writer.close()

    run(test())


def test_a_client_that_stays_full_is_closed_with_a_reason_and_then_dropped() -> None:
    async def test() -> None:
        async with served(Limits(full_for_s=1, close_within_s=1)) as world:
            reader, writer = await fill(world)
            await until(lambda: len(world.hub) == 0)
            assert world.echo.closed_count == 1
            writer.close()
            del reader

    run(test())


def test_a_client_that_reads_again_after_being_closed_receives_the_reason() -> None:
    async def test() -> None:
        async with served(Limits(full_for_s=1, close_within_s=10)) as world:
            reader, writer = await fill(world)
            connection: Any = world.echo.open[0]
            await until(lambda: not connection._open)
            sent = b""
            while b"too slow" not in sent:
                sent = sent[-1_000:] + await asyncio.wait_for(reader.read(1 << 20), SECONDS)
            frame = sent[sent.index(b"too slow") - 4 :]
            assert frame[0] == 0x88
            assert struct.unpack("!H", frame[2:4]) == (1008,)
            writer.close()

    run(test())


def test_pings_of_a_client_that_does_not_read_take_no_memory() -> None:
    async def test() -> None:
        limits = Limits(buffered_max=16_384, buffered_low=4_096)
        async with served(limits) as world:
            _, writer = await world.raw()
            await until(lambda: len(world.echo.open) == 1)
            connection = world.echo.open[0]
            ping = client_frame(0x89, b"x" * 125) * 500
            while not connection.full:
                writer.write(ping)
                await turn()
            # The server reads no more from the client, whose messages stay with the client.
            for _ in range(100):
                writer.write(ping)
                await turn()
            assert connection.buffered < 16_384 + 512 * 1_024
            writer.transport.abort()

    run(test())


def test_a_dropped_connection_is_counted_once_and_receives_nothing_more() -> None:
    async def test() -> None:
        async with served() as world:
            reader, writer = await world.raw()
            await until(lambda: len(world.echo.open) == 1)
            connection: Any = world.echo.open[0]
            connection.abort()
            connection.abort()
            connection.send(text_frame(b"late"))
            connection.close(1001, "late")
            assert dict(world.hub.closed) == {websocket.ABNORMAL: 1}
            await until(lambda: len(world.hub) == 0)
            assert world.echo.closed_count == 1
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), SECONDS) == b""
            writer.close()

    run(test())


def test_the_end_of_the_server_closes_with_1001() -> None:
    async def test() -> None:
        async with served() as world:
            client = await connect(world.url)
            silent = await world.raw()
            stopping = asyncio.create_task(world.server.stop())
            assert await ended(client) == (1001, "going away")
            await stopping
            await until(lambda: len(world.hub) == 0)
            silent[1].close()
            assert world.echo.closed_count == 2

    run(test())


def test_half_a_handshake_is_cut_off_and_endless_headers_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_connection, "REQUEST_WITHIN_S", 0.2)

    async def test() -> None:
        async with served() as world:
            for data in (b"", b"GET /echo HTT", HANDSHAKE.format(path="/echo")[:-2].encode()):
                reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
                writer.write(data)
                assert await asyncio.wait_for(_rest(reader), SECONDS) == b""
                writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(b"GET /echo HTTP/1.1\r\nhost: x\r\n")
            writer.write(b"x-endless: " + b"y" * 1_000 + b"\r\n" + (b"x-more: z\r\n" * 5_000))
            assert (await asyncio.wait_for(_rest(reader), SECONDS)).startswith(b"HTTP/1.1 400")
            writer.close()
            await until(lambda: not world.server.http_connections)

    run(test())


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


def test_too_many_connections_without_a_request_are_answered_503(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_connection, "HTTP_CONNECTIONS_MAX", 2)

    async def test() -> None:
        async with served() as world:
            idle = [await asyncio.open_connection("127.0.0.1", world.port) for _ in range(2)]
            await until(lambda: len(world.server.http_connections) == 2)
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            assert (await asyncio.wait_for(reader.read(), SECONDS)).startswith(b"HTTP/1.1 503")
            for _, each in (*idle, (reader, writer)):
                each.close()
            await until(lambda: not world.server.http_connections)
            async with connect(world.url) as client:
                await client.send("in")
                assert await client.recv() == "in"

    run(test())


def come_and_go(count: int) -> None:
    """Let clients connect and leave in every possible way; none of them may be left in the
    server."""

    async def one(world: WebSocketWorld, number: int) -> None:
        way = number % 5
        if way == 0:
            async with connect(world.url) as client:
                await client.send("x")
                assert await client.recv() == "x"
            return
        if way == 1:
            _, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(HANDSHAKE.format(path="/echo")[: number % 100].encode())
            await writer.drain()
        else:
            reader, writer = await world.raw()
            if way == 2:
                writer.write(client_frame(0x83, b"x"))
                await asyncio.wait_for(_rest(reader), SECONDS)
            elif way == 3:
                writer.write(client_frame(0x01, b"unfinished" * 100))
        if way == 4:
            writer.transport.abort()
        else:
            writer.close()

    async def test() -> None:
        async with served() as world:
            tasks = len(asyncio.all_tasks())

            async def crowd(numbers: range) -> None:
                for first in range(numbers.start, numbers.stop, 50):
                    await asyncio.gather(*(one(world, first + each) for each in range(50)))
                await until(lambda: not len(world.hub) and not world.server.http_connections)
                await until(lambda: len(asyncio.all_tasks()) <= tasks)
                gc.collect()

            await crowd(range(500))
            process = psutil.Process()
            before, files = process.memory_info().rss, process.num_fds()
            await crowd(range(500, count))
            assert process.memory_info().rss - before < 12_000_000
            assert process.num_fds() <= files + 5
            assert world.echo.opened_count == world.echo.closed_count == count // 5 * 4
            assert not world.server._server.server_state.connections
            assert not world.server._server.server_state.tasks

    run(test())


def test_two_thousand_connects_and_disconnects_leave_nothing_behind() -> None:
    come_and_go(2_000)


@pytest.mark.slow
def test_ten_thousand_connects_and_disconnects_leave_nothing_behind() -> None:
    come_and_go(10_000)
