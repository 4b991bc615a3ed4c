"""Limits of HTTP requests: 429 with the time to wait, and headers with the rest of the limit."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import httpx

from crossbook.common.token_buckets import TokenBuckets
from crossbook.gateway.limits.account_limits import AccountLimits
from crossbook.gateway.limits.http import AddressLimits, network_of
from tests.worlds.rest_world import RestWorld, limit

ORDERS = "/api/v1/orders"


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def world(orders: int = 0, queries: int = 0) -> RestWorld:
    return RestWorld(limits=AccountLimits(orders, queries, 0, lambda: 0))


async def enter(world: RestWorld, account: int = 1) -> httpx.Response:
    body = limit("buy", "0.001", "10000")
    return await world.client.post(ORDERS, json=body, headers={"X-Account": str(account)})


def test_an_order_beyond_the_limit_is_429_with_the_wait_and_nothing_happened() -> None:
    async def test() -> None:
        async with world(orders=2) as exchange:
            answers = [await enter(exchange) for _ in range(5)]
            assert [answer.status_code for answer in answers] == [201] * 4 + [429]
            refused = answers[-1]
            assert refused.json()["error"]["code"] == "THROTTLED"
            assert refused.headers["retry-after"] == "1"
            assert refused.headers["ratelimit"] == '"orders";r=0;t=2'
            assert answers[0].headers["ratelimit-policy"] == '"orders";q=4;w=2'
            assert answers[0].headers["ratelimit"] == '"orders";r=3;t=1'
            assert (await enter(exchange, account=2)).status_code == 201
            assert exchange.engine.seq == 5

    run(test())


def test_each_order_of_a_batch_takes_a_token() -> None:
    async def test() -> None:
        async with world(orders=1) as exchange:
            order = limit("buy", "0.001", "10000")
            answer = await exchange.client.post(f"{ORDERS}/batch", json={"orders": [order] * 4})
            results = answer.json()["results"]
            codes = [(each.get("error") or {}).get("code") for each in results]
            assert codes == [None, None, "THROTTLED", "THROTTLED"]

    run(test())


def test_orders_can_be_canceled_when_no_token_for_an_order_is_left() -> None:
    async def test() -> None:
        async with world(orders=1) as exchange:
            while (await enter(exchange)).status_code == 201:
                pass
            assert (await exchange.client.delete(ORDERS)).status_code == 200

    run(test())


def test_queries_have_a_bucket_of_their_own_and_the_page_none() -> None:
    async def test() -> None:
        async with world(queries=1) as exchange:
            get = exchange.client.get
            answers = [await get("/api/v1/instruments") for _ in range(3)]
            assert [answer.status_code for answer in answers] == [200, 200, 429]
            assert answers[2].headers["retry-after"] == "1"
            assert answers[2].json()["error"]["message"].endswith("(QUERIES_PER_SECOND)")
            assert (await enter(exchange)).status_code == 201
            others = await get("/api/v1/instruments", headers={"X-Account": "2"})
            assert (others.status_code, others.headers["ratelimit"]) == (200, '"queries";r=1;t=1')
            page = await get("/")
            assert (page.status_code, page.headers.get("ratelimit")) == (200, None)

    run(test())


def test_without_limits_there_are_no_headers() -> None:
    async def test() -> None:
        async with world() as exchange:
            answer = await enter(exchange)
            assert not [name for name in answer.headers if name.startswith("ratelimit")]

    run(test())


def test_an_address_beyond_its_limit_is_refused_before_anything_is_read() -> None:
    async def test() -> None:
        served: list[str] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            served.append(scope["client"][0])
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        limited = AddressLimits(app, TokenBuckets(per_s=1, burst=2), lambda: 0)
        statuses = []
        for address in ("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db9::1"):
            transport = httpx.ASGITransport(limited, client=(address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                statuses.append((await client.get("/")).status_code)
        assert statuses == [204, 204, 429, 204]
        assert served == ["2001:db8::1", "2001:db8::2", "2001:db9::1"]
        assert limited.throttled == 1

    run(test())


def test_addresses_of_one_network_are_one_client() -> None:
    assert network_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert network_of("fe80::1%eth0") == "fe80::/64"
    assert network_of("not:an:address") == "not:an:address"
    assert network_of("") == ""
