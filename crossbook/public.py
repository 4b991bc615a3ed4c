"""The public names of `crossbook`, imported when the first of them is used."""

from crossbook.client.async_client import AsyncClient
from crossbook.client.client import Client
from crossbook.client.market_data import MarketData
from crossbook.client.request import amend_order, cancel_order, mass_cancel, new_order
from crossbook.common.errors import CrossbookError
from crossbook.common.following.local_book import LocalBook
from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import (
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
from crossbook.common.messages.feed import (
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
from crossbook.common.messages.history_queries import Candle
from crossbook.common.types import (
    ExecutionKind,
    Liquidity,
    OrderStatus,
    OrderType,
    RejectReason,
    Side,
    TimeInForce,
)
from crossbook.errors import (
    ClientClosed,
    ExecutionsMissed,
    GatewayUnavailable,
    MarketDataError,
    OrderRejected,
    OutcomeUnknown,
    SendQueueFull,
)

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
