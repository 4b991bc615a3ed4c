"""The conditions under which an exchange is ready."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from crossbook.common.process.config import Settings
from crossbook.common.process.notify import notify
from crossbook.launch.readiness import ReadySocket, wait_for_gateway

SECONDS = 20.0


@pytest.fixture
def ready() -> Iterator[ReadySocket]:
    """A socket for reports."""
    own = ReadySocket()
    yield own
    own.close()


def report(to: ReadySocket, *assignments: str) -> None:
    """Send a report as a process does."""
    notify(*assignments, environment={"NOTIFY_SOCKET": to.address})


def test_every_process_has_to_report(ready: ReadySocket) -> None:
    pids = [11, 0]
    report(ready, "READY=1", "MAINPID=11")
    report(ready, "STATUS=no process", "a line that assigns nothing")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ready.wait, lambda: pids, threading.Event())
        with pytest.raises(TimeoutError):
            waiting.result(0.3)
        # The second process has started, and was started again after it was killed.
        pids[1] = 12
        report(ready, "READY=1", "MAINPID=12")
        assert waiting.result(SECONDS)


def test_the_end_ends_the_wait_and_the_socket_leaves_nothing() -> None:
    own, stopped = ReadySocket(), threading.Event()
    stopped.set()
    assert not own.wait(lambda: [11], stopped)
    own.close()
    assert not Path(own.address).parent.exists()


class _Gateway(BaseHTTPRequestHandler):
    """Answers `/ready` with the next of `answers`; the last stays."""

    answers: list[tuple[int, object]]

    def do_GET(self) -> None:
        status, document = self.answers[0]
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if len(self.answers) > 1:
            self.answers.pop(0)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def test_the_gateway_is_ready_with_its_recorder() -> None:
    _Gateway.answers = [
        (503, {"status": "not_ready", "recorder": False}),
        (200, {"status": "degraded", "recorder": False}),
        (200, "not a document"),
        (200, {"status": "ready", "recorder": True}),
    ]
    with HTTPServer(("127.0.0.1", 0), _Gateway) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        settings = Settings(api_port=server.server_port)
        assert wait_for_gateway(settings, threading.Event())
        server.shutdown()
        thread.join()
    assert len(_Gateway.answers) == 1


def test_a_gateway_without_http_is_ready_when_it_serves() -> None:
    stopped = threading.Event()
    orders = Settings(gateway_roles=frozenset({"orders"}), api_port=1)
    assert wait_for_gateway(orders, stopped)
    stopped.set()
    assert not wait_for_gateway(orders, stopped)
    assert not wait_for_gateway(Settings(api_port=1), stopped)
