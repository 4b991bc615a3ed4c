"""Looks up what the API shows: the past from the recorder, the present from the feed."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol

from crossbook.common.following.local_book import LocalBook
from crossbook.common.instruments import Instrument
from crossbook.common.messages.feed import MarketState
from crossbook.common.messages.feed import Ticker as FeedTicker
from crossbook.common.messages.history_queries import (
    INTERVALS_S,
    CandleRecords,
    CandlesQuestion,
    FillRecords,
    FillsQuestion,
    OrderRecord,
    OrderRecords,
    OrdersQuestion,
    TradeRecords,
    TradesQuestion,
)
from crossbook.common.shards import shard_of
from crossbook.common.types import RejectReason
from crossbook.gateway.api import documents, market_documents
from crossbook.gateway.api.exchange_time import ExchangeTime
from crossbook.gateway.api.render import Renderer
from crossbook.gateway.history.queries import HistoryQueries, newest
from crossbook.gateway.market_facts import state_facts
from crossbook.gateway.operations.readiness import (
    FaultsInForce,
    KeysFor,
    Part,
    Readiness,
    RecordersProgress,
    readiness,
)
from crossbook.gateway.orders.local_sessions import LocalSessions
from crossbook.gateway.problem import Problem, malformed, unknown_order
from crossbook.gateway.words import timestamp


class MarketView(Protocol):
    """The public market data of this process."""

    @property
    def stale(self) -> bool:
        """Whether the publisher, or the matcher behind it, has been silent too long."""

    def book(self, symbol: str) -> LocalBook | None:
        """The book of an instrument; None while it is incomplete or old."""

    def ticker(self, symbol: str) -> FeedTicker | None:
        """The last 24 hours of an instrument; None before the first ticker."""

    async def wait_for(self, symbol: str, seq: int) -> bool:
        """Wait a moment for the book of an instrument; return whether it has reached `seq`."""

    def state(self, symbol: str) -> MarketState | None:
        """The state of an instrument; None before the first one."""


class Lookup:
    """Orders, fills, trades, candles, books and instruments.

    `HistoryQueries` sends the queries to the recorder. The `seq` of an answer of several shards is
    that of the last one. An answer holds everything up to `min_seq`, or it is a `Problem` 503.
    """

    def __init__(
        self,
        sessions: LocalSessions,
        history: HistoryQueries,
        market: MarketView,
        time: ExchangeTime,
        render: Renderer,
        process_faults: Callable[[], Awaitable[Mapping[Part, str]]],
    ) -> None:
        self._sessions = sessions
        self._history = history
        self._market = market
        self.time = time
        self._process_faults = process_faults
        self._recorders = RecordersProgress()
        self.faults_in_force: Callable[[], FaultsInForce] | None = None
        self.keys_for: KeysFor = "none"
        self.render = render
        self.instruments = render.instruments

    async def order(self, account: int, order_id: int, min_seq: int = 0) -> documents.OrderDocument:
        """One order, open or ended; raises `Problem` 404 when the account has no such order."""
        return self.render.order(await self.record(account, order_id, min_seq), with_fills=True)

    async def order_named(
        self, account: int, client_order_id: str, min_seq: int = 0
    ) -> documents.OrderDocument:
        """The last order with this client order id; raises `Problem` 404 without one."""
        named = await self.record_named(account, client_order_id, min_seq)
        return await self.order(account, named.order_id, min_seq)

    async def record_named(
        self, account: int, client_order_id: str, min_seq: int = 0
    ) -> OrderRecord:
        """The record of the last order with this client order id, without its fills; raises
        `Problem` 404 without one."""
        records, _, _ = await self.records(account, None, None, client_order_id, 1, None, min_seq)
        if not records:
            raise unknown_order("client_order_id")
        return records[0]

    async def orders(
        self,
        account: int,
        symbol: str | None,
        status: str | None,
        client_order_id: str | None,
        limit: int,
        cursor: str | None,
        min_seq: int = 0,
    ) -> documents.OrderList:
        """Orders, newest first."""
        records, last, seq = await self.records(
            account, symbol, status, client_order_id, limit, cursor, min_seq
        )
        listed = [self.render.order(record, with_fills=False) for record in records]
        return documents.OrderList(listed, last, seq)

    async def records(
        self,
        account: int,
        symbol: str | None,
        status: str | None,
        client_order_id: str | None,
        limit: int,
        cursor: str | None,
        min_seq: int,
    ) -> tuple[list[OrderRecord], str | None, int]:
        """Recorded orders, newest first; the cursor after them; the `seq` of the answer."""
        self._check_shard(min_seq)
        instrument = self.instrument(symbol).id if symbol is not None else 0
        answers, before = await self._history.fetch_all(
            account,
            self._history.shards(symbol),
            cursor,
            lambda request_id, seq, earlier: OrdersQuestion(
                request_id,
                seq,
                account,
                instrument,
                0,
                client_order_id or "",
                status == "open",
                status == "ended",
                earlier,
                limit,
            ),
            OrderRecords,
            min_seq,
        )
        records, last = newest(
            [answer.orders for answer in answers],
            [answer.more for answer in answers],
            before,
            limit,
            lambda record: (record.created_ns, record.order_id),
        )
        return records, last, _seq(answers)

    async def fills(
        self,
        account: int,
        symbol: str | None,
        order_id: int | None,
        limit: int,
        cursor: str | None,
        min_seq: int = 0,
    ) -> documents.FillList:
        """Own fills, newest first."""
        self._check_shard(min_seq)
        instrument = self.instrument(symbol).id if symbol is not None else 0
        answers, before = await self._history.fetch_all(
            account,
            self._shards_of_fills(symbol, order_id),
            cursor,
            lambda request_id, seq, earlier: FillsQuestion(
                request_id, seq, account, instrument, order_id or 0, earlier, limit
            ),
            FillRecords,
            min_seq,
        )
        records, last = newest(
            [answer.fills for answer in answers],
            [answer.more for answer in answers],
            before,
            limit,
            lambda record: (record.time_ns, record.fill_id),
        )
        listed = [self.render.own_fill(record) for record in records]
        return documents.FillList(listed, last, _seq(answers))

    async def trades(
        self,
        account: int,
        symbol: str,
        from_trade_id: int | None,
        limit: int,
        min_seq: int = 0,
    ) -> market_documents.TradeList:
        """Public trades; the last ones, or from one on."""
        instrument = self.instrument(symbol, 404)
        self._check_shard(min_seq, symbol)
        answer = await self._history.fetch(
            account,
            self._sessions.home_of(symbol),
            lambda request_id, seq: TradesQuestion(
                request_id, seq, instrument.id, from_trade_id or 0, limit
            ),
            TradeRecords,
            min_seq,
        )
        listed = [market_documents.trade_document(instrument, record) for record in answer.trades]
        return market_documents.TradeList(symbol, listed, answer.seq)

    async def candles(
        self,
        account: int,
        symbol: str,
        interval: str,
        from_ns: int,
        to_ns: int,
        limit: int,
        min_seq: int = 0,
    ) -> market_documents.CandleList:
        """Candles of one length; the last ones, or those of a stretch of time."""
        instrument = self.instrument(symbol, 404)
        self._check_shard(min_seq, symbol)
        answer = await self._history.fetch(
            account,
            self._sessions.home_of(symbol),
            lambda request_id, seq: CandlesQuestion(
                request_id, seq, instrument.id, INTERVALS_S[interval], from_ns, to_ns, limit
            ),
            CandleRecords,
            min_seq,
        )
        listed = [market_documents.candle_document(instrument, record) for record in answer.candles]
        return market_documents.CandleList(symbol, interval, listed, answer.seq)

    async def book(
        self, symbol: str, levels: int, min_seq: int = 0
    ) -> market_documents.OrderBookDocument:
        """The best levels of a book, as last published."""
        instrument = self.instrument(symbol, 404)
        self._check_shard(min_seq, symbol)
        has_reached = not min_seq or await self._market.wait_for(symbol, min_seq)
        book = self._market.book(symbol)
        if book is None:
            raise _no_market_data(symbol)
        if not has_reached:
            self._history.check_given(min_seq)
            text = f"the book is at {book.seq}, and not known to reflect {min_seq} yet"
            raise Problem(503, "MARKET_DATA_UNAVAILABLE", f"{text}; try again", "min_seq")
        price, quantity = instrument.grid.price.text, instrument.grid.quantity.text
        return market_documents.OrderBookDocument(
            symbol,
            timestamp(self.time.now_ns()),
            book.seq,
            [[price(ticks), quantity(lots)] for ticks, lots in book.bids(levels)],
            [[price(ticks), quantity(lots)] for ticks, lots in book.asks(levels)],
            book.checksum,
            *state_facts(instrument, self._market.state(symbol)),
        )

    def ticker(self, symbol: str) -> market_documents.TickerDocument:
        """The last 24 hours of an instrument."""
        instrument = self.instrument(symbol, 404)
        ticker = self._market.ticker(symbol)
        if ticker is None:
            raise _no_market_data(symbol)
        state = self._market.state(symbol)
        return market_documents.ticker_document(instrument, ticker, state)

    def list_instruments(self) -> market_documents.InstrumentListDocument:
        """All instruments."""
        listed = [
            market_documents.instrument_document(each, self._market.state(each.symbol))
            for each in self.instruments.values()
        ]
        return market_documents.InstrumentListDocument(listed)

    def instrument(self, symbol: str, status: int = 422) -> Instrument:
        """The instrument of a symbol; raises `Problem` with `status`."""
        instrument = self.instruments.get(symbol)
        if instrument is None:
            text = f"no instrument is called {symbol!r} here"
            raise Problem(status, RejectReason.UNKNOWN_SYMBOL.name, text, "symbol")
        return instrument

    async def readiness(self) -> Readiness:
        """Whether orders can be entered and market data is live. Without the recorder only queries
        of the past are refused."""
        seqs, times_ns = self._sessions.seqs, self._sessions.times_ns
        faults = []
        for shard, instrument in self.time.one_of_each_shard().items():
            answer = await self._history.send(shard, _last_trade_of(instrument))
            faults.append(self._recorders.fault(shard, answer, seqs[shard], times_ns[shard]))
        others = await self._process_faults()
        document = readiness(
            {
                "matcher": "" if self._sessions.is_accepting else "a matcher is silent or starting",
                "market_data": "market data is stale" if self._market.stale else "",
                "recorder": next(filter(None, faults), "") or others["recorder"],
                "clock": others["clock"],
            },
            ["matcher", "market_data"],
            self._sessions.seq,
            self.time.document().clock,
        )
        document.keys = self.keys_for
        if self.faults_in_force is not None:
            document.faults = self.faults_in_force()
        return document

    def _shards_of_fills(self, symbol: str | None, order_id: int | None) -> list[int]:
        if not order_id:
            return self._history.shards(symbol)
        # An order of a shard that does not exist has no fills: any shard answers that.
        shard = shard_of(order_id)
        return [shard if shard in self._history.shards() else 0]

    async def record(self, account: int, order_id: int, min_seq: int = 0) -> OrderRecord:
        """The record of an order; raises `Problem` 404 when the account has no such order."""
        self._check_shard(min_seq)
        shard = shard_of(order_id)
        if shard not in self._history.shards():
            raise unknown_order()
        answer = await self._history.fetch(
            account,
            shard,
            lambda request_id, seq: OrdersQuestion(
                request_id, seq, account, order_id=order_id, limit=1
            ),
            OrderRecords,
            min_seq,
        )
        if not answer.orders:
            raise unknown_order()
        return answer.orders[0]

    def _check_shard(self, min_seq: int, symbol: str | None = None) -> None:
        """Raise `Problem` unless the number is of a shard that exists, and of that of `symbol`."""
        shard = shard_of(min_seq)
        if not min_seq:
            return
        if shard not in self._history.shards():
            raise malformed("min_seq", f"{min_seq} is of shard {shard}, which there is not")
        if symbol is not None and shard != self._sessions.home_of(symbol):
            home = self._sessions.home_of(symbol)
            raise malformed("min_seq", f"{min_seq} is of shard {shard}, {symbol} of shard {home}")


def _seq(answers: Iterable[OrderRecords] | Iterable[FillRecords]) -> int:
    """The `seq` of answers: that of the last shard."""
    return max(answer.seq for answer in answers)


def _last_trade_of(instrument: int) -> Callable[[int], TradesQuestion]:
    return lambda request_id: TradesQuestion(request_id, 0, instrument, 0, 1)


def _no_market_data(symbol: str) -> Problem:
    text = f"there is no live market data of {symbol} at the moment; try again"
    return Problem(503, "MARKET_DATA_UNAVAILABLE", text)
