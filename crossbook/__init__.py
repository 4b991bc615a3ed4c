"""What users import: order entry and market data of a Crossbook exchange.

from crossbook import Client, MarketData

with Client(account=1) as client, MarketData(symbols=["BTC-USDT"]) as market:
    ack = client.submit("BTC-USDT", "buy", "0.5", "50000.00")
    market.wait_ready(5.0)
    print(market.book("BTC-USDT").best)
"""

from common.entry import (
    Ack,
    Amend,
    Cancel,
    Execution,
    MassCancel,
    New,
    OrderState,
    Pong,
    Reject,
)
from common.errors import CrossbookError
from common.feed import (
    BestBidOffer,
    Candles,
    DepthUpdate,
    Heartbeat,
    OrdersUpdate,
    Snapshot,
    Ticker,
    Trade,
    Trades,
)
from common.history import Candle
from common.instruments import Instrument
from common.local_book import LocalBook
from common.types import (
    ExecutionKind,
    Liquidity,
    OrderStatus,
    OrderType,
    RejectReason,
    Side,
    TimeInForce,
)
from crossbook.async_client import AsyncClient
from crossbook.client import Client
from crossbook.errors import (
    ClientClosed,
    ExecutionsMissed,
    GatewayUnavailable,
    MarketDataError,
    OrderRejected,
    OutcomeUnknown,
    SendQueueFull,
)
from crossbook.market_data import MarketData
from crossbook.request import amend_order, cancel_order, mass_cancel, new_order

__all__ = [
    "Ack",
    "Amend",
    "AsyncClient",
    "BestBidOffer",
    "Cancel",
    "Candle",
    "Candles",
    "Client",
    "ClientClosed",
    "CrossbookError",
    "DepthUpdate",
    "Execution",
    "ExecutionKind",
    "ExecutionsMissed",
    "GatewayUnavailable",
    "Heartbeat",
    "Instrument",
    "Liquidity",
    "LocalBook",
    "MarketData",
    "MarketDataError",
    "MassCancel",
    "New",
    "OrderRejected",
    "OrderState",
    "OrderStatus",
    "OrderType",
    "OrdersUpdate",
    "OutcomeUnknown",
    "Pong",
    "Reject",
    "RejectReason",
    "SendQueueFull",
    "Side",
    "Snapshot",
    "Ticker",
    "TimeInForce",
    "Trade",
    "Trades",
    "amend_order",
    "cancel_order",
    "mass_cancel",
    "new_order",
]
