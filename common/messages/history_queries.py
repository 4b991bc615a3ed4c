"""Questions about history, and the recorder's answers (DEALER to ROUTER, one msgpack frame each).

Gateways and publishers send them. Clients cannot reach the socket, because answers concern every
account. An answer is true as of the matcher's `seq`, which is at least the question's `min_seq`:
the recorder waits for that number a moment, and answers `NotYet` where it does not come. A client
that received number n and sends `min_seq` n therefore sees its own orders.

Prices are ticks, quantities lots, money the smallest unit of its asset, times nanoseconds since
the Unix epoch. A limit counts rows and is at most `ROWS_MAX`.
"""

from typing import Annotated, Final, TypeAlias

from msgspec import Meta, Struct

from crossbook.common.types import MAX_CLIENT_ORDER_ID, MAX_INT

ROWS_MAX: Final = 1_000
"""Most rows in one answer."""

INTERVALS_S: Final = {
    "1s": 1, "1m": 60, "5m": 300, "15m": 900, "1h": 3_600, "4h": 14_400, "1d": 86_400,
}  # fmt: skip
"""Candle lengths in seconds, by their public names."""

CANDLE_INTERVALS_S: Final = tuple(INTERVALS_S.values())
"""Candle lengths in seconds; each begins at a multiple of its length since the Unix epoch."""

_Count = Annotated[int, Meta(ge=0, le=MAX_INT)]
_Limit = Annotated[int, Meta(ge=1, le=ROWS_MAX)]
_ClientOrderId = Annotated[str, Meta(max_length=MAX_CLIENT_ORDER_ID)]


class OrdersQuestion(Struct, array_like=True, tag=1, gc=False, frozen=True):
    """Orders of an account, newest first. Zero and empty arguments restrict nothing.

    `open_only` and `ended_only` leave the others out. `before_order_id` continues a listing. Orders
    entered in `from_ns`..`to_ns` only; with `from_order_id` or `from_ns` they come oldest first,
    from there on.
    """

    request_id: _Count
    min_seq: _Count
    account: _Count
    instrument: _Count = 0
    order_id: _Count = 0
    client_order_id: _ClientOrderId = ""
    open_only: bool = False
    ended_only: bool = False
    before_order_id: _Count = 0
    limit: _Limit = 100
    from_order_id: _Count = 0
    from_ns: _Count = 0
    to_ns: _Count = 0


class FillsQuestion(Struct, array_like=True, tag=2, gc=False, frozen=True):
    """Fills of an account, newest first.

    `before` continues a listing: only fills with a smaller `FillRecord.fill_id`. Fills of
    `from_ns`..`to_ns` only; with `from_trade_id` (a number of one instrument, which must be given)
    or `from_ns` they come oldest first, from there on.
    """

    request_id: _Count
    min_seq: _Count
    account: _Count
    instrument: _Count = 0
    order_id: _Count = 0
    before: _Count = 0
    limit: _Limit = 100
    from_trade_id: _Count = 0
    from_ns: _Count = 0
    to_ns: _Count = 0


class TradesQuestion(Struct, array_like=True, tag=3, gc=False, frozen=True):
    """Public trades of an instrument in the order they happened, from `from_trade_id` on.

    Zero means the last `limit` ones.
    """

    request_id: _Count
    min_seq: _Count
    instrument: _Count
    from_trade_id: _Count = 0
    limit: _Limit = 100


class CandlesQuestion(Struct, array_like=True, tag=4, gc=False, frozen=True):
    """Candles of one length that begin in `from_ns`..`to_ns`, oldest first; no trade, no candle.

    With `from_ns` zero the last `limit` ones up to `to_ns`; `to_ns` zero means now.
    """

    request_id: _Count
    min_seq: _Count
    instrument: _Count
    interval_s: _Count
    from_ns: _Count = 0
    to_ns: _Count = 0
    limit: _Limit = 500


class MarketQuestion(Struct, array_like=True, tag=5, gc=False, frozen=True):
    """Candles from which a publisher continues an instrument's candles and 24-hour statistics."""

    request_id: _Count
    min_seq: _Count
    instrument: _Count


class AmendmentsQuestion(Struct, array_like=True, tag=6, gc=False, frozen=True):
    """Amendments of an order of an account that made it smaller in its place, oldest first, from
    the number `from_seq` on."""

    request_id: _Count
    min_seq: _Count
    account: _Count
    order_id: _Count
    from_seq: _Count = 0
    limit: _Limit = 500


HistoryQuestion: TypeAlias = (
    OrdersQuestion
    | FillsQuestion
    | TradesQuestion
    | CandlesQuestion
    | MarketQuestion
    | AmendmentsQuestion
)


class FillRecord(Struct, array_like=True, gc=False, frozen=True):
    """One side of a trade. `fill_id` grows from fill to fill."""

    fill_id: int
    seq: int
    trade_id: int
    instrument: int
    order_id: int
    client_order_id: str
    side: int
    price_ticks: int
    quantity_lots: int
    fee: int
    liquidity: int
    time_ns: int


class OrderRecord(Struct, array_like=True, gc=False, frozen=True):
    """One order as of the answer's `seq`.

    `filled_notional` is the sum of its fills in the quote asset's smallest unit. `reason` is
    the one of its end, where it had any. An order that is not `working` waits for its
    `trigger_ticks`. `fills` are its last `ROWS_MAX` fills, oldest first; only the answer to a
    question for one order by `order_id` has them.
    """

    order_id: int
    client_order_id: str
    instrument: int
    side: int
    order_type: int
    time_in_force: int
    price_ticks: int
    quantity_lots: int
    quote_amount: int
    status: int
    filled_lots: int
    remaining_lots: int
    filled_notional: int
    reason: int
    created_ns: int
    updated_ns: int
    updated_seq: int
    trigger_ticks: int = 0
    display_lots: int = 0
    expire_ns: int = 0
    post_only: int = 0
    prevention: int = 0
    working: int = 1
    fills: list[FillRecord] = []


class TradeRecord(Struct, array_like=True, gc=False, frozen=True):
    """One public trade."""

    trade_id: int
    seq: int
    price_ticks: int
    quantity_lots: int
    aggressor_side: int
    maker_order_id: int
    taker_order_id: int
    time_ns: int


class Candle(Struct, array_like=True, gc=False, frozen=True):
    """Trades of one instrument in `interval_s` seconds from `open_ns` on.

    `quote_volume` is the sum of notionals in the quote asset's smallest unit, `seq` the number of
    its last trade. The last two are what takers bought of both volumes; zero in what a recorder
    without them has written.
    """

    interval_s: int
    open_ns: int
    open_ticks: int
    high_ticks: int
    low_ticks: int
    close_ticks: int
    volume_lots: int
    quote_volume: int
    trades: int
    first_trade_id: int
    last_trade_id: int
    seq: int
    taker_buy_lots: int = 0
    taker_buy_quote_volume: int = 0


class AmendmentRecord(Struct, array_like=True, gc=False, frozen=True):
    """One amendment of an order, by the command `seq`: its quantity before and after."""

    order_id: int
    seq: int
    before_lots: int
    quantity_lots: int
    time_ns: int


class OrderRecords(Struct, array_like=True, tag=101, gc=False, frozen=True):
    """Answer to `OrdersQuestion`. `more` is true where the limit cut the list."""

    request_id: int
    seq: int
    orders: list[OrderRecord]
    more: bool


class FillRecords(Struct, array_like=True, tag=102, gc=False, frozen=True):
    """Answer to `FillsQuestion`."""

    request_id: int
    seq: int
    fills: list[FillRecord]
    more: bool


class TradeRecords(Struct, array_like=True, tag=103, gc=False, frozen=True):
    """Answer to `TradesQuestion`; `more` is true where later ones exist."""

    request_id: int
    seq: int
    trades: list[TradeRecord]
    more: bool


class CandleRecords(Struct, array_like=True, tag=104, gc=False, frozen=True):
    """Answer to `CandlesQuestion`."""

    request_id: int
    seq: int
    candles: list[Candle]
    more: bool


class MarketRecord(Struct, array_like=True, tag=105, gc=False, frozen=True):
    """Answer to `MarketQuestion`: the latest candle of every length that has one, and the
    one-minute candles of the last 24 hours before the latest trade, oldest first.

    `last_lots` is the quantity of the latest trade; `incarnation` is the one of the
    matcher that `seq` counts in, zero where the record does not hold it.
    """

    request_id: int
    seq: int
    instrument: int
    latest: list[Candle]
    minutes: list[Candle]
    last_lots: int = 0
    incarnation: int = 0


class NotYet(Struct, array_like=True, tag=106, gc=False, frozen=True):
    """The recorder has come only to `seq`: repeat the question later."""

    request_id: int
    seq: int
    text: str


class HistoryReject(Struct, array_like=True, tag=107, gc=False, frozen=True):
    """The question cannot be answered; `field` names the field at fault."""

    request_id: int
    field: str
    text: str


class AmendmentRecords(Struct, array_like=True, tag=108, gc=False, frozen=True):
    """Answer to `AmendmentsQuestion`; `more` is true where later ones exist."""

    request_id: int
    seq: int
    amendments: list[AmendmentRecord]
    more: bool


HistoryAnswer: TypeAlias = (
    OrderRecords
    | FillRecords
    | TradeRecords
    | CandleRecords
    | MarketRecord
    | AmendmentRecords
    | NotYet
    | HistoryReject
)
