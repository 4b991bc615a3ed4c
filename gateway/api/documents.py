"""The JSON documents of trading: the fields of bodies and of answers.

Prices, quantities and money are decimal text both ways. Unknown fields, floats and wrong types are
refused when a body is decoded. Times are ISO 8601 in UTC with milliseconds. The documents of
market data are in `crossbook.gateway.api.market_documents`.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from msgspec import Meta, Struct

from crossbook.common.types import MAX_CLIENT_ORDER_ID, MAX_INT, MAX_SYMBOL
from crossbook.gateway.problem import ErrorDetail
from crossbook.gateway.words import (
    ExecutionWord,
    LiquidityWord,
    OrderTypeWord,
    PreventionWord,
    SideWord,
    StatusWord,
    TimeInForceWord,
)

BATCH_MAX = 200
"""Orders of one batch at most."""

DECIMAL_MAX = 40
"""Characters of a decimal text at most."""

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
        description="the client's name for the order: unique among the open orders of the account",
        examples=["mine-1"],
    ),
]
ExpireTime = Annotated[
    int, Meta(ge=1, le=MAX_INT // 1_000_000, description="ms since the Unix epoch")
]

_Document = TypeVar("_Document", bound=Struct)


def schema_name(name: str) -> Callable[[type[_Document]], type[_Document]]:
    """Set the name of a class in the OpenAPI document, where it differs from the class's own or
    that of its base."""

    def named(document: type[_Document]) -> type[_Document]:
        # The framework reads the key of a schema from `__qualname__`, its title from the other.
        renamed: Any = document
        renamed.__qualname__ = renamed.__schema_name__ = name
        return document

    return named


class OrderRequest(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A new order. A limit order needs `price` and `quantity`; a market order `quantity` or, by
    quote amount, `quote_quantity`. `ioc` and `fok` are limit orders with that time in force.

    Stops and take-profits need `stop_price` and wait until the last trade price reaches it; with
    `_limit` they enter as limit orders at `price`, else as market orders. An iceberg shows
    `display_quantity` at a time. A `gtd` order expires at `expire_time`.
    """

    symbol: Symbol
    order_type: Literal[
        "limit", "market", "ioc", "fok", "stop", "stop_limit", "take_profit", "take_profit_limit"
    ]
    side: SideWord
    quantity: Amount | None = None
    price: Amount | None = None
    time_in_force: TimeInForceWord | None = None
    client_order_id: ClientOrderId | None = None
    quote_quantity: Amount | None = None
    stop_price: Amount | None = None
    display_quantity: Amount | None = None
    expire_time: ExpireTime | None = None
    post_only: bool = False
    self_trade_prevention: PreventionWord = "expire_taker"


class AmendRequest(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """New terms of an open order; `quantity` is the new total, the filled part included.
    `stop_price` is for an order that waits for it."""

    quantity: Amount | None = None
    price: Amount | None = None
    stop_price: Amount | None = None


class BatchRequest(Struct, forbid_unknown_fields=True):
    """New orders, entered in this sequence; each has its own outcome."""

    orders: Annotated[list[OrderRequest], Meta(min_length=1, max_length=BATCH_MAX)]


@schema_name("Fill")
class FillDocument(Struct):
    """One fill of an order. `fee` is in `fee_asset`; negative is a rebate."""

    trade_id: int
    price: str
    quantity: str
    fee: str
    fee_asset: str
    liquidity: LiquidityWord


class OrderAnswer(Struct):
    """The outcome of a request about one order, durable, as of `seq`.

    `filled_quote_quantity` is the value of its fills in the quote asset: a buyer paid it, a seller
    received it before the fee. `quote_left` is the unspent part of a market order by quote amount,
    null for every other order.

    `fills`, `average_price` and `filled_quote_quantity` are null where the answer to an amend or a
    cancel leaves out earlier fills: query the order for them.
    """

    order_id: str
    status: Literal["accepted", "amended", "canceled"]
    timestamp: str
    client_order_id: str | None
    order_status: StatusWord
    filled_quantity: str
    remaining_quantity: str
    average_price: str | None
    filled_quote_quantity: str | None
    quote_left: str | None
    seq: int
    fills: list[FillDocument] | None


class BatchResult(Struct):
    """The outcome of one order of a batch: an answer or an error; the other one is null."""

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


@schema_name("Order")
class OrderDocument(Struct):
    """One order. An order that is not `working` waits for its `stop_price`. `reason` is the cause
    of an end without a request of its own, `seq` the number of its last change.
    `filled_quote_quantity` and `quote_left` are as in `OrderAnswer`. `fills` are its last 1,000,
    oldest first; null in a list of orders."""

    order_id: str
    client_order_id: str | None
    symbol: str
    side: SideWord
    order_type: OrderTypeWord
    time_in_force: TimeInForceWord
    price: str | None
    quantity: str | None
    quote_quantity: str | None
    order_status: StatusWord
    filled_quantity: str
    remaining_quantity: str
    average_price: str | None
    filled_quote_quantity: str
    quote_left: str | None
    stop_price: str | None
    display_quantity: str | None
    expire_time: int | None
    post_only: bool
    self_trade_prevention: PreventionWord
    working: bool
    reason: str | None
    created_at: str
    updated_at: str
    seq: int
    fills: list[FillDocument] | None


class OrderList(Struct):
    """Orders, newest first; `next_cursor` continues behind the last one."""

    orders: list[OrderDocument]
    next_cursor: str | None
    seq: int


@schema_name("OwnFill")
class OwnFill(FillDocument):
    """One fill of one of the account's orders."""

    order_id: str
    client_order_id: str | None
    symbol: str
    side: SideWord
    timestamp: str
    seq: int


class ExecutionReport(Struct, tag_field="type", tag="execution"):
    """A change of an order of the account.

    For a fill `price` and `quantity` are the fill's own, otherwise the order's. Only a fill has
    `trade_id`, `liquidity`, `fee` and `fee_asset`, only a new order has `order_type`, and only the
    end of a market order by quote amount has `quote_left`.
    """

    kind: ExecutionWord
    seq: int
    symbol: str
    order_id: str
    client_order_id: str | None
    side: SideWord
    order_status: StatusWord
    price: str | None
    quantity: str | None
    filled_quantity: str
    remaining_quantity: str
    timestamp: str
    trade_id: int | None = None
    liquidity: LiquidityWord | None = None
    fee: str | None = None
    fee_asset: str | None = None
    reason: str | None = None
    stop_price: str | None = None
    working: bool = True
    order_type: OrderTypeWord | None = None
    quote_left: str | None = None


class FillList(Struct):
    """Fills, newest first; `next_cursor` continues behind the last one."""

    fills: list[OwnFill]
    next_cursor: str | None
    seq: int


class AccountDocument(Struct):
    """The account a request acts for, as of `seq`. Without accounts (`ACCOUNTS=off`) there are no
    balances."""

    account: int
    seq: int
    balances: list["BalanceDocument"]
    fees: list["Fees"]


@schema_name("Balance")
class BalanceDocument(Struct):
    """The account's balance of one asset; open orders hold `held` of the `total`."""

    asset: str
    total: str
    available: str
    held: str


class CancelAfterRequest(Struct, forbid_unknown_fields=True):
    """Cancel all open orders unless this request is repeated within `timeout_s`; zero switches
    it off."""

    timeout_s: Annotated[int, Meta(ge=0, le=86_400)]


class CancelAfterAnswer(Struct):
    """The time at which the account's open orders will be canceled; null where that was
    switched off."""

    status: Literal["set", "off"]
    cancel_at: str | None
    timestamp: str
    seq: int


class Fees(Struct):
    """Fee rates of one instrument, in percent of what is received; negative is a rebate."""

    symbol: str
    maker_fee_percent: str
    taker_fee_percent: str
