"""The market-data endpoints of the Binance-spot face: parameters in, documents out.

Each method of `MarketQueries` answers one endpoint below `/api/v3`; `ENDPOINTS` names them. They
raise `Refusal` for a parameter at fault, and `Problem` 503 where the exchange cannot answer now.
Source: market-data endpoints of the Binance Spot API documentation.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from crossbook.common.following.candles import SECOND_NS
from crossbook.common.following.local_book import LocalBook
from crossbook.common.instruments import Instrument
from crossbook.common.messages.history_queries import Candle
from crossbook.gateway.binance.market import documents
from crossbook.gateway.binance.market.face_market import FaceMarket
from crossbook.gateway.binance.market.intervals import DAY_NS, INTERVALS, Interval
from crossbook.gateway.binance.market.klines import joined_window
from crossbook.gateway.binance.market.recorded_market import RecordedMarket
from crossbook.gateway.binance.market.windows import day_begin_ns, window_interval
from crossbook.gateway.binance.parameters import Parameters
from crossbook.gateway.binance.problem import (
    BAD_COMBINATION,
    INVALID_INTERVAL,
    Refusal,
    busy,
    invalid_symbol,
    missing,
    not_valid,
)
from crossbook.gateway.binance.symbols import SymbolTable

DEPTH_DEFAULT: Final = 100
DEPTH_MOST: Final = 5_000
TRADES_DEFAULT: Final = 500
TRADES_MOST: Final = 1_000
KLINES_DEFAULT: Final = 500
KLINES_MOST: Final = 1_000

WINDOWS_MOST: Final = 100
"""Most symbols of one request for windows."""

AVERAGE_MINUTES: Final = 5
"""Minutes of `avgPrice`."""

_DETAILS: Final = {"FULL": True, "MINI": False}

NumberOf = Callable[[str, LocalBook], int]
"""The number of a book of an instrument in the numbering of the depth streams."""


class MarketQueries:
    """Answers the market-data endpoints. `number_of` gives the `lastUpdateId` of a snapshot;
    `now_ns` is the exchange's time."""

    def __init__(
        self,
        symbols: SymbolTable,
        market: FaceMarket,
        record: RecordedMarket,
        now_ns: Callable[[], int],
        number_of: NumberOf | None = None,
    ) -> None:
        self._symbols = symbols
        self._market = market
        self._record = record
        self._now_ns = now_ns
        self._number_of: NumberOf = number_of or _number_of

    async def depth(self, asked: Parameters) -> Any:
        """`GET depth`: the best `limit` levels, 100 by default and 5,000 at most."""
        instrument = self._instrument(asked)
        limit = asked.count("limit", DEPTH_DEFAULT, DEPTH_MOST)
        book = self._book(instrument)
        number = self._number_of(instrument.symbol, book)
        return documents.depth(instrument, book, number, limit)

    async def trades(self, asked: Parameters) -> Any:
        """`GET trades`: the last trades, oldest first."""
        instrument = self._instrument(asked)
        rows = await self._record.last_trades(
            instrument, asked.count("limit", TRADES_DEFAULT, TRADES_MOST)
        )
        return [documents.trade(instrument, row, asked.unit_ns) for row in rows]

    async def historical_trades(self, asked: Parameters) -> Any:
        """`GET historicalTrades`: the trades from `fromId` on, or the last ones without it."""
        instrument = self._instrument(asked)
        from_id = asked.integer("fromId")
        limit = asked.count("limit", TRADES_DEFAULT, TRADES_MOST)
        if from_id is None:
            rows = await self._record.last_trades(instrument, limit)
        else:
            rows = await self._record.trades_from(instrument, from_id, limit)
        return [documents.trade(instrument, row, asked.unit_ns) for row in rows]

    async def agg_trades(self, asked: Parameters) -> Any:
        """`GET aggTrades`: from `fromId` on, or between two times, or the last ones. Every trade is
        an aggregate of its own."""
        instrument = self._instrument(asked)
        from_id = asked.integer("fromId")
        start_ns, end_ns = asked.span_ns()
        limit = asked.count("limit", TRADES_DEFAULT, TRADES_MOST)
        record = self._record
        if from_id is not None:
            if start_ns is not None or end_ns is not None:
                raise Refusal(BAD_COMBINATION, "Combination of optional parameters invalid.")
            rows = await record.trades_from(instrument, from_id, limit)
        elif start_ns is None and end_ns is None:
            rows = await record.last_trades(instrument, limit)
        else:
            rows = await record.trades_between(instrument, start_ns, end_ns, limit)
        return [documents.aggregate(instrument, row, asked.unit_ns) for row in rows]

    async def klines(self, asked: Parameters) -> Any:
        """`GET klines` and `uiKlines`: the first `limit` intervals from `startTime` on, or the last
        ones up to `endTime`. The interval that runs is among them."""
        instrument = self._instrument(asked)
        interval = _interval(asked)
        start_ns, end_ns = asked.span_ns()
        limit = asked.count("limit", KLINES_DEFAULT, KLINES_MOST)
        if (asked.text("timeZone") or "0") not in ("0", "00:00", "+00:00", "+0:00", "0:00"):
            # Days of another zone cannot be made of the exchange's days.
            raise not_valid("timeZone")
        now_ns = self._now_ns()
        rows = await self._record.klines(
            instrument, interval, start_ns, min(now_ns, end_ns or now_ns), limit
        )
        return [documents.kline(instrument, interval, row, asked.unit_ns) for row in rows]

    async def avg_price(self, asked: Parameters) -> Any:
        """`GET avgPrice`: the volume-weighted average of the last five minutes; the last price
        where nothing traded in them."""
        instrument = self._instrument(asked)
        second = INTERVALS["1s"]
        now_ns = self._now_ns()
        first_ns = second.begin_of(now_ns - AVERAGE_MINUTES * 60 * SECOND_NS) + SECOND_NS
        seconds = await self._record.candles(instrument, second, first_ns, second.begin_of(now_ns))
        last = await self._record.last_trades(instrument, 1)
        volume = sum(each.volume_lots for each in seconds)
        quote = sum(each.quote_volume for each in seconds)
        price = documents.average_or_last(instrument, quote, volume, last)
        close_ns = last[-1].time_ns if last else 0
        return documents.AveragePrice(AVERAGE_MINUTES, price, close_ns // asked.unit_ns)

    async def ticker_24hr(self, asked: Parameters) -> Any:
        """`GET ticker/24hr`: `FULL` by default, or `MINI`; an object for `symbol`, else a list."""
        is_full = asked.choice("type", _DETAILS, "FULL")

        def of(instrument: Instrument) -> Any:
            ticker = self._market.ticker(instrument.symbol)
            if ticker is None:
                return None
            if is_full:
                book = self._market.book(instrument.symbol)
                return documents.day_ticker(instrument, ticker, book, asked.unit_ns)
            return documents.mini_ticker(instrument, documents.day_of(ticker), asked.unit_ns)

        return self._each(asked, of)

    async def ticker_price(self, asked: Parameters) -> Any:
        """`GET ticker/price`: the last price; an object for `symbol`, else a list."""

        def of(instrument: Instrument) -> Any:
            ticker = self._market.ticker(instrument.symbol)
            return None if ticker is None else documents.price_ticker(instrument, ticker)

        return self._each(asked, of)

    async def ticker_book(self, asked: Parameters) -> Any:
        """`GET ticker/bookTicker`: the best prices; an object for `symbol`, else a list."""

        def of(instrument: Instrument) -> Any:
            book = self._market.book(instrument.symbol)
            return None if book is None else documents.book_ticker(instrument, book)

        return self._each(asked, of)

    async def ticker(self, asked: Parameters) -> Any:
        """`GET ticker`: the window `windowSize`, a day by default, to the minute, and of more than
        half a day to the quarter of an hour; an object for `symbol`, a list for `symbols`."""
        interval, count = window_interval(asked)
        is_full = asked.choice("type", _DETAILS, "FULL")
        now_ns = self._now_ns()
        last_ns = interval.begin_of(now_ns)
        first_ns = interval.after(last_ns, 1 - count)
        return await self._windows(asked, interval, first_ns, last_ns, now_ns, is_full)

    async def trading_day(self, asked: Parameters) -> Any:
        """`GET ticker/tradingDay`: the day of `timeZone`, UTC by default, as far as it has come; an
        object for `symbol`, a list for `symbols`."""
        is_full = asked.choice("type", _DETAILS, "FULL")
        now_ns = self._now_ns()
        first_ns = day_begin_ns(asked, now_ns)
        quarter = INTERVALS["15m"]
        return await self._windows(
            asked, quarter, first_ns, quarter.begin_of(now_ns), first_ns + DAY_NS - asked.unit_ns,
            is_full,
        )  # fmt: skip

    async def _windows(
        self,
        asked: Parameters,
        interval: Interval,
        first_ns: int,
        last_ns: int,
        close_ns: int,
        is_full: bool,
    ) -> Any:
        """The tickers of the intervals that begin in `first_ns`..`last_ns`."""
        made = documents.window_ticker if is_full else documents.mini_ticker
        names = asked.symbol_or_symbols(WINDOWS_MOST)
        if names is None:
            raise missing("symbol")

        async def of(name: str) -> Any:
            instrument = self._named(name)
            candles = await self._record.candles(instrument, interval, first_ns, last_ns)
            last = await self._record.last_trades(instrument, 1)
            whole_window: Candle | None = joined_window(candles)
            price = last[-1].price_ticks if last else 0
            window = documents.window_of(price, whole_window, first_ns, close_ns)
            return made(instrument, window, asked.unit_ns)

        if isinstance(names, str):
            return await of(names)
        return [await of(name) for name in names]

    def _each(self, asked: Parameters, of: Callable[[Instrument], Any]) -> Any:
        """The document of the symbol, or a list of those named, or of all that have one."""
        names = asked.symbol_or_symbols()
        if isinstance(names, str):
            document = of(self._named(names))
            if document is None:
                raise busy()
            return document
        chosen = [each for _, each in self._symbols]
        if names is not None:
            chosen = [self._named(name) for name in names]
        found = [document for each in chosen if (document := of(each)) is not None]
        if chosen and not found:
            raise busy()
        return found

    def _instrument(self, asked: Parameters) -> Instrument:
        return self._named(asked.symbol())

    def _named(self, name: str) -> Instrument:
        instrument = self._symbols.find(name)
        if instrument is None:
            raise invalid_symbol()
        return instrument

    def _book(self, instrument: Instrument) -> LocalBook:
        book = self._market.book(instrument.symbol)
        if book is None:
            raise busy()
        return book


Endpoint = Callable[[MarketQueries, Parameters], Awaitable[Any]]

ENDPOINTS: Final[Mapping[str, Endpoint]] = {
    "depth": MarketQueries.depth,
    "trades": MarketQueries.trades,
    "historicalTrades": MarketQueries.historical_trades,
    "aggTrades": MarketQueries.agg_trades,
    "klines": MarketQueries.klines,
    "uiKlines": MarketQueries.klines,
    "avgPrice": MarketQueries.avg_price,
    "ticker/24hr": MarketQueries.ticker_24hr,
    "ticker/price": MarketQueries.ticker_price,
    "ticker/bookTicker": MarketQueries.ticker_book,
    "ticker": MarketQueries.ticker,
    "ticker/tradingDay": MarketQueries.trading_day,
}
"""The public endpoints of the market below `/api/v3/`, each answered by
`await ENDPOINTS[path](queries, asked)`."""


def _number_of(symbol: str, book: LocalBook) -> int:
    """The matcher's number of the book, which is its number in the depth streams too."""
    return book.seq


def _interval(asked: Parameters) -> Interval:
    """The interval that is named."""
    interval = INTERVALS.get(asked.needed("interval"))
    if interval is None:
        raise Refusal(INVALID_INTERVAL, "Invalid interval.")
    return interval
