"""What the exchange does not have is an empty list, or a refusal in the venue's words."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from crossbook.common.rules import Rules
from crossbook.gateway.binance.assembly import FaceLimits
from tests.worlds.face_world import FaceWorld
from tests.worlds.user_world import UserWorld


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run the coroutine of one test."""
    asyncio.run(main)


NO_OCO = (400, -2010, "OCO orders are not supported for this symbol.")
NOT_SUPPORTED = (400, -1020, "This operation is not supported.")


@pytest.mark.parametrize(
    ("method", "path", "refusal"),
    [
        ("POST", "order/oco", NO_OCO),
        ("POST", "orderList/oco", NO_OCO),
        ("POST", "orderList/oto", (400, -2010, "OTO orders are not supported for this symbol.")),
        ("POST", "orderList/otoco", (400, -2010, "OTO orders are not supported for this symbol.")),
        ("POST", "orderList/opo", (400, -2010, "OPO orders are not supported for this symbol.")),
        ("POST", "orderList/opoco", (400, -2010, "OPO orders are not supported for this symbol.")),
        ("POST", "sor/order", NOT_SUPPORTED),
        ("POST", "sor/order/test", NOT_SUPPORTED),
        ("GET", "myPreventedMatches", NOT_SUPPORTED),
        ("GET", "orderList", (400, -2013, "Order list does not exist.")),
        ("DELETE", "orderList", (400, -2011, "Unknown order list sent.")),
        ("GET", "referencePrice", (400, -2043, "This symbol doesn't have a reference price.")),
        (
            "GET", "referencePrice/calculation",
            (400, -2043, "This symbol doesn't have a reference price."),
        ),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused_in_the_venues_words(
    method: str, path: str, refusal: tuple[int, int, str]
) -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot()
            found = await bot.error(method, path, symbol="BTCUSDT", orderListId=1)
            assert found == refusal
            assert world.engine.seq == 0
            if path != "orderList" or method != "GET":
                wrong = await bot.error(method, path, symbol="GONE", orderListId=1)
                assert wrong[1] == -1121
            else:
                assert (await bot.error(method, path))[1] == -1102

    run(main())


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("allOrderList", {}),
        ("openOrderList", {}),
        ("myAllocations", {"symbol": "BTCUSDT"}),
        ("historicalBlockTrades", {"symbol": "BTCUSDT", "fromId": "1"}),
    ],
)
def test_lists_of_what_is_not_there_are_empty(path: str, asked: dict[str, str]) -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            assert await world.bot().get(path, **asked) == []
            if asked:
                assert (await world.bot().error("GET", path))[1] == -1102

    run(main())


def test_block_trades_begin_at_an_id() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            found = await world.bot().error("GET", "historicalBlockTrades", symbol="BTCUSDT")
            assert found[1:] == (
                -1102, "Mandatory parameter 'fromId' was not sent, was empty/null, or malformed.",
            )  # fmt: skip

    run(main())


def test_no_symbol_has_an_execution_rule() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            whole = await world.public("executionRules")
            names = [each["symbol"] for each in (await world.public("exchangeInfo"))["symbols"]]
            assert whole["symbolRules"] == [{"symbol": name, "rules": []} for name in names]
            one = await world.public("executionRules", symbol="BTCUSDT")
            assert one == {"symbolRules": [{"symbol": "BTCUSDT", "rules": []}]}

    run(main())


def test_an_accounts_filter_is_that_of_its_open_orders() -> None:
    async def main() -> None:
        rules = Rules(max_open_orders=7)
        async with FaceWorld(rules, face=FaceLimits(max_open_orders=7)) as world:
            assert await world.bot().get("myFilters", symbol="BTCUSDT") == {
                "exchangeFilters": [{"filterType": "EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders": 7}],
                "symbolFilters": [],
                "assetFilters": [],
            }
            assert (await world.bot().error("GET", "myFilters"))[1] == -1102

    run(main())


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("orderList.place", -2010),
        ("orderList.place.oco", -2010),
        ("sor.order.place", -1020),
        ("orderList.status", -2013),
        ("orderList.cancel", -2011),
        ("myPreventedMatches", -1020),
        ("referencePrice", -2043),
        ("myAllocations", None),
        ("allOrderLists", None),
        ("openOrderLists.status", None),
        ("myFilters", None),
        ("executionRules", None),
        ("ticker.tradingDay", None),
    ],
)
def test_the_websocket_api_answers_the_same(method: str, code: int | None) -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client = world.connect()
            answer = await client.call(method, **client.signed(1, symbol="BTCUSDT", orderListId=1))
            if code is None:
                assert answer["status"] == 200, answer
            else:
                assert (answer["status"], answer["error"]["code"]) == (400, code)

    run(main())
