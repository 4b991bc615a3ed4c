"""A probe and its answers; tests/system probes the processes themselves."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import zmq

from crossbook.client.process_probe import http_url, matcher_build, probe
from crossbook.common.messages.codec import encode
from crossbook.common.messages.entry import Pong, Reject
from crossbook.common.messages.process_metrics import Metrics
from crossbook.common.process.config import Settings
from crossbook.common.types import RejectReason
from crossbook.errors import ProcessDown

EXPOSITION = """\
# HELP crossbook_matcher_batches_total Batches
# TYPE crossbook_matcher_batches_total counter
crossbook_matcher_batches_total 3.0
# HELP crossbook_matcher_build Which build of the engine runs
# TYPE crossbook_matcher_build gauge
crossbook_matcher_build{build="compiled"} 1.0
"""


METRICS = encode(Metrics(request_id=1, seq=5, text=""))


@contextmanager
def answering(payload: bytes, setting: str = "matcher_sync") -> Iterator[Settings]:
    """Settings of a process that answers its first request with `payload`, at the address of this
    setting."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        port = router.bind_to_random_port("tcp://127.0.0.1")

        def answer() -> None:
            sender, _ = router.recv_multipart()
            router.send_multipart([sender, payload])

        thread = threading.Thread(target=answer)
        thread.start()
        yield Settings.model_validate({setting: f"tcp://127.0.0.1:{port}"})
        thread.join()


@pytest.mark.parametrize(("text", "build"), [(EXPOSITION, "compiled"), ("", None)])
def test_the_build_is_a_label_of_a_metric(text: str, build: str | None) -> None:
    with answering(encode(Metrics(request_id=1, seq=5, text=text))) as settings:
        assert matcher_build(settings, 5.0) == build


def test_the_build_of_a_matcher_out_of_reach_is_unknown() -> None:
    assert matcher_build(Settings(matcher_sync="tcp://127.0.0.1:1"), 0.01) is None


def test_a_process_of_another_folder_is_named_by_the_whole_path_of_its_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProcessDown) as caught:
        probe(Settings(matcher_sync="ipc://data/sync.sock"), "matcher", 0.05)
    assert str(caught.value) == (
        f"nothing listens at ipc://data/sync.sock ({tmp_path}/data/sync.sock does not exist)"
    )


def test_another_server_at_the_address_does_not_count_as_the_process() -> None:
    with (
        answering(b"\xc1") as settings,
        pytest.raises(ProcessDown, match="answers, but not as this process does"),
    ):
        probe(settings, "matcher", 5.0)


@pytest.mark.parametrize(
    ("process", "setting", "payload"),
    [
        ("matcher", "matcher_sync", METRICS),
        ("publisher", "publisher_snapshots", METRICS),
        ("recorder", "recorder_history", METRICS),
        ("gateway", "gateway_orders", encode([Pong(1, 9, 0)])),
    ],
)
def test_the_address_that_answered_is_the_one_of_the_process(
    process: str, setting: str, payload: bytes
) -> None:
    with answering(payload, setting) as settings:
        assert probe(settings, process, 5.0) == getattr(settings, setting)


def test_a_gateway_without_an_answer_to_a_ping_is_down() -> None:
    refusal = encode([Reject(1, RejectReason.MALFORMED, "frame", "")])
    with (
        answering(refusal, "gateway_orders") as settings,
        pytest.raises(ProcessDown, match=f"{settings.gateway_orders} answers, but not as this"),
    ):
        probe(settings, "gateway", 5.0)


def test_a_process_that_does_not_answer_in_time_is_down() -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        address = f"tcp://127.0.0.1:{router.bind_to_random_port('tcp://127.0.0.1')}"
        with pytest.raises(ProcessDown, match=rf"no answer from {address} in 0\.05 s"):
            probe(Settings(matcher_sync=address), "matcher", 0.05)


def test_a_gateway_without_order_entry_is_probed_over_http() -> None:
    paths: list[str] = []

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Health) as server:
        settings = Settings(gateway_roles=frozenset({"api"}), api_port=server.server_port)
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        base = f"http://127.0.0.1:{server.server_port}"
        assert probe(settings, "gateway", 5.0) == base
        thread.join()
    assert paths == ["/health"]
    with pytest.raises(ProcessDown, match=f"no answer from {base}/health"):
        probe(settings, "gateway", 5.0)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("[::]", "[::1]"),
        ("example.org", "example.org"),
    ],
)  # fmt: skip
def test_a_server_bound_to_every_address_is_reached_on_this_machine(host: str, shown: str) -> None:
    settings = Settings.model_construct(api_host=host, api_port=8080)
    assert http_url(settings) == f"http://{shown}:8080"
