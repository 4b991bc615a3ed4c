"""The clients while processes of the exchange are killed and come back."""

import asyncio
from collections.abc import Iterator

import pytest

from crossbook import AsyncClient, AsyncMarketData, Client, FeedStale, Gap, Orders, Side, Trades
from crossbook.testing import Exchange

BTC = "BTC-USDT"
ACCOUNT = 7


@pytest.fixture
def venue() -> Iterator[Exchange]:
    with Exchange() as running:
        running.account(ACCOUNT, BTC="100", USDT="10000000")
        yield running


def facts(client: Client) -> tuple[list[object], list[object]]:
    """The open orders as the client keeps them, and as the exchange has them."""

    def of(order: object) -> tuple[object, ...]:
        names = ("order_id", "client_order_id", "side", "price", "quantity", "filled", "remaining")
        return tuple(getattr(order, name) for name in (*names, "status"))

    return [of(each) for each in client.orders().open()], [
        of(each) for each in client.open_orders()
    ]


def trade(venue: Exchange, client: Client, first: int) -> None:
    """Orders of every kind of fate, some of another session of the account."""
    other = venue.client(ACCOUNT)
    names = [f"o{first + n}" for n in range(5)]
    for n, name in enumerate(names):
        client.submit(BTC, "buy", "0.5", f"{40_000 + first + n}.00", client_order_id=name)
    taker = venue.client(9)
    taker.submit(BTC, "sell", "0.7", "40000.00", time_in_force="ioc")
    other.amend(BTC, client_order_id=names[1], quantity="0.4")
    other.cancel(BTC, client_order_id=names[0])
    other.submit(BTC, "sell", "0.3", "60000.00")


def test_own_orders_are_the_exchanges_after_its_gateway_was_restarted(venue: Exchange) -> None:
    with Client(venue.orders_address, ACCOUNT) as client:
        client.orders()
        trade(venue, client, 0)
        client.ping()
        kept, present = facts(client)
        assert kept == present
        assert len(kept) == 4
        venue.kill("gateway")
        venue.restart("gateway")
        # Trades of others and cancels while this session is lost, and not yet missed.
        taker = venue.client(9)
        taker.submit(BTC, "sell", "0.6", "40000.00", time_in_force="ioc")
        client.ping()
        venue.wait_for(lambda: len(set(map(str, facts(client)))) == 1)
        assert not client.orders().in_doubt
        sold = sum(each.fill_lots for each in client.orders().ended() if each.side is Side.BUY)
        assert sold + sum(each.fill_lots for each in client.orders().open()) == 130_000
        trade(venue, client, 100)
        client.ping()
        kept, present = facts(client)
        assert kept == present


def test_events_go_on_after_a_restart_of_the_publisher_with_the_trades_it_missed(
    venue: Exchange,
) -> None:
    """The publisher that comes back begins with the matcher's book, not with its trades."""
    venue.book(BTC, bids=[("49000.00", "5")], asks=[("50000.00", "50")])
    taker = venue.client(9)

    def buy() -> None:
        taker.submit(BTC, "buy", "0.1", "50000.00", time_in_force="ioc")

    async def main() -> list[object]:
        seen: list[object] = []
        async with AsyncMarketData(
            venue.feed_address, venue.snapshots_address, [BTC], ("trade", "l2")
        ) as market:
            await market.wait_ready(10)
            # A subscription is in force some time after the call; a heartbeat proves it.
            while market.heartbeat is None:
                await market.poll(1.0)
            await asyncio.to_thread(buy)
            async for event in market.events():
                if isinstance(event, Trades | Gap | FeedStale):
                    seen.append(event)
                if isinstance(event, FeedStale):
                    for _ in range(3):
                        await asyncio.to_thread(buy)
                    await asyncio.to_thread(venue.restart, "publisher")
                elif isinstance(event, Trades) and len(seen) == 1:
                    await asyncio.to_thread(venue.kill, "publisher")
                elif isinstance(event, Gap):
                    await asyncio.to_thread(buy)
                    if event.channel == "trade":
                        break
        return seen

    seen = asyncio.run(asyncio.wait_for(main(), 60))
    kinds = [type(each).__name__ for each in seen]
    assert kinds[:3] == ["Trades", "FeedStale", "Gap"]
    first, last = seen[0], seen[-1]
    assert isinstance(first, Trades)
    assert isinstance(last, Gap)
    assert (last.channel, last.first) == ("trade", first.trades[-1].trade_id + 1)
    assert last.last == last.first + 2


def test_an_asyncio_client_trades_on_after_its_gateway_was_restarted(venue: Exchange) -> None:
    async def main() -> Orders:
        async with AsyncClient(venue.orders_address, ACCOUNT, timeout_s=20.0) as client:
            orders = await client.orders()
            await client.submit(BTC, "buy", "0.5", "40000.00", client_order_id="before")
            await asyncio.to_thread(venue.kill, "gateway")
            await asyncio.to_thread(venue.restart, "gateway")
            await client.submit(BTC, "buy", "0.5", "40001.00", client_order_id="after")
            assert await client.orders() is orders
            return orders

    orders = asyncio.run(asyncio.wait_for(main(), 60))
    assert [each.client_order_id for each in orders.open(BTC)] == ["before", "after"]
