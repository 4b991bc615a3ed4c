"""The scope of each route, compared with the tags of the OpenAPI document."""

import asyncio
from functools import cache
from typing import Any

import pytest

from crossbook.common.keys import Scope
from crossbook.gateway.auth.scopes import scope_needed
from tests.worlds.rest_world import RestWorld

OPEN_OPERATIONS = {"/health", "/ready"}


@cache
def operations() -> list[tuple[str, str, str]]:
    """Method, path with values, and tag of every operation of the API."""

    async def fetch() -> Any:
        async with RestWorld() as world:
            return (await world.client.get("/openapi.json")).json()

    found = []
    for path, methods in asyncio.run(fetch())["paths"].items():
        named = path.replace("{order_id}", "ORD-0000000001").replace("{symbol}", "BTC-USDT")
        assert "{" not in named, named
        found += [(method.upper(), named, each["tags"][0]) for method, each in methods.items()]
    assert len(found) > 20
    return found


def expected(method: str, path: str, tag: str) -> Scope | None:
    if tag == "market data" or path in OPEN_OPERATIONS:
        return None
    if tag == "operations":
        return Scope.ADMIN
    return Scope.READ if method == "GET" else Scope.TRADE


def test_every_operation_needs_the_scope_of_its_tag() -> None:
    for method, path, tag in operations():
        assert scope_needed(method, path) == expected(method, path, tag), (method, path)


def test_market_data_may_need_a_key_but_for_the_time() -> None:
    for method, path, tag in operations():
        if tag == "market data":
            keyed = None if path == "/api/v1/time" else Scope.READ
            assert scope_needed(method, path, market_data_is_keyed=True) == keyed, path


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/", None),
        ("HEAD", "/page/main.js", None),
        ("GET", "/docs", None),
        ("GET", "/docs/swagger-ui.css", None),
        ("GET", "/openapi.json", None),
        ("OPTIONS", "/api/v1/orders", None),
        ("HEAD", "/api/v1/orders", Scope.READ),
        ("POST", "/api/v1/ticker/BTC-USDT", Scope.TRADE),
        ("GET", "/api/v1/admin/faults", Scope.ADMIN),
        ("GET", "/api/v1/admin", Scope.ADMIN),
        ("DELETE", "/api/v1/admin/keys/alice-1", Scope.ADMIN),
        ("GET", "/metrics", Scope.ADMIN),
        ("GET", "/pages", Scope.READ),
        ("GET", "/api/v1/tickers/BTC-USDT", Scope.READ),
        ("GET", "/api/v1/ticker/BTC-USDT/more", Scope.READ),
        ("GET", "/anything", Scope.READ),
        ("PURGE", "/anything", Scope.TRADE),
    ],
)
def test_a_route_that_no_rule_opens_needs_a_key(
    method: str, path: str, scope: Scope | None
) -> None:
    assert scope_needed(method, path) == scope
