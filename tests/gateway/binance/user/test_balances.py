"""Positions of accounts and changes of balances."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from crossbook.common.messages.commands import SetInstrumentState, Uncross
from crossbook.common.messages.entry import Balance, New, QueryBalances
from crossbook.common.rules import Rules
from crossbook.common.types import InstrumentState, OrderType, Side, TimeInForce
from crossbook.gateway.binance.user.balances import KEPT_MAX, FollowedBalances
from tests.worlds.user_world import ApiUser, UserWorld

MONEY = Rules(accounts=True, opening=(("USDT", 100_000 * 10**8), ("BTC", 2 * 10**10)))


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run the coroutine of one test."""
    asyncio.run(main)


async def subscribed(world: UserWorld, account: int = 1) -> ApiUser:
    """A client that receives the events of an account."""
    client = world.connect()
    await client.subscribe(account)
    return client


def test_every_change_is_followed_by_the_balances_it_touched() -> None:
    async def main() -> None:
        async with UserWorld(rules=MONEY) as world:
            client = await subscribed(world)
            await world.bot(1).limit("BUY", "1", "50000")
            report, position = await client.events()
            assert report["e"] == "executionReport"
            assert position == {
                "e": "outboundAccountPosition",
                "E": world.now_ms(),
                "u": world.now_ms(),
                "B": [
                    {"a": "BTC", "f": "2.00000000", "l": "0.00000000"},
                    {"a": "USDT", "f": "50000.00000000", "l": "50000.00000000"},
                ],
            }
            await world.bot(2).limit("SELL", "0.5", "50000")
            report, position = await client.events()
            assert report["x"] == "TRADE"
            assert position["B"] == [
                {"a": "BTC", "f": "2.49950000", "l": "0.00000000"},
                {"a": "USDT", "f": "50000.00000000", "l": "25000.00000000"},
            ]
            await world.bot(1).delete("openOrders", symbol="BTCUSDT")
            _, position = await client.events()
            assert position["B"][1] == {"a": "USDT", "f": "75000.00000000", "l": "0.00000000"}

    run(main())


def test_a_deposit_and_a_withdrawal_are_updates_with_positions() -> None:
    async def main() -> None:
        async with UserWorld(rules=MONEY) as world:
            client = await subscribed(world)
            world.adjust(1, "USDT", 5 * 10**7)
            update, position = await client.events()
            assert update == {
                "e": "balanceUpdate", "E": world.now_ms(), "a": "USDT", "d": "0.50000000",
                "T": world.now_ms(),
            }  # fmt: skip
            assert {"a": "USDT", "f": "100000.50000000", "l": "0.00000000"} in position["B"]
            world.adjust(1, "BTC", -(10**10))
            update, position = await client.events()
            assert (update["a"], update["d"]) == ("BTC", "-1.00000000")
            assert position["B"] == [{"a": "BTC", "f": "1.00000000", "l": "0.00000000"}]

    run(main())


def test_changes_before_the_first_balances_share_a_position() -> None:
    async def main() -> None:
        async with UserWorld(rules=MONEY) as world:
            command, waiting = world.trading.command, asyncio.Event()

            async def slow(account: int, request: Any, name: str = "") -> Any:
                answer = await command(account, request, name)
                if isinstance(request, QueryBalances):
                    await waiting.wait()
                return answer

            world.trading.command = slow  # type: ignore[method-assign,assignment]
            client = await subscribed(world)
            await world.bot(1).limit("BUY", "1", "50000")
            assert [each["e"] for each in await client.events()] == ["executionReport"]
            await world.bot(1).limit("BUY", "1", "10000")
            assert [each["e"] for each in await client.events()] == ["executionReport"]
            waiting.set()
            (position,) = await client.events()
            assert position["B"][1] == {
                "a": "USDT", "f": "40000.00000000", "l": "60000.00000000",
            }  # fmt: skip

    run(main())


def test_every_command_has_its_own_position_however_many_come_at_once() -> None:
    async def main() -> None:
        async with UserWorld(rules=MONEY) as world:
            client = await subscribed(world)
            await client.events()
            for price in ("10000", "20000", "30000"):
                await world.bot(1).limit("BUY", "1", price)
            events = await client.events()
            assert [each["e"] for each in events] == [
                "executionReport", "outboundAccountPosition"
            ] * 3  # fmt: skip
            assert [each["B"][1]["l"] for each in events[1::2]] == [
                "10000.00000000", "30000.00000000", "60000.00000000",
            ]  # fmt: skip

    run(main())


def test_a_market_order_of_a_call_phase_is_followed_by_asked_balances() -> None:
    async def main() -> None:
        async with UserWorld(rules=MONEY) as world:
            await world.bot(2).limit("SELL", "0.1", "50000")
            await world.bot(1).limit("BUY", "0.1", "50000")
            client = await subscribed(world)
            await client.events()
            world.command(SetInstrumentState(0, 1, 0, 1, InstrumentState.AUCTION))
            world.sessions.submit(
                1,
                New(0, "BTC-USDT", Side.BUY, 10_000, 0, OrderType.MARKET, TimeInForce.GTC, ""),
                lambda _: None,
            )
            _, waits = await client.events()
            # 0.1 at the last price.
            assert waits["B"][1]["l"] == "5000.00000000"
            await world.bot(1).limit("BUY", "0.1", "40000")
            _, position = await client.events()
            assert position["B"][1]["l"] == "9000.00000000"
            world.command(Uncross(0, 2, 0, 1, InstrumentState.OPEN))
            events = await client.events()
            assert [each.get("x") for each in events] == ["EXPIRED", None]
            assert events[1]["B"][1]["l"] == "4000.00000000"
            await world.bot(1).delete("openOrders", symbol="BTCUSDT")
            _, position = await client.events()
            assert position["B"][1]["l"] == "0.00000000"

    run(main())


def test_without_accounts_there_are_no_positions() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client = await subscribed(world)
            await world.bot(1).limit("BUY", "1", "50000")
            assert [each["e"] for each in await client.events()] == ["executionReport"]

    run(main())


def balance(total: int, held: int = 0, asset: str = "USDT") -> list[Balance]:
    """An answer with one balance."""
    return [Balance(asset, total, held)]


def test_a_change_counts_once_whether_it_comes_before_or_behind_the_answer() -> None:
    followed = FollowedBalances()
    followed.move(4, "USDT", 1_000, 0)
    followed.ask()
    followed.move(5, "USDT", -1, 2)
    followed.move(7, "USDT", -10, 20)
    followed.load(6, balance(100, 10))
    assert (followed.is_exact, followed.of("USDT")) == (True, (90, 30))
    followed.move(6, "USDT", 5_000, 0)
    followed.move(8, "USDT", 0, -30)
    assert followed.of("USDT") == (90, 0)
    followed.set_total(9, "BTC", 7)
    followed.set_total(9, "USDT", 1)
    assert (followed.of("BTC"), followed.of("USDT"), followed.of("ETH")) == ((7, 0), (1, 0), (0, 0))


def test_an_answer_of_no_number_or_without_balances_is_not_followed() -> None:
    for seq, answer in ((None, balance(1)), (5, [])):
        followed = FollowedBalances()
        followed.ask()
        followed.load(seq, answer)
        assert not followed.is_exact


def test_an_answer_while_an_amount_is_hidden_is_not_followed() -> None:
    followed = FollowedBalances()
    followed.ask()
    followed.hide(7)
    followed.show(7)
    followed.load(9, balance(1))
    assert not followed.is_exact
    followed.hide(7)
    followed.ask()
    followed.load(9, balance(1))
    assert not followed.is_exact
    followed.show(7)
    followed.ask()
    followed.load(9, balance(1))
    assert followed.is_exact
    followed.hide(8)
    assert not followed.is_exact


def test_too_many_changes_before_an_answer_need_another_question() -> None:
    followed = FollowedBalances()
    followed.ask()
    for number in range(KEPT_MAX + 1):
        followed.move(number, "USDT", 1, 0)
    followed.load(0, balance(1))
    assert not followed.is_exact
    followed.ask()
    followed.load(KEPT_MAX, balance(3))
    assert followed.of("USDT") == (3, 0)


def test_a_question_without_an_answer_is_forgotten() -> None:
    followed = FollowedBalances()
    followed.ask()
    followed.fail()
    followed.load(5, balance(1))
    assert not followed.is_exact
