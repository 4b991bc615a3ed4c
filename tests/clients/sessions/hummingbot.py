"""A session with hummingbot: its connector of Binance, which a clock of hummingbot drives."""

import asyncio
from argparse import Namespace
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.clients.sessions import stepwise

READY_S = 30.0
ANSWER_S = 25.0
LOOK_S = 0.05
STATES = {
    "OPEN": "NEW",
    "PARTIALLY_FILLED": "PARTIALLY_FILLED",
    "FILLED": "FILLED",
    "CANCELED": "CANCELED",
}
ENDED = ("FILLED", "CANCELED", "FAILED")


class OrderFailedError(Exception):
    """hummingbot's own state of an order that the exchange refused."""


class ConnectorSteps(stepwise.Steps):
    """Steps with a connector, which keeps its orders by its user stream."""

    def __init__(self, connector: Any) -> None:
        self.connector = connector
        self.orders: dict[str, Any] = {}

    async def place(self, symbol: str, side: str, kind: str, **terms: str) -> dict[str, Any]:
        """Place an order."""
        from hummingbot.core.data_type.common import OrderType

        kinds = {"GTC": OrderType.LIMIT, "LIMIT_MAKER": OrderType.LIMIT_MAKER}
        enter = self.connector.buy if side == "buy" else self.connector.sell
        id_ = enter(
            symbol,
            Decimal(terms["quantity"]),
            kinds.get(kind, OrderType.MARKET),
            Decimal(terms["price"]) if "price" in terms else Decimal("NaN"),
        )
        # An order that ends at once is in flight for no time; the tracker keeps it.
        tracker = self.connector._order_tracker
        order = await until(lambda: tracker.fetch_order(client_order_id=id_))
        await until(lambda: order.exchange_order_id or order.current_state.name in ENDED)
        if order.current_state.name == "FAILED":
            raise OrderFailedError(id_)
        self.orders[order.exchange_order_id] = order
        await until(lambda: order.current_state.name in STATES)
        return shown(order)

    def order(self, symbol: str, id: str) -> dict[str, Any]:
        """An order by its id."""
        return shown(self.orders[id])

    async def cancel(self, symbol: str, id: str) -> dict[str, Any]:
        """Cancel an order by its id."""
        order = self.orders[id]
        self.connector.cancel(symbol, order.client_order_id)
        await until(lambda: order.current_state.name in ENDED)
        return shown(order)

    def open_orders(self, symbol: str) -> list[dict[str, Any]]:
        """The open orders."""
        return [shown(each) for each in self.connector.in_flight_orders.values()]

    def balances(self) -> dict[str, Any]:
        """Available and all money by asset."""
        return {
            asset: {"free": str(self.connector.get_available_balance(asset)), "total": str(total)}
            for asset, total in self.connector.get_all_balances().items()
        }

    def book(self, symbol: str) -> dict[str, Any]:
        """The book that the connector keeps."""
        book = self.connector.get_order_book(symbol)
        return {
            name: [[str(each.price), str(each.amount)] for each in entries]
            for name, entries in (("bids", book.bid_entries()), ("asks", book.ask_entries()))
        }


async def until(condition: Callable[[], Any], timeout_s: float = ANSWER_S) -> Any:
    """The first true value of a condition."""
    async with asyncio.timeout(timeout_s):
        while not (found := condition()):
            await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=LOOK_S)
    return found


def shown(order: Any) -> dict[str, Any]:
    """An order in the one form in which steps return orders."""
    return stepwise.order(
        order.exchange_order_id,
        order.client_order_id,
        STATES[order.current_state.name],
        order.executed_amount_base,
        order.amount,
        order.price,
    )


async def run(connector: Any) -> None:
    """Drive a connector as hummingbot does."""
    from hummingbot.core.clock import Clock, ClockMode

    with Clock(ClockMode.REALTIME, tick_size=0.2) as clock:
        clock.add_iterator(connector)
        await clock.run()


async def main(given: Namespace) -> None:
    """Do steps until the harness ends."""
    connector = stepwise.run_lines("hummingbot", "Connector", given)["exchange"]
    running = asyncio.create_task(run(connector))
    try:
        await until(lambda: connector.ready, READY_S)
        await stepwise.serve_async(ConnectorSteps(connector))
    finally:
        running.cancel()


if __name__ == "__main__":
    asyncio.run(main(stepwise.arguments()))
