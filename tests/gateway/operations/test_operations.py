"""HTTP of a gateway without the role `api`."""

import asyncio
from typing import Any, cast

import httpx
import pytest

from crossbook.gateway.auth.access import AnyAccount
from crossbook.gateway.operations.operations import Operations, without_api
from crossbook.gateway.operations.readiness import Readiness
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
