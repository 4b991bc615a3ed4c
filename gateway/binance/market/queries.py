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
from crossbook.gateway.binance.market.intervals import INTERVALS, Interval
from crossbook.gateway.binance.market.klines import joined_window
from crossbook.gateway.binance.market.reading import (
    Parameters,
    choice,
    interval_of,
    limit_of,
    span_of,
    symbols_of,
    whole,
)
from crossbook.gateway.binance.market.recorded_market import RecordedMarket
from crossbook.gateway.binance.market.windows import window_interval
from crossbook.gateway.binance.parameters import MS
from crossbook.gateway.binance.problem import (
    BAD_COMBINATION,
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

    async def depth(self, parameters: Parameters, unit_ns: int = MS) -> Any:
        """`GET depth`: the best `limit` levels, 100 by default and 5,000 at most."""
        instrument = self._instrument(parameters)
        limit = limit_of(parameters, DEPTH_DEFAULT, DEPTH_MOST)
        book = self._book(instrument)
        number = self._number_of(instrument.symbol, book)
        return documents.depth(instrument, book, number, limit)

    async def trades(self, parameters: Parameters, unit_ns: int = MS) -> Any:
        """`GET trades`: the last trades, oldest first."""
        instrument = self._instrument(parameters)
        rows = await self._record.last_trades(
            instrument, limit_of(parameters, TRADES_DEFAULT, TRADES_MOST)
        )
        return [documents.trade(instrument, row, unit_ns) for row in rows]

    async def historical_trades(self, parameters: Parameters, unit_ns: int = MS) -> Any:
        """`GET historicalTrades`: the trades from `fromId` on, or the last ones without it."""
        instrument = self._instrument(parameters)
        from_id = whole(parameters, "fromId")
        limit = limit_of(parameters, TRADES_DEFAULT, TRADES_MOST)
        if from_id is None:
            rows = await self._record.last_trades(instrument, limit)
        else:
            rows = await self._record.trades_from(instrument, _trade_id(from_id), limit)
        return [documents.trade(instrument, row, unit_ns) for row in rows]

    async def agg_trades(self, parameters: Parameters, unit_ns: int = MS) -> Any:
        """`GET aggTrades`: from `fromId` on, or between two times, or the last ones. Every trade is
        an aggregate of its own."""
        instrument = self._instrument(parameters)
        from_id = whole(parameters, "fromId")
        start_ns, end_ns = span_of(parameters)
        limit = limit_of(parameters, TRADES_DEFAULT, TRADES_MOST)
        record = self._record
        if from_id is not None:
            if start_ns is not None or end_ns is not None:
                raise Refusal(BAD_COMBINATION, "Combination of optional parameters invalid.")
            rows = await record.trades_from(instrument, _trade_id(from_id), limit)
        elif start_ns is None and end_ns is None:
            rows = await record.last_trades(instrument, limit)
        else:
            rows = await record.trades_between(instrument, start_ns, end_ns, limit)
        return [documents.aggregate(instrument, row, unit_ns) for row in rows]

    async def klines(self, parameters: Parameters, unit_ns: int = MS) -> Any:
        """`GET klines` and `uiKlines`: the first `limit` intervals from `startTime` on, or the last
        ones up to `endTime`. The interval that runs is among them."""
        instrument = self._instrument(parameters)
        interval: Interval = interval_of(parameters, INTERVALS)
        start_ns, end_ns = span_of(parameters)
        limit = limit_of(parameters, KLINES_DEFAULT, KLINES_MOST)
        if parameters.get("timeZone", "0") not in ("0", "00:00", "+00:00", "+0:00", "0:00"):
            # Days of another zone cannot be made of the exchange's days.
            raise not_valid("timeZone")
        now_ns = self._now_ns()
        rows = await self._record.klines(
            instrument, interval, start_ns, min(now_ns, end_ns or now_ns), limit
        )
        return [documents.kline(instrument, interval, row, unit_ns) for row in rows]

    async def avg_price(self, parameters: Parameters, unit_ns: int = MS) -> Any:
        """`GET avgPrice`: the volume-weighted average of the last five minutes; the last price
        where nothing traded in them."""
        instrument = self._instrument(parameters)
        second = INTERVALS["1s"]
        now_ns = self._now_ns()
        first_ns = second.begin_of(now_ns - AVERAGE_MINUTES * 60 * SECOND_NS) + SECOND_NS
        seconds = await self._record.candles(instrument, second, first_ns, second.begin_of(now_ns))
        last = await self._record.last_trades(instrument, 1)
        volume = sum(each.volume_lots for each in seconds)
        quote = sum(each.quote_volume for each in seconds)
        price = documents.average_or_last(instrument, quote, volume, last)
        close_ns = last[-1].time_ns if last else 0
        return documents.AveragePrice(AVERAGE_MINUTES, price, close_ns // unit_ns)

    async def ticker_24hr(self, parameters: Parameters, unit_ns: int = MS) -> Any:
        """`GET ticker/24hr`: `FULL` by default, or `MINI`; an object for `symbol`, else a list."""
        is_full = choice(parameters, "type", _DETAILS, "FULL")

        def of(instrument: Instrument) -> Any:
            ticker = self._market.ticker(instrument.symbol)
            if ticker is None:
                return None
            if is_full:
                book = self._market.book(instrument.symbol)
                return documents.day_ticker(instrument, ticker, book, unit_ns)
            return documents.mini_ticker(instrument, documents.day_of(ticker), unit_ns)

        return self._each(parameters, of)

    async def ticker_price(self, parameters: Parameters, unit_ns: int = MS) -> Any:
        """`GET ticker/price`: the last price; an object for `symbol`, else a list."""

        def of(instrument: Instrument) -> Any:
            ticker = self._market.ticker(instrument.symbol)
            return None if ticker is None else documents.price_ticker(instrument, ticker)

        return self._each(parameters, of)

    async def ticker_book(self, parameters: Parameters, unit_ns: int = MS) -> Any:
        """`GET ticker/bookTicker`: the best prices; an object for `symbol`, else a list."""

        def of(instrument: Instrument) -> Any:
            book = self._market.book(instrument.symbol)
            return None if book is None else documents.book_ticker(instrument, book)

        return self._each(parameters, of)

    async def ticker(self, parameters: Parameters, unit_ns: int = MS) -> Any:
        """`GET ticker`: the window `windowSize`, a day by default, to the minute, and of more than
        half a day to the quarter of an hour; an object for `symbol`, a list for `symbols`."""
        interval, count = window_interval(parameters)
        is_full = choice(parameters, "type", _DETAILS, "FULL")
        names = symbols_of(parameters)
        if names is None:
            raise missing("symbol")
        now_ns = self._now_ns()
        last_ns = interval.begin_of(now_ns)
        first_ns = interval.after(last_ns, 1 - count)
        made = documents.window_ticker if is_full else documents.mini_ticker

        async def of(name: str) -> Any:
            instrument = self._named(name)
            candles = await self._record.candles(instrument, interval, first_ns, last_ns)
            last = await self._record.last_trades(instrument, 1)
            whole_window: Candle | None = joined_window(candles)
            price = last[-1].price_ticks if last else 0
            window = documents.window_of(price, whole_window, first_ns, now_ns)
            return made(instrument, window, unit_ns)

        if isinstance(names, str):
            return await of(names)
        return [await of(name) for name in names]

    def _each(self, parameters: Parameters, of: Callable[[Instrument], Any]) -> Any:
        """The document of the symbol, or a list of those named, or of all that have one."""
        names = symbols_of(parameters)
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

    def _instrument(self, parameters: Parameters) -> Instrument:
        name = parameters.get("symbol")
        if not name:
            raise missing("symbol")
        return self._named(name)

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


Endpoint = Callable[[MarketQueries, Parameters, int], Awaitable[Any]]

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
}
"""The public endpoints of the market below `/api/v3/`, each answered by
`await ENDPOINTS[path](queries, parameters, unit_ns)`."""


def _number_of(symbol: str, book: LocalBook) -> int:
    """The matcher's number of the book, which is its number in the depth streams too."""
    return book.seq


def _trade_id(number: int) -> int:
    """A number of a trade that the record can hold."""
    if number >= 2**63:
        raise not_valid("fromId")
    return number
