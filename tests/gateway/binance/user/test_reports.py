"""Reports of orders: every kind, in the order in which it happens."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from crossbook.common.messages.entry import Amend
from tests.worlds.user_world import ApiUser, UserWorld

FIELDS = {
    "e", "E", "s", "c", "S", "o", "f", "q", "p", "P", "F", "g", "C", "x", "X", "r", "i", "l", "z",
    "L", "n", "N", "T", "t", "I", "w", "m", "M", "O", "Z", "Y", "Q", "V",
}  # fmt: skip
ZERO = "0.00000000"


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run the coroutine of one test."""
    asyncio.run(main)


async def subscribed(world: UserWorld, account: int = 1) -> ApiUser:
    """A client that receives the events of an account."""
    client = world.connect()
    await client.subscribe(account)
    return client


def kinds(reports: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Kind and status of each report."""
    return [(each["x"], each["X"]) for each in reports]


def test_a_resting_order_is_one_report_with_every_term() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client = await subscribed(world)
            await world.bot(1).limit("BUY", "0.5", "50000.10", newClientOrderId="mine-1")
            (report,) = await client.reports()
            assert set(report) == FIELDS | {"W"}
            shown = {name: report[name] for name in "scCSofqpPFgxXrilzLnNtIwmMZYQV"}
            assert shown == {
                "s": "BTCUSDT", "c": "mine-1", "C": "", "S": "BUY", "o": "LIMIT", "f": "GTC",
                "q": "0.50000000", "p": "50000.10000000", "P": ZERO, "F": ZERO, "g": -1,
                "x": "NEW", "X": "NEW", "r": "NONE", "i": 1, "l": ZERO, "z": ZERO, "L": ZERO,
                "n": ZERO, "N": None, "t": -1, "I": 1, "w": True, "m": False, "M": False,
                "Z": ZERO, "Y": ZERO, "Q": ZERO, "V": "EXPIRE_TAKER",
            }  # fmt: skip
            assert {report[name] for name in "ETOW"} == {world.now_ms()}

    run(main())


def test_a_taker_is_new_first_and_then_its_trades_are_sums() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client, maker = await subscribed(world, 1), await subscribed(world, 2)
            await world.bot(2).limit("SELL", "1", "50000")
            await world.bot(2).limit("SELL", "1", "50001")
            await world.bot(1).limit("BUY", "1.5", "50001")
            new, first, second = await client.reports()
            assert kinds([new, first, second]) == [
                ("NEW", "NEW"), ("TRADE", "PARTIALLY_FILLED"), ("TRADE", "FILLED"),
            ]  # fmt: skip
            assert (first["l"], first["z"], first["L"], first["Y"], first["Z"]) == (
                "1.00000000", "1.00000000", "50000.00000000", "50000.00000000", "50000.00000000",
            )  # fmt: skip
            assert (second["l"], second["z"], second["Z"]) == (
                "0.50000000", "1.50000000", "75000.50000000",
            )  # fmt: skip
            assert (first["m"], first["N"], first["n"]) == (False, "BTC", "0.00200000")
            assert (first["w"], second["w"]) == (True, False)
            assert (first["t"], second["t"]) == (1, 2)
            _, _, filled, partial = await maker.reports()
            assert kinds([filled, partial]) == [
                ("TRADE", "FILLED"), ("TRADE", "PARTIALLY_FILLED"),
            ]  # fmt: skip
            assert (filled["m"], filled["N"], filled["t"]) == (True, "USDT", 1)

    run(main())


def test_a_cancel_shows_its_own_name_and_that_of_the_order() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client, bot = await subscribed(world), world.bot(1)
            await bot.limit("BUY", "1", "50000", newClientOrderId="first")
            await bot.limit("BUY", "1", "49999")
            await bot.limit("BUY", "1", "49998", newClientOrderId="third")
            await client.events()
            answer = await bot.delete(
                "order", symbol="BTCUSDT", origClientOrderId="first", newClientOrderId="cancel-1"
            )
            (report,) = await client.reports()
            assert kinds([report]) == [("CANCELED", "CANCELED")]
            assert (report["c"], report["C"]) == ("cancel-1", "first")
            assert answer["clientOrderId"] == report["c"]
            assert report["w"] is False
            answer = await bot.delete("order", symbol="BTCUSDT", orderId=2)
            (report,) = await client.reports()
            assert (report["c"], report["C"]) == (answer["clientOrderId"], "ORD-0000000002")
            world.mass_cancel(1)
            (report,) = await client.reports()
            assert (report["c"], report["C"]) == ("CXL-0000000003", "third")

    run(main())


def test_remainders_expire_with_a_reason() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client, bot = await subscribed(world), world.bot(1)
            await world.bot(2).limit("SELL", "1", "50000")
            await bot.limit("BUY", "2", "50000", timeInForce="IOC")
            new, trade, end = await client.reports()
            assert kinds([new, trade, end]) == [
                ("NEW", "NEW"), ("TRADE", "PARTIALLY_FILLED"), ("EXPIRED", "EXPIRED"),
            ]  # fmt: skip
            assert (end["z"], end["l"], end["C"], end["t"]) == ("1.00000000", ZERO, "", -1)
            assert end["eR"] == "UNFILLED_IOC_QUANTITY_EXPIRED"
            await bot.limit("BUY", "2", "50000", timeInForce="FOK")
            _, end = await client.reports()
            assert end["eR"] == "UNFILLED_FOK_ORDER_EXPIRED"
            await bot.post("order", symbol="BTCUSDT", side="SELL", type="MARKET", quantity="1")
            new, end = await client.reports()
            assert kinds([new, end]) == [("NEW", "NEW"), ("EXPIRED", "EXPIRED")]
            assert (new["o"], new["f"], end["eR"]) == ("MARKET", "GTC", "INSUFFICIENT_LIQUIDITY")

    run(main())


def test_a_market_order_by_quote_amount_is_filled_by_its_last_trade() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client, bot = await subscribed(world), world.bot(1)
            await world.bot(2).limit("SELL", "0.5", "50000")
            await world.bot(2).limit("SELL", "1", "50001")
            await bot.post(
                "order", symbol="BTCUSDT", side="BUY", type="MARKET", quoteOrderQty="50000.7"
            )
            new, first, last = await client.reports()
            assert kinds([new, first, last]) == [
                ("NEW", "NEW"), ("TRADE", "PARTIALLY_FILLED"), ("TRADE", "FILLED"),
            ]  # fmt: skip
            assert (new["q"], new["Q"]) == (ZERO, "50000.70000000")
            assert last["q"] == last["z"]
            assert (first["w"], last["w"]) == (True, False)
            assert len(world.api.streams) == 1

    run(main())


def test_a_stop_is_new_twice_and_then_trades() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client, bot = await subscribed(world), world.bot(1)
            await world.bot(2).limit("SELL", "1", "50000")
            await world.bot(3).limit("BUY", "1", "50000")
            await world.bot(2).limit("SELL", "1", "51000")
            await bot.post(
                "order", symbol="BTCUSDT", side="BUY", type="STOP_LOSS", quantity="1",
                stopPrice="50500",
            )  # fmt: skip
            (waiting,) = await client.reports()
            assert kinds([waiting]) == [("NEW", "NEW")]
            assert (waiting["o"], waiting["P"], waiting["w"]) == (
                "STOP_LOSS", "50500.00000000", False,
            )  # fmt: skip
            assert "W" not in waiting
            await world.bot(2).limit("SELL", "1", "50900")
            await world.bot(3).limit("BUY", "1", "50900")
            elected, trade = await client.reports()
            assert kinds([elected, trade]) == [("NEW", "NEW"), ("TRADE", "FILLED")]
            assert (elected["w"], elected["W"], elected["i"]) == (True, world.now_ms(), 4)
            assert trade["L"] == "51000.00000000"

    run(main())


def test_self_trade_prevention_has_its_own_kind() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client, bot = await subscribed(world), world.bot(1)
            await bot.limit("SELL", "2", "50000")
            await bot.limit("BUY", "1", "50000", selfTradePreventionMode="EXPIRE_TAKER")
            _, new, end = await client.reports()
            assert kinds([new, end]) == [
                ("NEW", "NEW"), ("TRADE_PREVENTION", "EXPIRED_IN_MATCH"),
            ]  # fmt: skip
            assert (end["A"], end["B"], end["V"]) == ("1.00000000", "1.00000000", "EXPIRE_TAKER")
            await bot.limit("BUY", "1.5", "50000", selfTradePreventionMode="DECREMENT")
            reports = await client.reports()
            assert kinds(reports) == [
                ("NEW", "NEW"),
                ("TRADE_PREVENTION", "EXPIRED_IN_MATCH"),
                ("TRADE_PREVENTION", "NEW"),
            ]
            reduced = reports[-1]
            assert (reduced["i"], reduced["q"], reduced["B"]) == (1, "0.50000000", "1.50000000")
            assert reduced["w"] is True

    run(main())


def test_an_amend_is_replaced_in_its_new_terms() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client, bot = await subscribed(world), world.bot(1)
            await bot.limit("BUY", "2", "50000", newClientOrderId="mine")
            await bot.put(
                "order/amend/keepPriority", symbol="BTCUSDT", origClientOrderId="mine", newQty="1"
            )
            _, report = await client.reports()
            assert kinds([report]) == [("REPLACED", "NEW")]
            assert (report["c"], report["C"], report["q"], report["w"]) == (
                "mine", "", "1.00000000", True,
            )  # fmt: skip
            world.sessions.submit(1, Amend(0, "BTC-USDT", 1, "", 0, "49000"), lambda _: None)
            (report,) = await client.reports()
            assert (report["x"], report["p"]) == ("REPLACED", "49000.00000000")

    run(main())


def test_orders_that_were_open_before_are_known() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            bot = world.bot(1)
            await bot.limit("BUY", "2", "50000", newClientOrderId="old", icebergQty="1")
            await world.bot(2).limit("SELL", "0.5", "50000")
            client = await subscribed(world)
            assert await client.events() == []
            await world.bot(2).limit("SELL", "0.25", "50000")
            (report,) = await client.reports()
            assert (report["c"], report["F"], report["q"]) == ("old", "1.00000000", "2.00000000")
            assert (report["l"], report["z"], report["Z"]) == (
                "0.25000000", "0.75000000", "37500.00000000",
            )  # fmt: skip
            await bot.delete("openOrders", symbol="BTCUSDT")
            (report,) = await client.reports()
            assert (report["x"], report["C"], report["z"]) == ("CANCELED", "old", "0.75000000")

    run(main())


def test_orders_of_other_interfaces_and_only_of_the_account() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client = await subscribed(world)
            body = {"symbol": "BTC-USDT", "side": "buy", "order_type": "limit", "quantity": "1"}
            await world.enter({**body, "price": "50000", "post_only": True}, 1)
            await world.enter({**body, "price": "50000"}, 2)
            (report,) = await client.reports()
            assert (report["o"], report["i"]) == ("LIMIT_MAKER", 1)

    run(main())


def test_a_new_order_that_replaces_nothing_is_rejected() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client, bot = await subscribed(world), world.bot(1)
            await bot.limit("BUY", "1", "50000", newClientOrderId="old")
            await world.bot(2).limit("SELL", "1", "51000")
            await client.events()
            answer = await bot.send(
                "POST", "order/cancelReplace", symbol="BTCUSDT", side="BUY", type="LIMIT_MAKER",
                price="51000", quantity="1", cancelReplaceMode="STOP_ON_FAILURE",
                cancelOrigClientOrderId="old", newClientOrderId="new",
            )  # fmt: skip
            assert answer.status_code == 409
            canceled, rejected = await client.reports()
            assert kinds([canceled, rejected]) == [
                ("CANCELED", "CANCELED"), ("REJECTED", "REJECTED"),
            ]  # fmt: skip
            assert (rejected["i"], rejected["c"], rejected["o"], rejected["p"]) == (
                -1, "new", "LIMIT_MAKER", "51000.00000000",
            )  # fmt: skip
            assert rejected["r"] == "Order would immediately match and take."
            assert rejected["w"] is False

    run(main())
