"""Order entry: requests of a client, and replies of the gateway.

A client frame is the eight-byte session token (big-endian, from `Welcome`; zero before logon)
followed by the msgpack of one request or of a list of requests. Every gateway frame is the
msgpack of a list of replies; an empty list is a heartbeat. Each request is answered by exactly one
`Ack`, `Reject` or query answer with its `request_seq`; an `Execution` reports each later change of
an order.

`price` and `quantity` may be integers (ticks, lots) or exact decimal text ("50000.01").
Fields are only ever appended, with defaults.
"""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct, field

from crossbook.common.instruments import Instrument
from crossbook.common.types import MAX_ACCOUNT, MAX_CLIENT_ORDER_ID, MAX_INT, MAX_SYMBOL

TOKEN_BYTES = 8
"""Length of the session token in front of every client frame."""

_Seq = Annotated[int, Meta(ge=0, le=MAX_INT)]
_Count = Annotated[int, Meta(ge=0, le=MAX_INT)]
_Account = Annotated[int, Meta(ge=1, le=MAX_ACCOUNT)]
_Symbol = Annotated[str, Meta(max_length=MAX_SYMBOL)]
_ClientOrderId = Annotated[str, Meta(max_length=MAX_CLIENT_ORDER_ID)]
_Number = Annotated[int, Meta(ge=0, le=MAX_INT)] | Annotated[str, Meta(max_length=40)]
_Side = Annotated[int, Meta(ge=1, le=2)]
_SideOrBoth = Annotated[int, Meta(ge=0, le=2)]
_OrderType = Annotated[int, Meta(ge=1, le=6)]
_TimeInForce = Annotated[int, Meta(ge=1, le=5)]
_Prevention = Annotated[int, Meta(ge=0, le=4)]
_Milliseconds = Annotated[int, Meta(ge=0, le=24 * 60 * 60 * 1000)]


class Logon(Struct, array_like=True, tag=1, gc=False, frozen=True):
    """Open a session for `account`; the answer is `Welcome`. Sent with token zero.

    With `cancel_on_disconnect` all open orders of the account are canceled once the gateway finds
    that the last of its connections is gone.
    """

    request_seq: _Seq
    account: _Account
    cancel_on_disconnect: bool = False


class New(Struct, array_like=True, tag=2, gc=False, frozen=True):
    """Enter an order (FIX D). `quote_amount` is for market buys and sells by quote amount:
    the quote asset's smallest units, or decimal text; then `quantity` must be zero.

    `stop_price` is the trigger price of a stop or take-profit, `display_quantity` the displayed
    size of an iceberg, `expire_time` (nanoseconds) the expiry time of a GTD order.
    """

    request_seq: _Seq
    symbol: _Symbol
    side: _Side
    quantity: _Number = 0
    price: _Number = 0
    order_type: _OrderType = 1
    time_in_force: _TimeInForce = 1
    client_order_id: _ClientOrderId = ""
    quote_amount: _Number = 0
    stop_price: _Number = 0
    display_quantity: _Number = 0
    expire_time: _Count = 0
    post_only: bool = False
    prevention: _Prevention = field(default=1, name="self_trade_prevention")


class Cancel(Struct, array_like=True, tag=3, gc=False, frozen=True):
    """Cancel one open order by `order_id`, or by `client_order_id` when that is zero (FIX F)."""

    request_seq: _Seq
    symbol: _Symbol
    order_id: _Count = 0
    client_order_id: _ClientOrderId = ""


class Amend(Struct, array_like=True, tag=4, gc=False, frozen=True):
    """Change price or total quantity, filled part included (FIX G, RULES "Amend").

    A zero `price`, `quantity` or `stop_price` leaves that term as it is.
    """

    request_seq: _Seq
    symbol: _Symbol
    order_id: _Count = 0
    client_order_id: _ClientOrderId = ""
    quantity: _Number = 0
    price: _Number = 0
    stop_price: _Number = 0


class MassCancel(Struct, array_like=True, tag=5, gc=False, frozen=True):
    """Cancel every open order of the session's account (FIX q).

    An empty `symbol` means all instruments, side zero both sides.
    """

    request_seq: _Seq
    symbol: _Symbol = ""
    side: _SideOrBoth = 0


class Ping(Struct, array_like=True, tag=6, gc=False, frozen=True):
    """Request a `Pong`; works with token zero. With the token of a session that is gone the answer
    is `Reject` NOT_LOGGED_ON."""

    request_seq: _Seq


class Query(Struct, array_like=True, tag=7, gc=False, frozen=True):
    """Request open orders of the account, oldest first; the answer is `OpenOrders`.

    `after_order_id` continues a listing; `limit` is at most 1000.
    """

    request_seq: _Seq
    symbol: _Symbol = ""
    order_id: _Count = 0
    client_order_id: _ClientOrderId = ""
    after_order_id: _Count = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 1000


class ListInstruments(Struct, array_like=True, tag=8, gc=False, frozen=True):
    """Request the instruments; works with token zero."""

    request_seq: _Seq


class CatchUp(Struct, array_like=True, tag=9, gc=False, frozen=True):
    """Request every change of the account's orders from number `from_seq` on.

    The changes are sent as `Execution`s in order, accepts, cancels and amends included, and end
    with `CaughtUp`. New executions arrive meanwhile: drop those received already.
    """

    request_seq: _Seq
    from_seq: _Count


class CancelAfter(Struct, array_like=True, tag=10, gc=False, frozen=True):
    """Cancel all open orders of the account unless this request is repeated within `timeout_ms`;
    zero ends the timer."""

    request_seq: _Seq
    timeout_ms: _Milliseconds


class QueryBalances(Struct, array_like=True, tag=11, gc=False, frozen=True):
    """Request the account's balances; the answer is `Balances`."""

    request_seq: _Seq


Request: TypeAlias = (
    Logon
    | New
    | Cancel
    | Amend
    | MassCancel
    | Ping
    | Query
    | ListInstruments
    | CatchUp
    | CancelAfter
    | QueryBalances
)


class Welcome(Struct, array_like=True, tag=101, gc=False, frozen=True):
    """Logged on: put `token` in front of every later frame of this connection."""

    request_seq: int
    token: int
    account: int
    gateway: int


class Ack(Struct, array_like=True, tag=102, gc=False, frozen=True):
    """The matcher applied the command as number `seq`.

    For a new order `order_id` is its id; for cancel and amend the id of the order concerned; for
    a mass cancel zero, with `count` orders canceled. `status` and `remaining_lots` are the order's
    at that point (before its own fills, which follow as `Execution`), as are `filled_lots`.
    With `repeated` the order had been entered before under the same client order id: nothing
    changed, and `status`, `remaining_lots` and `filled_lots` are that order's now.
    """

    request_seq: int
    seq: int
    order_id: int
    status: int
    client_order_id: str
    remaining_lots: int
    time_ns: int
    count: int = 0
    repeated: bool = False
    filled_lots: int = 0


class Reject(Struct, array_like=True, tag=103, gc=False, frozen=True):
    """Refused; nothing changed. `reason` is a `RejectReason`, `field` names the field at fault.

    `seq` is zero where the gateway refused before sequencing. A malformed frame whose request
    sequence cannot be read is answered with `request_seq` zero. `retry_after_ms` is the wait after
    which a `THROTTLED` request is accepted, else zero.
    """

    request_seq: int
    reason: int
    field: str
    text: str
    client_order_id: str = ""
    seq: int = 0
    retry_after_ms: int = 0


class Execution(Struct, array_like=True, tag=104, gc=False, frozen=True):
    """An order of the account changed (FIX 8).

    For a fill `price_ticks`, `quantity_lots`, `trade_id`, `liquidity` and `fee_units` (smallest
    unit of the asset received: base for a buyer, quote for a seller; negative is a rebate) are the
    fill's own. Otherwise `quantity_lots` are the canceled or expired lots, or the new total of an
    amend. `request_seq` is the request that caused it where this session sent it, else zero.

    `index` is its place among the changes under `seq`. An order with `working` false waits for
    its `trigger_ticks`, or for the end of a call phase. `quote_left_units` is the unspent part of a
    market order by quote amount that ended, in the quote asset's smallest unit.
    """

    request_seq: int
    seq: int
    symbol: str
    order_id: int
    client_order_id: str
    kind: int
    status: int
    side: int
    price_ticks: int
    quantity_lots: int
    filled_lots: int
    remaining_lots: int
    time_ns: int
    trade_id: int = 0
    liquidity: int = 0
    fee_units: int = 0
    reason: int = 0
    index: int = 0
    order_type: int = 1
    trigger_ticks: int = 0
    working: bool = True
    quote_left_units: int = 0


class Pong(Struct, array_like=True, tag=105, gc=False, frozen=True):
    """Answer to `Ping`: `seq` is the last sequence number that this gateway received from the
    matcher."""

    request_seq: int
    seq: int
    time_ns: int


class OrderState(Struct, array_like=True, gc=False, frozen=True):
    """One open order of the matcher. An order that is not `working` waits for its `trigger_ticks`,
    or for the end of a call phase."""

    symbol: str
    order_id: int
    client_order_id: str
    side: int
    price_ticks: int
    quantity_lots: int
    filled_lots: int
    remaining_lots: int
    status: int
    time_ns: int
    order_type: int = 1
    time_in_force: int = 1
    trigger_ticks: int = 0
    display_lots: int = 0
    expire_ns: int = 0
    post_only: bool = False
    prevention: int = 0
    working: bool = True


class OpenOrders(Struct, array_like=True, tag=106, gc=False, frozen=True):
    """Answer to `Query`: true as of `seq`. `more` is true where the limit cut the list."""

    request_seq: int
    seq: int
    orders: list[OrderState]
    more: bool = False


class Instruments(Struct, array_like=True, tag=107, gc=False, frozen=True):
    """Answer to `ListInstruments`."""

    request_seq: int
    instruments: list[Instrument]


class CaughtUp(Struct, array_like=True, tag=108, gc=False, frozen=True):
    """Answer to `CatchUp`: everything in `from_seq`..`to_seq` has been sent.

    `complete` is false where the matcher no longer holds all of it; `from_seq` is then the first
    number it holds. It is false as well where `from_seq` is beyond the matcher's last number, which
    is then `to_seq`, below `from_seq` - 1.
    """

    request_seq: int
    from_seq: int
    to_seq: int
    complete: bool


class Balance(Struct, array_like=True, gc=False, frozen=True):
    """Balance of one asset, in its smallest unit: open orders hold a part of the total."""

    asset: str
    total_units: int
    held_units: int


class Balances(Struct, array_like=True, tag=109, gc=False, frozen=True):
    """Answer to `QueryBalances`: true as of `seq`; empty where the exchange keeps no accounts."""

    request_seq: int
    seq: int
    balances: list[Balance]


Reply: TypeAlias = (
    Welcome | Ack | Reject | Execution | Pong | OpenOrders | Instruments | CaughtUp | Balances
)
