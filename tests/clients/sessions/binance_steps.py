"""The steps of a session with a client whose calls have the names of python-binance."""

import inspect
import time
from typing import Any

from tests.clients.sessions import stepwise
from tests.clients.sessions.stepwise import id_of


class BinanceSteps(stepwise.Steps):
    """Steps with a client of python-binance, synchronous or not."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def call(self, name: str, **named: Any) -> Any:
        """What a method of the client returns, awaited where it is a coroutine."""
        found = getattr(self.client, name)(**named)
        return await found if inspect.isawaitable(found) else found

    async def markets(self) -> dict[str, Any]:
        """Every market by native symbol."""
        found = await self.call("get_exchange_info")
        return stepwise.markets_of(found)

    async def server_time(self) -> int:
        """Milliseconds."""
        found: int = (await self.call("get_server_time"))["serverTime"]
        return found

    async def book(self, symbol: str) -> Any:
        """The book by REST."""
        return await self.call("get_order_book", symbol=id_of(symbol))

    async def place(self, symbol: str, side: str, kind: str, **terms: str) -> dict[str, Any]:
        """Place an order."""
        parameters = stepwise.place_parameters(symbol, side, kind, **terms)
        return stepwise.order_of(await self.call("create_order", **parameters))

    async def order(self, symbol: str, id: str) -> dict[str, Any]:
        """An order by its id."""
        found = await self.call("get_order", symbol=id_of(symbol), orderId=int(id))
        return stepwise.order_of(found)

    async def open_orders(self, symbol: str) -> list[dict[str, Any]]:
        """The open orders."""
        found = await self.call("get_open_orders", symbol=id_of(symbol))
        return [stepwise.order_of(each) for each in found]

    async def all_orders(self, symbol: str) -> list[dict[str, Any]]:
        """Every order, oldest first."""
        found = await self.call("get_all_orders", symbol=id_of(symbol))
        return [stepwise.order_of(each) for each in found]

    async def cancel(self, symbol: str, id: str) -> dict[str, Any]:
        """Cancel an order by its id."""
        found = await self.call("cancel_order", symbol=id_of(symbol), orderId=int(id))
        return stepwise.order_of(found)

    async def replace(
        self, symbol: str, id: str, side: str, quantity: str, price: str
    ) -> dict[str, Any]:
        """Replace an order by one of another price."""
        parameters = stepwise.place_parameters(symbol, side, "GTC", quantity, price)
        found = await self.call(
            "cancel_replace_order", cancelReplaceMode="STOP_ON_FAILURE", cancelOrderId=int(id),
            **parameters,
        )  # fmt: skip
        return stepwise.order_of(found["newOrderResponse"])

    async def own_trades(self, symbol: str) -> list[dict[str, Any]]:
        """The trades of the account, oldest first."""
        found = await self.call("get_my_trades", symbol=id_of(symbol))
        return [stepwise.trade_of(each) for each in found]

    async def balances(self) -> dict[str, Any]:
        """Free and held money by asset."""
        return stepwise.balances_of(await self.call("get_account"))

    async def candles(self, symbol: str, interval: str) -> list[Any]:
        """Candles, oldest first."""
        found: list[Any] = await self.call("get_klines", symbol=id_of(symbol), interval=interval)
        return found

    async def ticker(self, symbol: str) -> dict[str, Any]:
        """Last price, best prices and volume of a day."""
        return stepwise.ticker_of(await self.call("get_ticker", symbol=id_of(symbol)))

    async def trades(self, symbol: str) -> list[Any]:
        """Public trades, oldest first."""
        return stepwise.public_of(await self.call("get_recent_trades", symbol=id_of(symbol)))

    async def correct_clock(self) -> None:
        """Correct the clock as the client can."""
        self.client.timestamp_offset = await self.server_time() - int(time.time() * 1000)

    def restore_clock(self) -> None:
        """Trust the machine's clock again."""
        self.client.timestamp_offset = 0

    async def requests(self, count: int) -> int:
        """Send so many requests without a pause; the count that succeeded."""
        for _ in range(count):
            await self.call("get_open_orders", symbol="BTCUSDT")
        return count
