"""`/metrics` of all processes in one document, and readiness where there is no API."""

import re
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Any, Final, Protocol

import msgspec

from crossbook.gateway.auth.access import Access
from crossbook.gateway.operations.expositions import joined
from crossbook.gateway.operations.metrics import GatewayMetrics
from crossbook.gateway.operations.probes import Probes, ProcessAnswers, kind_and_shard
from crossbook.gateway.operations.readiness import (
    ClockKind,
    FaultsInForce,
    Health,
    KeysFor,
    Part,
    Readiness,
    readiness,
)
from crossbook.gateway.problem import Problem
from crossbook.gateway.query import values_of
from crossbook.gateway.web.admission import Admission
from crossbook.gateway.web.answer import send_answer
from crossbook.gateway.web.entrance import AsgiApp, Entrance

METRICS_TYPE: Final = "text/plain; version=0.0.4"

MetricsText = Callable[[], Awaitable[str]]
"""Returns the exposition of all processes."""

_JSON: Final = "application/json"
_CLOCK_REFUSED: Final = re.compile(r"^crossbook_matcher_clock_refused 1", re.MULTILINE)
_DATABASE_FAILING: Final = re.compile(r"^crossbook_recorder_database_failing 1", re.MULTILINE)
_encode = msgspec.json.Encoder().encode


class MarketProgress(Protocol):
    """The public market data of this process."""

    @property
    def stale(self) -> bool:
        """Whether the publisher, or the matcher behind it, has been silent too long."""

    def seq_of(self, shard: int) -> int:
        """The last number received from a shard's matcher."""


class Operations:
    """Metrics and readiness, for operators and their tools."""

    def __init__(
        self,
        metrics: GatewayMetrics,
        probes: Probes,
        market: MarketProgress,
        clock: ClockKind = "system",
    ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._probes = probes
        self._market = market
        self.faults_in_force: Callable[[], FaultsInForce] | None = None
        self.keys_for: KeysFor = "none"

    async def metrics(self) -> str:
        """The exposition of this gateway and of every process that answers."""
        answers = await self._probes.fetch()
        self._metrics.answers = answers
        texts = {name: answer.text for name, answer in answers.items() if answer is not None}
        if not any(kind_and_shard(name)[1] for name in answers):
            return "".join([self._metrics.text(), *texts.values()])
        by_shard = [(kind_and_shard(name)[1], text) for name, text in texts.items()]
        return self._metrics.text() + joined(by_shard)

    async def readiness(self) -> Readiness:
        """Readiness of a gateway without the role `api`: only market data has to be live."""
        answers = await self._probes.fetch()
        document = readiness(
            {
                "matcher": _silence(answers, "matcher"),
                "market_data": "market data is stale" if self._market.stale else "",
                "recorder": _silence(answers, "recorder") or database_fault(answers),
                "clock": clock_fault(answers),
            },
            ["market_data"],
            self._market.seq_of(0),
            self._clock,
        )
        document.keys = self.keys_for
        if self.faults_in_force is not None:
            document.faults = self.faults_in_force()
        return document

    async def process_faults(self) -> Mapping[Part, str]:
        """Why parts of the exchange are not available, by the metrics of the processes; empty
        texts where they are."""
        answers = await self._probes.fetch()
        return {"clock": clock_fault(answers), "recorder": database_fault(answers)}


def clock_fault(answers: ProcessAnswers) -> str:
    """The text naming the processes that refuse the clock of their machine; empty where none does.

    >>> from crossbook.common.messages.process_metrics import Metrics
    >>> clock_fault({"matcher": Metrics(1, 7, "crossbook_matcher_clock_refused 1.0\\n")})
    'the clock of its machine is refused by matcher'
    >>> clock_fault({"matcher": Metrics(1, 7, ""), "recorder": None})
    ''
    """
    refusing = _exposing(answers, _CLOCK_REFUSED)
    return f"the clock of its machine is refused by {refusing}" if refusing else ""


def database_fault(answers: ProcessAnswers) -> str:
    """The text naming the recorders whose database fails; empty where none does.

    >>> from crossbook.common.messages.process_metrics import Metrics
    >>> database_fault({"recorder": Metrics(1, 7, "crossbook_recorder_database_failing 1.0\\n")})
    'the database of recorder fails'
    """
    failing = _exposing(answers, _DATABASE_FAILING)
    return f"the database of {failing} fails" if failing else ""


def _exposing(answers: ProcessAnswers, sample: re.Pattern[str]) -> str:
    """The names of the processes whose metrics have a sample."""
    return ", ".join(
        name
        for name, answer in answers.items()
        if answer is not None and sample.search(answer.text)
    )


def _silence(answers: ProcessAnswers, kind: str) -> str:
    """The text naming the processes of a kind that do not answer; empty when all do."""
    silent = [
        name
        for name, answer in answers.items()
        if answer is None and kind_and_shard(name)[0] == kind
    ]
    return f"no answer from {', '.join(silent)}" if silent else ""


_ALLOW: Final = b"GET, HEAD, OPTIONS"
_PATHS: Final = ("/health", "/metrics", "/ready")


def without_api(operations: Operations, admission: Admission, access: Access) -> AsgiApp:
    """The HTTP application of a gateway without the role `api`."""
    numbers = count(1)

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        status, kind, body = await _answer(operations, scope)
        headers = [(b"allow", _ALLOW)] if status in (204, 405) else []
        await send_answer(send, status, body, headers, kind.encode())

    return Entrance(serve, admission, access, lambda: f"streams-{next(numbers)}", lambda _: _ALLOW)


async def _answer(operations: Operations, scope: Any) -> tuple[int, str, bytes]:
    """Status, media type and body for a request."""
    path, method = scope["path"], scope["method"]
    try:
        if path not in _PATHS:
            raise Problem(404, "NOT_FOUND", "this gateway has no role api")
        if method == "OPTIONS":
            return 204, _JSON, b""
        if method != "GET":
            raise Problem(405, "METHOD_NOT_ALLOWED", f"{path} answers GET only")
        values_of(scope["query_string"].decode("latin-1"), ())
    except Problem as problem:
        return problem.status, _JSON, _encode({"error": problem.detail})
    if path == "/metrics":
        return 200, f"{METRICS_TYPE}; charset=utf-8", (await operations.metrics()).encode()
    if path == "/health":
        return 200, _JSON, _encode(Health("ok"))
    document = await operations.readiness()
    return 503 if document.status == "not_ready" else 200, _JSON, _encode(document)
