"""Positions of accounts and changes of balances."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from crossbook.common.messages.entry import QueryBalances
from crossbook.common.rules import Rules
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


def test_changes_while_the_balances_are_read_are_followed_by_others() -> None:
    async def main() -> None:
        async with UserWorld(rules=MONEY) as world:
            client = await subscribed(world)
            command, waiting = world.trading.command, asyncio.Event()

            async def slow(account: int, request: Any, name: str = "") -> Any:
                answer = await command(account, request, name)
                if isinstance(request, QueryBalances):
                    await waiting.wait()
                return answer

            world.trading.command = slow  # type: ignore[method-assign,assignment]
            await world.bot(1).limit("BUY", "1", "50000")
            assert [each["e"] for each in await client.events()] == ["executionReport"]
            await world.bot(1).limit("BUY", "1", "10000")
            assert [each["e"] for each in await client.events()] == ["executionReport"]
            waiting.set()
            first, second = await client.events()
            assert first["B"][1]["l"] == "50000.00000000"
            assert second["B"][1]["l"] == "60000.00000000"

    run(main())


def test_without_accounts_there_are_no_positions() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client = await subscribed(world)
            await world.bot(1).limit("BUY", "1", "50000")
            assert [each["e"] for each in await client.events()] == ["executionReport"]

    run(main())
