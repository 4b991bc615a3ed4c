"""A session with nautilus_trader: a live node whose strategy does one step after the other."""

import asyncio
import os
import sys
from argparse import Namespace
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from nautilus_trader.core.data import Data
from nautilus_trader.model.enums import BookType, OrderSide, TimeInForce
from nautilus_trader.model.events import OrderFilled
from nautilus_trader.model.identifiers import ClientOrderId, InstrumentId
from nautilus_trader.model.objects import Price, Quantity
from nautilus_trader.trading.strategy import Strategy

from tests.clients.sessions import stepwise
from tests.clients.sessions.stepwise import id_of

STATUSES = {
    "ACCEPTED": "NEW",
    "TRIGGERED": "NEW",
    "PARTIALLY_FILLED": "PARTIALLY_FILLED",
    "FILLED": "FILLED",
    "CANCELED": "CANCELED",
    "EXPIRED": "EXPIRED",
}
EVENTS = {
    "OrderAccepted": "NEW",
    "OrderFilled": "TRADE",
    "OrderCanceled": "CANCELED",
    "OrderExpired": "EXPIRED",
}
ANSWER_S = 10.0


class OrderRefusedError(Exception):
    """The node's own event for an order that the exchange refused: `OrderRejected`."""


class Steps(Strategy, stepwise.Steps):  # type: ignore[misc]
    """Steps with the commands of a strategy, and what its cache has."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = asyncio.Event()
        self.seen: list[tuple[int, dict[str, Any]]] = []
        self.followed_ns = 0
        self.book_events = 0
        self.book_faults: list[str] = []

    def on_start(self) -> None:
        self.subscribe_quote_ticks(instrument_id("BTC-USDT"))

    def on_order_event(self, event: Any) -> None:
        if name := EVENTS.get(type(event).__name__):
            order = self.cache.order(event.client_order_id)
            self.seen.append((event.ts_init, {**shown(order), "event": name}))
        self.changed.set()

    def on_order_book_deltas(self, deltas: Data) -> None:
        self.book_events += 1

    async def until(self, condition: Callable[[], Any]) -> Any:
        """The first true value of a condition, which is read after every event."""
        async with asyncio.timeout(ANSWER_S):
            while not (found := condition()):
                self.changed.clear()
                await self.changed.wait()
        return found

    def markets(self) -> dict[str, Any]:
        return {
            f"{each.base_currency}-{each.quote_currency}": {
                "base": str(each.base_currency),
                "quote": str(each.quote_currency),
                "tick": str(each.price_increment),
                "lot": str(each.size_increment),
                "active": True,
                "taker_fee": str(each.taker_fee),
            }
            for each in self.cache.instruments()
        }

    async def place(self, symbol: str, side: str, kind: str, **terms: str) -> dict[str, Any]:
        named: dict[str, Any] = {
            "instrument_id": instrument_id(symbol),
            "order_side": OrderSide.BUY if side == "buy" else OrderSide.SELL,
            "quantity": Quantity.from_str(terms.get("quote_quantity") or terms["quantity"]),
        }
        if "price" in terms:
            named["price"] = Price.from_str(terms["price"])
        if "client_id" in terms:
            named["client_order_id"] = ClientOrderId(terms["client_id"])
        if kind == "MARKET":
            order = self.order_factory.market(**named, quote_quantity="quote_quantity" in terms)
        elif kind == "STOP_LOSS_LIMIT":
            order = self.order_factory.stop_limit(
                **named, trigger_price=Price.from_str(terms["stop_price"])
            )
        else:
            times = {"IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK}
            order = self.order_factory.limit(
                **named,
                time_in_force=times.get(kind, TimeInForce.GTC),
                post_only=kind == "LIMIT_MAKER",
            )
        self.submit_order(order)
        await self.until(lambda: order.status.name not in ("INITIALIZED", "SUBMITTED"))
        if order.status.name in ("REJECTED", "DENIED"):
            raise OrderRefusedError(f"{type(order.last_event).__name__}: {order.last_event}")
        if kind in ("IOC", "FOK", "MARKET"):
            await self.until(lambda: order.is_closed)
        return shown(order)

    def order(self, symbol: str, id: str) -> dict[str, Any]:
        found = [each for each in self.cache.orders() if str(each.venue_order_id) == id]
        return shown(found[0])

    def open_orders(self, symbol: str) -> list[dict[str, Any]]:
        return [shown(each) for each in self.cache.orders_open()]

    async def cancel(self, symbol: str, id: str) -> dict[str, Any]:
        found = [each for each in self.cache.orders() if str(each.venue_order_id) == id]
        self.cancel_order(found[0])
        await self.until(lambda: found[0].is_closed)
        return shown(found[0])

    def balances(self) -> dict[str, Any]:
        return {
            str(currency): {
                "free": str(balance.free.as_decimal()),
                "locked": str(balance.locked.as_decimal()),
            }
            for currency, balance in self.account().balances().items()
        }

    def own_trades(self, symbol: str) -> list[dict[str, Any]]:
        fills = [
            event
            for order in self.cache.orders()
            for event in order.events
            if isinstance(event, OrderFilled)
        ]
        return [
            {
                "id": str(each.trade_id),
                "order": str(each.venue_order_id),
                "price": str(each.last_px),
                "quantity": str(each.last_qty),
                "fee": str(each.commission.as_decimal()),
                "fee_asset": str(each.commission.currency),
                "is_buyer": each.is_buy,
                "is_maker": each.liquidity_side.name == "MAKER",
            }
            for each in sorted(fills, key=lambda each: int(str(each.trade_id)))
        ]

    def best_ask(self, symbol: str) -> str:
        """The last price by which nautilus turns the amount of a market order into a quantity."""
        found = self.cache.quote_tick(instrument_id(symbol))
        return str(found.ask_price) if found else "0"

    def follow_user(self, symbol: str) -> None:
        self.followed_ns = self.clock.timestamp_ns()

    def user_events(self) -> list[dict[str, Any]]:
        # A strategy is called for orders only; balances are in the account, as they were reported.
        money = [
            (each.ts_init, {"event": "outboundAccountPosition"})
            for each in self.account().events
            if each.is_reported
        ]
        found = sorted([*self.seen, *money], key=lambda each: each[0])
        return [event for at_ns, event in found if at_ns > self.followed_ns]

    def account(self) -> Any:
        """The account of the exchange."""
        return self.portfolio.account(instrument_id("BTC-USDT").venue)

    def follow_book(self, symbol: str) -> None:
        self.subscribe_order_book_deltas(instrument_id(symbol), BookType.L2_MBP)

    def followed_book(self, symbol: str) -> dict[str, Any]:
        book = self.cache.order_book(instrument_id(symbol))

        def levels(side: Any) -> list[list[str]]:
            return [[str(each.price), str(Decimal(str(each.size())))] for each in side]

        return {
            "bids": levels(book.bids()) if book else [],
            "asks": levels(book.asks()) if book else [],
            "events": self.book_events,
            "faults": [],
        }


def instrument_id(symbol: str) -> Any:
    """nautilus' name of an instrument."""
    return InstrumentId.from_str(f"{id_of(symbol)}.BINANCE")


def shown(order: Any) -> dict[str, Any]:
    """An order of the cache in the one form in which steps return orders."""
    return stepwise.order(
        order.venue_order_id,
        str(order.client_order_id),
        STATUSES[order.status.name],
        order.filled_qty,
        order.quantity,
        order.price if order.has_price else None,
    )


def keep_output() -> None:
    """Print what this script prints where it is read, and what the node does on standard error: its
    log is written beside Python, into the lines of others."""
    sys.stdout = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)


async def main(given: Namespace) -> None:
    """Do steps until the harness ends, and then end at once: a node takes 10 s for it."""
    keep_output()
    node = stepwise.run_lines("nautilus-trader", "Node", given)["node"]
    steps = Steps()
    node.trader.add_strategy(steps)
    try:
        running = asyncio.create_task(node.run_async())
        async with asyncio.timeout(60):
            while not node.trader.is_running:
                await asyncio.wait([running], timeout=0.05)
        await stepwise.serve_async(steps)
    finally:
        os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(stepwise.arguments()))
