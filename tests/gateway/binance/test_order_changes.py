"""Cancels, amends and replacements; limits of orders."""

from typing import Any

import pytest

from crossbook.gateway.binance.assembly import FaceLimits
from crossbook.gateway.limits.account_limits import AccountLimits
from tests.gateway.binance.test_order_actions import LIMIT, STOP, market, run
from tests.worlds.face_world import FaceWorld


@pytest.mark.parametrize(
    ("names", "code"),
    [
        ({"orderId": 1}, 0),
        ({"origClientOrderId": "mine"}, 0),
        ({"orderId": 1, "origClientOrderId": "mine"}, 0),
        ({"orderId": 1, "origClientOrderId": "other"}, -2011),
        ({"orderId": 9}, -2011),
        ({"origClientOrderId": "other"}, -2011),
        ({"orderId": 1, "symbol": "ETHUSDT"}, -2011),
        ({"orderId": 0}, -1130),
        ({}, -1102),
    ],
)
def test_a_cancel_names_an_open_order_by_either_id(names: dict[str, Any], code: int) -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot()
            await bot.limit("BUY", "1", "50000", newClientOrderId="mine")
            asked = {"symbol": "BTCUSDT", **names}
            if code:
                answer = await bot.error("DELETE", "order", **asked)
                assert answer[:2] == (400, code)
                if code == -2011:
                    assert answer[2] == "Unknown order sent."
                assert len(await bot.get("openOrders")) == 1
                return
            canceled = await bot.delete("order", **asked, newClientOrderId="my-cancel")
            assert canceled == {
                "symbol": "BTCUSDT",
                "origClientOrderId": "mine",
                "orderId": 1,
                "orderListId": -1,
                "clientOrderId": "my-cancel",
                "transactTime": world.now_ms(),
                "price": "50000.00000000",
                "origQty": "1.00000000",
                "executedQty": "0.00000000",
                "origQuoteOrderQty": "0.00000000",
                "cummulativeQuoteQty": "0.00000000",
                "status": "CANCELED",
                "timeInForce": "GTC",
                "type": "LIMIT",
                "side": "BUY",
                "selfTradePreventionMode": "EXPIRE_TAKER",
            }
            again = await bot.error("DELETE", "order", **asked)
            assert again == (400, -2011, "Unknown order sent.")

    run(main())


def test_an_order_without_a_name_is_named_by_what_it_shows() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot()
            order = await bot.limit("BUY", "1", "50000")
            named = await bot.limit("BUY", "1", "50000", newClientOrderId="mine")
            shown = order["clientOrderId"]
            found = await bot.get("order", symbol="BTCUSDT", origClientOrderId=shown)
            assert found["orderId"] == order["orderId"]
            canceled = await bot.delete("order", symbol="BTCUSDT", origClientOrderId=shown)
            assert (canceled["orderId"], canceled["origClientOrderId"]) == (1, shown)
            assert canceled["clientOrderId"] == "CXL-0000000001"
            other = f"ORD-{named['orderId']:010d}"
            asked = {"symbol": "BTCUSDT", "origClientOrderId": other}
            assert (await bot.error("DELETE", "order", **asked))[1] == -2011
            assert (await bot.error("GET", "order", **asked))[1] == -2013

    run(main())


def test_a_cancel_shows_what_was_traded_before_also_where_the_record_is_away() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot(1)
            for _ in range(2):
                await bot.limit("SELL", "1", "50000")
            for _ in range(2):
                await market(world.bot(2), "BUY", quantity="0.6")
            await bot.limit("SELL", "1", "50001")
            first = await bot.delete("order", symbol="BTCUSDT", orderId=2)
            assert (first["executedQty"], first["cummulativeQuoteQty"]) == (
                "0.20000000", "10000.00000000",
            )  # fmt: skip
            await market(world.bot(2), "BUY", quantity="0.5")
            world.answers = False
            last = await bot.delete("order", symbol="BTCUSDT", orderId=5)
            assert (last["status"], last["executedQty"]) == ("CANCELED", "0.50000000")
            assert float(last["cummulativeQuoteQty"]) < 0

    run(main())


def test_a_cancel_may_be_restricted_to_a_state() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot(1)
            await bot.limit("SELL", "1", "50000")
            asked = {"symbol": "BTCUSDT", "orderId": 1}
            refused = await bot.error(
                "DELETE", "order", **asked, cancelRestrictions="ONLY_PARTIALLY_FILLED"
            )
            assert refused == (400, -2011, "Order was not canceled due to cancel restrictions.")
            unknown = await bot.error("DELETE", "order", **asked, cancelRestrictions="ALL")
            assert unknown == (400, -1145, "Invalid cancelRestrictions")
            await market(world.bot(2), "BUY", quantity="0.5")
            assert (await bot.error("DELETE", "order", **asked, cancelRestrictions="ONLY_NEW"))[
                1
            ] == -2011
            canceled = await bot.delete(
                "order", **asked, cancelRestrictions="ONLY_PARTIALLY_FILLED"
            )
            assert canceled["status"] == "CANCELED"

    run(main())


def test_all_orders_of_a_symbol_are_canceled_and_no_others() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot(1)
            await bot.limit("SELL", "1", "50000", newClientOrderId="a")
            await bot.post("order", **STOP, side="BUY", type="STOP_LOSS")
            await bot.limit("SELL", "1", "5000", symbol="ETHUSDT")
            await market(world.bot(2), "BUY", quantity="0.25")
            canceled = await bot.delete("openOrders", symbol="BTCUSDT")
            found = [
                [each[name] for name in ("orderId", "status", "executedQty", "cummulativeQuoteQty")]
                for each in canceled
            ]
            assert found == [
                [1, "CANCELED", "0.25000000", "12500.00000000"],
                [2, "CANCELED", "0.00000000", "0.00000000"],
            ]
            assert canceled[1]["stopPrice"] == "51000.00000000"
            assert [each["symbol"] for each in await bot.get("openOrders")] == ["ETHUSDT"]
            refused = await bot.error("DELETE", "openOrders", symbol="BTCUSDT")
            assert refused == (400, -2011, "Unknown order sent.")

    run(main())


def test_an_amend_makes_an_order_smaller_in_its_place() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot(1)
            await bot.limit("SELL", "1", "50000", newClientOrderId="mine")
            await world.bot(3).limit("SELL", "1", "50000")
            amended = await bot.put(
                "order/amend/keepPriority", symbol="BTCUSDT", origClientOrderId="mine", newQty="0.6"
            )
            order = amended["amendedOrder"]
            assert set(amended) == {"transactTime", "executionId", "amendedOrder"}
            assert (order["qty"], order["status"], order["clientOrderId"]) == (
                "0.60000000", "NEW", "mine",
            )  # fmt: skip
            await market(world.bot(2), "BUY", quantity="0.6")
            assert (await bot.get("order", symbol="BTCUSDT", orderId=1))["status"] == "FILLED"

    run(main())


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        ("1", "The requested action would change no state; rejecting."),
        ("2", "Order amend (quantity increase) is not supported."),
        ("0.25", "Order amend (quantity decrease below the filled part) is not supported."),
    ],
)
def test_an_amend_to_no_smaller_quantity_is_refused(quantity: str, text: str) -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot(1)
            await bot.limit("SELL", "1", "50000")
            await market(world.bot(2), "BUY", quantity="0.25")
            path, asked = "order/amend/keepPriority", {"symbol": "BTCUSDT", "newQty": quantity}
            assert await bot.error("PUT", path, **asked, orderId=1) == (400, -2038, text)
            unknown = await bot.error("PUT", path, **asked, orderId=9)
            assert unknown == (400, -2038, "Unknown order sent.")
            assert (await bot.get("order", symbol="BTCUSDT", orderId=1))["origQty"] == "1.00000000"

    run(main())


REPLACE = "order/cancelReplace"


def test_a_replaced_order_shows_both_outcomes() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot()
            await bot.limit("BUY", "1", "50000", newClientOrderId="old")
            both = await bot.post(
                REPLACE, **(LIMIT | {"price": "49000"}), cancelReplaceMode="STOP_ON_FAILURE",
                cancelOrigClientOrderId="old", cancelNewClientOrderId="end", newClientOrderId="new",
            )  # fmt: skip
            assert (both["cancelResult"], both["newOrderResult"]) == ("SUCCESS", "SUCCESS")
            assert both["cancelResponse"]["clientOrderId"] == "end"
            assert both["newOrderResponse"]["clientOrderId"] == "new"
            [left] = await bot.get("openOrders")
            assert left["price"] == "49000.00000000"

    run(main())


@pytest.mark.parametrize(
    ("mode", "cancel_id", "price", "expected"),
    [
        ("STOP_ON_FAILURE", 9, "49000", (400, -2022, "FAILURE", "NOT_ATTEMPTED", 1)),
        ("ALLOW_FAILURE", 9, "49000", (409, -2021, "FAILURE", "SUCCESS", 2)),
        ("ALLOW_FAILURE", 9, "99999999", (400, -2022, "FAILURE", "FAILURE", 1)),
        ("STOP_ON_FAILURE", 1, "99999999", (409, -2021, "SUCCESS", "FAILURE", 0)),
        ("ALLOW_FAILURE", 1, "99999999", (409, -2021, "SUCCESS", "FAILURE", 0)),
    ],
)
def test_a_replacement_that_fails_in_part_says_which_part(
    mode: str, cancel_id: int, price: str, expected: tuple[int, int, str, str, int]
) -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot()
            await bot.limit("BUY", "1", "50000")
            terms = LIMIT | {"price": price, "cancelReplaceMode": mode, "cancelOrderId": cancel_id}
            answer = await bot.send("POST", REPLACE, **terms)
            document = answer.json()
            data = document["data"]
            left = await bot.get("openOrders")
            assert (
                answer.status_code, document["code"], data["cancelResult"], data["newOrderResult"],
                len(left),
            ) == expected  # fmt: skip
            if data["newOrderResult"] == "NOT_ATTEMPTED":
                assert data["newOrderResponse"] is None
            if data["newOrderResult"] == "FAILURE":
                assert data["newOrderResponse"] == {
                    "code": -1013, "msg": "Filter failure: PRICE_FILTER",
                }  # fmt: skip
            if data["cancelResult"] == "FAILURE":
                assert data["cancelResponse"] == {"code": -2011, "msg": "Unknown order sent."}

    run(main())


def limited(world_orders: int, face: FaceLimits | None = None) -> FaceWorld:
    """A world where an account may send so many orders a second."""
    limits = AccountLimits(world_orders, 0, 0, lambda: 0)
    return FaceWorld(limits=limits, face=face)


def test_too_many_orders_are_refused_with_the_limit_of_the_bucket() -> None:
    async def main() -> None:
        async with limited(1) as world:
            bot = world.bot()
            for _ in range(2):
                await bot.limit("BUY", "1", "50000")
            answer = await bot.send("POST", "order", **LIMIT)
            assert (answer.status_code, answer.json()) == (
                429,
                {"code": -1015, "msg": "Too many new orders; current limit is 2 orders per 2 "
                                       "SECOND."},
            )  # fmt: skip
            assert answer.headers["retry-after"] == "1"
            assert (await bot.delete("order", symbol="BTCUSDT", orderId=1))["status"] == "CANCELED"

    run(main())


def test_orders_are_counted_in_headers_and_documents() -> None:
    async def main() -> None:
        async with FaceWorld(face=FaceLimits(orders_per_second=1)) as world:
            bot = world.bot()
            for number in range(1, 11):
                answer = await bot.send("POST", "order", **LIMIT)
                assert answer.headers["x-mbx-order-count-10s"] == str(number)
                assert answer.headers["x-mbx-order-count-1d"] == str(number)
            refused = await bot.send("POST", "order", **LIMIT)
            assert (refused.status_code, refused.json()) == (
                429,
                {"code": -1015, "msg": "Too many new orders; current limit is 10 orders per 10 "
                                       "SECOND."},
            )  # fmt: skip
            assert int(refused.headers["retry-after"]) <= 10
            assert [each["count"] for each in await bot.get("rateLimit/order")] == [10, 10]
            replace = LIMIT | {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": 1}
            assert (await bot.error("POST", REPLACE, **replace))[:2] == (429, -1015)
            assert len(await bot.get("openOrders")) == 10
            only = await bot.send(
                "POST", REPLACE, **replace, orderRateLimitExceededMode="CANCEL_ONLY"
            )
            assert (only.status_code, only.json()["code"]) == (429, -2021)
            assert len(await bot.get("openOrders")) == 9

    run(main())


def test_a_matcher_that_does_not_answer_leaves_the_outcome_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("crossbook.gateway.api.trading.ANSWER_S", 0.01)

    async def main() -> None:
        async with FaceWorld() as world:
            world.matcher_answers = False
            refused = await world.bot().error("POST", "order", **LIMIT)
            assert refused[:2] == (504, -1007)

    run(main())


def test_the_amendments_of_an_order_are_listed_oldest_first() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            bot = world.bot()
            order = await bot.limit("BUY", "1", "50000", newClientOrderId="mine")
            made = []
            for quantity in ("0.75", "0.5", "0.25"):
                made.append(
                    await bot.put(
                        "order/amend/keepPriority",
                        symbol="BTCUSDT", orderId=order["orderId"], newQty=quantity,
                    )
                )  # fmt: skip
            asked = {"symbol": "BTCUSDT", "orderId": order["orderId"]}
            found = await bot.get("order/amendments", **asked)
            assert [(each["origQty"], each["newQty"]) for each in found] == [
                ("1.00000000", "0.75000000"),
                ("0.75000000", "0.50000000"),
                ("0.50000000", "0.25000000"),
            ]
            assert found[0] == {
                "symbol": "BTCUSDT", "orderId": order["orderId"],
                "executionId": made[0]["executionId"], "origClientOrderId": "mine",
                "newClientOrderId": "mine", "origQty": "1.00000000", "newQty": "0.75000000",
                "time": made[0]["transactTime"],
            }  # fmt: skip
            second = made[1]["executionId"]
            later = await bot.get("order/amendments", **asked, fromExecutionId=second, limit=1)
            assert later == found[1:2]
            await bot.delete("order", **asked)
            assert await bot.get("order/amendments", **asked) == found

    run(main())


def test_amendments_are_those_of_an_own_order() -> None:
    async def main() -> None:
        async with FaceWorld() as world:
            order = await world.bot().limit("BUY", "1", "50000")
            path, asked = "order/amendments", {"symbol": "BTCUSDT", "orderId": order["orderId"]}
            assert await world.bot().get(path, **asked) == []
            no_such = (400, -2013, "Order does not exist.")
            assert await world.bot(2).error("GET", path, **asked) == no_such
            other = {**asked, "symbol": "ETHUSDT"}
            assert await world.bot().error("GET", path, **other) == no_such
            assert (await world.bot().error("GET", path, symbol="BTCUSDT"))[1] == -1102

    run(main())
