"""`/metrics` of all processes in one document, and readiness where there is no API."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import msgspec

from gateway import documents
from gateway.expositions import joined
from gateway.metrics import GatewayMetrics
from gateway.order_route import AsgiApp
from gateway.probes import Answers, Probes, kind_and_shard

METRICS_TYPE: Final = "text/plain; version=0.0.4"

MetricsText = Callable[[], Awaitable[str]]
"""Gives the exposition of all processes."""

_JSON: Final = "application/json"
_encode = msgspec.json.Encoder().encode


class FollowedMarket(Protocol):
    """The public market data of this process."""

    @property
    def stale(self) -> bool:
        """Whether the publisher, or the matcher behind it, has been silent too long."""

    def seq_of(self, shard: int) -> int:
        """The last number of a matcher's stream heard of."""


class Operations:
    """Says what an operator wants to know."""

    def __init__(self, metrics: GatewayMetrics, probes: Probes, market: FollowedMarket) -> None:
        self._metrics = metrics
        self._probes = probes
        self._market = market

    async def metrics(self) -> str:
        """The exposition of this gateway and of every process that answers."""
        answers = await self._probes.ask()
        self._metrics.answers = answers
        said = {name: answer.text for name, answer in answers.items() if answer is not None}
        if not any(kind_and_shard(name)[1] for name in answers):
            return "".join([self._metrics.text(), *said.values()])
        by_shard = [(kind_and_shard(name)[1], text) for name, text in said.items()]
        return self._metrics.text() + joined(by_shard)

    async def readiness(self) -> documents.Readiness:
        """What a gateway without order entry can say: only market data has to be live."""
        answers = await self._probes.ask()
        live = not self._market.stale
        return documents.Readiness(
            "ready" if live else "not_ready",
            _all_answer(answers, "matcher"),
            live,
            _all_answer(answers, "recorder"),
            self._market.seq_of(0),
        )


def _all_answer(answers: Answers, kind: str) -> bool:
    """Whether every process of this kind answers."""
    return all(
        answer is not None for name, answer in answers.items() if kind_and_shard(name)[0] == kind
    )


def without_api(operations: Operations) -> AsgiApp:
    """What a gateway without the role `api` answers to HTTP."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        status, kind, body = 200, _JSON, b'{"status":"ok"}'
        if path == "/metrics":
            kind, body = f"{METRICS_TYPE}; charset=utf-8", (await operations.metrics()).encode()
        elif path == "/ready":
            readiness = await operations.readiness()
            status = 200 if readiness.status == "ready" else 503
            body = _encode(readiness)
        elif path != "/health":
            status = 404
            body = b'{"error":{"code":"NOT_FOUND","message":"this gateway has no role api"}}'
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", b"%d" % len(body)),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return serve
