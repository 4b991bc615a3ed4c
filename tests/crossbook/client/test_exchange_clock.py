"""The clock of a whole exchange has moved once every gateway answers that every part has
followed."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from crossbook.client import exchange_clock
from crossbook.client.admin_client import AdminClient
from crossbook.client.exchange_clock import ExchangeClock
from crossbook.common.messages.admin import AdminTimeAdvanced, AdminView
from crossbook.common.times import DAY_NS, parse_time
from crossbook.errors import AdvanceNotFollowed, AdvanceRefused
from tests.system.exchange import free_ports

NOW_NS = parse_time("2030-01-01")
MANUAL = AdminView(
    request_id=1,
    seq=5,
    instruments=[],
    balances=[],
    time_ns=NOW_NS,
    clock_ns=NOW_NS,
    is_manual=True,
)
REFUSAL = {"error": {"code": "TIME_NOT_REACHED", "message": "market data has not reached it"}}


class Matchers:
    """Matchers behind `AdminClient`, all at `NOW_NS`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, view: AdminView = MANUAL) -> None:
        self.moved: list[int] = []
        monkeypatch.setattr(AdminClient, "view", lambda client, account=0: view)
        monkeypatch.setattr(AdminClient, "advance_to", lambda client, to_ns: self._move(to_ns))

    def _move(self, to_ns: int) -> AdminTimeAdvanced:
        self.moved.append(to_ns)
        return AdminTimeAdvanced(request_id=1, before_ns=NOW_NS, time_ns=to_ns, seq=9, batches=1)


@contextmanager
def gateway(*answers: tuple[int, Any]) -> Iterator[tuple[str, list[str]]]:
    """The address of a gateway that gives these answers, and the paths requested of it."""
    paths: list[str] = []
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        """Gives the next answer."""

        def do_GET(self) -> None:
            """Answer."""
            paths.append(self.path)
            status, body = left.pop(0)
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", paths
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


def test_an_advance_returns_when_every_gateway_has_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    matchers = Matchers(monkeypatch)
    with (
        gateway((503, REFUSAL), (200, {})) as (slow, slow_paths),
        gateway((200, {})) as (quick, quick_paths),
        ExchangeClock(["inproc://a", "inproc://b"], [slow, quick]) as clock,
    ):
        assert clock.now_ns() == NOW_NS
        assert clock.advance("1d") == NOW_NS + DAY_NS
    assert matchers.moved == [NOW_NS + DAY_NS] * 2
    path = f"/api/v1/time?min_time_ns={NOW_NS + DAY_NS}"
    assert (slow_paths, quick_paths) == ([path] * 2, [path])


def test_without_recorders_no_record_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    Matchers(monkeypatch)
    with (
        gateway((200, {})) as (address, paths),
        ExchangeClock(["inproc://a"], [address], record=False) as clock,
    ):
        clock.advance("1d")
    assert paths == [f"/api/v1/time?min_time_ns={NOW_NS + DAY_NS}&record=false"]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ((503, REFUSAL), "market data has not reached it"),
        ((404, b"<html>"), "something else answers there"),
        ((500, {"error": "x"}), "something else answers there"),
    ],
)
def test_a_gateway_that_does_not_follow_is_named_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, answer: tuple[int, Any], text: str
) -> None:
    Matchers(monkeypatch)
    monkeypatch.setattr(exchange_clock, "PAUSE_S", 10.0)
    with (
        gateway(answer) as (address, _),
        ExchangeClock(["inproc://a"], [address]) as clock,
        pytest.raises(AdvanceNotFollowed, match=f"2030-01-02.*{address}: {text}") as error,
    ):
        clock.advance("1d")
    assert error.value.address == address


def test_an_absent_gateway_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Matchers(monkeypatch)
    address = f"http://127.0.0.1:{free_ports(1)[0]}"
    with (
        ExchangeClock(["inproc://a"], [address], timeout_s=0.1) as clock,
        pytest.raises(AdvanceNotFollowed, match=f"{address}: it does not answer"),
    ):
        clock.advance("1d")


def test_a_clock_of_the_machine_is_refused_before_any_request_to_a_gateway(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    matchers = Matchers(
        monkeypatch,
        AdminView(
            request_id=1, seq=5, instruments=[], balances=[], time_ns=NOW_NS, clock_ns=NOW_NS
        ),
    )
    with (
        gateway() as (address, paths),
        ExchangeClock(["inproc://a"], [address]) as clock,
        pytest.raises(AdvanceRefused, match="CLOCK=manual"),
    ):
        clock.advance("1d")
    assert (matchers.moved, paths) == ([], [])
