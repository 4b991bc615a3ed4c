"""Quotes both sides of one instrument around the middle of the others' book, lower when long.

    crossbook run --demo                                   # in another terminal
    python examples/market_maker.py --account 7 --seconds 60

It quotes again when the middle moves, cancels while the market data is silent, and leaves no order:
not at its end, not after Ctrl-C, and not when it is killed (`cancel_after`).
"""

import argparse
import asyncio
import contextlib
from collections.abc import Iterable
from decimal import Decimal

from crossbook import (
    AsyncClient,
    AsyncMarketData,
    Cancel,
    ExecutionKind,
    ExecutionsMissed,
    FeedStale,
    Instrument,
    Level,
    New,
    OrderRejected,
    Orders,
    Side,
    cancel_order,
    new_order,
)

DEAD_MAN_S = 5.0
"""The exchange cancels the quotes unless it hears from the program within this time."""


class MarketMaker:
    """The quotes of one instrument: at most one order a side."""

    def __init__(
        self,
        client: AsyncClient,
        orders: Orders,
        instrument: Instrument,
        options: argparse.Namespace,
    ) -> None:
        self.client = client
        self.orders = orders
        self.instrument = instrument
        self.symbol: str = instrument.symbol
        self.quantity: Decimal = options.quantity
        self.half: Decimal = options.spread / 2
        self.skew: Decimal = options.skew
        self.quotes = 0
        self.position = Decimal(0)
        self._lock = asyncio.Lock()

    def middle(self, bids: Iterable[Level], asks: Iterable[Level]) -> Decimal | None:
        """The middle of what the others show; None while they show one side only."""
        own = {(each.side, each.price): each.remaining for each in self.orders.open(self.symbol)}
        best = [
            next(
                (each.price for each in levels if each.quantity > own.get((side, each.price), 0)),
                None,
            )
            for side, levels in ((Side.BUY, bids), (Side.SELL, asks))
        ]
        return None if None in best else sum(filter(None, best), Decimal(0)) / 2

    async def quote(self, market: AsyncMarketData) -> None:
        """Have one order on each side of the middle, where they are not there already."""
        async with self._lock:
            self.orders = await self.client.orders()
            book = market.book(self.symbol)
            middle = self.middle(book.bid_levels(5), book.ask_levels(5))
            if middle is None or market.stale:
                return
            tick = Decimal(self.instrument.tick_size)
            fair = middle - self.skew * self.position
            bid = (fair - self.half) // tick * tick
            ask = -(-(fair + self.half) // tick) * tick
            requests: list[New | Cancel] = []
            for side, price in ((Side.BUY, bid), (Side.SELL, ask)):
                present = self.orders.open(self.symbol, side)
                if [each.price for each in present] != [price]:
                    requests += [cancel_order(self.symbol, each.order_id) for each in present]
                    requests.append(
                        new_order(self.symbol, side, self.quantity, price, post_only=True)
                    )
            if requests:
                self.quotes += 1
                # A cancel of an order just filled and a quote that would trade are refused.
                await self.client.batch(requests)

    async def follow_market(self, market: AsyncMarketData) -> None:
        """Quote when the book changes; cancel when market data falls silent."""
        async for event in market.events():
            if isinstance(event, FeedStale):
                await self.client.mass_cancel(self.symbol)
            else:
                await self.quote(market)

    async def follow_fills(self, market: AsyncMarketData) -> None:
        """Add up the position, and quote again: a report may come after the change of the book."""
        while True:
            # Where reports are gone, `orders()` queries again; the position lacks their fills.
            with contextlib.suppress(ExecutionsMissed):
                async for execution in self.client.executions():
                    if execution.kind is ExecutionKind.FILL:
                        bought = execution.side is Side.BUY
                        self.position += execution.quantity if bought else -execution.quantity
                    await self.quote(market)

    async def renew(self) -> None:
        """Keep the dead-man timer of the exchange from running out."""
        while True:
            with contextlib.suppress(OrderRejected):
                await self.client.cancel_after(DEAD_MAN_S)
            await asyncio.sleep(DEAD_MAN_S / 3)


async def trade(options: argparse.Namespace) -> None:
    """Quote until the time is over; cancel everything at the end."""
    symbol = options.symbol
    async with (
        AsyncClient(account=options.account, cancel_on_disconnect=True) as client,
        AsyncMarketData(symbols=[symbol], channels=("l2",)) as market,
    ):
        instrument = (await client.instruments())[symbol]
        maker = MarketMaker(client, await client.orders(), instrument, options)
        try:
            await market.wait_ready()
            async with asyncio.timeout(options.seconds), asyncio.TaskGroup() as tasks:
                tasks.create_task(maker.renew())
                tasks.create_task(maker.follow_market(market))
                tasks.create_task(maker.follow_fills(market))
                await maker.quote(market)
        except TimeoutError:
            pass
        finally:
            ack = await client.mass_cancel(symbol)
            await client.cancel_after(0)
            print(f"{maker.quotes} quotes, position {maker.position:f}, {ack.count} canceled")


def main() -> None:
    """Read the options and trade."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--symbol", default="BTC-USDT")
    parser.add_argument("--account", type=int, help="setting ACCOUNT, 1 by default")
    parser.add_argument("--quantity", type=Decimal, default=Decimal("0.01"), help="of each quote")
    parser.add_argument("--spread", type=Decimal, default=Decimal("20.00"), help="bid to offer")
    parser.add_argument(
        "--skew", type=Decimal, default=Decimal(100), help="price lowered per unit of position"
    )
    parser.add_argument("--seconds", type=float, help="end after this time; otherwise Ctrl-C ends")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(trade(options))


if __name__ == "__main__":
    main()
