"""ZMTP as a hostile peer writes it, straight onto a TCP connection."""

import contextlib
import random
import socket
import struct
from collections.abc import Iterator

GREETING = b"\xff" + b"\x00" * 8 + b"\x7f" + b"\x03\x01" + b"NULL".ljust(20, b"\x00") + b"\x00" * 32
"""A sound ZMTP 3.1 greeting with the NULL mechanism: 64 bytes."""


def frame(flags: int, body: bytes) -> bytes:
    """One frame, short or long as its body demands."""
    if len(body) < 256:
        return bytes([flags, len(body)]) + body
    return bytes([flags | 2]) + struct.pack(">Q", len(body)) + body


def ready(socket_type: bytes, identity: bytes) -> bytes:
    """The READY command of a peer that names itself `identity`."""
    properties = ((b"Socket-Type", socket_type), (b"Identity", identity))
    fields = [
        bytes([len(name)]) + name + struct.pack(">I", len(value)) + value
        for name, value in properties
    ]
    return frame(4, b"\x05READY" + b"".join(fields))


def garbage(chance: random.Random) -> Iterator[tuple[bytes, bytes]]:
    """Bytes of unknown peers at an open port; each item is one whole connection. The second part is
    sent after the handshake of the server, if it makes one."""
    for before in _broken_handshakes(chance):
        yield before, b""
    for kind in (b"DEALER", b"REQ", b"PUSH", b"SUB", b"XSUB", b"ROUTER", b"NONSENSE", b""):
        yield GREETING + ready(kind, b""), frame(0, chance.randbytes(30))
    for identity in (b"\x00", b"\x00" + chance.randbytes(4), b"\x00" * 255, b"x" * 256,
                     b"\x00\x00\x00\x00\x01", b"y" * 70_000):  # fmt: skip
        yield GREETING + ready(b"DEALER", identity), frame(0, chance.randbytes(30))
    for kind in (b"DEALER", b"PUSH", b"SUB"):
        for after in _broken_streams(chance):
            yield GREETING + ready(kind, b""), after


def _broken_handshakes(chance: random.Random) -> Iterator[bytes]:
    yield b""
    yield b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(200)
    yield chance.randbytes(chance.randrange(1, 300))
    yield GREETING[: chance.randrange(1, 64)]
    yield b"\xff" + chance.randbytes(63)
    yield GREETING[:10] + b"\x09\x09" + GREETING[12:]
    yield GREETING.replace(b"NULL", b"EVIL")
    yield GREETING.replace(b"NULL\x00", b"CURVE")
    yield b"\x01\x00"
    yield GREETING
    yield GREETING + frame(4, b"\x05READY" + b"\xff" * 20)
    yield GREETING + frame(4, b"\x05READY\x0bSocket-Type\xff\xff\xff\xff")
    yield GREETING + frame(4, b"\x05ERROR\xff")
    yield GREETING + frame(4, chance.randbytes(40))
    yield GREETING + b"\x06" + struct.pack(">Q", 2**63)
    yield GREETING + ready(b"DEALER", b"") + frame(0, b"too early")


def _broken_streams(chance: random.Random) -> Iterator[bytes]:
    yield b"\x02" + struct.pack(">Q", 2**63 - 1)
    yield b"\x02" + struct.pack(">Q", 2**40) + b"x" * 1_000
    yield b"\x02" + struct.pack(">Q", 3 * 1024 * 1024)
    yield frame(1, b"more") * 2_000
    yield frame(0, b"") * 50
    yield frame(0, chance.randbytes(300)) * 3
    yield frame(4, b"\x04PING\x00\x01" + b"c" * 16) * 50
    yield frame(4, b"\x04PING")
    yield frame(4, b"\x09SUBSCRIBE" + b"x" * 500) * 20
    yield frame(4, b"\x06CANCEL") * 20
    yield bytes([0xF8]) + chance.randbytes(50)
    yield b"".join(frame(0, b"\x01" + chance.randbytes(20)) for _ in range(500))
    yield frame(0, b"\x00never subscribed") * 50


def throw(port: int, before: bytes, after: bytes = b"") -> socket.socket | None:
    """Connect, send, and return the connection; None when the server cut it meanwhile."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=5)
    try:
        connection.sendall(before)
        if after:
            shake_hands(connection)
            connection.sendall(after)
    except OSError:
        connection.close()
        return None
    return connection


def shake_hands(connection: socket.socket) -> None:
    """Read until the server's READY; `ConnectionError` when the server hangs up instead."""
    received = b""
    while b"\x05READY" not in received:
        more = connection.recv(65_536)
        if not more:
            raise ConnectionError("hung up during the handshake")
        received += more


def receive_bytes(connection: socket.socket, seconds: float) -> bytes:
    """The bytes of the server within `seconds`; empty when it sends none or closes."""
    connection.settimeout(seconds)
    with contextlib.suppress(OSError):
        return connection.recv(65_536)
    return b""
