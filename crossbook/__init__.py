"""The client library of Crossbook: order entry and market data.

from crossbook import Client, MarketData

with Client(account=1) as client, MarketData(symbols=["BTC-USDT"]) as market:
    ack = client.submit("BTC-USDT", "buy", "0.5", "50000.00")
    market.wait_ready(5.0)
    print(ack.price, market.book("BTC-USDT").best_bid)
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from crossbook.public import *  # noqa: F403

    __version__: str

ROOMS: Final = frozenset(
    {"cli", "client", "common", "csv_file", "errors", "gateway", "gym", "launch", "matcher",
     "public", "publisher", "recorder", "replay", "request_signer", "research", "simulator",
     "testing"}
)  # fmt: skip
"""The modules of this folder; all other names are those of `crossbook.public`."""


def __getattr__(name: str) -> object:
    """A public name. Processes and the command line import their parts without the clients."""
    if name == "__version__":
        from importlib.metadata import version

        return version("crossbook")
    if name in ROOMS or (name.startswith("_") and name != "__all__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from crossbook import public

    return getattr(public, name)
