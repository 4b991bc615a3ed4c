"""The JSON documents of the API: what a body may say, and what an answer says.

Prices, quantities and money are decimal text both ways. Unknown fields, floats and wrong types are
refused when a body is decoded. Times are ISO 8601 in UTC with milliseconds.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from crossbook.common.types import MAX_CLIENT_ORDER_ID, MAX_INT, MAX_SYMBOL

BATCH_MAX = 200
"""Most orders in one batch."""

DECIMAL_MAX = 40
"""Longest decimal text, in characters."""

Symbol = Annotated[str, Meta(min_length=1, max_length=MAX_SYMBOL, examples=["BTC-USDT"])]
Amount = Annotated[
    str, Meta(min_length=1, max_length=DECIMAL_MAX, description="decimal text", examples=["0.5"])
]
ClientOrderId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_CLIENT_ORDER_ID,
        pattern=r"^[ -~]+$",
        description="your name for the order: unique among your open orders",
        examples=["mine-1"],
    ),
]
Level = Annotated[list[str], Meta(min_length=2, max_length=2, description="[price, quantity]")]
Side = Literal["buy", "sell"]
Status = Literal[
    "NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "REJECTED", "EXPIRED_IN_MATCH"
]  # fmt: skip

Kind = Literal[
    "new", "fill", "canceled", "expired", "amended", "completed", "triggered", "prevented"
]  # fmt: skip
SelfTradePrevention = Literal[
    "expire_taker", "expire_maker", "expire_both", "decrement", "none"
]  # fmt: skip
ExpireTime = Annotated[
    int, Meta(ge=1, le=MAX_INT // 1_000_000, description="ms since the Unix epoch")
]
State = Annotated[
    Literal["open", "post_only", "cancel_only", "halted", "auction"],
    Meta(description="what the instrument takes at present; cancels always"),
]
OrderType = Literal[
    "limit", "market", "stop", "stop_limit", "take_profit", "take_profit_limit"
]  # fmt: skip
TimeInForce = Literal["gtc", "ioc", "fok", "gtd", "day"]


class OrderRequest(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A new order. A limit order needs `price` and `quantity`; a market order `quantity` or, by
    quote amount, `quote_quantity`. `ioc` and `fok` are limit orders with that time in force.

    Stops and take-profits wait for `stop_price` (the last trade price) and need it; with `_limit`
    they come in at `price`, else at the market. An iceberg shows `display_quantity` at a time. A
    `gtd` order expires at `expire_time`.
    """

    symbol: Symbol
    order_type: Literal[
        "limit", "market", "ioc", "fok", "stop", "stop_limit", "take_profit", "take_profit_limit"
    ]
    side: Side
    quantity: Amount | None = None
    price: Amount | None = None
    time_in_force: TimeInForce | None = None
    client_order_id: ClientOrderId | None = None
    quote_quantity: Amount | None = None
    stop_price: Amount | None = None
    display_quantity: Amount | None = None
    expire_time: ExpireTime | None = None
    post_only: bool = False
    self_trade_prevention: SelfTradePrevention = "expire_taker"


class AmendRequest(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """New terms of an open order; `quantity` is the new total, filled part included. One that
    waits for its `stop_price` may change that too."""

    quantity: Amount | None = None
    price: Amount | None = None
    stop_price: Amount | None = None


class BatchRequest(Struct, forbid_unknown_fields=True):
    """Several new orders, entered in this sequence; each has its own outcome."""

    orders: Annotated[list[OrderRequest], Meta(min_length=1, max_length=BATCH_MAX)]


class Fill(Struct):
    """One fill of an order. `fee` is in `fee_asset`; negative is a rebate."""

    trade_id: int
    price: str
    quantity: str
    fee: str
    fee_asset: str
    liquidity: Literal["maker", "taker"]


class OrderAnswer(Struct):
    """What became of a request about one order, durable, as of `seq`.

    `filled_quote_quantity` is what its fills are worth in the quote asset: what a buyer paid, or a
    seller got before the fee. `quote_left` is the unspent part of a market order by quote amount,
    null for every other order.

    `fills`, `average_price` and `filled_quote_quantity` are null where an amend or a cancel does
    not tell fills from before it: ask for the order.
    """

    order_id: str
    status: Literal["accepted", "amended", "canceled"]
    timestamp: str
    client_order_id: str | None
    order_status: Status
    filled_quantity: str
    remaining_quantity: str
    average_price: str | None
    filled_quote_quantity: str | None
    quote_left: str | None
    seq: int
    fills: list[Fill] | None


class ErrorDetail(Struct, omit_defaults=True):
    """Why a request failed: a code for programs, words for people, and the field at fault."""

    code: str
    message: str
    field: str | None = None


class ErrorDocument(Struct, omit_defaults=True):
    """Every error."""

    error: ErrorDetail
    request_id: str | None = None


class BatchResult(Struct):
    """What became of one order of a batch: an answer, or an error; the other one is null."""

    order: OrderAnswer | None
    error: ErrorDetail | None


class BatchAnswer(Struct):
    """One result for each order of the batch, in its sequence."""

    results: list[BatchResult]


class MassCancelAnswer(Struct):
    """All orders that were canceled."""

    status: Literal["canceled"]
    count: int
    order_ids: list[str]
    timestamp: str
    seq: int


class Order(Struct):
    """One order. One that is not `working` waits for its `stop_price`. `reason` says why it ended
    without or by a standing request, `seq` what changed it last. `filled_quote_quantity` and
    `quote_left` are as in `OrderAnswer`. `fills` are its last 1,000, oldest first; null in a list
    of orders."""

    order_id: str
    client_order_id: str | None
    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    price: str | None
    quantity: str | None
    quote_quantity: str | None
    order_status: Status
    filled_quantity: str
    remaining_quantity: str
    average_price: str | None
    filled_quote_quantity: str
    quote_left: str | None
    stop_price: str | None
    display_quantity: str | None
    expire_time: int | None
    post_only: bool
    self_trade_prevention: SelfTradePrevention
    working: bool
    reason: str | None
    created_at: str
    updated_at: str
    seq: int
    fills: list[Fill] | None


class OrderList(Struct):
    """Orders, newest first; `next_cursor` continues behind the last one."""

    orders: list[Order]
    next_cursor: str | None
    seq: int


class OwnFill(Fill):
    """One fill of one of the account's orders."""

    order_id: str
    client_order_id: str | None
    symbol: str
    side: Side
    timestamp: str
    seq: int


class ExecutionReport(Struct, tag_field="type", tag="execution"):
    """Something happened to an order of the account.

    For a fill `price` and `quantity` are the fill's own, otherwise the order's; of a fill only
    are `trade_id`, `liquidity`, `fee` and `fee_asset`, of a new order only `order_type`, of a
    market order by quote amount that ended only `quote_left`.
    """

    kind: Kind
    seq: int
    symbol: str
    order_id: str
    client_order_id: str | None
    side: Side
    order_status: Status
    price: str | None
    quantity: str | None
    filled_quantity: str
    remaining_quantity: str
    timestamp: str
    trade_id: int | None = None
    liquidity: Literal["maker", "taker"] | None = None
    fee: str | None = None
    fee_asset: str | None = None
    reason: str | None = None
    stop_price: str | None = None
    working: bool = True
    order_type: OrderType | None = None
    quote_left: str | None = None


class FillList(Struct):
    """Fills, newest first; `next_cursor` continues behind the last one."""

    fills: list[OwnFill]
    next_cursor: str | None
    seq: int


class Auction(Struct):
    """What the uncross of a call phase would give now: `indicative_quantity` at
    `indicative_price`, null where nothing can trade, and the surplus that would trade at that
    price too, of buyers or of sellers."""

    indicative_price: str | None
    indicative_quantity: str
    surplus_side: Side | None
    surplus_quantity: str


class OrderBook(Struct):
    """The best levels as [price, quantity], best first; `checksum` is over the top ten.

    `state` ends by itself at `state_until`; it is null while there is no live market data. In a
    call phase (`auction`) the book may be crossed; `auction` is null otherwise."""

    symbol: str
    timestamp: str
    seq: int
    bids: list[Level]
    asks: list[Level]
    checksum: int
    state: State | None = None
    state_until: str | None = None
    auction: Auction | None = None


class Trade(Struct):
    """One public trade."""

    trade_id: int
    seq: int
    price: str
    quantity: str
    aggressor_side: Side
    maker_order_id: str
    taker_order_id: str
    timestamp: str


class TradeList(Struct):
    """Trades in the order they happened."""

    symbol: str
    trades: list[Trade]
    seq: int


class Candle(Struct):
    """The trades of one stretch of time."""

    open_time: str
    open: str
    high: str
    low: str
    close: str
    volume: str
    quote_volume: str
    trades: int


class CandleList(Struct):
    """Candles, oldest first; where nothing traded there is none."""

    symbol: str
    interval: str
    candles: list[Candle]
    seq: int


class Ticker(Struct):
    """The last 24 hours, to the minute. Prices are null where nothing traded, or where a side of
    the book is empty. `state`, `state_until` and `auction` are as in an order book."""

    symbol: str
    timestamp: str
    seq: int
    last: str | None
    last_quantity: str | None
    open: str | None
    high: str | None
    low: str | None
    volume: str
    quote_volume: str
    trades: int
    bid: str | None
    bid_quantity: str | None
    ask: str | None
    ask_quantity: str | None
    state: State | None = None
    state_until: str | None = None
    auction: Auction | None = None


class InstrumentDocument(Struct):
    """What is traded, on which grid, what it costs, and what it takes at present. `state` is null
    while there is no live market data; it ends by itself at `state_until`."""

    symbol: str
    base: str
    quote: str
    tick_size: str
    lot_size: str
    max_price: str
    min_quantity: str
    max_quantity: str
    min_notional: str
    maker_fee_percent: str
    taker_fee_percent: str
    state: State | None = None
    state_until: str | None = None
    auction: Auction | None = None


class InstrumentList(Struct):
    """All instruments."""

    instruments: list[InstrumentDocument]


class AccountDocument(Struct):
    """The account a request acts for, as of `seq`. Without accounts (`ACCOUNTS=off`) there are no
    balances."""

    account: int
    seq: int
    balances: list["Balance"]
    fees: list["Fees"]


class Balance(Struct):
    """What the account has of one asset; open orders hold `held` of the `total`."""

    asset: str
    total: str
    available: str
    held: str


class CancelAfterRequest(Struct, forbid_unknown_fields=True):
    """Cancel all open orders unless this is said again within `timeout_s`; zero calls it off."""

    timeout_s: Annotated[int, Meta(ge=0, le=86_400)]


class CancelAfterAnswer(Struct):
    """When the account's open orders will be canceled; null where that was called off."""

    status: Literal["set", "off"]
    cancel_at: str | None
    timestamp: str
    seq: int


class Fees(Struct):
    """Fee rates of one instrument, in percent of what is received; negative is a rebate."""

    symbol: str
    maker_fee_percent: str
    taker_fee_percent: str


class Health(Struct):
    """The process runs."""

    status: Literal["ok"]


class MissingPart(Struct):
    """A part of the exchange that is not there, and why."""

    part: Literal["matcher", "market_data", "recorder", "clock"]
    reason: str


class Readiness(Struct):
    """Whether orders can be entered and market data is live, and what is missing.

    `degraded`: both can be had, but a part is missing. Without the recorder questions about the
    past are answered 503 `HISTORY_UNAVAILABLE`. While a matcher refuses the `clock` of its machine
    trading goes on, on a time of its own.
    """

    status: Literal["ready", "degraded", "not_ready"]
    matcher: bool
    market_data: bool
    recorder: bool
    missing: list[MissingPart]
    seq: int
