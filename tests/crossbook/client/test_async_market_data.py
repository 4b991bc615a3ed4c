"""Market data on an event loop, from a publisher that is one thread."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from crossbook import (
    AsyncMarketData,
    ClientClosed,
    DepthUpdate,
    FeedLive,
    FeedStale,
    Gap,
    LocalBook,
    MarketDataError,
    OrdersUpdate,
    Snapshot,
    Trade,
)
from tests.system.exchange import free_ports
from tests.worlds.fake_publisher import FakePublisher
from tests.worlds.feed_source import SYMBOL

ALL = ("l2", "l3", "trade")


@pytest.fixture
def publisher() -> Iterator[FakePublisher]:
    running = FakePublisher()
    yield running
    running.close()


def on_loop(
    publisher: FakePublisher,
    body: Callable[[AsyncMarketData], Awaitable[None]],
    channels: tuple[str, ...] = ALL,
) -> None:
    """Run `body` with market data that is loaded and subscribed."""

    async def main() -> None:
        async with AsyncMarketData(
            publisher.feed, publisher.snapshots, [SYMBOL], channels
        ) as market:
            updates = await market.wait_ready(10)
            assert any(isinstance(each, Snapshot) for each in updates)
            while market.heartbeat is None:
                assert await market.poll(5.0)
            await asyncio.wait_for(body(market), 30)

    asyncio.run(main())


async def until_equal(market: AsyncMarketData, publisher: FakePublisher) -> None:
    while True:
        await market.poll(0.05)
        book, source = market.book(SYMBOL), publisher.source
        if (book.bids(), book.asks()) == (source.levels(1), source.levels(2)):
            return


def test_the_book_becomes_and_stays_equal(publisher: FakePublisher) -> None:
    async def body(market: AsyncMarketData) -> None:
        for _ in range(30):
            publisher.step()
        await until_equal(market, publisher)
        assert list(market.orders(SYMBOL).orders(1)) == publisher.source.side_orders(1)
        assert market.ready
        assert not market.stale

    on_loop(publisher, body)


def test_updates_arrive_without_a_tick_and_in_order(publisher: FakePublisher) -> None:
    async def body(market: AsyncMarketData) -> None:
        for _ in range(20):
            publisher.step()
        seen: list[int] = []
        while len(seen) < 20:
            # What an iterator is left with comes next.
            async for update in market.updates():
                if isinstance(update, OrdersUpdate):
                    seen.append(update.seq)
                    break
        assert seen == sorted(set(seen))
        publisher.silent = True
        assert [each async for each in market.updates(0.1)] == []

    on_loop(publisher, body, ("l3",))


def test_events_go_on_after_a_restart_of_the_publisher_and_have_its_gap(
    publisher: FakePublisher,
) -> None:
    async def body(market: AsyncMarketData) -> None:
        before = publisher.source.seq
        publisher.restart(missed=3)
        gaps: list[Gap] = []
        async for event in market.events():
            if isinstance(event, Gap):
                gaps.append(event)
            if gaps and not publisher.source.sent["trade.BTC-USDT|"]:
                publisher.step()
            if len(gaps) == 2:
                break
        assert [(each.channel, each.first) for each in gaps] == [
            ("book", before + 1),
            ("trade", publisher.source.trade_id - 3),
        ]
        await until_equal(market, publisher)

    on_loop(publisher, body)


def test_a_silence_is_an_event_and_so_is_its_end(publisher: FakePublisher) -> None:
    async def body(market: AsyncMarketData) -> None:
        publisher.silent = True
        events = market.events()
        while not isinstance(await anext(events), FeedStale):
            pass
        publisher.silent = False
        assert await anext(events) == FeedLive()
        assert [each async for each in market.events(0.05)] == []

    on_loop(publisher, body)


def test_run_calls_functions_and_coroutines_in_their_order(publisher: FakePublisher) -> None:
    async def body(market: AsyncMarketData) -> None:
        calls: list[str] = []

        @market.on_trade
        async def slow(trade: Trade) -> None:
            await asyncio.to_thread(int)
            calls.append(f"slow {trade.trade_id}")
            if trade.trade_id == 1:
                raise ZeroDivisionError

        @market.on_trade
        def quick(trade: Trade) -> None:
            calls.append(f"quick {trade.trade_id}")
            if trade.trade_id == 2:
                market.stop()

        while publisher.source.trade_id < 2:
            publisher.step()
        with pytest.raises(ZeroDivisionError):
            await market.run()
        await market.run()
        assert calls == ["slow 1", "quick 1", "slow 2", "quick 2"]
        await market.run(0.05)

    on_loop(publisher, body)


def test_close_ends_what_waits(publisher: FakePublisher) -> None:
    async def body(market: AsyncMarketData) -> None:
        books: list[LocalBook] = []
        market.on_book(books.append)
        publisher.silent = True
        running = asyncio.create_task(market.run())
        await asyncio.wait([running], timeout=0.05)
        await market.close()
        await market.close()
        await running
        with pytest.raises(ClientClosed, match=publisher.feed):
            await market.poll()
        for method in (market.updates, market.events):
            with pytest.raises(ClientClosed):
                await anext(method())

    on_loop(publisher, body, ("l2",))


def test_a_gap_in_the_feed_is_filled(publisher: FakePublisher) -> None:
    async def body(market: AsyncMarketData) -> None:
        for _ in range(30):
            publisher.step()
        depths = 0
        while depths < 5:
            depths += sum(isinstance(each, DepthUpdate) for each in await market.poll(5.0))
        await until_equal(market, publisher)
        assert market.counters.resends > 0

    publisher.lose = 4
    on_loop(publisher, body)


def test_outside_of_async_with_and_without_a_publisher_there_is_an_error() -> None:
    nowhere = f"tcp://127.0.0.1:{free_ports(1)[0]}"

    async def main() -> None:
        market = AsyncMarketData(nowhere, nowhere, [SYMBOL])
        with pytest.raises(RuntimeError, match="inside `async with`"):
            await market.poll()
        async with market:
            with pytest.raises(MarketDataError, match="is the publisher running"):
                await market.wait_ready(0.1)
        with pytest.raises(ClientClosed):
            await market.__aenter__()

    asyncio.run(main())
