"""What can be looked up through the API: the past from the recorder, the present from the feed."""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

from common.clock import Clock
from common.feed import Ticker as FeedTicker
from common.history import (
    INTERVALS_S,
    CandleRecords,
    CandlesQuestion,
    FillRecords,
    FillsQuestion,
    HistoryAnswer,
    HistoryQuestion,
    HistoryReject,
    OrderRecord,
    OrderRecords,
    OrdersQuestion,
    TradeRecords,
    TradesQuestion,
)
from common.instruments import Instrument
from common.local_book import LocalBook
from common.types import RejectReason
from gateway import documents
from gateway.bodies import whole_number
from gateway.history_link import HistoryLink
from gateway.local_sessions import LocalSessions
from gateway.problem import Problem, history_unavailable, malformed, unknown_order
from gateway.render import Renderer, timestamp

T = TypeVar("T")


class MarketView(Protocol):
    """The public market data of this process."""

    @property
    def stale(self) -> bool:
        """Whether the publisher, or the matcher behind it, has been silent too long."""

    def book(self, symbol: str) -> LocalBook | None:
        """The book of an instrument; None while there is none that is right."""

    def ticker(self, symbol: str) -> FeedTicker | None:
        """The last 24 hours; None before they are known."""


class Lookup:
    """Orders, fills, trades, candles, books and instruments.

    Questions about the past are answered by the recorder, as of a number at or behind the last one
    the account was told of: who was told that an order is in sees it. They raise `Problem` 503
    when the recorder is away or behind.
    """

    def __init__(
        self,
        sessions: LocalSessions,
        history: HistoryLink,
        wake_history: Callable[[], None],
        market: MarketView,
        clock: Clock,
        render: Renderer,
    ) -> None:
        self._sessions = sessions
        self._history = history
        self._wake_history = wake_history
        self._market = market
        self._clock = clock
        self.render = render
        self.instruments = render.instruments

    async def order(self, account: int, order_id: int) -> documents.Order:
        """One order, open or ended; raises `Problem` 404 when the account has none of this id."""
        return self.render.order(await self.record(account, order_id), with_fills=True)

    async def orders(
        self,
        account: int,
        symbol: str | None,
        status: str | None,
        client_order_id: str | None,
        limit: int,
        cursor: str | None,
    ) -> documents.OrderList:
        """Orders, newest first."""
        instrument = self.instrument(symbol).id if symbol is not None else 0
        before = _cursor(cursor)
        answer = await self._ask(
            account,
            lambda request_id, seq: OrdersQuestion(
                request_id,
                seq,
                account,
                instrument,
                0,
                client_order_id or "",
                status == "open",
                status == "ended",
                before,
                limit,
            ),
            OrderRecords,
        )
        listed = [self.render.order(record, with_fills=False) for record in answer.orders]
        last = str(answer.orders[-1].order_id) if answer.more else None
        return documents.OrderList(listed, last, answer.seq)

    async def fills(
        self,
        account: int,
        symbol: str | None,
        order_id: int | None,
        limit: int,
        cursor: str | None,
    ) -> documents.FillList:
        """Own fills, newest first."""
        instrument = self.instrument(symbol).id if symbol is not None else 0
        before = _cursor(cursor)
        answer = await self._ask(
            account,
            lambda request_id, seq: FillsQuestion(
                request_id, seq, account, instrument, order_id or 0, before, limit
            ),
            FillRecords,
        )
        last = str(answer.fills[-1].fill_id) if answer.more else None
        listed = [self.render.own_fill(record) for record in answer.fills]
        return documents.FillList(listed, last, answer.seq)

    async def trades(
        self, account: int, symbol: str, from_trade_id: int | None, limit: int
    ) -> documents.TradeList:
        """Public trades; the last ones, or from one on."""
        instrument = self.instrument(symbol, 404)
        answer = await self._ask(
            account,
            lambda request_id, seq: TradesQuestion(
                request_id, seq, instrument.id, from_trade_id or 0, limit
            ),
            TradeRecords,
        )
        listed = [self.render.trade(instrument, record) for record in answer.trades]
        return documents.TradeList(symbol, listed, answer.seq)

    async def candles(
        self,
        account: int,
        symbol: str,
        interval: str,
        from_ns: int,
        to_ns: int,
        limit: int,
    ) -> documents.CandleList:
        """Candles of one length; the last ones, or those of a stretch of time."""
        instrument = self.instrument(symbol, 404)
        answer = await self._ask(
            account,
            lambda request_id, seq: CandlesQuestion(
                request_id, seq, instrument.id, INTERVALS_S[interval], from_ns, to_ns, limit
            ),
            CandleRecords,
        )
        listed = [self.render.candle(instrument, record) for record in answer.candles]
        return documents.CandleList(symbol, interval, listed, answer.seq)

    def book(self, symbol: str, levels: int) -> documents.OrderBook:
        """The best levels of a book as last published."""
        instrument = self.instrument(symbol, 404)
        book = self._market.book(symbol)
        if book is None or self._market.stale:
            raise _no_market_data(symbol)
        price, quantity = instrument.price_text, instrument.quantity_text
        return documents.OrderBook(
            symbol,
            timestamp(self._clock.now_ns()),
            book.seq,
            [[price(ticks), quantity(lots)] for ticks, lots in book.bids(levels)],
            [[price(ticks), quantity(lots)] for ticks, lots in book.asks(levels)],
            book.checksum,
        )

    def ticker(self, symbol: str) -> documents.Ticker:
        """The last 24 hours of an instrument."""
        instrument = self.instrument(symbol, 404)
        ticker = self._market.ticker(symbol)
        if ticker is None or self._market.stale:
            raise _no_market_data(symbol)
        return self.render.ticker(instrument, ticker)

    def list_instruments(self) -> documents.InstrumentList:
        """All instruments."""
        listed = [self.render.instrument(each) for each in self.instruments.values()]
        return documents.InstrumentList(listed)

    def instrument(self, symbol: str, status: int = 422) -> Instrument:
        """The instrument of a symbol; raises `Problem` with `status`."""
        instrument = self.instruments.get(symbol)
        if instrument is None:
            text = f"no instrument is called {symbol!r} here"
            raise Problem(status, RejectReason.UNKNOWN_SYMBOL.name, text, "symbol")
        return instrument

    async def readiness(self) -> documents.Readiness:
        """Whether orders can be entered and market data is live. The recorder may be away: then
        only questions about the past are refused."""
        instrument = next(iter(self.instruments.values()))
        answer = await self._question(lambda number: TradesQuestion(number, 0, instrument.id, 0, 1))
        matcher, market = self._sessions.taking, not self._market.stale
        return documents.Readiness(
            "ready" if matcher and market else "not_ready",
            matcher,
            market,
            isinstance(answer, TradeRecords),
            self._sessions.seq,
        )

    async def record(self, account: int, order_id: int) -> OrderRecord:
        answer = await self._ask(
            account,
            lambda request_id, seq: OrdersQuestion(
                request_id, seq, account, order_id=order_id, limit=1
            ),
            OrderRecords,
        )
        if not answer.orders:
            raise unknown_order()
        return answer.orders[0]

    async def _ask(
        self, account: int, question: Callable[[int, int], HistoryQuestion], kind: type[T]
    ) -> T:
        """The recorder's answer, of the kind expected."""
        seq = self._sessions.seq_of(account)
        answer = await self._question(lambda request_id: question(request_id, seq))
        if isinstance(answer, HistoryReject):
            raise malformed(answer.field, answer.text)
        if not isinstance(answer, kind):
            raise history_unavailable()
        return answer

    async def _question(self, question: Callable[[int], HistoryQuestion]) -> HistoryAnswer | None:
        future: asyncio.Future[HistoryAnswer | None] = asyncio.get_running_loop().create_future()

        def done(answer: HistoryAnswer | None) -> None:
            if not future.done():
                future.set_result(answer)

        self._history.ask(question, done)
        self._wake_history()
        return await future


def _no_market_data(symbol: str) -> Problem:
    text = f"there is no live market data of {symbol} at the moment; try again"
    return Problem(503, "MARKET_DATA_UNAVAILABLE", text)


def _cursor(cursor: str | None) -> int:
    if cursor is None:
        return 0
    number = whole_number(cursor)
    if not number:
        raise malformed("cursor", "not a cursor of an earlier answer")
    return number
