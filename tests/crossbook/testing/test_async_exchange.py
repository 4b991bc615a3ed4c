"""The calls of an exchange as coroutines, beside a bot on the same event loop."""

import asyncio
import inspect

import pytest

from crossbook.testing import AsyncExchange, Exchange, ExchangeError, Fill, Order, Trade
from crossbook.testing.calls import ExchangeCalls

SYMBOL = "MSFT-USD"


def test_a_bot_trades_on_the_loop_of_its_test() -> None:
    async def test() -> None:
        async with Exchange() as exchange:
            await exchange.book(SYMBOL, asks=[("100.00", "10")])
            account = await exchange.account(USD="1000")
            filled: list[int] = []

            async def bot() -> None:
                async with exchange.client(account) as client:
                    await client.submit(SYMBOL, "buy", "2", "100.00", client_order_id="mine")
                    filled.append(2)
                    await client.submit(SYMBOL, "buy", "1", "90.00")

            running = asyncio.create_task(bot())
            assert await exchange.wait_for(lambda: filled) == [2]
            assert await exchange.wait_for_fills(account) == [Fill(SYMBOL, "buy", 2, 100)]
            assert await exchange.wait_for_trades(SYMBOL) == [Trade(SYMBOL, "buy", 2, 100)]
            done = await exchange.wait_until_filled("mine", account)
            assert done == Order(SYMBOL, "buy", 2, 100, status="FILLED", filled=2)
            assert await exchange.wait_for_open_orders(account) == [Order(SYMBOL, "buy", 1, 90)]
            assert await exchange.open_orders(account) == [Order(SYMBOL, "buy", 1, 90)]
            await running
            await exchange.restart("gateway")
            assert (await exchange.balances_held(account))["USD"].held >= 90
            await exchange.reset()
            assert await exchange.fills(account) == []
            assert await exchange.orders(account) == []
            market = await exchange.market(seed=3, rate=1_000)
            assert (await exchange.book_of("BTC-USDT")).bids
            market.stop()

    asyncio.run(test())


def test_a_condition_may_be_a_coroutine_or_assert(venue: Exchange) -> None:
    async def test() -> None:
        exchange = AsyncExchange(venue)

        async def has_book() -> bool:
            return bool((await exchange.book_of(SYMBOL)).bids)

        waiting = asyncio.create_task(exchange.wait_for(has_book))
        await exchange.book(SYMBOL, bids=[("50.00", "1")])
        assert await waiting
        await exchange.book(SYMBOL)
        with pytest.raises(ExchangeError, match=r"a bid: not within 0\.05 s; it is False"):
            await exchange.wait_for(has_book, timeout_s=0.05, what="a bid")

        def fails() -> bool:
            raise AssertionError("not yet")

        with pytest.raises(AssertionError, match="not yet"):
            await exchange.wait_for(fails, timeout_s=0.05)

    asyncio.run(test())


def test_every_call_has_a_coroutine_with_the_same_arguments() -> None:
    """The clients, the bare wait and the read-only attributes belong to `exchange` itself."""
    own = {"admin", "async_client", "close", "market_data", "of", "processes", "logs", "pid",
           "wait_for_event"}  # fmt: skip
    for name, call in inspect.getmembers(ExchangeCalls):
        if name.startswith("_") or name in own:
            continue
        beside = getattr(AsyncExchange, name)
        if inspect.isfunction(call) and name not in ("client", "wait_for"):
            assert inspect.iscoroutinefunction(beside), name
            one, other = inspect.signature(call), inspect.signature(beside)
            assert one.parameters == other.parameters, name
