"""A probe and its answers; tests/system probes the processes themselves."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import zmq

from crossbook.client.process_probe import matcher_build, probe
from crossbook.common.messages.codec import encode
from crossbook.common.messages.process_metrics import Metrics
from crossbook.common.process.config import Settings
from crossbook.errors import ProcessDown

EXPOSITION = """\
# HELP crossbook_matcher_batches_total Batches
# TYPE crossbook_matcher_batches_total counter
crossbook_matcher_batches_total 3.0
# HELP crossbook_matcher_build Which build of the engine runs
# TYPE crossbook_matcher_build gauge
crossbook_matcher_build{build="compiled"} 1.0
"""


@contextmanager
def answering(payload: bytes) -> Iterator[Settings]:
    """Settings of a matcher that answers its first request with `payload`."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        port = router.bind_to_random_port("tcp://127.0.0.1")

        def answer() -> None:
            sender, _ = router.recv_multipart()
            router.send_multipart([sender, payload])

        thread = threading.Thread(target=answer)
        thread.start()
        yield Settings(matcher_sync=f"tcp://127.0.0.1:{port}")
        thread.join()


@pytest.mark.parametrize(("text", "build"), [(EXPOSITION, "compiled"), ("", None)])
def test_the_build_is_a_label_of_a_metric(text: str, build: str | None) -> None:
    with answering(encode(Metrics(request_id=1, seq=5, text=text))) as settings:
        assert matcher_build(settings, 5.0) == build


def test_the_build_of_a_matcher_out_of_reach_is_unknown() -> None:
    assert matcher_build(Settings(matcher_sync="tcp://127.0.0.1:1"), 0.01) is None


def test_another_server_at_the_address_is_no_process_that_works() -> None:
    with (
        answering(b"\xc1") as settings,
        pytest.raises(ProcessDown, match="answers, but not as this process does"),
    ):
        probe(settings, "matcher", 5.0)
