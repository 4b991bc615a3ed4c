"""The amounts spent and left of an order by quote amount, in every document about an order."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from crossbook.common.messages.history_queries import OrderRecord
from crossbook.common.types import OrderStatus, OrderType, Side, TimeInForce
from crossbook.gateway.api.render import Renderer
from tests.gateway.api.test_order_stream import OrderStreamWorld
from tests.worlds.desk_world import INSTRUMENTS
from tests.worlds.rest_world import RestWorld, limit


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run the coroutine of one test."""
    asyncio.run(main)


def by_quote(side: str, amount: str, **more: str) -> dict[str, str]:
    """The body of a market order by quote amount."""
    return {
        "symbol": "BTC-USDT",
        "order_type": "market",
        "side": side,
        "quote_quantity": amount,
        **more,
    }


@pytest.mark.parametrize(
    ("side", "amount", "status", "filled", "spent", "left"),
    [
        # One lot at 50,000.00 is worth 0.50 USDT.
        ("buy", "10000.49", "FILLED", "0.20000", "10000.00000000", "0.49000000"),
        ("buy", "10000.50", "FILLED", "0.20001", "10000.50000000", "0.00000000"),
        ("buy", "60000", "EXPIRED", "1.00000", "50000.00000000", "10000.00000000"),
        ("sell", "4999.99", "FILLED", "0.12499", "4999.60000000", "0.39000000"),
    ],
)
def test_an_order_by_quote_amount_is_answered_with_the_amounts_spent_and_left(
    side: str, amount: str, status: str, filled: str, spent: str, left: str
) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.enter(limit("sell", "1", "50000"), account=2)
            await world.enter(limit("buy", "1", "40000"), account=2)
            document = (await world.enter(by_quote(side, amount))).json()
            assert document["order_status"] == status
            assert document["filled_quantity"] == filled
            assert document["filled_quote_quantity"] == spent
            assert document["quote_left"] == left

    run(main())


def test_any_other_order_has_no_quote_left_and_gives_the_amount_traded() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            await world.enter(limit("sell", "1", "50000"), account=2)
            some = (await world.enter(limit("buy", "2", "50000", time_in_force="ioc"))).json()
            assert (some["order_status"], some["quote_left"]) == ("EXPIRED", None)
            assert some["filled_quote_quantity"] == "50000.00000000"
            none = (await world.enter(limit("buy", "2", "40000"))).json()
            assert (none["filled_quote_quantity"], none["quote_left"]) == ("0.00000000", None)

    run(main())


def test_an_amend_without_the_fills_before_it_gives_no_sum() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            order_id = (await world.enter(limit("buy", "2", "50000"))).json()["order_id"]
            await world.enter(limit("sell", "1", "50000"), account=2)
            path = f"/api/v1/orders/{order_id}"
            amended = (await world.client.patch(path, json={"quantity": "1.5"})).json()
            assert (amended["average_price"], amended["filled_quote_quantity"]) == (None, None)

    run(main())


@pytest.mark.parametrize(("amount", "kind"), [("10000.49", "completed"), ("60000", "expired")])
def test_the_order_stream_gives_the_amount_left_when_the_order_ends(amount: str, kind: str) -> None:
    async def main() -> None:
        async with OrderStreamWorld("account=1") as world:
            await world.enter(limit("sell", "1", "50000"), account=2)
            await world.enter(by_quote("buy", amount))
            reports = await world.connection.messages("execution", 3)
            assert [(each["kind"], each["quote_left"]) for each in reports] == [
                ("new", None),
                ("fill", None),
                (kind, {"completed": "0.49000000", "expired": "10000.00000000"}[kind]),
            ]

    run(main())


def record(quote_amount: int) -> OrderRecord:
    """An ended market order: 0.2 BTC for 10,000 USDT."""
    bought = 20_000
    return OrderRecord(
        order_id=1, client_order_id="", instrument=1, side=Side.BUY,
        order_type=OrderType.MARKET, time_in_force=TimeInForce.GTC, price_ticks=0,
        quantity_lots=0 if quote_amount else bought, quote_amount=quote_amount,
        status=OrderStatus.FILLED, filled_lots=bought, remaining_lots=0,
        filled_notional=10_000 * 10**8, reason=0, created_ns=1, updated_ns=1, updated_seq=1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("quote_amount", "left"), [(10_000_49 * 10**6, "0.49000000"), (0, None)], ids=["quote", "base"]
)
def test_a_recorded_order_gives_the_same(quote_amount: int, left: str | None) -> None:
    render = Renderer(INSTRUMENTS)
    order = render.order(record(quote_amount), with_fills=False)
    repeated = render.repeated(record(quote_amount), 9)
    for document in (order, repeated):
        assert document.filled_quote_quantity == "10000.00000000"
        assert document.quote_left == left
