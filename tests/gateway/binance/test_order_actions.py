"""Order entry of the face against a real engine: answers, refusals, cancels, amends."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from crossbook.common.rules import Rules
from crossbook.common.types import InstrumentState
from tests.worlds.face_world import Bot, FaceWorld

ACK = {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
RESULT = ACK | {
    "price", "origQty", "executedQty", "origQuoteOrderQty", "cummulativeQuoteQty", "status",
    "timeInForce", "type", "side", "workingTime", "selfTradePreventionMode",
}  # fmt: skip
STOP = {"symbol": "BTCUSDT", "quantity": "1", "stopPrice": "51000"}
BASE = {"symbol": "BTCUSDT", "side": "BUY"}
LIMIT = BASE | {"type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "50000"}


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run the coroutine of one test."""
    asyncio.run(main)


async def market(bot: Bot, side: str, **terms: Any) -> Any:
    """The answer to a market order of BTCUSDT."""
    return await bot.post("order", symbol="BTCUSDT", side=side, type="MARKET", **terms)


def test_a_resting_order_is_new_and_shows_its_terms() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            order = await world.bot().limit("BUY", "0.5", "50000.10", newClientOrderId="mine-1")
            assert order == {
                "symbol": "BTCUSDT",
                "orderId": 1,
                "orderListId": -1,
                "clientOrderId": "mine-1",
                "transactTime": 1761482096789,
                "price": "50000.10000000",
                "origQty": "0.50000000",
                "executedQty": "0.00000000",
                "origQuoteOrderQty": "0.00000000",
                "cummulativeQuoteQty": "0.00000000",
                "status": "NEW",
                "timeInForce": "GTC",
                "type": "LIMIT",
                "side": "BUY",
                "workingTime": 1761482096789,
                "selfTradePreventionMode": "EXPIRE_TAKER",
                "fills": [],
            }

    run(main())


def test_a_fill_shows_price_fee_and_what_was_spent() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            for price in ("50000", "50010"):
                await world.bot(1).limit("SELL", "0.4", price)
            bought = await world.bot(2).limit("BUY", "1", "50010")
            assert [bought[name] for name in ("status", "executedQty", "cummulativeQuoteQty")] == [
                "PARTIALLY_FILLED", "0.80000000", "40004.00000000",
            ]  # fmt: skip
            assert bought["fills"] == [
                {"price": "50000.00000000", "qty": "0.40000000", "commission": "0.00080000",
                 "commissionAsset": "BTC", "tradeId": 1},
                {"price": "50010.00000000", "qty": "0.40000000", "commission": "0.00080000",
                 "commissionAsset": "BTC", "tradeId": 2},
            ]  # fmt: skip
            sold = await market(world.bot(3), "SELL", quantity="0.1")
            assert sold["fills"][0]["commissionAsset"] == "USDT"
            assert sold["fills"][0]["commission"] == "10.00200000"
            assert (sold["price"], sold["status"], sold["timeInForce"]) == (
                "0.00000000", "FILLED", "GTC",
            )  # fmt: skip

    run(main())


def test_each_type_has_its_default_form_of_answer() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot()
            await world.bot(9).limit("SELL", "5", "50000")
            await market(bot, "BUY", quantity="1")
            forms = {
                "LIMIT": {"timeInForce": "GTC", "price": "40000", "quantity": "1"},
                "LIMIT_MAKER": {"price": "40000", "quantity": "1"},
                "MARKET": {"quantity": "1"},
                "STOP_LOSS": {"quantity": "1", "stopPrice": "51000"},
                "TAKE_PROFIT": {"quantity": "1", "stopPrice": "49000"},
                "STOP_LOSS_LIMIT": {"quantity": "1", "stopPrice": "51000", "price": "52000",
                                    "timeInForce": "GTC"},
                "TAKE_PROFIT_LIMIT": {"quantity": "1", "stopPrice": "49000", "price": "49000",
                                      "timeInForce": "GTC"},
            }  # fmt: skip
            for kind, terms in forms.items():
                common = {"symbol": "BTCUSDT", "side": "BUY", "type": kind} | terms
                plain = await bot.post("order", **common)
                is_full = kind in ("LIMIT", "MARKET")
                assert set(plain) == (RESULT | {"fills"} if is_full else ACK), kind
                for form, fields in (("ACK", ACK), ("RESULT", RESULT), ("FULL", RESULT)):
                    answer = await bot.post("order", **common, newOrderRespType=form)
                    more = {"stopPrice"} if "stopPrice" in terms and form != "ACK" else set()
                    more |= {"fills"} if form == "FULL" else set()
                    assert set(answer) == fields | more, (kind, form)
                    if form != "ACK":
                        assert answer["type"] == kind

    run(main())


@pytest.mark.parametrize(
    ("time_in_force", "quantity", "reason", "executed"),
    [
        ("IOC", "3", "UNFILLED_IOC_QUANTITY_EXPIRED", "1.00000000"),
        ("FOK", "3", "UNFILLED_FOK_ORDER_EXPIRED", "0.00000000"),
    ],
)
def test_a_rest_that_expires_is_no_error(
    time_in_force: str, quantity: str, reason: str, executed: str
) -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            await world.bot(1).limit("SELL", "1", "50000")
            order = await world.bot(2).limit("BUY", quantity, "50000", timeInForce=time_in_force)
            found = [order[name] for name in ("status", "expiryReason", "executedQty")]
            assert found == ["EXPIRED", reason, executed]
            known = await world.bot(2).get("order", symbol="BTCUSDT", orderId=order["orderId"])
            assert (known["status"], known["expiryReason"]) == ("EXPIRED", reason)

    run(main())


def test_a_market_order_without_liquidity_expires() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            order = await market(world.bot(), "BUY", quantity="1")
            assert (order["status"], order["expiryReason"]) == ("EXPIRED", "INSUFFICIENT_LIQUIDITY")
            assert order["fills"] == []

    run(main())


def test_a_market_order_by_quote_amount_is_filled_and_shows_what_was_bought() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            await world.bot(1).limit("SELL", "1", "50000")
            order = await market(world.bot(2), "BUY", quoteOrderQty="100.3")
            found = [
                order[name]
                for name in (
                    "status", "origQty", "executedQty", "origQuoteOrderQty", "cummulativeQuoteQty",
                )
            ]  # fmt: skip
            assert found == [
                "FILLED", "0.00200000", "0.00200000", "100.30000000", "100.00000000",
            ]  # fmt: skip
            known = await world.bot(2).get("order", symbol="BTCUSDT", orderId=order["orderId"])
            assert [known[name] for name in ("status", "origQty", "origQuoteOrderQty")] == [
                "FILLED", "0.00200000", "100.30000000",
            ]  # fmt: skip

    run(main())


def test_an_order_that_meets_its_own_account_expires_in_match() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot()
            await bot.limit("SELL", "1", "50000")
            order = await bot.limit("BUY", "1", "50000")
            assert order["status"] == "EXPIRED_IN_MATCH"
            assert "expiryReason" not in order
            maker = await bot.limit("BUY", "1", "50000", selfTradePreventionMode="EXPIRE_MAKER")
            assert (maker["status"], maker["selfTradePreventionMode"]) == ("NEW", "EXPIRE_MAKER")
            known = await bot.get("order", symbol="BTCUSDT", orderId=1)
            assert known["status"] == "EXPIRED_IN_MATCH"

    run(main())


def test_a_waiting_stop_is_new_and_not_working_until_it_is_elected() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot, other = world.bot(1), world.bot(2)
            stop = await bot.post(
                "order", **STOP, side="BUY", type="STOP_LOSS", newOrderRespType="FULL"
            )
            assert (stop["status"], stop["workingTime"], stop["stopPrice"]) == (
                "NEW", -1, "51000.00000000",
            )  # fmt: skip
            [waiting] = await bot.get("openOrders", symbol="BTCUSDT")
            assert (waiting["status"], waiting["isWorking"]) == ("NEW", False)
            await other.limit("SELL", "2", "51000")
            await market(world.bot(3), "BUY", quantity="0.5")
            elected = await bot.get("order", symbol="BTCUSDT", orderId=stop["orderId"])
            assert (elected["status"], elected["isWorking"]) == ("FILLED", True)
            assert elected["workingTime"] > 0

    run(main())


def test_an_iceberg_shows_its_slice_and_labels_come_back() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            order = await world.bot().limit(
                "BUY", "1", "50000", icebergQty="0.1", strategyId=7, strategyType=1_000_000
            )
            assert order["icebergQty"] == "0.10000000"
            assert (order["strategyId"], order["strategyType"]) == (7, 1_000_000)
            plain = await world.bot().limit("BUY", "1", "50000", icebergQty="0.00000000")
            assert "icebergQty" not in plain

    run(main())


def test_a_repeated_client_order_id_is_a_duplicate() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot()
            await bot.limit("BUY", "1", "50000", newClientOrderId="mine")
            for price in ("50000", "49999"):
                terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
                error = await bot.error(
                    "POST", "order", **terms, quantity="1", price=price, newClientOrderId="mine"
                )
                assert error == (400, -2010, "Duplicate order sent.")
            assert len(await bot.get("openOrders")) == 1

    run(main())


def test_refusals_of_the_market_have_the_texts_that_clients_look_for() -> None:
    async def main() -> None:
        rules = Rules(accounts=True, opening=(("USDT", 100_000 * 10**8), ("BTC", 10**10)))
        async with FaceWorld(rules) as world:
            bot, other = world.bot(1), world.bot(2)
            await other.limit("SELL", "0.5", "50000")
            maker = BASE | {"type": "LIMIT_MAKER", "quantity": "1", "price": "50000"}
            assert await bot.error("POST", "order", **maker) == (
                400, -2010, "Order would immediately match and take.",
            )  # fmt: skip
            assert await bot.error("POST", "order", **(LIMIT | {"quantity": "100"})) == (
                400, -2010, "Account has insufficient balance for requested action.",
            )  # fmt: skip
            await market(bot, "BUY", quantity="0.1")
            stop = BASE | {"type": "STOP_LOSS", "quantity": "1", "stopPrice": "49000"}
            assert await bot.error("POST", "order", **stop) == (
                400, -2010, "Order would trigger immediately.",
            )  # fmt: skip
            world.engine.books[1].state = InstrumentState.HALTED
            assert await bot.error("POST", "order", **LIMIT) == (400, -2010, "Market is closed.")

    run(main())


def test_an_order_that_is_tested_is_read_and_not_entered() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot()
            assert await bot.post("order/test", **LIMIT) == {}
            rates = await bot.post("order/test", **LIMIT, computeCommissionRates="true")
            assert rates["standardCommissionForOrder"] == {
                "maker": "0.00100000", "taker": "0.00200000",
            }  # fmt: skip
            error = await bot.error("POST", "order/test", **(LIMIT | {"price": "0.001"}))
            assert error == (400, -1013, "Filter failure: PRICE_FILTER")
            assert world.engine.seq == 0

    run(main())
