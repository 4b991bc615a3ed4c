"""The documents of market data in the Binance-spot face. No I/O.

Prices, quantities and amounts are text with eight decimals. Times are numbers of the unit that the
request names: `unit_ns` nanoseconds each.
"""

from typing import Any, Final

from msgspec import Struct

from crossbook.common.following.local_book import LocalBook
from crossbook.common.instruments import Instrument
from crossbook.common.messages.feed import Ticker
from crossbook.common.messages.history_queries import Candle, TradeRecord
from crossbook.common.types import Side
from crossbook.gateway.binance.decimals import ZERO, grid_of
from crossbook.gateway.binance.market.amounts import average_text, percent_text
from crossbook.gateway.binance.market.intervals import Interval
from crossbook.gateway.binance.symbols import face_symbol

_SELL: Final = int(Side.SELL)


class PartialDepth(Struct, rename="camel"):
    """The best levels of a book as [price, quantity], best first. `last_update_id` is a number of
    the numbering of the depth streams."""

    last_update_id: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class PublicTrade(Struct, rename="camel"):
    """One public trade."""

    id: int
    price: str
    qty: str
    quote_qty: str
    time: int
    is_buyer_maker: bool
    is_best_match: bool = True


class AveragePrice(Struct, rename="camel"):
    """The average price of the last minutes."""

    mins: int
    price: str
    close_time: int


class PriceTicker(Struct):
    """The last price."""

    symbol: str
    price: str


class BookTicker(Struct, rename="camel"):
    """The best prices; zero where a side is empty."""

    symbol: str
    bid_price: str
    bid_qty: str
    ask_price: str
    ask_qty: str


class MiniTicker(Struct, rename="camel"):
    """A window of time in twelve fields."""

    symbol: str
    open_price: str
    high_price: str
    low_price: str
    last_price: str
    volume: str
    quote_volume: str
    open_time: int
    close_time: int
    first_id: int
    last_id: int
    count: int


class WindowTicker(Struct, rename="camel"):
    """A window of time in fifteen fields."""

    symbol: str
    price_change: str
    price_change_percent: str
    weighted_avg_price: str
    open_price: str
    high_price: str
    low_price: str
    last_price: str
    volume: str
    quote_volume: str
    open_time: int
    close_time: int
    first_id: int
    last_id: int
    count: int


class DayTicker(Struct, rename="camel"):
    """The last 24 hours in 21 fields."""

    symbol: str
    price_change: str
    price_change_percent: str
    weighted_avg_price: str
    prev_close_price: str
    last_price: str
    last_qty: str
    bid_price: str
    bid_qty: str
    ask_price: str
    ask_qty: str
    open_price: str
    high_price: str
    low_price: str
    volume: str
    quote_volume: str
    open_time: int
    close_time: int
    first_id: int
    last_id: int
    count: int


class Window(Struct):
    """What traded in a window of time. A window without trades has the last price in all four
    places, and -1 for the ids of its trades."""

    open_ticks: int
    high_ticks: int
    low_ticks: int
    last_ticks: int
    volume_lots: int
    quote_volume: int
    trades: int
    first_trade_id: int
    last_trade_id: int
    open_ns: int
    close_ns: int

    def prices(self, instrument: Instrument) -> tuple[str, str, str, str]:
        """Open, high, low and last price."""
        text = grid_of(instrument).price.text
        return (
            text(self.open_ticks),
            text(self.high_ticks),
            text(self.low_ticks),
            text(self.last_ticks),
        )

    def sums(self, instrument: Instrument) -> tuple[str, str]:
        """Volume in the base and in the quote asset."""
        grid = grid_of(instrument)
        return grid.quantity.text(self.volume_lots), grid.quote.text(self.quote_volume)

    def changes(self, instrument: Instrument) -> tuple[str, str, str]:
        """Change of the price, the same in percent, and the average price."""
        return (
            grid_of(instrument).price.text(self.last_ticks - self.open_ticks),
            percent_text(self.open_ticks, self.last_ticks),
            average_text(instrument, self.quote_volume, self.volume_lots),
        )

    def span(self, unit_ns: int) -> tuple[int, int, int, int, int]:
        """Times, ids of the first and the last trade, and the number of trades."""
        return (
            self.open_ns // unit_ns,
            self.close_ns // unit_ns,
            self.first_trade_id,
            self.last_trade_id,
            self.trades,
        )


def window_of(
    last_ticks: int,
    candle: Candle | Ticker | None,
    open_ns: int,
    close_ns: int,
) -> Window:
    """The window with the sums of a candle or ticker; without trades where that has none."""
    if candle is None or not candle.trades:
        price = last_ticks
        return Window(price, price, price, price, 0, 0, 0, -1, -1, open_ns, close_ns)
    return Window(
        candle.open_ticks, candle.high_ticks, candle.low_ticks, last_ticks, candle.volume_lots,
        candle.quote_volume, candle.trades, candle.first_trade_id, candle.last_trade_id, open_ns,
        close_ns,
    )  # fmt: skip


def day_of(ticker: Ticker) -> Window:
    """The window of the last 24 hours."""
    return window_of(ticker.last_ticks, ticker, ticker.open_ns, ticker.time_ns)


def levels(instrument: Instrument, listed: list[tuple[int, int]]) -> list[tuple[str, str]]:
    """Levels of (price ticks, lots) as text; zero lots as eight zeros behind the point."""
    grid = grid_of(instrument)
    price, quantity = grid.price.text, grid.quantity.text
    return [(price(ticks), quantity(lots) if lots else ZERO) for ticks, lots in listed]


def depth(instrument: Instrument, book: LocalBook, number: int, limit: int) -> PartialDepth:
    """The best levels of a book that has this number."""
    return PartialDepth(
        number, levels(instrument, book.bids(limit)), levels(instrument, book.asks(limit))
    )


def trade(instrument: Instrument, record: TradeRecord, unit_ns: int) -> PublicTrade:
    """One trade. The buyer made it where the seller came later."""
    grid = grid_of(instrument)
    notional = record.price_ticks * record.quantity_lots * instrument.notional_per_tick_lot
    return PublicTrade(
        record.trade_id,
        grid.price.text(record.price_ticks),
        grid.quantity.text(record.quantity_lots),
        grid.quote.text(notional),
        record.time_ns // unit_ns,
        record.aggressor_side == _SELL,
    )


def aggregate(instrument: Instrument, record: TradeRecord, unit_ns: int) -> dict[str, Any]:
    """One trade as an aggregate of itself alone, whose id is the trade's."""
    grid = grid_of(instrument)
    return {
        "a": record.trade_id,
        "p": grid.price.text(record.price_ticks),
        "q": grid.quantity.text(record.quantity_lots),
        "f": record.trade_id,
        "l": record.trade_id,
        "T": record.time_ns // unit_ns,
        "m": record.aggressor_side == _SELL,
        "M": True,
    }


def kline(
    instrument: Instrument, interval: Interval, candle: Candle, unit_ns: int
) -> tuple[int | str, ...]:
    """The twelve columns of a kline; the tenth and the eleventh are what takers bought."""
    grid = grid_of(instrument)
    price = grid.price.text
    return (
        candle.open_ns // unit_ns,
        price(candle.open_ticks),
        price(candle.high_ticks),
        price(candle.low_ticks),
        price(candle.close_ticks),
        grid.quantity.text(candle.volume_lots),
        interval.end_of(candle.open_ns) // unit_ns - 1,
        grid.quote.text(candle.quote_volume),
        candle.trades,
        grid.quantity.text(candle.taker_buy_lots),
        grid.quote.text(candle.taker_buy_quote_volume),
        "0",
    )


def day_ticker(
    instrument: Instrument, ticker: Ticker, book: LocalBook | None, unit_ns: int
) -> DayTicker:
    """The last 24 hours, with the best prices of the book, or of the ticker without one."""
    day = day_of(ticker)
    change, percent, average = day.changes(instrument)
    opened, high, low, last = day.prices(instrument)
    return DayTicker(
        face_symbol(instrument.symbol),
        change,
        percent,
        average,
        opened,
        last,
        grid_of(instrument).quantity.text(ticker.last_lots),
        *_best(instrument, ticker, book),
        opened,
        high,
        low,
        *day.sums(instrument),
        *day.span(unit_ns),
    )


def price_ticker(instrument: Instrument, ticker: Ticker) -> PriceTicker:
    """The last price; zero before the first trade."""
    price = grid_of(instrument).price.text(ticker.last_ticks)
    return PriceTicker(face_symbol(instrument.symbol), price)


def average_or_last(
    instrument: Instrument, quote_volume: int, volume_lots: int, last: list[TradeRecord]
) -> str:
    """The average price of a volume; without any that of the last trade, and zero without one."""
    if volume_lots or not last:
        return average_text(instrument, quote_volume, volume_lots)
    return grid_of(instrument).price.text(last[-1].price_ticks)


def mini_ticker(instrument: Instrument, window: Window, unit_ns: int) -> MiniTicker:
    """A window in twelve fields."""
    return MiniTicker(
        face_symbol(instrument.symbol),
        *window.prices(instrument),
        *window.sums(instrument),
        *window.span(unit_ns),
    )


def window_ticker(instrument: Instrument, window: Window, unit_ns: int) -> WindowTicker:
    """A window in fifteen fields."""
    return WindowTicker(
        face_symbol(instrument.symbol),
        *window.changes(instrument),
        *window.prices(instrument),
        *window.sums(instrument),
        *window.span(unit_ns),
    )


def book_ticker(instrument: Instrument, book: LocalBook) -> BookTicker:
    """The best prices of a book."""
    grid, best = grid_of(instrument), book.best
    price, quantity = grid.price.text, grid.quantity.text
    return BookTicker(
        face_symbol(instrument.symbol),
        price(best.bid_ticks),
        quantity(best.bid_lots),
        price(best.ask_ticks),
        quantity(best.ask_lots),
    )


def _best(
    instrument: Instrument, ticker: Ticker, book: LocalBook | None
) -> tuple[str, str, str, str]:
    grid = grid_of(instrument)
    price, quantity = grid.price.text, grid.quantity.text
    best = (
        book.best
        if book is not None
        else (ticker.bid_ticks, ticker.bid_lots, ticker.ask_ticks, ticker.ask_lots)
    )
    return (price(best[0]), quantity(best[1]), price(best[2]), quantity(best[3]))
