"""HTTP of a gateway without the role `api`."""

import asyncio
from typing import Any, cast

import httpx
import pytest

from crossbook.common.messages.process_metrics import Metrics
from crossbook.gateway.auth.access import AnyAccount
from crossbook.gateway.operations.operations import Operations, without_api
from crossbook.gateway.operations.probes import ProcessAnswers
from crossbook.gateway.operations.readiness import FaultsInForce, MissingPart, Readiness
from crossbook.gateway.web.admission import Admission
from crossbook.gateway.web.hosts import AllowedHosts


class PlainOperations:
    """Answers without a request to any process."""

    async def metrics(self) -> str:
        """A fixed exposition."""
        return "# TYPE crossbook_up gauge\n"

    async def readiness(self) -> Readiness:
        """A readiness without any available part."""
        return Readiness(
            status="not_ready", matcher=False, market_data=False, recorder=False, missing=[], seq=0,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/health", {}, 200),
        ("HEAD", "/health", {}, 200),
        ("GET", "/metrics", {}, 200),
        ("GET", "/ready", {}, 503),
        ("OPTIONS", "/health", {}, 204),
        ("POST", "/health", {}, 405),
        ("DELETE", "/api/v1/orders", {}, 404),
        ("GET", "/metrics?x=1", {}, 400),
        ("GET", "/metrics/", {}, 404),
        ("GET", "/metrics", {"Host": "evil.example"}, 403),
        ("GET", "/metrics", {"X-Account": "0"}, 400),
    ],
)
def test_operations_serve_three_paths_and_the_checks_of_every_gateway(
    method: str, path: str, headers: dict[str, str], status: int
) -> None:
    app: Any = without_api(
        cast(Operations, PlainOperations()), Admission(AllowedHosts()), AnyAccount(1)
    )

    async def main() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answer = await client.request(method, path, headers=headers)
            assert answer.status_code == status
            if status in (204, 405):
                assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
            if method == "HEAD":
                assert answer.content == b""
                assert int(answer.headers["content-length"]) > 0

    asyncio.run(main())


class OwnMetrics:
    """The exposition of the gateway. It keeps the answers of the other processes."""

    answers: ProcessAnswers | None = None

    def text(self) -> str:
        """One sample."""
        return "own 1.0\n"


class Answering:
    """The processes of an exchange, each with its exposition or without an answer."""

    stale = False

    def __init__(self, **texts: str | None) -> None:
        self.answers: ProcessAnswers = {
            name.replace("_", "-"): None if text is None else Metrics(1, 5, text)
            for name, text in texts.items()
        }
        self.own = OwnMetrics()
        parts: list[Any] = [self.own, self, self]
        self.operations = Operations(parts[0], parts[1], parts[2], "manual")

    async def fetch(self) -> ProcessAnswers:
        """The answer of every process."""
        return self.answers

    def seq_of(self, shard: int) -> int:
        """A number of that shard."""
        return 70 + shard


@pytest.mark.parametrize(
    ("texts", "document"),
    [
        ({"matcher": "a 1\n", "publisher": None, "recorder": "b 2\n"}, "own 1.0\na 1\nb 2\n"),
        ({"matcher": None}, "own 1.0\n"),
        (
            {"matcher": "a 1\n", "matcher_1": 'a{x="y"} 2\n', "recorder_1": None},
            'own 1.0\na{shard="0"} 1\na{shard="1",x="y"} 2\n',
        ),
    ],
)
def test_the_expositions_of_all_processes_are_one_document(
    texts: dict[str, str | None], document: str
) -> None:
    world = Answering(**texts)
    assert asyncio.run(world.operations.metrics()) == document
    assert world.own.answers == world.answers


def test_without_an_api_a_gateway_is_ready_when_its_market_data_is_live() -> None:
    world = Answering(matcher="", matcher_1="", publisher=None, recorder="")
    ready = Readiness(
        status="ready",
        matcher=True,
        market_data=True,
        recorder=True,
        missing=[],
        seq=70,
        clock="manual",
    )
    assert asyncio.run(world.operations.readiness()) == ready
    world.stale = True
    stale = [MissingPart("market_data", "market data is stale")]
    assert asyncio.run(world.operations.readiness()) == Readiness(
        status="not_ready",
        matcher=True,
        market_data=False,
        recorder=True,
        missing=stale,
        seq=70,
        clock="manual",
    )


def test_a_gateway_without_an_api_names_silent_processes_and_is_degraded() -> None:
    refused = "crossbook_matcher_clock_refused 1.0\n"
    world = Answering(matcher=None, matcher_1=refused, matcher_2=None, recorder=None)
    world.operations.faults_in_force = lambda: FaultsInForce(3, 9)
    world.operations.keys_for = "accounts"
    missing = [
        MissingPart("matcher", "no answer from matcher, matcher-2"),
        MissingPart("recorder", "no answer from recorder"),
        MissingPart("clock", "the clock of its machine is refused by matcher-1"),
    ]
    assert asyncio.run(world.operations.readiness()) == Readiness(
        status="degraded",
        matcher=False,
        market_data=True,
        recorder=False,
        missing=missing,
        seq=70,
        clock="manual",
        faults=FaultsInForce(3, 9),
        keys="accounts",
    )
    assert asyncio.run(world.operations.process_faults()) == {
        "clock": missing[2].reason, "recorder": ""
    }  # fmt: skip


def test_a_recorder_whose_database_fails_is_named() -> None:
    failing = "crossbook_recorder_database_failing 1.0\n"
    well = "crossbook_recorder_database_failing 0.0\n"
    world = Answering(matcher="", recorder=well, recorder_1=failing, recorder_2=failing)
    fault = "the database of recorder-1, recorder-2 fails"
    document = asyncio.run(world.operations.readiness())
    assert (document.status, document.recorder) == ("degraded", False)
    assert document.missing == [MissingPart("recorder", fault)]
    assert asyncio.run(world.operations.process_faults()) == {"clock": "", "recorder": fault}
