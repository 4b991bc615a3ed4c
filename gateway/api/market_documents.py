"""The JSON documents of market data, made from records and feed messages."""

from typing import Annotated

from msgspec import Meta, Struct

from crossbook.common.instruments import Instrument
from crossbook.common.messages.feed import MarketState, Ticker
from crossbook.common.messages.history_queries import Candle, TradeRecord
from crossbook.gateway.api.documents import schema_name
from crossbook.gateway.market_facts import Auction, candle_facts, state_facts, ticker_facts
from crossbook.gateway.operations.readiness import ClockKind
from crossbook.gateway.words import (
    SIDES,
    SideWord,
    StateWord,
    fee_percent,
    order_id_text,
    timestamp,
)

Level = Annotated[list[str], Meta(min_length=2, max_length=2, description="[price, quantity]")]


@schema_name("OrderBook")
class OrderBookDocument(Struct):
    """The best levels as [price, quantity], best first; `checksum` is over the top ten.

    `state` ends by itself at `state_until`; it is null while there is no live market data. In a
    call phase (`auction`) the book may be crossed; `auction` is null otherwise."""

    symbol: str
    timestamp: str
    seq: int
    bids: list[Level]
    asks: list[Level]
    checksum: int
    state: StateWord | None = None
    state_until: str | None = None
    auction: Auction | None = None


@schema_name("Trade")
class TradeDocument(Struct):
    """One public trade."""

    trade_id: int
    seq: int
    price: str
    quantity: str
    aggressor_side: SideWord
    maker_order_id: str
    taker_order_id: str
    timestamp: str


class TradeList(Struct):
    """Trades, oldest first."""

    symbol: str
    trades: list[TradeDocument]
    seq: int


@schema_name("Candle")
class CandleDocument(Struct):
    """The trades of one interval."""

    open_time: str
    open: str
    high: str
    low: str
    close: str
    volume: str
    quote_volume: str
    trades: int


class CandleList(Struct):
    """Candles, oldest first, without empty ones."""

    symbol: str
    interval: str
    candles: list[CandleDocument]
    seq: int


@schema_name("Ticker")
class TickerDocument(Struct):
    """The last 24 hours, to the minute. A price is null where nothing traded, or where a side of
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
    state: StateWord | None = None
    state_until: str | None = None
    auction: Auction | None = None


class InstrumentDocument(Struct):
    """One instrument: its grid, limits, fees and state. `state` is null while there is no live
    market data; it ends by itself at `state_until`."""

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
    state: StateWord | None = None
    state_until: str | None = None
    auction: Auction | None = None


@schema_name("InstrumentList")
class InstrumentListDocument(Struct):
    """All instruments."""

    instruments: list[InstrumentDocument]


@schema_name("Time")
class TimeDocument(Struct):
    """The exchange's time. A `manual` clock stands still until an administrator moves it. `seq` is
    the last number that this gateway received."""

    timestamp: str
    time_ms: int
    clock: ClockKind
    seq: int


def trade_document(instrument: Instrument, trade: TradeRecord) -> TradeDocument:
    """The document of a recorded trade."""
    return TradeDocument(
        trade.trade_id,
        trade.seq,
        instrument.grid.price.text(trade.price_ticks),
        instrument.grid.quantity.text(trade.quantity_lots),
        SIDES[trade.aggressor_side],
        order_id_text(trade.maker_order_id),
        order_id_text(trade.taker_order_id),
        timestamp(trade.time_ns),
    )


def candle_document(instrument: Instrument, candle: Candle) -> CandleDocument:
    """The document of a candle."""
    return CandleDocument(*candle_facts(instrument, candle))


def ticker_document(
    instrument: Instrument, ticker: Ticker, state: MarketState | None
) -> TickerDocument:
    """The document of the last 24 hours, with the state of the instrument now."""
    return TickerDocument(
        instrument.symbol,
        timestamp(ticker.time_ns),
        ticker.seq,
        *ticker_facts(instrument, ticker),
        *state_facts(instrument, state),
    )


def instrument_document(instrument: Instrument, state: MarketState | None) -> InstrumentDocument:
    """The document of an instrument, with its state now."""
    grid = instrument.grid
    return InstrumentDocument(
        instrument.symbol,
        instrument.base,
        instrument.quote,
        instrument.tick_size,
        instrument.lot_size,
        grid.price.text(instrument.max_price_ticks),
        grid.quantity.text(instrument.min_quantity_lots),
        grid.quantity.text(instrument.max_quantity_lots),
        grid.quote.text(instrument.min_notional),
        fee_percent(instrument.maker_fee_rate),
        fee_percent(instrument.taker_fee_rate),
        *state_facts(instrument, state),
    )
