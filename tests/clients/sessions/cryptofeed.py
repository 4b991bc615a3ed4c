"""A session with cryptofeed: public feeds, its private feed, and its calls that trade."""

import asyncio
from argparse import ArgumentParser, Namespace
from decimal import Decimal
from typing import Any

from cryptofeed import FeedHandler
from cryptofeed.defines import (
    BUY,
    CANDLES,
    FILL_OR_KILL,
    GOOD_TIL_CANCELED,
    IMMEDIATE_OR_CANCEL,
    L2_BOOK,
    LIMIT,
    MARKET,
    ORDER_INFO,
    SELL,
    TRADES,
)

from tests.clients.sessions import stepwise


class FeedSteps(stepwise.Steps):
    """Steps with a handler of feeds, and one feed for requests."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names
        self._handler = FeedHandler(config=names["config"])
        self._requests = names["Binance"](
            config=names["config"], symbols=["BTC-USDT"], channels=[CANDLES]
        )
        self._books: dict[str, Any] = {}
        self._events = 0
        self.seen: list[dict[str, Any]] = []
        self._trades: list[Any] = []

    def markets(self) -> dict[str, Any]:
        """Every market by native symbol, with its tick."""
        info = self._names["Binance"].info()
        ticks = self._names["Binance"].symbol_mapping(refresh=True) and info["tick_size"]
        return {symbol: {"tick": ticks[symbol]} for symbol in info["symbols"]}

    async def place(self, symbol: str, side: str, kind: str, **terms: str) -> dict[str, Any]:
        """Place an order."""
        times = {"GTC": GOOD_TIL_CANCELED, "IOC": IMMEDIATE_OR_CANCEL, "FOK": FILL_OR_KILL}
        found = await self._requests.place_order(
            symbol,
            BUY if side == "buy" else SELL,
            LIMIT if kind in times else MARKET,
            Decimal(terms["quantity"]),
            Decimal(terms["price"]) if "price" in terms else None,
            times.get(kind),
        )
        return stepwise.order_of(found)

    async def cancel(self, symbol: str, id: str) -> dict[str, Any]:
        """Cancel an order by its id."""
        return stepwise.order_of(await self._requests.cancel_order(id, symbol))

    async def open_orders(self, symbol: str) -> list[dict[str, Any]]:
        """The open orders."""
        return [stepwise.order_of(each) for each in await self._requests.orders(symbol)]

    async def balances(self) -> dict[str, Any]:
        """Free and held money by asset."""
        return stepwise.balances_of({"balances": await self._requests.balances()})

    async def follow_user(self, symbol: str) -> None:
        """Follow one's own orders from here on."""
        if self._handler.running:
            return
        self._add([ORDER_INFO], {ORDER_INFO: self._take_own}, config=self._names["config"])

    async def _take_own(self, order: Any, _: float) -> None:
        self.seen.append(stepwise.event_of(order.raw))

    def user_events(self) -> list[dict[str, Any]]:
        """What was seen of one's own orders since they were followed."""
        return self.seen

    async def follow_book(self, symbol: str) -> None:
        """Follow a book, and the trades beside it."""
        callbacks = {L2_BOOK: self._take_book, TRADES: self._take_trade}
        self._add([L2_BOOK, TRADES], callbacks)

    def _add(self, channels: list[str], callbacks: dict[str, Any], **named: Any) -> None:
        feed = self._names["Binance"](
            symbols=["BTC-USDT"], channels=channels, callbacks=callbacks, retries=-1, **named
        )
        self._handler.add_feed(feed)
        if not self._handler.running:
            self._handler.run(start_loop=False, install_signal_handlers=False)

    async def _take_book(self, book: Any, _: float) -> None:
        self._events += 1
        self._books[book.symbol] = book.book.to_dict()

    async def _take_trade(self, trade: Any, _: float) -> None:
        self._trades.append([str(trade.price), str(trade.amount), trade.side])

    def followed_trades(self) -> list[Any]:
        """The trades of the stream: price, quantity, the taker's side."""
        return self._trades

    def followed_book(self, symbol: str) -> dict[str, Any]:
        """The client's own book."""
        found = self._books.get(symbol, {"bid": {}, "ask": {}})
        return {
            "bids": sorted(found["bid"].items(), reverse=True),
            "asks": sorted(found["ask"].items()),
            "events": self._events,
            "faults": [],
        }


async def main(given: Namespace) -> None:
    """Do steps until the harness ends."""
    await stepwise.serve_async(FeedSteps(stepwise.run_lines("cryptofeed", "Feed", given)))


if __name__ == "__main__":
    parser = ArgumentParser()
    parser.add_argument("--relay", required=True)
    parser.add_argument("--certificate", required=True)
    asyncio.run(main(stepwise.arguments(parser)))
