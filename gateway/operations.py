"""`/metrics` of all processes in one document, and readiness where there is no API."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import msgspec

from gateway import documents
from gateway.metrics import GatewayMetrics
from gateway.order_route import AsgiApp
from gateway.probes import Probes

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

    @property
    def seq(self) -> int:
        """The last number of the matcher's stream heard of."""


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
        texts = [answer.text for answer in answers.values() if answer is not None]
        return "".join([self._metrics.text(), *texts])

    async def readiness(self) -> documents.Readiness:
        """What a gateway without order entry can say: only market data has to be live."""
        answers = await self._probes.ask()
        live = not self._market.stale
        return documents.Readiness(
            "ready" if live else "not_ready",
            answers["matcher"] is not None,
            live,
            answers["recorder"] is not None,
            self._market.seq,
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
