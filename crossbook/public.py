"""The public names of `crossbook`, imported when the first of them is used."""

from crossbook.client.answers import Ack, Balance, Execution, OrderState, Reject
from crossbook.client.async_client import AsyncClient
from crossbook.client.async_market_data import AsyncMarketData
from crossbook.client.client import Client
from crossbook.client.exchange_clock import ExchangeClock
from crossbook.client.faults import Fault, Faults
from crossbook.client.market.gap_watch import FeedLive, FeedStale, Gap, MarketEvent
from crossbook.client.market.updates import (
    BestBidOffer,
    Candle,
    Candles,
    DepthUpdate,
    MarketState,
    MarketUpdate,
    OrderChange,
    OrdersUpdate,
    Snapshot,
    Ticker,
    Trade,
    Trades,
)
from crossbook.client.market_data import MarketData
from crossbook.client.own_orders import Orders, OwnOrder
from crossbook.client.request import amend_order, cancel_order, mass_cancel, new_order
from crossbook.common.errors import CrossbookError
from crossbook.common.faults.kinds import FaultRuleError
from crossbook.common.following.local_book import Level, LocalBook
from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import Amend, Cancel, MassCancel, New, Pong
from crossbook.common.messages.feed import Heartbeat
from crossbook.common.types import (
    ExecutionKind,
    InstrumentState,
    Liquidity,
    OrderStatus,
    OrderType,
    Prevention,
    RejectReason,
    Side,
    TimeInForce,
)
from crossbook.errors import (
    AdvanceNotFollowed,
    AdvanceRefused,
    ClientClosed,
    ExecutionsMissed,
    FaultRefused,
    GatewayUnavailable,
    InstrumentUnknown,
    InvalidArgument,
    MarketDataError,
    OrderRejected,
    OutcomeUnknown,
    SendQueueFull,
)
from crossbook.request_signer import RequestSigner
from crossbook.simulator.agent import Agent, Fill, MarketTrade, Rejection
from crossbook.simulator.market import AgentMarket
from crossbook.simulator.population import AgentChoice

SelfTrade = Prevention
"""The prevention of self-trades, by the name that other exchanges give it."""

__all__ = [
    "Ack",
    "AdvanceNotFollowed",
    "AdvanceRefused",
    "Agent",
    "AgentChoice",
    "AgentMarket",
    "Amend",
    "AsyncClient",
    "AsyncMarketData",
    "Balance",
    "BestBidOffer",
    "Cancel",
    "Candle",
    "Candles",
    "Client",
    "ClientClosed",
    "CrossbookError",
    "DepthUpdate",
    "ExchangeClock",
    "Execution",
    "ExecutionKind",
    "ExecutionsMissed",
    "Fault",
    "FaultRefused",
    "FaultRuleError",
    "Faults",
    "FeedLive",
    "FeedStale",
    "Fill",
    "Gap",
    "GatewayUnavailable",
    "Heartbeat",
    "Instrument",
    "InstrumentState",
    "InstrumentUnknown",
    "InvalidArgument",
    "Level",
    "Liquidity",
    "LocalBook",
    "MarketData",
    "MarketDataError",
    "MarketEvent",
    "MarketState",
    "MarketTrade",
    "MarketUpdate",
    "MassCancel",
    "New",
    "OrderChange",
    "OrderRejected",
    "OrderState",
    "OrderStatus",
    "OrderType",
    "Orders",
    "OrdersUpdate",
    "OutcomeUnknown",
    "OwnOrder",
    "Pong",
    "Prevention",
    "Reject",
    "RejectReason",
    "Rejection",
    "RequestSigner",
    "SelfTrade",
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
