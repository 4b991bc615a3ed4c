"""Checks and behaviour common to all routes: unread input, HEAD, `Allow`, pages of other
origins."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import httpx
import pytest

from tests.worlds.rest_world import RestWorld, limit

ORIGIN: Final = "https://charts.example"
PUBLIC: Final = (
    "/api/v1/instruments",
    "/api/v1/orderbook/BTC-USDT",
    "/api/v1/trades/BTC-USDT",
    "/api/v1/candles/BTC-USDT",
    "/api/v1/ticker/BTC-USDT",
)
OTHERS: Final = (
    "/", "/page/main.js", "/page/theme.css", "/health", "/ready", "/metrics", "/docs",
    "/docs/swagger-ui.css", "/openapi.json", "/api/v1/account", "/api/v1/orders",
    "/api/v1/orders/ORD-0000000001", "/api/v1/fills",
)  # fmt: skip


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run the coroutine of one test."""
    asyncio.run(main)


def error(answer: httpx.Response) -> dict[str, Any]:
    """The error of a refusal."""
    found: dict[str, Any] = answer.json()["error"]
    return found


@pytest.mark.parametrize(
    ("path", "how"),
    [
        ("/api/v1/orders", {"json": {"symbol": "BTC-USDT"}}),
        ("/api/v1/orders", {"content": b"x"}),
        ("/api/v1/orders", {"content": b"symbol=BTC-USDT"}),
        ("/api/v1/orders", {"headers": {"Transfer-Encoding": "chunked"}}),
        ("/api/v1/orders?symbols=BTC-USDT", {}),
        ("/api/v1/orders?Symbol=BTC-USDT", {}),
        ("/api/v1/orders?symbol=BTC-USDT&symbol=ETH-USDT", {}),
        ("/api/v1/orders?symbol=", {}),
        ("/api/v1/orders?side=hold", {}),
        ("/api/v1/orders?symbol", {}),
        ("/api/v1/orders?account=7", {}),
        ("/api/v1/orders/", {}),
        ("/api/v1/orders//", {}),
        ("/api/v1//orders", {}),
        ("/api/v1/orders/%2F", {}),
        ("/api/v1/orders%2F", {}),
        ("/api/v1/orders/%20", {}),
        ("/api/v1/orders/%00", {}),
        ("/api/v1/orders/BTC-USDT", {}),
        ("/api/v1/orders/ORD-0000000001?symbol=BTC-USDT", {}),
        ("/api/v1/orders/ORD-0000000001/x", {}),
    ],
)
def test_a_cancel_with_a_part_that_is_not_read_cancels_nothing(
    path: str, how: dict[str, Any]
) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.enter(limit("buy", "1", "50000"))
            answer = await world.client.request("DELETE", path, **how)
            assert answer.status_code in (400, 404), answer.text
            assert error(answer)["message"]
            assert len(world.engine.open_orders(1)[0]) == 1

    run(main())


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "0"}])
def test_a_cancel_of_all_without_a_body_is_one(headers: dict[str, str]) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.enter(limit("buy", "1", "50000"))
            answer = await world.client.request("DELETE", "/api/v1/orders", headers=headers)
            assert (answer.status_code, answer.json()["count"]) == (200, 1)

    run(main())


@pytest.mark.parametrize("path", [*PUBLIC, *OTHERS])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_read_with_a_body_or_an_unknown_parameter_is_refused(method: str, path: str) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            with_body = await world.client.request(method, path, content=b"{}")
            assert with_body.status_code == 400
            repeated = await world.client.request(method, f"{path}?limit=1&limit=1")
            assert repeated.status_code == 400
            unknown = await world.client.request(method, f"{path}?nonsense=1")
            assert unknown.status_code == 400
            slash = await world.client.request(method, f"{path.rstrip('/')}/x/")
            assert slash.status_code == 404
            if method == "GET":
                assert error(with_body)["field"] == "body"
                assert error(repeated)["field"] == "limit"
                assert error(unknown)["field"] == "nonsense"

    run(main())


@pytest.mark.parametrize("path", [*PUBLIC, *OTHERS, "/nothing", "/api/v1/orderbook/NO-SUCH"])
def test_head_is_answered_as_get_is_without_the_body(path: str) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            got, headed = await world.client.get(path), await world.client.head(path)
            assert headed.status_code == got.status_code
            assert headed.content == b""
            kept = dict(got.headers) | {"date": ""}
            if got.status_code >= 400:
                kept["content-length"] = headed.headers["content-length"]
            assert dict(headed.headers) | {"date": ""} == kept

    run(main())


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/v1/orders", "DELETE, GET, HEAD, OPTIONS, POST"),
        ("/api/v1/orders/ORD-0000000001", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/api/v1/orders/batch", "OPTIONS, POST"),
        ("/api/v1/cancel-after", "OPTIONS, POST"),
        *[(path, "GET, HEAD, OPTIONS") for path in (*PUBLIC, *OTHERS) if "orders" not in path],
    ],
)
def test_the_allow_header_lists_the_accepted_methods(path: str, methods: str) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            response = await world.client.options(path)
            assert (response.status_code, response.headers["allow"]) == (204, methods)
            for method in ("GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "TRACE", "PROPFIND"):
                answer = await world.client.request(method, path)
                assert (answer.status_code == 405) == (method not in methods.split(", ")), method
                if answer.status_code == 405:
                    assert answer.headers["allow"] == methods

    run(main())


@pytest.mark.parametrize(
    ("address", "methods"),
    [
        ("/api/v1/orderbook/BTC-USDT?levels=5&min_seq=0", "GET, HEAD, OPTIONS"),
        ("/api/v1/candles/BTC-USDT?interval=1s&from=1&to=2", "GET, HEAD, OPTIONS"),
        ("/api/v1/orders?symbol=BTC-USDT&side=buy&status=open", "DELETE, GET, HEAD, OPTIONS, POST"),
        (
            "/api/v1/orders/by-client-order-id?client_order_id=x",
            "DELETE, GET, HEAD, OPTIONS, PATCH",
        ),
    ],
)
def test_the_methods_of_an_address_with_its_parameters_are_listed(
    address: str, methods: str
) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            response = await world.client.options(address)
            assert (response.status_code, response.headers["allow"]) == (204, methods)
            unknown = await world.client.options(f"{address}&nonsense=1")
            assert unknown.status_code == 400

    run(main())


def test_no_page_of_another_origin_reads_anything_by_default() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            for path in (*PUBLIC, *OTHERS):
                answer = await world.client.get(path, headers={"Origin": ORIGIN})
                assert not [name for name in answer.headers if name.startswith("access-control")]

    run(main())


@pytest.mark.parametrize("path", [*PUBLIC, "/api/v1/ticker/NO-SUCH", "/api/v1/instruments?x=1"])
def test_a_configured_origin_reads_public_market_data_without_credentials(path: str) -> None:
    async def main() -> None:
        async with RestWorld(origins=(ORIGIN,)) as world:
            for method in ("GET", "HEAD"):
                answer = await world.client.request(method, path, headers={"Origin": ORIGIN})
                assert answer.headers["access-control-allow-origin"] == ORIGIN
                assert "access-control-allow-credentials" not in answer.headers
                assert "Origin" in answer.headers["vary"]
            for other in (ORIGIN + ".evil", "http://charts.example", "null"):
                answer = await world.client.get(path, headers={"Origin": other})
                assert "access-control-allow-origin" not in answer.headers
                assert "Origin" in answer.headers["vary"]
            answer = await world.client.get(path)
            assert "access-control-allow-origin" not in answer.headers
            preflight = await world.client.options(
                path.partition("?")[0],
                headers={"Origin": ORIGIN, "Access-Control-Request-Method": "GET"},
            )
            assert preflight.status_code == 204
            assert preflight.headers["access-control-allow-origin"] == ORIGIN
            assert preflight.headers["access-control-allow-methods"] == "GET, HEAD"
            assert "access-control-allow-headers" not in preflight.headers
            assert preflight.headers["access-control-max-age"] == "600"

    run(main())


def test_a_configured_origin_reads_nothing_private_and_changes_nothing() -> None:
    async def main() -> None:
        async with RestWorld(origins=(ORIGIN,)) as world:
            for path in OTHERS:
                for method in ("GET", "OPTIONS"):
                    answer = await world.client.request(
                        method,
                        path,
                        headers={"Origin": ORIGIN, "Access-Control-Request-Method": "DELETE"},
                    )
                    named = [name for name in answer.headers if name.startswith("access-control")]
                    assert not named
            for method, path in (("DELETE", "/api/v1/orders"), ("POST", "/api/v1/cancel-after")):
                answer = await world.client.request(
                    method, path, headers={"Origin": ORIGIN}, json=None
                )
                assert (answer.status_code, error(answer)["code"]) == (403, "FOREIGN_ORIGIN")
            assert not world.engine.seq

    run(main())


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded",
                                  "multipart/form-data; boundary=x"])  # fmt: skip
def test_a_content_type_any_form_can_send_enters_nothing(kind: str) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            for path in ("/api/v1/orders", "/api/v1/orders/batch", "/api/v1/cancel-after"):
                answer = await world.client.post(
                    path, content=b'{"timeout_s":1}', headers={"Content-Type": kind}
                )
                assert answer.status_code == 415
            assert not world.engine.seq

    run(main())


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "localhost.evil.example"])
def test_a_foreign_name_for_this_machine_reaches_no_route(host: str) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.enter(limit("buy", "1", "50000"))
            for path in (*PUBLIC, *OTHERS, "/nothing"):
                answer = await world.client.get(path, headers={"Host": host})
                assert (answer.status_code, error(answer)["code"]) == (403, "HOST_NOT_ALLOWED")
                assert "ALLOWED_HOSTS" in error(answer)["message"]
            headers = {"Host": host, "Origin": f"http://{host}"}
            answer = await world.client.delete("/api/v1/orders", headers=headers)
            assert answer.status_code == 403
            assert len(world.engine.open_orders(1)[0]) == 1

    run(main())


def test_the_host_in_a_header_of_proxies_is_not_read() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            for header in ("X-Forwarded-Host", "X-Host", "X-Original-Host"):
                answer = await world.client.get("/health", headers={header: "evil.example"})
                assert answer.status_code == 200
                headers = {"Host": "evil.example", header: "localhost"}
                answer = await world.client.get("/health", headers=headers)
                assert answer.status_code == 403

    run(main())
