"""REST and the rules beyond plain orders: the terms of an order, accounts, standing requests."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from crossbook.common.rules import Rules
from tests.worlds.rest_world import RestWorld, limit


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run the coroutine of one test."""
    asyncio.run(main)


def order(order_type: str, side: str, **more: Any) -> dict[str, Any]:
    """The body of an order of one BTC."""
    return {
        "symbol": "BTC-USDT",
        "order_type": order_type,
        "side": side,
        "quantity": "1",
        **more,
    }


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (order("stop", "buy"), 400, "MALFORMED", "stop_price"),
        (order("limit", "buy", price="1000", stop_price="1"), 422, None, "stop_price"),
        (order("stop_limit", "buy", stop_price="60000"), 400, "MALFORMED", "price"),
        (order("stop", "buy", stop_price="60000", price="1"), 422, None, "price"),
        (order("stop", "buy", stop_price="1.001"), 422, "BAD_TICK", "stop_price"),
        (order("take_profit", "buy", stop_price=5), 400, "MALFORMED", "stop_price"),
        (limit("buy", "1", "1000", time_in_force="gtd"), 400, "MALFORMED", "expire_time"),
        (limit("buy", "1", "1000") | {"expire_time": 5}, 422, None, "expire_time"),
        (
            limit("buy", "1", "1000", time_in_force="gtd") | {"expire_time": 5},
            422,
            "TOO_LATE",
            "expire_time",
        ),
        (limit("buy", "1", "1000") | {"expire_time": "soon"}, 400, "MALFORMED", "expire_time"),
        (limit("buy", "1", "1000") | {"post_only": 1}, 400, "MALFORMED", "post_only"),
        (
            limit("buy", "1", "1000", time_in_force="ioc") | {"post_only": True},
            422,
            None,
            "post_only",
        ),
        (limit("buy", "1", "1000", display_quantity="2"), 422, "EXCEEDS_LIMIT", "display_quantity"),
        (
            limit("buy", "1", "1000", self_trade_prevention="never"),
            400,
            "MALFORMED",
            "self_trade_prevention",
        ),
    ],
)
def test_the_refusal_of_a_term_names_its_field(
    body: dict[str, Any], status: int, code: str | None, field: str
) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            answer = await world.client.post("/api/v1/orders", json=body)
            error = answer.json()["error"]
            assert (answer.status_code, error["field"]) == (status, field), error
            assert error["code"] == (code or "UNSUPPORTED_COMBINATION")

    run(main())


def test_a_stop_waits_is_elected_and_trades() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            for price in ("50000", "50010"):
                await world.enter(limit("sell", "1", price), account=2)
            await world.enter(limit("buy", "1", "50000"), account=3)
            stop = (await world.enter(order("stop", "buy", stop_price="50005"), account=4)).json()
            assert (stop["order_status"], stop["fills"]) == ("NEW", [])
            assert (await world.enter(order("stop", "buy", stop_price="1"), account=4)).json()[
                "error"
            ]["code"] == "STOP_WOULD_TRIGGER"
            await world.enter(limit("sell", "1", "50020"), account=2)
            await world.enter(limit("buy", "1", "50010"), account=3)
            assert not world.engine.open_orders(4)[0]

    run(main())


def test_a_post_only_order_that_would_take_is_refused() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.enter(limit("sell", "1", "50000"), account=2)
            answer = await world.enter(limit("buy", "1", "50000") | {"post_only": True})
            assert answer.status_code == 422
            assert answer.json()["error"]["code"] == "POST_ONLY_WOULD_TAKE"
            rests = await world.enter(limit("buy", "1", "49000") | {"post_only": True})
            assert rests.json()["order_status"] == "NEW"

    run(main())


@pytest.mark.parametrize(
    ("mode", "status"),
    [("expire_taker", "EXPIRED_IN_MATCH"), ("expire_maker", "NEW"), ("none", "FILLED")],
)
def test_own_orders_meet_by_the_takers_mode(mode: str, status: str) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.enter(limit("sell", "1", "50000"))
            body = limit("buy", "1", "50000", self_trade_prevention=mode)
            assert (await world.enter(body)).json()["order_status"] == status

    run(main())


def test_by_default_own_orders_do_not_trade_with_each_other() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.enter(limit("sell", "1", "50000"))
            document = (await world.enter(limit("buy", "1", "50000"))).json()
            assert document["order_status"] == "EXPIRED_IN_MATCH"

    run(main())


def test_an_iceberg_shows_a_part() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.enter(limit("sell", "5", "50000", display_quantity="1"))
            book = (await world.client.get("/api/v1/orderbook/BTC-USDT")).json()
            assert book["asks"] == [["50000.00", "1.00000"]]

    run(main())


def test_cancel_after_is_set_and_removed() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            answer = await world.client.post("/api/v1/cancel-after", json={"timeout_s": 60})
            assert answer.json()["status"] == "set"
            assert answer.json()["cancel_at"] == "2025-10-26T12:35:56.789Z"
            off = await world.client.post("/api/v1/cancel-after", json={"timeout_s": 0})
            assert (off.json()["status"], off.json()["cancel_at"]) == ("off", None)
            for wrong in (-1, 86_401, "60", 1.5):
                bad = await world.client.post("/api/v1/cancel-after", json={"timeout_s": wrong})
                assert (bad.status_code, bad.json()["error"]["field"]) == (400, "timeout_s")

    run(main())


def test_with_accounts_an_order_holds_its_money_and_a_poor_one_is_refused() -> None:
    async def main() -> None:
        opening = (("USDT", 100_000 * 10**8), ("BTC", 10**8))
        async with RestWorld(rules=Rules(accounts=True, opening=opening)) as world:
            assert (await world.enter(limit("buy", "1", "50000"))).status_code == 201
            account = (await world.client.get("/api/v1/account")).json()
            held = {each["asset"]: each for each in account["balances"]}
            assert held["USDT"] == {
                "asset": "USDT",
                "total": "100000.00000000",
                "available": "50000.00000000",
                "held": "50000.00000000",
            }
            poor = await world.enter(limit("buy", "1.1", "50000"))
            assert poor.status_code == 422
            assert poor.json()["error"]["code"] == "INSUFFICIENT_BALANCE"

    run(main())


def test_fills_after_another_own_order_ended_are_in_the_answer() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.enter(limit("sell", "0.1", "50000"), account=2)
            await world.enter(limit("sell", "0.1", "50001"))
            await world.enter(limit("sell", "0.1", "50002"), account=2)
            taker = limit("buy", "0.3", "50002", self_trade_prevention="expire_maker")
            document = (await world.enter(taker)).json()
            assert [fill["price"] for fill in document["fills"]] == ["50000.00", "50002.00"]
            assert document["filled_quantity"] == "0.20000"
            assert document["remaining_quantity"] == "0.10000"
            assert document["order_status"] == "PARTIALLY_FILLED"
            assert document["average_price"] == "50001.00"

    run(main())


def test_the_end_of_an_own_stop_is_not_that_of_the_order_that_elected_it() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.enter(order("stop", "buy", quantity="0.5", stop_price="50000"))
            await world.enter(limit("sell", "0.3", "50000"), account=2)
            document = (await world.enter(limit("buy", "0.1", "50000"))).json()
            assert document["order_id"] == "ORD-0000000003"
            assert document["order_status"] == "FILLED"
            assert [fill["quantity"] for fill in document["fills"]] == ["0.10000"]
            assert document["average_price"] == "50000.00"

    run(main())
