"""Faults of REST: the answer to a client, and whether its request was done."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import httpx
import pytest

from crossbook.common.faults.order_entry import (
    AnswerLate,
    AnswerTwice,
    AnswerUnknown,
    CloseConnection,
    Delay,
    NoAnswer,
    Refuse,
)
from tests.gateway.faults.fault_world import FaultWorld
from tests.worlds.rest_world import limit

ORDER = limit("buy", "1", "50000", client_order_id="mine-1")


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run one test's coroutine."""
    asyncio.run(main)


def orders_entered(world: FaultWorld) -> int:
    """The commands that the engine applied."""
    return world.engine.seq


@pytest.mark.parametrize(
    ("rule", "status", "code", "retry_after"),
    [
        (Refuse(code="BUSY"), 503, "BUSY", "1"),
        (Refuse(status=503, code="MAINTENANCE", retry_after_s=30), 503, "MAINTENANCE", "30"),
        (Refuse(status=429, retry_after_s=7), 429, "TOO_MANY_REQUESTS", "7"),
        (Refuse(code="PRICE_BAND"), 422, "PRICE_BAND", None),
        (Refuse(code="OUTCOME_UNKNOWN"), 504, "OUTCOME_UNKNOWN", None),
        (Refuse(status=502, code="BAD_GATEWAY"), 502, "BAD_GATEWAY", None),
        (Refuse(status=418), 418, "MALFORMED", None),
    ],
)
def test_a_refused_request_is_not_done(
    rule: Refuse, status: int, code: str, retry_after: str | None
) -> None:
    async def main() -> None:
        async with FaultWorld(rule) as world:
            answer = await world.enter(ORDER)
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
            assert answer.json()["error"]["message"] == "refused by fault rule 1"
            assert answer.headers.get("retry-after") == retry_after
            assert orders_entered(world) == 0

    run(main())


def test_a_bad_gateway_without_a_code_is_the_page_of_a_proxy() -> None:
    async def main() -> None:
        async with FaultWorld(Refuse(status=502)) as world:
            answer = await world.enter(ORDER)
            assert answer.status_code == 502
            assert answer.headers["content-type"] == "text/html"
            assert "Bad Gateway" in answer.text

    run(main())


def test_a_rule_ends_after_the_next_n() -> None:
    async def main() -> None:
        async with FaultWorld(Refuse(code="BUSY", next=2)) as world:
            statuses = [(await world.enter(ORDER)).status_code for _ in range(3)]
            assert statuses == [503, 503, 201]

    run(main())


@pytest.mark.parametrize(
    ("selectors", "is_refused"),
    [
        ({"account": 7}, True),
        ({"account": 8}, False),
        ({"symbol": "BTC-USDT"}, True),
        ({"symbol": "ETH-USDT"}, False),
        ({"client_order_id": "mine-*"}, True),
        ({"client_order_id": "theirs-*"}, False),
        ({"path": "/api/v1/orders"}, True),
        ({"path": "/api/v1/orders/*"}, False),
        ({"method": "POST"}, True),
        ({"method": "GET"}, False),
        ({"interface": "rest"}, True),
        ({"interface": "zeromq"}, False),
    ],
)
def test_a_rule_applies_to_the_requests_it_selects(
    selectors: dict[str, Any], is_refused: bool
) -> None:
    async def main() -> None:
        async with FaultWorld(Refuse(code="BUSY", **selectors)) as world:
            answer = await world.enter(ORDER, account=7)
            assert answer.status_code == (503 if is_refused else 201)

    run(main())


@pytest.mark.parametrize(("key", "is_refused"), [("desk-1", True), ("desk-2", False)])
def test_a_rule_applies_to_the_requests_of_the_key_it_selects(key: str, is_refused: bool) -> None:
    async def main() -> None:
        async with FaultWorld(Refuse(code="BUSY", key="desk-1")) as world:
            answer = await world.client.post(
                "/api/v1/orders", json=ORDER, headers={"CROSSBOOK-KEY": key}
            )
            assert answer.status_code == (503 if is_refused else 201)

    run(main())


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/orderbook/BTC-USDT",
        "/api/v1/ticker/BTC-USDT",
        "/api/v1/orders?symbol=BTC-USDT",
        "/api/v1/trades/BTC-USDT?limit=5",
    ],
)
def test_queries_are_selected_by_the_symbol_in_path_or_query(path: str) -> None:
    async def main() -> None:
        async with FaultWorld(Refuse(status=429, symbol="BTC-USDT")) as world:
            assert (await world.client.get(path)).status_code == 429
            other = path.replace("BTC", "ETH")
            assert (await world.client.get(other)).status_code != 429

    run(main())


def test_the_account_of_the_setting_acts_where_a_request_names_none() -> None:
    async def main() -> None:
        async with FaultWorld(Refuse(status=429, account=1)) as world:
            assert (await world.client.get("/api/v1/account")).status_code == 429
            headers = {"X-Account": "2"}
            answer = await world.client.get("/api/v1/account", headers=headers)
            assert answer.status_code == 200

    run(main())


def test_a_malformed_request_has_its_own_refusal_and_not_that_of_the_fault() -> None:
    async def main() -> None:
        async with FaultWorld(Refuse(status=429)) as world:
            for headers, path, body in (
                ({"X-Account": "none"}, "/api/v1/orders", b"{}"),
                ({}, "/api/v1/orders?a=1&a=2", b"{}"),
                ({}, "/api/v1/orders", b"{"),
            ):
                answer = await world.client.post(
                    path, content=body, headers={"content-type": "application/json", **headers}
                )
                assert answer.status_code == 400
            assert world.applied("refuse") == 0

    run(main())


def test_a_body_beyond_the_limit_is_refused_for_its_size() -> None:
    async def main() -> None:
        async with FaultWorld(Delay(milliseconds=1, account=5)) as world:
            answer = await world.client.post(
                "/api/v1/orders",
                content=b" " * 300_000,
                headers={"content-type": "application/json"},
            )
            assert answer.status_code == 413

    run(main())


def test_health_and_readiness_are_served_unless_a_rule_names_their_path() -> None:
    async def main() -> None:
        async with FaultWorld(Refuse(status=503)) as world:
            assert (await world.client.get("/health")).status_code == 200
            world.table.add(Refuse(status=503, path="/health"))
            assert (await world.client.get("/health")).status_code == 503

    run(main())


def test_a_delayed_request_is_done_after_its_delay() -> None:
    async def main() -> None:
        async with FaultWorld(Delay(milliseconds=80, next=1)) as world:
            loop = asyncio.get_running_loop()
            began = loop.time()
            task = asyncio.create_task(world.enter(ORDER))
            done = loop.create_future()
            loop.call_later(0.04, done.set_result, None)
            await done
            assert orders_entered(world) == 0
            assert (await task).status_code == 201
            assert loop.time() - began >= 0.08

    run(main())


def test_delays_add_up_and_come_before_a_refusal() -> None:
    async def main() -> None:
        rules = Delay(milliseconds=30), Delay(milliseconds=30), Refuse(code="BUSY")
        async with FaultWorld(*rules) as world:
            began = asyncio.get_running_loop().time()
            assert (await world.enter(ORDER)).status_code == 503
            assert asyncio.get_running_loop().time() - began >= 0.06

    run(main())


def test_a_command_with_an_unknown_outcome_was_done_and_can_be_repeated() -> None:
    async def main() -> None:
        async with FaultWorld(AnswerUnknown(next=1)) as world:
            answer = await world.enter(ORDER)
            assert answer.status_code == 504
            error = answer.json()["error"]
            assert error["code"] == "OUTCOME_UNKNOWN"
            assert "client_order_id=mine-1" in error["message"]
            assert orders_entered(world) == 1
            again = await world.enter(ORDER)
            assert again.status_code == 200

    run(main())


def test_only_commands_that_were_done_have_an_unknown_outcome() -> None:
    async def main() -> None:
        async with FaultWorld(AnswerUnknown()) as world:
            refused = await world.enter(limit("buy", "1", "50000.001"))
            assert refused.status_code == 422
            assert (await world.client.get("/api/v1/account")).status_code == 200
            assert world.applied("answer_unknown") == 0

    run(main())


def test_a_late_answer_comes_after_the_command_was_done() -> None:
    async def main() -> None:
        async with FaultWorld(AnswerLate(milliseconds=80)) as world:
            task = asyncio.create_task(world.enter(ORDER))
            while not orders_entered(world):
                await asyncio.wait([task], timeout=0.005)
            assert not task.done()
            assert (await task).status_code == 201

    run(main())


def test_http_is_not_answered_twice() -> None:
    async def main() -> None:
        async with FaultWorld(AnswerTwice()) as world:
            assert (await world.enter(ORDER)).status_code == 201
            assert world.applied("answer_twice") == 0

    run(main())


def test_a_closed_connection_gives_no_answer_and_nothing_is_done() -> None:
    async def main() -> None:
        async with (
            FaultWorld(CloseConnection(next=1), with_server=True) as world,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{world.port}") as client,
        ):
            with pytest.raises(httpx.RemoteProtocolError, match="disconnected"):
                await client.post("/api/v1/orders", json=ORDER)
            assert orders_entered(world) == 0
            assert (await client.post("/api/v1/orders", json=ORDER)).status_code == 201

    run(main())


def test_a_command_without_an_answer_was_done() -> None:
    async def main() -> None:
        async with (
            FaultWorld(NoAnswer(next=1), with_server=True) as world,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{world.port}", timeout=0.2) as client,
        ):
            with pytest.raises(httpx.ReadTimeout):
                await client.post("/api/v1/orders", json=ORDER)
            assert orders_entered(world) == 1
            assert (await client.post("/api/v1/orders", json=ORDER)).status_code == 200

    run(main())


def test_readiness_shows_the_rules_in_force() -> None:
    async def main() -> None:
        async with FaultWorld(Refuse(code="BUSY", next=1), Delay(milliseconds=1)) as world:
            await world.enter(ORDER)
            document = (await world.client.get("/ready")).json()
            assert document["faults"] == {"rules": 2, "applied": 1}

    run(main())
