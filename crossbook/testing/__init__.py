"""An exchange inside a test: real processes on free ports, gone with the test.

from crossbook.testing import Exchange, Fill

with Exchange() as exchange:
    exchange.book("BTC-USDT", bids=[("49999.00", "1")], asks=[("50001.00", "1")])
    exchange.client(account=1).submit("BTC-USDT", "buy", "0.5", "50001.00")
    assert exchange.fills(account=1) == [Fill("BTC-USDT", "buy", "0.5", "50001.00")]

With pytest the fixtures `exchange` and `exchange_session` are there without an import
(`crossbook.testing.plugin`).
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from crossbook.testing.names import AsyncExchange as AsyncExchange
    from crossbook.testing.names import Balance as Balance
    from crossbook.testing.names import Book as Book
    from crossbook.testing.names import Exact as Exact
    from crossbook.testing.names import Exchange as Exchange
    from crossbook.testing.names import ExchangeError as ExchangeError
    from crossbook.testing.names import Fill as Fill
    from crossbook.testing.names import Order as Order
    from crossbook.testing.names import Trade as Trade

NAMES: Final = frozenset(
    {
        "AsyncExchange",
        "Balance",
        "Book",
        "Exact",
        "Exchange",
        "ExchangeError",
        "Fill",
        "Order",
        "Trade",
    }
)


def __getattr__(name: str) -> object:
    """A public name, imported when it is first used: pytest loads the plugin in every project."""
    if name not in NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from crossbook.testing import names

    return getattr(names, name)
