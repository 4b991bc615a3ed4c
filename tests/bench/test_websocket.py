"""The WebSocket bench with a small crowd against the real exchange, and its own checks."""

import json
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from bench import websocket
from bench.__main__ import app
from bench.websocket_crowd import CrowdClient, Room
from bench.websocket_messages import BooksSeen, checksum
from crossbook.gateway.web.channel import text_frame


def test_a_small_crowd_receives_every_book_right(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    options = f"--quick --clients 50 --rate 500 --seconds 0.6 --json {path}"
    done = CliRunner().invoke(app, ["websocket", *options.split()])
    assert done.exit_code == 0, done.output
    report = msgspec.json.decode(path.read_bytes(), type=websocket.WebSocketReport)
    for crowd, clients in ((report.crowd, 50), (report.few, websocket.FEW)):
        assert (crowd.clients, crowd.dead) == (clients, 0)
        assert (crowd.broken_chains, crowd.wrong_books, crowd.unchecked) == (0, 0, 0)
        assert crowd.updates_per_s_fewest > 2
        assert crowd.from_event.count > clients * 5
        assert crowd.bbo_from_event.count > clients * 5
    assert report.few_zeromq_bbo.count > 50
    assert set(report.ack) == {"before", "crowd", "after"}
    assert "order to ack p99" in done.stdout


def payload(**fields: Any) -> bytes:
    bids, asks = fields.pop("book")
    right = checksum(dict(bids), dict(asks))
    fields = {"bids": bids, "asks": asks, "checksum": right, "ts": 5, **fields}
    return json.dumps(fields).encode()


def test_the_checker_finds_a_wrong_checksum_and_a_wrong_book() -> None:
    books = BooksSeen()
    book = ([["10.0", "1.0"]], [["11.0", "2.0"]])
    assert books.fact(payload(type="snapshot", seq=1, book=book)) == ("snapshot", 1, 0, 5)
    assert books.wrong == 0
    books.fact(payload(type="snapshot", seq=2, book=book, checksum=1))
    assert books.wrong == 1
    # Another book at a seq that is known.
    books.fact(payload(type="snapshot", seq=1, book=([["9.0", "1.0"]], [])))
    assert books.wrong == 2
    books.fact(payload(type="l2_update", seq=9, prev_seq=8, book=book))
    assert books.unchecked == 1


def chain(prev_seq: int, seq: int, price: str) -> bytes:
    """An update that leaves one bid, after an update that left another bid."""
    book: Any = ([[price, "1.0"], [f"{prev_seq}.0", "0"]], [])
    right = checksum({price: "1.0"}, {})
    fields = {"type": "l2_update", "seq": seq, "prev_seq": prev_seq, "checksum": right}
    return text_frame(payload(book=book, **fields))


def test_each_client_has_a_chain_of_its_own_however_its_bytes_are_cut() -> None:
    first = text_frame(payload(type="snapshot", seq=1, book=([["1.0", "1.0"]], [])))
    follows = chain(1, 2, "2.0") + b"\x89\x00" + chain(2, 3, "3.0")
    with Room(3) as room, ExitStack() as stack:
        servers = []
        for _ in range(3):
            server, client = socket.socketpair()
            servers.append(stack.enter_context(server))
            client.setblocking(False)
            room.add(CrowdClient(client))
        whole, cut, skips = servers
        whole.sendall(first + follows)
        room.work(1.0)
        assert whole.recv(100) == b"\x8a\x80" + bytes(4), "no answer to the ping"
        for byte in first + follows:
            cut.sendall(bytes([byte]))
            room.work(1.0)
        assert room.crowd.broken_chains == 0
        skips.sendall(first + chain(2, 3, "3.0"))
        room.work(1.0)
        assert [client.seq for client in room.clients.values()] == [3, 3, 3]
        assert (room.crowd.broken_chains, room.waiting) == (1, 0)
        assert (room.books.wrong, room.books.unchecked) == (0, 0)


@pytest.mark.parametrize("data", [b"\x01\x01a", b"\x81\x81\0\0\0\0a", b"\x82\x01a"])
def test_a_frame_that_no_server_of_ours_sends_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="a frame"):
        BooksSeen().piece(data)
