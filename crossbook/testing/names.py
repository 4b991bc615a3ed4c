"""The public names of `crossbook.testing`, imported when the first of them is used."""

from crossbook.testing.async_exchange import AsyncExchange
from crossbook.testing.exchange import Exchange
from crossbook.testing.processes import ExchangeError
from crossbook.testing.values import Balance, Book, Exact, Fill, Order, Trade

__all__ = [
    "AsyncExchange",
    "Balance",
    "Book",
    "Exact",
    "Exchange",
    "ExchangeError",
    "Fill",
    "Order",
    "Trade",
]
