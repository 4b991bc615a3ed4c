"""The JSON of the face's market events. No I/O.

docs/reference/binance-streams.md describes each. Prices, quantities and amounts are text with eight
decimals; the names of the fields are those of the Binance Spot API documentation.
"""

from functools import lru_cache
from typing import Final

from msgspec import Struct, field
from msgspec.json import Encoder

from crossbook.common.instruments import Instrument
from crossbook.common.messages.feed import BestBidOffer, Ticker, Trade
from crossbook.common.messages.history_queries import Candle
from crossbook.common.types import Side
from crossbook.gateway.binance.decimals import ZERO, grid_of
from crossbook.gateway.binance.market.documents import PartialDepth, day_of
from crossbook.gateway.binance.market.intervals import Interval
from crossbook.gateway.binance.streams.message import Encode
from crossbook.gateway.binance.symbols import face_symbol

TEXTS_CACHED: Final = 65_536
"""Prices and quantities of one instrument whose text is cached."""

Levels = list[tuple[int, int]]
_Rows = list[tuple[str, str]]
_SELL: Final = int(Side.SELL)
_encode: Final = Encoder().encode


class DepthEvent(Struct, tag_field="e", tag="depthUpdate"):
    """Levels that changed, as total quantities; eight zeros behind the point remove a level."""

    event_time: int = field(name="E")
    symbol: str = field(name="s")
    first_id: int = field(name="U")
    last_id: int = field(name="u")
    bids: _Rows = field(name="b")
    asks: _Rows = field(name="a")


class TradeEvent(Struct, tag_field="e", tag="trade"):
    """One trade."""

    event_time: int = field(name="E")
    symbol: str = field(name="s")
    trade_id: int = field(name="t")
    price: str = field(name="p")
    quantity: str = field(name="q")
    trade_time: int = field(name="T")
    is_buyer_maker: bool = field(name="m")
    ignored: bool = field(name="M", default=True)


class AggTradeEvent(Struct, tag_field="e", tag="aggTrade"):
    """One trade as an aggregate of itself alone."""

    event_time: int = field(name="E")
    symbol: str = field(name="s")
    aggregate_id: int = field(name="a")
    price: str = field(name="p")
    quantity: str = field(name="q")
    first_trade_id: int = field(name="f")
    last_trade_id: int = field(name="l")
    trade_time: int = field(name="T")
    is_buyer_maker: bool = field(name="m")
    ignored: bool = field(name="M", default=True)


class BookTickerEvent(Struct):
    """Best bid and offer; zero where a side is empty. Clients know it by the lack of `e`."""

    update_id: int = field(name="u")
    symbol: str = field(name="s")
    bid: str = field(name="b")
    bid_quantity: str = field(name="B")
    ask: str = field(name="a")
    ask_quantity: str = field(name="A")


class KlineFacts(Struct):
    """One kline."""

    begin: int = field(name="t")
    end: int = field(name="T")
    symbol: str = field(name="s")
    interval: str = field(name="i")
    first_trade_id: int = field(name="f")
    last_trade_id: int = field(name="L")
    open: str = field(name="o")
    close: str = field(name="c")
    high: str = field(name="h")
    low: str = field(name="l")
    volume: str = field(name="v")
    trades: int = field(name="n")
    is_final: bool = field(name="x")
    quote_volume: str = field(name="q")
    taker_volume: str = field(name="V")
    taker_quote_volume: str = field(name="Q")
    ignored: str = field(name="B", default="0")


class KlineEvent(Struct, tag_field="e", tag="kline"):
    """A kline that changed, or ended."""

    event_time: int = field(name="E")
    symbol: str = field(name="s")
    kline: KlineFacts = field(name="k")


class MiniTickerEvent(Struct, tag_field="e", tag="24hrMiniTicker"):
    """The last 24 hours in six fields."""

    event_time: int = field(name="E")
    symbol: str = field(name="s")
    close: str = field(name="c")
    open: str = field(name="o")
    high: str = field(name="h")
    low: str = field(name="l")
    volume: str = field(name="v")
    quote_volume: str = field(name="q")


class TickerEvent(Struct, tag_field="e", tag="24hrTicker"):
    """The last 24 hours."""

    event_time: int = field(name="E")
    symbol: str = field(name="s")
    change: str = field(name="p")
    change_percent: str = field(name="P")
    average: str = field(name="w")
    previous_close: str = field(name="x")
    close: str = field(name="c")
    last_quantity: str = field(name="Q")
    bid: str = field(name="b")
    bid_quantity: str = field(name="B")
    ask: str = field(name="a")
    ask_quantity: str = field(name="A")
    open: str = field(name="o")
    high: str = field(name="h")
    low: str = field(name="l")
    volume: str = field(name="v")
    quote_volume: str = field(name="q")
    open_time: int = field(name="O")
    close_time: int = field(name="C")
    first_trade_id: int = field(name="F")
    last_trade_id: int = field(name="L")
    trades: int = field(name="n")


class EventMaker:
    """Makes the events of one instrument. Each method returns the function that encodes one."""

    def __init__(self, instrument: Instrument) -> None:
        grid = grid_of(instrument)
        self.instrument = instrument
        self.symbol = face_symbol(instrument.symbol)
        self._price = lru_cache(TEXTS_CACHED)(grid.price.text)
        self._quantity = lru_cache(TEXTS_CACHED)(grid.quantity.text)

    def depth(
        self, first_id: int, last_id: int, bids: Levels, asks: Levels, time_ns: int
    ) -> Encode:
        """Levels that changed in `first_id`..`last_id`, with zero lots where removed."""
        rows = self._rows
        return lambda unit_ns: _encode(
            DepthEvent(time_ns // unit_ns, self.symbol, first_id, last_id, rows(bids), rows(asks))
        )

    def partial_depth(self, number: int, bids: Levels, asks: Levels) -> Encode:
        """The best levels of a book; no field names event or symbol."""
        rows = self._rows
        return lambda _: _encode(PartialDepth(number, rows(bids), rows(asks)))

    def trade(self, trade: Trade) -> Encode:
        """One trade. The buyer made it where the seller came later."""
        return lambda unit_ns: _encode(
            TradeEvent(
                trade.time_ns // unit_ns,
                self.symbol,
                trade.trade_id,
                self._price(trade.price_ticks),
                self._quantity(trade.quantity_lots),
                trade.time_ns // unit_ns,
                trade.aggressor_side == _SELL,
            )
        )

    def agg_trade(self, trade: Trade) -> Encode:
        """One trade as an aggregate of itself alone."""
        return lambda unit_ns: _encode(
            AggTradeEvent(
                trade.time_ns // unit_ns,
                self.symbol,
                trade.trade_id,
                self._price(trade.price_ticks),
                self._quantity(trade.quantity_lots),
                trade.trade_id,
                trade.trade_id,
                trade.time_ns // unit_ns,
                trade.aggressor_side == _SELL,
            )
        )

    def book_ticker(self, best: BestBidOffer) -> Encode:
        """Best bid and offer."""
        return lambda _: _encode(
            BookTickerEvent(
                best.seq,
                self.symbol,
                self._price(best.bid_ticks),
                self._quantity(best.bid_lots),
                self._price(best.ask_ticks),
                self._quantity(best.ask_lots),
            )
        )

    def kline(self, interval: Interval, candle: Candle, is_final: bool, time_ns: int) -> Encode:
        """One kline; without trades the ids are -1."""
        has_trades = bool(candle.trades)
        grid = grid_of(self.instrument)

        def encode(unit_ns: int) -> bytes:
            facts = KlineFacts(
                candle.open_ns // unit_ns,
                interval.end_of(candle.open_ns) // unit_ns - 1,
                self.symbol,
                interval.name,
                candle.first_trade_id if has_trades else -1,
                candle.last_trade_id if has_trades else -1,
                self._price(candle.open_ticks),
                self._price(candle.close_ticks),
                self._price(candle.high_ticks),
                self._price(candle.low_ticks),
                grid.quantity.text(candle.volume_lots),
                candle.trades,
                is_final,
                grid.quote.text(candle.quote_volume),
                grid.quantity.text(candle.taker_buy_lots),
                grid.quote.text(candle.taker_buy_quote_volume),
            )
            return _encode(KlineEvent(time_ns // unit_ns, self.symbol, facts))

        return encode

    def ticker(self, ticker: Ticker) -> Encode:
        """The last 24 hours."""
        return lambda unit_ns: _encode(self.ticker_event(ticker, unit_ns))

    def mini_ticker(self, ticker: Ticker) -> Encode:
        """The last 24 hours in six fields."""
        return lambda unit_ns: _encode(self.mini_ticker_event(ticker, unit_ns))

    def ticker_event(self, ticker: Ticker, unit_ns: int) -> TickerEvent:
        """The event of `ticker`."""
        day = day_of(ticker)
        opened, high, low, last = day.prices(self.instrument)
        return TickerEvent(
            ticker.time_ns // unit_ns,
            self.symbol,
            *day.changes(self.instrument),
            opened,
            last,
            self._quantity(ticker.last_lots),
            self._price(ticker.bid_ticks),
            self._quantity(ticker.bid_lots),
            self._price(ticker.ask_ticks),
            self._quantity(ticker.ask_lots),
            opened,
            high,
            low,
            *day.sums(self.instrument),
            *day.span(unit_ns),
        )

    def mini_ticker_event(self, ticker: Ticker, unit_ns: int) -> MiniTickerEvent:
        """The event of `mini_ticker`."""
        day = day_of(ticker)
        opened, high, low, last = day.prices(self.instrument)
        return MiniTickerEvent(
            ticker.time_ns // unit_ns,
            self.symbol,
            last,
            opened,
            high,
            low,
            *day.sums(self.instrument),
        )

    def _rows(self, levels: Levels) -> _Rows:
        price, quantity = self._price, self._quantity
        return [(price(ticks), quantity(lots) if lots else ZERO) for ticks, lots in levels]
