"""The WebSocket bench with a small crowd against the real exchange, and its own checks."""

import json
from pathlib import Path
from typing import Any

import msgspec
from typer.testing import CliRunner

from bench import websocket
from bench.__main__ import app
from bench.websocket_crowd import Books, checksum


def test_a_small_crowd_gets_every_book_right(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    options = f"--quick --clients 50 --rate 500 --seconds 0.6 --json {path}"
    done = CliRunner().invoke(app, ["websocket", *options.split()])
    assert done.exit_code == 0, done.output
    report = msgspec.json.decode(path.read_bytes(), type=websocket.Report)
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
    books = Books()
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
