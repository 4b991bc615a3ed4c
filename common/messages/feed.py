"""The public market-data feed and its request socket.

Feed messages are three frames: topic, the topic's sequence number (unsigned 64-bit, big-endian,
dense within a topic while one publisher runs, and never repeated by a later one), payload. Topics
are `trade.`, `bbo.`, `l2.`, `l3.`, `candle.`, `ticker.` and `state.` followed by the symbol and a
closing bar ("l2.BTC-USDT|"), and `heartbeat|`. The bar keeps a subscription to BTC-USD from
matching BTC-USDT.

Every payload is one msgpack struct. `first_seq`, `seq` and `prev_seq` inside payloads are the
matcher's sequence numbers: `prev_seq` is the `seq` of the previous message on the topic.
"""

from collections.abc import Sequence
from typing import Annotated, TypeAlias

from msgspec import Meta, Raw, Struct

from crossbook.common.instruments import Instrument
from crossbook.common.messages.history_queries import Candle
from crossbook.common.types import MAX_INT, MAX_SYMBOL

HEARTBEAT_TOPIC = "heartbeat|"

_Seq = Annotated[int, Meta(ge=0, le=MAX_INT)]


def topic(channel: str, symbol: str) -> str:
    """The topic of `channel` ("trade", "bbo", "l2", "l3", "candle", "ticker", "state") for one
    instrument.

    >>> topic("l2", "BTC-USDT")
    'l2.BTC-USDT|'
    """
    return f"{channel}.{symbol}|"


class Trade(Struct, array_like=True, gc=False, frozen=True):
    """One public trade. `trade_id` is dense from 1 per instrument."""

    seq: int
    trade_id: int
    price_ticks: int
    quantity_lots: int
    aggressor_side: int
    maker_order_id: int
    taker_order_id: int
    time_ns: int


class Trades(Struct, array_like=True, tag=1, gc=False, frozen=True):
    """Topic `trade`: trades in match order."""

    symbol: str
    trades: Sequence[Trade]


class BestBidOffer(Struct, array_like=True, tag=2, gc=False, frozen=True):
    """Topic `bbo`: best bid and offer as of `seq`; zero ticks and lots where a side is empty."""

    symbol: str
    seq: int
    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int
    time_ns: int


class DepthUpdate(Struct, array_like=True, tag=3, gc=False, frozen=True):
    """Topic `l2`: changed levels, as (price ticks, total shown lots); zero lots removes one.

    Apply it to a book at `prev_seq`; the result is the book at `seq`. `checksum` is the CRC32 of
    its top ten levels (see `crossbook.common.following.depth`).
    """

    symbol: str
    first_seq: int
    seq: int
    prev_seq: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]
    checksum: int
    time_ns: int


class OrderChange(Struct, array_like=True, gc=False, frozen=True):
    """Order `order_id` now shows `shown_lots` at `price_ticks`; zero lots removes it.

    An unknown order joins the back of its level. `requeued` moves a known one there.
    """

    seq: int
    order_id: int
    side: int
    price_ticks: int
    shown_lots: int
    requeued: bool = False


class OrdersUpdate(Struct, array_like=True, tag=4, gc=False, frozen=True):
    """Topic `l3`: every change of every resting order, in order; nothing is conflated."""

    symbol: str
    first_seq: int
    seq: int
    prev_seq: int
    changes: Sequence[OrderChange]
    time_ns: int


class Heartbeat(Struct, array_like=True, tag=5, gc=False, frozen=True):
    """Topic `heartbeat`: the last sequence number sent on each topic, and the matcher's last
    sequence number seen. The publisher has received nothing from it for
    `stale_ms`."""

    seq: int
    time_ns: int
    stale_ms: int
    topics: dict[str, int]


class Candles(Struct, array_like=True, tag=6, gc=False, frozen=True):
    """Topic `candle`: every candle that changed or ended since the previous message, as of `seq`:
    shortest length first, then oldest first, at most 500.

    A candle is final in a message whose `time_ns` is at its end or later, and once a later one of
    its length is sent whose first trade follows its last trade; otherwise messages between were
    missed. One message has the latest of each length.
    """

    symbol: str
    seq: int
    candles: Sequence[Candle]
    time_ns: int


class Ticker(Struct, array_like=True, tag=7, gc=False, frozen=True):
    """Topic `ticker`: an instrument's last 24 hours (to the minute) as of `seq`.

    The window is the 1,440 minutes from `open_ns` on, the running one included. Its sums are zero
    without trades. The last trade may be older, and its lots are zero where they are not known.
    Best bid and offer are those of the book.
    """

    symbol: str
    seq: int
    open_ticks: int
    high_ticks: int
    low_ticks: int
    last_ticks: int
    last_lots: int
    volume_lots: int
    quote_volume: int
    trades: int
    first_trade_id: int
    last_trade_id: int
    open_ns: int
    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int
    time_ns: int


class MarketState(Struct, array_like=True, tag=8, gc=False, frozen=True):
    """Topic `state`: an instrument's `InstrumentState` as of `seq`; it ends at `until_ns` if that
    is not zero.

    In a call phase (`AUCTION`) the indicative price and lots are the result of an uncross now, zero
    where nothing can trade. `surplus_lots` at that price would not trade: positive of buyers,
    negative of sellers. The last message of a call phase has the result of its uncross.
    """

    symbol: str
    seq: int
    state: int
    until_ns: int
    indicative_ticks: int
    indicative_lots: int
    surplus_lots: int
    time_ns: int


FeedMessage: TypeAlias = (
    Trades | BestBidOffer | DepthUpdate | OrdersUpdate | Heartbeat | Candles | Ticker | MarketState
)


class SnapshotRequest(Struct, array_like=True, tag=1, gc=False, frozen=True):
    """Request one instrument's book; with `orders` every resting order as well."""

    request_id: _Seq
    symbol: Annotated[str, Meta(max_length=MAX_SYMBOL)]
    orders: bool = False


class RangeRequest(Struct, array_like=True, tag=2, gc=False, frozen=True):
    """Request the messages `from_seq`..`to_seq` of `topic` again."""

    request_id: _Seq
    topic: Annotated[str, Meta(max_length=MAX_SYMBOL + 16)]
    from_seq: _Seq
    to_seq: _Seq


class InstrumentsRequest(Struct, array_like=True, tag=3, gc=False, frozen=True):
    """Request the instruments."""

    request_id: _Seq


FeedRequest: TypeAlias = SnapshotRequest | RangeRequest | InstrumentsRequest


class Snapshot(Struct, array_like=True, tag=101, gc=False, frozen=True):
    """One book as of matcher sequence `seq`, with the last sequence number of each of its topics.

    Levels are (price ticks, lots), orders (order id, price ticks, lots), best first and in
    priority order. Drop feed messages numbered up to `topics[...]`, apply the later ones.
    `ticker` and `candles` (the latest of each length) are missing while the publisher has none,
    `state` only from a publisher without states.
    """

    request_id: int
    symbol: str
    seq: int
    topics: dict[str, int]
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]
    checksum: int
    time_ns: int
    last_trade_id: int
    bid_orders: list[tuple[int, int, int]] = []
    ask_orders: list[tuple[int, int, int]] = []
    ticker: Ticker | None = None
    candles: Sequence[Candle] = []
    state: MarketState | None = None


class Range(Struct, array_like=True, tag=102, gc=False, frozen=True):
    """Messages of one topic from `from_seq` on, in order; they may stop short: request the rest."""

    request_id: int
    topic: str
    from_seq: int
    payloads: list[Raw]


class TooOld(Struct, array_like=True, tag=103, gc=False, frozen=True):
    """The range is not held: request a snapshot."""

    request_id: int
    topic: str
    first_seq: int
    last_seq: int


class InstrumentList(Struct, array_like=True, tag=104, gc=False, frozen=True):
    """Answer to `InstrumentsRequest`."""

    request_id: int
    instruments: list[Instrument]


class FeedReject(Struct, array_like=True, tag=105, gc=False, frozen=True):
    """A request could not be served; `field` names the field at fault."""

    request_id: int
    reason: int
    field: str
    text: str


FeedReply: TypeAlias = Snapshot | Range | TooOld | InstrumentList | FeedReject
