"""The gateway goes on after every possible behaviour of a process that is probed for metrics."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Self

import pytest
import zmq

from crossbook.common.messages.codec import decode_matcher_query, encode
from crossbook.common.messages.process_metrics import Metrics, MetricsRequest
from crossbook.common.process import sockets
from crossbook.common.process.clock import FakeClock, SystemClock
from crossbook.gateway.operations import probes
from crossbook.gateway.operations.probes import FRESH_NS, Probes, is_exposition
from tests.system.exchange import free_ports

TEXT = "# TYPE crossbook_matcher_x gauge\ncrossbook_matcher_x 1.0\n"

Answer = Callable[[MetricsRequest], bytes]


class FakeProcess:
    """Answers each request with `answer`; `requests` are those received."""

    def __init__(self, answer: Answer, port: int | None = None) -> None:
        port = port or free_ports(1)[0]
        self.address = f"tcp://127.0.0.1:{port}"
        self.requests: list[MetricsRequest] = []
        self._answer = answer
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._router = sockets.matcher_queries_router(self._context, self.address)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._context.destroy(linger=0)

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self._router.poll(10):
                identity, payload = self._router.recv_multipart()
                request = decode_matcher_query(payload)
                assert isinstance(request, MetricsRequest)
                self.requests.append(request)
                self._router.send_multipart([identity, self._answer(request)])


def valid(request: MetricsRequest) -> bytes:
    return encode(Metrics(request_id=request.request_id, seq=7, text=TEXT))


@pytest.fixture
def context() -> Iterator["zmq.Context[zmq.Socket[bytes]]"]:
    made: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield made
    made.destroy(linger=0)


def dealer(context: "zmq.Context[zmq.Socket[bytes]]", address: str) -> "zmq.Socket[bytes]":
    """A socket connected to a process."""
    made = sockets.metrics_dealer(context, address)
    assert made.poll(5_000, zmq.POLLOUT)
    return made


def test_a_valid_answer_is_returned(context: "zmq.Context[zmq.Socket[bytes]]") -> None:
    with FakeProcess(valid) as process:
        probes = Probes({"matcher": dealer(context, process.address)}, SystemClock())
        assert asyncio.run(probes.fetch()) == {"matcher": Metrics(request_id=1, seq=7, text=TEXT)}


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: b"",
        lambda request: b"\xff" * 100,
        lambda request: encode([191, request.request_id, 7]),
        lambda request: encode([191, "one", 7, TEXT]),
        lambda request: encode(Metrics(request_id=request.request_id + 1, seq=7, text=TEXT)),
        lambda request: encode(Metrics(request_id=request.request_id, seq=7, text="")),
        lambda request: encode(Metrics(request_id=request.request_id, seq=7, text=TEXT[:-1])),
        lambda request: encode(
            Metrics(request_id=request.request_id, seq=7, text="crossbook_gateway_x 1\n")
        ),
        lambda request: encode(
            Metrics(request_id=request.request_id, seq=7, text=TEXT + "<html>\n")
        ),
    ],
)
def test_a_wrong_answer_counts_as_none_beside_valid_ones(
    context: "zmq.Context[zmq.Socket[bytes]]", answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "ANSWER_NS", 200_000_000)
    with FakeProcess(answer) as wrong, FakeProcess(valid) as right:
        both = Probes(
            {
                "recorder": dealer(context, wrong.address),
                "matcher": dealer(context, right.address),
            },
            SystemClock(),
        )
        began = time.monotonic()
        answers = asyncio.run(both.fetch())
        assert time.monotonic() - began < 1.2
        assert answers == {"recorder": None, "matcher": Metrics(request_id=1, seq=7, text=TEXT)}


def test_an_absent_process_is_none_at_once(context: "zmq.Context[zmq.Socket[bytes]]") -> None:
    (port,) = free_ports(1)
    absent = sockets.metrics_dealer(context, f"tcp://127.0.0.1:{port}")
    # The clock stands still: a wait for an answer would have no end.
    probes = Probes({"matcher": absent}, FakeClock(1))
    assert asyncio.run(probes.fetch()) == {"matcher": None}


def test_a_process_that_connects_is_asked_at_once(
    context: "zmq.Context[zmq.Socket[bytes]]",
) -> None:
    (port,) = free_ports(1)
    early = sockets.metrics_dealer(context, f"tcp://127.0.0.1:{port}")
    # The clock stands still: the first answers stay fresh.
    probes = Probes({"matcher": early}, FakeClock(1))
    assert asyncio.run(probes.fetch()) == {"matcher": None}
    with FakeProcess(valid, port):
        assert early.poll(5_000, zmq.POLLOUT)
        assert asyncio.run(probes.fetch()) == {"matcher": Metrics(request_id=2, seq=7, text=TEXT)}


def test_many_callers_at_once_cause_one_request(context: "zmq.Context[zmq.Socket[bytes]]") -> None:
    with FakeProcess(valid) as process:
        clock = FakeClock(1)
        probes = Probes({"matcher": dealer(context, process.address)}, clock)

        async def crowd() -> None:
            answers = await asyncio.gather(*(probes.fetch() for _ in range(50)))
            assert all(
                answer == {"matcher": Metrics(request_id=1, seq=7, text=TEXT)} for answer in answers
            )
            await probes.fetch()
            assert len(process.requests) == 1
            clock.advance_ns(FRESH_NS)
            assert await probes.fetch() == {"matcher": Metrics(request_id=2, seq=7, text=TEXT)}

        asyncio.run(crowd())


def test_a_caller_that_stops_waiting_does_not_cancel_the_request_of_other_callers(
    context: "zmq.Context[zmq.Socket[bytes]]",
) -> None:
    with FakeProcess(valid) as process:
        probes = Probes({"matcher": dealer(context, process.address)}, SystemClock())

        async def two() -> None:
            impatient = asyncio.create_task(probes.fetch())
            patient = asyncio.create_task(probes.fetch())
            asyncio.get_running_loop().call_soon(impatient.cancel)
            assert await patient == {"matcher": Metrics(request_id=1, seq=7, text=TEXT)}
            assert impatient.cancelled()

        asyncio.run(two())


@pytest.mark.parametrize("text", ["", "\n", "x 1\n", "crossbook_matcher_x 1", "# EOF\n"])
def test_a_text_that_is_no_exposition_of_the_process_is_recognized(text: str) -> None:
    assert is_exposition("matcher", TEXT)
    assert not is_exposition("matcher", text)
