"""A session with binance-sdk-spot: requests, the diff stream, and one's own orders over the
WebSocket API."""

import asyncio
import re
import select
from argparse import Namespace
from typing import Any

from tests.clients.sessions import stepwise
from tests.clients.sessions.stepwise import FollowedBook, id_of

AGAIN_S = 0.2
"""Between two tries to connect."""


class SdkSteps(stepwise.Steps):
    """Steps with the calls of binance-sdk-spot."""

    def __init__(self, spot: Any) -> None:
        self.rest = spot.rest_api
        self._spot = spot
        self._seen: list[dict[str, Any]] = []
        self._book: FollowedBook | None = None
        self._opening: asyncio.Task[None] | None = None

    def markets(self) -> dict[str, Any]:
        """Every market by native symbol."""
        return stepwise.markets_of(plain(self.rest.exchange_info()))

    def server_time(self) -> int:
        """Milliseconds."""
        found: int = plain(self.rest.time())["serverTime"]
        return found

    def book(self, symbol: str) -> Any:
        """The book by REST."""
        return plain(self.rest.depth(id_of(symbol)))

    def place(self, symbol: str, side: str, kind: str, **terms: str) -> dict[str, Any]:
        """Place an order."""
        found = self.rest.new_order(**named(symbol, side, kind, **terms))
        return stepwise.order_of(plain(found))

    def order(self, symbol: str, id: str) -> dict[str, Any]:
        """An order by its id."""
        return stepwise.order_of(plain(self.rest.get_order(id_of(symbol), order_id=int(id))))

    def open_orders(self, symbol: str) -> list[dict[str, Any]]:
        """The open orders."""
        return [stepwise.order_of(each) for each in plain(self.rest.get_open_orders(id_of(symbol)))]

    def all_orders(self, symbol: str) -> list[dict[str, Any]]:
        """Every order, oldest first."""
        return [stepwise.order_of(each) for each in plain(self.rest.all_orders(id_of(symbol)))]

    def cancel(self, symbol: str, id: str) -> dict[str, Any]:
        """Cancel an order by its id."""
        return stepwise.order_of(plain(self.rest.delete_order(id_of(symbol), order_id=int(id))))

    def replace(self, symbol: str, id: str, side: str, quantity: str, price: str) -> dict[str, Any]:
        """Replace an order by one of another price."""
        found = self.rest.order_cancel_replace(
            cancel_replace_mode="STOP_ON_FAILURE", cancel_order_id=int(id),
            **named(symbol, side, "GTC", quantity=quantity, price=price),
        )  # fmt: skip
        return stepwise.order_of(plain(found)["newOrderResponse"])

    def own_trades(self, symbol: str) -> list[dict[str, Any]]:
        """The trades of the account, oldest first."""
        return [stepwise.trade_of(each) for each in plain(self.rest.my_trades(id_of(symbol)))]

    def balances(self) -> dict[str, Any]:
        """Free and held money by asset."""
        return stepwise.balances_of(plain(self.rest.get_account()))

    def candles(self, symbol: str, interval: str) -> Any:
        """Candles, oldest first."""
        return plain(self.rest.klines(id_of(symbol), interval))

    def ticker(self, symbol: str) -> dict[str, Any]:
        """Last price, best prices and volume of a day."""
        return stepwise.ticker_of(plain(self.rest.ticker24hr(id_of(symbol))))

    def trades(self, symbol: str) -> list[Any]:
        """Public trades, oldest first."""
        return stepwise.public_of(plain(self.rest.get_trades(id_of(symbol))))

    def requests(self, count: int) -> int:
        """Send so many requests without a pause; the count that succeeded."""
        for _ in range(count):
            self.rest.get_open_orders("BTCUSDT")
        return count

    async def follow_user(self, symbol: str) -> None:
        """Follow one's own orders from here on."""
        connection = await self._spot.websocket_api.create_connection()
        found = await connection.user_data_stream_subscribe_signature()
        found.stream.on("message", self._take_own)

    def _take_own(self, event: Any) -> None:
        # The models of the client have the kind of an event as their class alone.
        kind = type(event.actual_instance).__name__
        named = {"e": kind[0].lower() + kind[1:], **dictionary(event)}
        self._seen.append(stepwise.event_of(named))

    def user_events(self) -> list[dict[str, Any]]:
        """What was seen of one's own orders and balances since it was followed."""
        return self._seen

    async def follow_book(self, symbol: str) -> None:
        """Follow a book; returns once its stream is subscribed."""
        self._book = FollowedBook(lambda: plain(self.rest.depth(id_of(symbol), limit=1000)))
        await self._open(symbol)

    async def _open(self, symbol: str) -> None:
        """Open the stream, and again whenever it closes: the client replaces a connection only that
        the server announces to end."""
        assert self._book is not None
        streams = self._spot.websocket_streams
        await streams.create_connection()
        self._book.connected()
        stream = await streams.diff_book_depth(id_of(symbol).lower(), update_speed="100ms")
        stream.on("message", self._take_book)
        streams.on_connection("close", lambda: self._start_opening(symbol))

    def _start_opening(self, symbol: str) -> None:
        self._opening = asyncio.create_task(self._open_again(symbol))

    async def _open_again(self, symbol: str) -> None:
        while True:
            await asyncio.to_thread(select.select, [], [], [], AGAIN_S)
            try:
                return await self._open(symbol)
            except Exception:
                continue

    def _take_book(self, event: Any) -> None:
        assert self._book is not None
        self._book.take(dictionary(event))

    def followed_book(self, symbol: str) -> dict[str, Any]:
        """The book kept from the stream."""
        assert self._book is not None
        return self._book.state()


def plain(answer: Any) -> Any:
    """The data of an answer without the client's classes."""
    data = answer.data()
    return [dictionary(each) for each in data] if isinstance(data, list) else dictionary(data)


def dictionary(data: Any) -> Any:
    """A document of the client's, by the names on the wire."""
    actual = getattr(data, "actual_instance", None)
    if actual is not None:
        data = actual
    return data.to_dict() if hasattr(data, "to_dict") else data


def named(symbol: str, side: str, kind: str, **terms: str) -> dict[str, Any]:
    """An order in the client's names of parameters."""
    found = stepwise.place_parameters(symbol, side, kind, **terms)
    return {re.sub("[A-Z]", lambda x: f"_{x[0].lower()}", name): found[name] for name in found}


async def main(given: Namespace) -> None:
    """Do steps until the harness ends."""
    if given.private:
        names = stepwise.run_lines("binance-sdk-spot", "With a key pair", given)
    else:
        names = stepwise.run_lines("binance-sdk-spot", "All three interfaces", given)
    await stepwise.serve_async(SdkSteps(names["spot"]))


if __name__ == "__main__":
    asyncio.run(main(stepwise.arguments()))
