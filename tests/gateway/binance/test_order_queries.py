"""Orders and own trades from a real record."""

from typing import Any

import pytest

from tests.gateway.binance.test_order_actions import market, run
from tests.worlds.face_world import FaceWorld

SYMBOL = {"symbol": "BTCUSDT"}
DAY_MS = 86_400_000


def ids(rows: list[dict[str, Any]], name: str = "orderId") -> list[int]:
    """One number of each row."""
    return [row[name] for row in rows]


async def filled(world: FaceWorld, orders: int = 6) -> None:
    """Orders of account 1 a second apart, each traded with account 2; ids 1, 3, 5..."""
    for number in range(orders):
        await world.bot(1).limit("SELL", "1", "50000", newClientOrderId=f"n-{number}")
        await market(world.bot(2), "BUY", quantity="1")
        world.time_ns += 1_000_000_000
        world.clock.advance_ns(1_000_000_000)


def test_an_order_is_found_by_either_id_and_has_all_fields() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot()
            await bot.limit("BUY", "1", "50000", newClientOrderId="mine")
            by_id = await bot.get("order", **SYMBOL, orderId=1)
            assert by_id == await bot.get("order", **SYMBOL, origClientOrderId="mine")
            assert by_id == await bot.get("order", **SYMBOL, orderId=1, origClientOrderId="mine")
            assert set(by_id) == {
                "symbol", "orderId", "orderListId", "clientOrderId", "price", "origQty",
                "executedQty", "cummulativeQuoteQty", "status", "timeInForce", "type", "side",
                "stopPrice", "icebergQty", "time", "updateTime", "isWorking", "workingTime",
                "origQuoteOrderQty", "selfTradePreventionMode",
            }  # fmt: skip

    run(main())


@pytest.mark.parametrize(
    "names",
    [
        {"orderId": 9},
        {"origClientOrderId": "other"},
        {"orderId": 1, "origClientOrderId": "other"},
        {"orderId": 1, "symbol": "ETHUSDT"},
    ],
)
def test_an_order_that_the_account_does_not_have_does_not_exist(names: dict[str, Any]) -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            await world.bot(1).limit("BUY", "1", "50000", newClientOrderId="mine")
            unknown = (400, -2013, "Order does not exist.")
            assert await world.bot(1).error("GET", "order", **(SYMBOL | names)) == unknown
            assert await world.bot(2).error("GET", "order", **SYMBOL, orderId=1) == unknown
            assert (await world.bot(1).error("GET", "order", **SYMBOL)) == (
                400,
                -1102,
                "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!",
            )

    run(main())


def test_open_orders_are_those_of_a_symbol_or_of_all_oldest_first() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot()
            await bot.limit("BUY", "1", "50000")
            await bot.limit("BUY", "1", "3000", symbol="ETHUSDT")
            await bot.limit("BUY", "1", "49000")
            assert ids(await bot.get("openOrders")) == [1, 2, 3]
            assert ids(await bot.get("openOrders", **SYMBOL)) == [1, 3]
            assert await world.bot(2).get("openOrders") == []

    run(main())


def test_more_open_orders_than_one_answer_of_the_record_are_all_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("crossbook.gateway.binance.venue.OPEN_PAGE", 2)

    async def main() -> None:
        async with FaceWorld() as world:
            for _ in range(5):
                await world.bot().limit("BUY", "1", "50000")
            assert ids(await world.bot().get("openOrders")) == [1, 2, 3, 4, 5]

    run(main())


def test_all_orders_are_the_last_ones_or_those_from_an_id_or_time_on() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            began_ms = world.now_ms()
            await filled(world)
            bot = world.bot(1)
            asked: list[tuple[dict[str, Any], list[int]]] = [
                ({}, [1, 3, 5, 7, 9, 11]),
                ({"limit": 2}, [9, 11]),
                ({"orderId": 5}, [5, 7, 9, 11]),
                ({"orderId": 6, "limit": 2}, [7, 9]),
                ({"startTime": began_ms + 2_000}, [5, 7, 9, 11]),
                ({"startTime": began_ms + 2_001, "limit": 1}, [7]),
                ({"endTime": began_ms + 2_000}, [1, 3, 5]),
                ({"endTime": began_ms + 2_000, "limit": 2}, [3, 5]),
                ({"startTime": began_ms + 1_000, "endTime": began_ms + 3_000}, [3, 5, 7]),
                ({"startTime": (began_ms + 1_000) * 1_000, "endTime": began_ms + 1_999}, [3]),
            ]
            for parameters, expected in asked:
                found = await bot.get("allOrders", **SYMBOL, **parameters)
                assert ids(found) == expected, parameters
            assert await bot.get("allOrders", symbol="ETHUSDT") == []

    run(main())


def test_own_trades_are_the_last_ones_or_those_from_an_id_or_time_on() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            began_ms = world.now_ms()
            await filled(world)
            bot = world.bot(1)
            asked: list[tuple[dict[str, Any], list[int]]] = [
                ({}, [1, 2, 3, 4, 5, 6]),
                ({"limit": 2}, [5, 6]),
                ({"fromId": 4}, [4, 5, 6]),
                ({"fromId": 0, "limit": 2}, [1, 2]),
                ({"orderId": 5}, [3]),
                ({"orderId": 5, "fromId": 4}, []),
                ({"startTime": began_ms + 3_000}, [4, 5, 6]),
                ({"endTime": began_ms + 1_000}, [1, 2]),
                ({"startTime": began_ms + 1_000, "endTime": began_ms + 2_000}, [2, 3]),
            ]
            for parameters, expected in asked:
                found = await bot.get("myTrades", **SYMBOL, **parameters)
                assert ids(found, "id") == expected, parameters
            sold, bought = found[0], (await world.bot(2).get("myTrades", **SYMBOL))[1]
            assert sold == {
                "symbol": "BTCUSDT", "id": 2, "orderId": 3, "orderListId": -1,
                "price": "50000.00000000", "qty": "1.00000000", "quoteQty": "50000.00000000",
                "commission": "50.00000000", "commissionAsset": "USDT",
                "time": began_ms + 1_000, "isBuyer": False, "isMaker": True, "isBestMatch": True,
            }  # fmt: skip
            assert bought["commissionAsset"] == "BTC"
            assert (bought["isBuyer"], bought["isMaker"]) == (True, False)

    run(main())


@pytest.mark.parametrize("path", ["allOrders", "myTrades"])
@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"startTime": 1, "endTime": 1 + DAY_MS}, 0),
        ({"startTime": 1, "endTime": 2 + DAY_MS}, -1127),
        ({"startTime": 2, "endTime": 1}, -1128),
        ({"startTime": "x"}, -1100),
        ({"limit": 0}, -1130),
        ({"orderId": "x"}, -1100),
        ({"symbol": "XYZ"}, -1121),
    ],
)
def test_a_stretch_of_time_is_at_most_a_day(
    path: str, parameters: dict[str, Any], code: int
) -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            asked = SYMBOL | parameters
            if not code:
                assert await world.bot().get(path, **asked) == []
            else:
                assert (await world.bot().error("GET", path, **asked))[:2] == (400, code)

    run(main())


def test_trades_from_an_id_are_not_bounded_by_times_too() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            refused = await world.bot().error("GET", "myTrades", **SYMBOL, fromId=1, startTime=1)
            assert refused == (400, -1128, "Combination of optional parameters invalid.")

    run(main())


@pytest.mark.parametrize("path", ["order", "openOrders", "allOrders", "myTrades"])
def test_a_record_that_does_not_answer_is_a_matter_of_time(path: str) -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            world.answers = False
            refused = await world.bot().error("GET", path, **SYMBOL, orderId=1)
            assert refused[:2] == (503, -1008)

    run(main())
