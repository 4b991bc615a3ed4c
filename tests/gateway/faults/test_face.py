"""Fault rules on the Binance-spot face: refusals in its words, and what was done."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import httpx
import pytest

from crossbook.common.faults.kinds import AnyFault
from crossbook.common.faults.order_entry import AnswerUnknown, Refuse
from crossbook.common.process.clock import SystemClock
from crossbook.common.types import RejectReason
from crossbook.gateway.faults.assembly import GatewayFaults
from tests.worlds.face_world import FaceWorld

TERMS = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
         "quantity": "1", "price": "50000"}  # fmt: skip


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run one test's coroutine."""
    asyncio.run(main)


def faulty(world: FaceWorld, *rules: AnyFault) -> GatewayFaults:
    """Put rules in front of the face of a world."""
    faults = GatewayFaults({}, SystemClock())
    for rule in rules:
        faults.table.add(rule)
    world.http = httpx.AsyncClient(
        transport=httpx.ASGITransport(faults.face(world.face)), base_url="http://localhost"
    )
    return faults


async def entered(world: FaceWorld, account: int = 1, **more: str) -> httpx.Response:
    """The answer to an order."""
    return await world.bot(account).send("POST", "order", **TERMS, **more)


@pytest.mark.parametrize(
    ("rule", "status", "code", "text", "retry_after"),
    [
        (Refuse(code="BUSY"), 503, -1008, "Server is currently overloaded", "1"),
        (Refuse(status=503, code="MAINTENANCE", retry_after_s=30), 503, -1008, "Server is", "30"),
        (Refuse(status=429, retry_after_s=7), 429, -1003, "Too many requests", "7"),
        (Refuse(status=418, retry_after_s=9), 418, -1003, "Too many requests", "9"),
        (Refuse(code="THROTTLED"), 429, -1015, "Too many new orders", "1"),
        (Refuse(code="INSUFFICIENT_BALANCE"), 400, -2010, "Account has insufficient", None),
        (Refuse(code="PRICE_BAND"), 400, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE", None),
        (Refuse(code="OUTCOME_UNKNOWN"), 504, -1007, "Timeout waiting for response", None),
        (Refuse(code="OUTCOME_UNKNOWN", status=400), 400, -1007, "Timeout waiting", None),
        (Refuse(status=500), 500, -1001, "Internal error", None),
        (Refuse(status=401), 401, -2015, "Invalid API-key", None),
        (Refuse(code="BUSY", message="try later"), 503, -1008, "try later", "1"),
    ],
)
def test_a_refusal_has_the_code_and_text_of_the_face_and_nothing_is_done(
    rule: Refuse, status: int, code: int, text: str, retry_after: str | None
) -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            faulty(world, rule)
            answer = await entered(world)
            document = answer.json()
            assert (answer.status_code, document["code"]) == (status, code)
            assert document["msg"].startswith(text)
            assert answer.headers.get("retry-after") == retry_after
            assert world.engine.seq == 0

    run(main())


@pytest.mark.parametrize(("method", "path", "code"), [
    ("POST", "order", -2010), ("DELETE", "order", -2011), ("GET", "order", -2013),
])  # fmt: skip
def test_an_unknown_order_is_refused_by_the_code_of_the_action(
    method: str, path: str, code: int
) -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            faulty(world, Refuse(code=RejectReason.UNKNOWN_ORDER.name))
            answer = await world.bot().send(method, path, symbol="BTCUSDT", orderId=1)
            assert answer.json()["code"] == code

    run(main())


def test_an_order_of_unknown_outcome_was_taken() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            faulty(world, AnswerUnknown(next=1))
            answer = await entered(world, newClientOrderId="mine-1")
            assert (answer.status_code, answer.json()["code"]) == (504, -1007)
            order = await world.bot().get("order", symbol="BTCUSDT", origClientOrderId="mine-1")
            assert order["status"] == "NEW"
            again = await entered(world, newClientOrderId="mine-1")
            assert again.json() == {"code": -2010, "msg": "Duplicate order sent."}

    run(main())


@pytest.mark.parametrize(
    "selector",
    [
        {"account": 2},
        {"key": "demo-2"},
        {"symbol": "ETH-USDT"},
        {"client_order_id": "other*"},
        {"path": "/api/v1/*"},
        {"method": "DELETE"},
    ],
)
def test_a_rule_concerns_the_requests_that_it_selects(selector: dict[str, Any]) -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            faulty(world, Refuse(code="BUSY", **selector))
            answer = await entered(world, newClientOrderId="mine-1")
            assert answer.status_code == 200

    run(main())


@pytest.mark.parametrize(
    "selector",
    [
        {"account": 1},
        {"key": "demo-1"},
        {"symbol": "BTC-USDT"},
        {"client_order_id": "mine*"},
        {"path": "/api/v3/order"},
        {"interface": "rest", "method": "POST"},
    ],
)
def test_a_request_is_known_by_its_key_and_parameters(selector: dict[str, Any]) -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            faults = faulty(world, Refuse(code="BUSY", **selector))
            answer = await entered(world, newClientOrderId="mine-1")
            assert answer.status_code == 503
            assert faults.table.applied["refuse"] == 1

    run(main())


def test_a_body_names_the_order_whatever_the_method() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            faulty(world, Refuse(code="BUSY", client_order_id="mine-1"))
            bot = world.bot()
            body = bot.signed({"symbol": "BTCUSDT", "origClientOrderId": "mine-1"})
            answer = await world.http.request(
                "DELETE", "/api/v3/order", content=body, headers={"X-MBX-APIKEY": bot.key}
            )
            assert answer.status_code == 503

    run(main())


def test_other_paths_and_requests_that_cannot_be_read_are_left_alone() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            faulty(world, Refuse(code="BUSY"))
            native = await world.http.get("/api/v1/time")
            assert native.status_code == 200
            unread = await world.http.get("/api/v3/time?symbol=%FF")
            assert unread.json()["code"] != -1008

    run(main())
