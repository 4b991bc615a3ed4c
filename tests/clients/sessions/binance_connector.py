"""A session with binance-connector: requests, the diff stream and the user stream by listen key."""

import json
import threading
from argparse import Namespace
from typing import Any

from tests.clients.sessions import stepwise
from tests.clients.sessions.stepwise import FollowedBook, id_of

AGAIN_S = 0.2
"""Between two tries to connect: the client has none of its own."""


class ConnectorSteps(stepwise.Steps):
    """Steps with the calls of binance-connector."""

    def __init__(self, client: Any, streams: Any) -> None:
        self.client = client
        self._streams = streams
        self._seen: list[dict[str, Any]] = []
        self._book: FollowedBook | None = None
        self._lock = threading.Lock()
        self._open: list[Any] = []

    def markets(self) -> dict[str, Any]:
        """Every market by native symbol."""
        return stepwise.markets_of(self.client.exchange_info())

    def server_time(self) -> int:
        """Milliseconds."""
        found: int = self.client.time()["serverTime"]
        return found

    def book(self, symbol: str) -> Any:
        """The book by REST."""
        return self.client.depth(id_of(symbol))

    def place(self, symbol: str, side: str, kind: str, **terms: str) -> dict[str, Any]:
        """Place an order."""
        parameters = stepwise.place_parameters(symbol, side, kind, **terms)
        return stepwise.order_of(self.client.new_order(**parameters))

    def order(self, symbol: str, id: str) -> dict[str, Any]:
        """An order by its id."""
        return stepwise.order_of(self.client.get_order(id_of(symbol), orderId=int(id)))

    def open_orders(self, symbol: str) -> list[dict[str, Any]]:
        """The open orders."""
        return [stepwise.order_of(each) for each in self.client.get_open_orders(id_of(symbol))]

    def all_orders(self, symbol: str) -> list[dict[str, Any]]:
        """Every order, oldest first."""
        return [stepwise.order_of(each) for each in self.client.get_orders(id_of(symbol))]

    def cancel(self, symbol: str, id: str) -> dict[str, Any]:
        """Cancel an order by its id."""
        return stepwise.order_of(self.client.cancel_order(id_of(symbol), orderId=int(id)))

    def replace(self, symbol: str, id: str, side: str, quantity: str, price: str) -> dict[str, Any]:
        """Replace an order by one of another price."""
        parameters = stepwise.place_parameters(symbol, side, "GTC", quantity, price)
        found = self.client.cancel_and_replace(
            cancelReplaceMode="STOP_ON_FAILURE", cancelOrderId=int(id), **parameters
        )
        return stepwise.order_of(found["newOrderResponse"])

    def own_trades(self, symbol: str) -> list[dict[str, Any]]:
        """The trades of the account, oldest first."""
        return [stepwise.trade_of(each) for each in self.client.my_trades(id_of(symbol))]

    def balances(self) -> dict[str, Any]:
        """Free and held money by asset."""
        return stepwise.balances_of(self.client.account())

    def candles(self, symbol: str, interval: str) -> Any:
        """Candles, oldest first."""
        return self.client.klines(id_of(symbol), interval)

    def ticker(self, symbol: str) -> dict[str, Any]:
        """Last price, best prices and volume of a day."""
        return stepwise.ticker_of(self.client.ticker_24hr(id_of(symbol)))

    def trades(self, symbol: str) -> list[Any]:
        """Public trades, oldest first."""
        return stepwise.public_of(self.client.trades(id_of(symbol)))

    def requests(self, count: int) -> int:
        """Send so many requests without a pause; the count that succeeded."""
        for _ in range(count):
            self.client.get_open_orders("BTCUSDT")
        return count

    def follow_user(self, symbol: str) -> None:
        """Follow one's own orders from here on."""
        subscribed = threading.Event()

        def take(_: object, text: str) -> None:
            event = json.loads(text)
            if "e" in event:
                self._seen.append(stepwise.event_of(event))
            elif "result" in event:
                subscribed.set()

        streams = self._streams(on_message=take)
        self._open.append(streams)
        streams.user_data(self.client.new_listen_key()["listenKey"])
        assert subscribed.wait(10), "the subscription is not answered"

    def user_events(self) -> list[dict[str, Any]]:
        """What was seen of one's own orders and balances since it was followed."""
        return self._seen

    def follow_book(self, symbol: str) -> None:
        """Follow a book; returns once its stream is open."""
        self._book = FollowedBook(lambda: self.client.depth(id_of(symbol), limit=1000))
        self._connect(symbol)

    def _connect(self, symbol: str) -> None:
        book = self._book
        assert book is not None

        def take(_: object, text: str) -> None:
            event = json.loads(text)
            if event.get("e") == "depthUpdate":
                with self._lock:
                    book.take(event)

        def again(_: object, error: object = None) -> None:
            threading.Thread(target=self._connect_again, args=(symbol,), daemon=True).start()

        streams = self._streams(on_message=take, on_close=again, on_error=again)
        with self._lock:
            book.connected()
        self._open.append(streams)
        streams.diff_book_depth(symbol=id_of(symbol), speed=100)

    def _connect_again(self, symbol: str) -> None:
        while True:
            threading.Event().wait(AGAIN_S)
            try:
                return self._connect(symbol)
            except Exception:
                continue

    def followed_book(self, symbol: str) -> dict[str, Any]:
        """The book kept from the stream."""
        assert self._book is not None
        with self._lock:
            return self._book.state()


def main(given: Namespace) -> None:
    """Do steps until the harness ends."""
    page = "binance-connector"
    client = stepwise.run_lines(page, "REST", given)["client"]
    streams = stepwise.run_lines(page, "Streams", given)["streams"]
    stepwise.serve(ConnectorSteps(client, streams))


if __name__ == "__main__":
    main(stepwise.arguments())
