"""The steps of a session with ccxt: the same calls for its synchronous and asynchronous clients."""

import inspect
from typing import Any

from tests.clients.sessions import stepwise

STATUSES = {
    "closed": "FILLED",
    "canceled": "CANCELED",
    "expired": "EXPIRED",
    "rejected": "REJECTED",
}


class CcxtSteps(stepwise.Steps):
    """Steps with an exchange of ccxt, in ccxt's own unified calls."""

    def __init__(self, exchange: Any) -> None:
        self.exchange = exchange

    async def call(self, name: str, *arguments: Any, **named: Any) -> Any:
        """What a method of the exchange returns, awaited where it is a coroutine."""
        found = getattr(self.exchange, name)(*arguments, **named)
        return await found if inspect.isawaitable(found) else found

    async def markets(self) -> dict[str, Any]:
        """Every market by native symbol."""
        return {
            f"{each['base']}-{each['quote']}": {
                "base": each["base"],
                "quote": each["quote"],
                "tick": each["precision"]["price"],
                "lot": each["precision"]["amount"],
                "active": each["active"],
            }
            for each in (await self.call("load_markets", True)).values()
        }

    async def server_time(self) -> int:
        """Milliseconds."""
        found: int = await self.call("fetch_time")
        return found

    async def book(self, symbol: str) -> dict[str, Any]:
        """The book by REST."""
        found = await self.call("fetch_order_book", pair(symbol), 100)
        return {"bids": found["bids"], "asks": found["asks"]}

    async def place(self, symbol: str, side: str, kind: str, **terms: str) -> dict[str, Any]:
        """Place an order, in ccxt's words for its kind."""
        named: dict[str, Any] = {}
        kind_of = "limit"
        if kind in ("IOC", "FOK"):
            named["timeInForce"] = kind
        elif kind == "LIMIT_MAKER":
            named["postOnly"] = True
        elif kind == "STOP_LOSS_LIMIT":
            named["stopLossPrice"] = terms["stop_price"]
        elif kind == "MARKET":
            kind_of = "market"
            if "quote_quantity" in terms:
                named["cost"] = terms["quote_quantity"]
        if "client_id" in terms:
            named["clientOrderId"] = terms["client_id"]
        quantity = float(terms["quantity"]) if "quantity" in terms else None
        price = float(terms["price"]) if "price" in terms else None
        made = await self.call("create_order", pair(symbol), kind_of, side, quantity, price, named)
        return order(made)

    async def order(self, symbol: str, id: str) -> dict[str, Any]:
        """An order by its id."""
        return order(await self.call("fetch_order", id, pair(symbol)))

    async def open_orders(self, symbol: str) -> list[dict[str, Any]]:
        """The open orders."""
        return [order(each) for each in await self.call("fetch_open_orders", pair(symbol))]

    async def all_orders(self, symbol: str) -> list[dict[str, Any]]:
        """Every order, oldest first."""
        return [order(each) for each in await self.call("fetch_orders", pair(symbol))]

    async def cancel(self, symbol: str, id: str) -> dict[str, Any]:
        """Cancel an order by its id."""
        return order(await self.call("cancel_order", id, pair(symbol)))

    async def replace(
        self, symbol: str, id: str, side: str, quantity: str, price: str
    ) -> dict[str, Any]:
        """Replace an order by one of another price."""
        made = await self.call(
            "edit_order", id, pair(symbol), "limit", side, float(quantity), float(price)
        )
        return order(made)

    async def own_trades(self, symbol: str) -> list[dict[str, Any]]:
        """The trades of the account, oldest first."""
        return [
            {
                "id": each["id"],
                "order": each["order"],
                "price": each["price"],
                "quantity": each["amount"],
                "fee": each["fee"]["cost"],
                "fee_asset": each["fee"]["currency"],
                "is_buyer": each["side"] == "buy",
                "is_maker": each["takerOrMaker"] == "maker",
            }
            for each in await self.call("fetch_my_trades", pair(symbol))
        ]

    async def balances(self) -> dict[str, Any]:
        """Free and held money by asset."""
        found = await self.call("fetch_balance")
        return {
            asset: {"free": found["free"][asset], "locked": found["used"][asset]}
            for asset in found["total"]
        }

    async def candles(self, symbol: str, interval: str) -> list[Any]:
        """Candles, oldest first: time, open, high, low, close, volume."""
        found: list[Any] = await self.call("fetch_ohlcv", pair(symbol), interval)
        return found

    async def ticker(self, symbol: str) -> dict[str, Any]:
        """Last price, best prices and volume of a day."""
        found = await self.call("fetch_ticker", pair(symbol))
        return {
            "last": found["last"],
            "bid": found["bid"],
            "ask": found["ask"],
            "volume": found["baseVolume"],
        }

    async def trades(self, symbol: str) -> list[Any]:
        """Public trades, oldest first."""
        found = await self.call("fetch_trades", pair(symbol))
        return [[each["price"], each["amount"], each["side"]] for each in found]

    def skew(self, seconds: float) -> None:
        """Put the clock of this process wrong, by which the client's own pacing must not wait."""
        self.exchange.enableRateLimit = not seconds
        super().skew(seconds)

    async def correct_clock(self) -> None:
        """Correct the clock as the client can."""
        self.exchange.options["adjustForTimeDifference"] = True
        await self.call("load_time_difference")

    def restore_clock(self) -> None:
        """Trust the machine's clock again."""
        self.exchange.options["adjustForTimeDifference"] = False
        self.exchange.options["timeDifference"] = 0

    async def requests(self, count: int) -> int:
        """Send so many requests without a pause; the count that succeeded."""
        self.exchange.enableRateLimit = False
        for _ in range(count):
            await self.call("fetch_open_orders", "BTC/USDT")
        return count


def pair(symbol: str) -> str:
    """ccxt's name of an instrument."""
    return symbol.replace("-", "/")


def order(made: dict[str, Any]) -> dict[str, Any]:
    """An order of ccxt in the one form in which steps return orders."""
    status = STATUSES.get(made["status"]) or ("PARTIALLY_FILLED" if made["filled"] else "NEW")
    return stepwise.order(
        made["id"],
        made["clientOrderId"],
        status,
        made["filled"],
        made["amount"],
        made["price"],
        cost=str(made["cost"]),
    )
