"""The face's market queries in front of a plain list of trades, computed anew each time."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, cast

import msgspec

from crossbook.common.following.candles import SECOND_NS
from crossbook.common.following.local_book import LocalBook
from crossbook.common.instruments import Instrument, example
from crossbook.common.messages.codec import decode_history_question, encode
from crossbook.common.messages.feed import Snapshot, Ticker, Trade
from crossbook.common.messages.history_queries import (
    AmendmentsQuestion,
    CandleRecords,
    CandlesQuestion,
    HistoryAnswer,
    HistoryQuestion,
    NotYet,
    TradeRecord,
    TradeRecords,
    TradesQuestion,
)
from crossbook.common.types import Side
from crossbook.gateway.binance.market.queries import ENDPOINTS, MarketQueries
from crossbook.gateway.binance.market.recorded_market import RecordedMarket
from crossbook.gateway.binance.parameters import Parameters
from crossbook.gateway.binance.symbols import SymbolTable
from crossbook.gateway.history.link import HistoryLink
from crossbook.gateway.history.queries import HistoryQueries
from crossbook.gateway.orders.local_sessions import LocalSessions
from tests.worlds.plain_recorder import plain_candles, trade

NOW_NS = 1_761_482_096_789_000_000
"""2025-10-26T12:34:56.789Z, a Sunday."""

ETH = msgspec.structs.replace(example(), id=2, symbol="ETH-USDT", base="ETH")


class PlainSessions:
    """The last number that the gateway received."""

    def __init__(self) -> None:
        self.seqs = [0]

    def home_of(self, symbol: str) -> int:
        """The only shard."""
        return 0

    def seq_of(self, account: int, shard: int) -> int:
        """Zero for nobody."""
        assert not account
        return 0


class PlainMarket:
    """Trades, a book and a ticker that a test sets, and the queries in front of them."""

    def __init__(self) -> None:
        self.instrument = example()
        self.trades: list[Trade] = []
        self.books: dict[str, LocalBook] = {}
        self.tickers: dict[str, Ticker] = {}
        self.now_ns = NOW_NS
        self.questions: list[HistoryQuestion] = []
        self.recorded_seq = 10**9
        self.sessions = PlainSessions()
        self._link = HistoryLink()
        sessions = cast(LocalSessions, self.sessions)
        record = RecordedMarket(HistoryQueries(sessions, [self._link], self._answer), sessions)
        instruments = {each.symbol: each for each in (self.instrument, ETH)}
        self.queries = MarketQueries(SymbolTable(instruments), self, record, lambda: self.now_ns)

    def book(self, symbol: str) -> LocalBook | None:
        """The book that was set."""
        return self.books.get(symbol)

    def ticker(self, symbol: str) -> Ticker | None:
        """The ticker that was set."""
        return self.tickers.get(symbol)

    def trade_at(self, time_ns: int, price: int = 5_000_000, lots: int = 1) -> None:
        """One more trade."""
        self.trades.append(trade(len(self.trades) + 1, price, lots, time_ns))

    def set_book(self, seq: int, bids: dict[int, int], asks: dict[int, int]) -> None:
        """Set the book of BTC-USDT, in ticks and lots."""
        book = LocalBook(self.instrument.symbol)
        book.describe(self.instrument)
        book.load(
            Snapshot(
                request_id=0, symbol=self.instrument.symbol, seq=seq, topics={},
                bids=list(bids.items()), asks=list(asks.items()), checksum=0, time_ns=NOW_NS,
                last_trade_id=0,
            )
        )  # fmt: skip
        self.books[self.instrument.symbol] = book

    def ask(self, endpoint: str, unit_ns: int = 1_000_000, **parameters: Any) -> Any:
        """The JSON of an endpoint's answer, decoded."""
        texts = {name: str(value) for name, value in parameters.items()}
        answer = ENDPOINTS[endpoint](self.queries, Parameters(texts, unit_ns))
        document = asyncio.run(cast(Coroutine[Any, Any, Any], answer))
        return msgspec.json.decode(msgspec.json.encode(document))

    def klines(self, **parameters: Any) -> Any:
        """The klines of BTCUSDT."""
        return self.ask("klines", symbol="BTCUSDT", **parameters)

    def _answer(self) -> None:
        def send(frame: bytes) -> bool:
            self.questions.append(decode_history_question(frame))
            return True

        count = len(self.questions)
        self._link.send(send)
        for question in self.questions[count:]:
            asyncio.get_running_loop().call_soon(self._link.receive, encode(self._found(question)))

    def _found(self, question: HistoryQuestion) -> HistoryAnswer:
        number, seq = question.request_id, self.recorded_seq
        if question.min_seq > seq:
            return NotYet(number, seq, "behind")
        assert not isinstance(question, AmendmentsQuestion)
        trades = self.trades if question.instrument == self.instrument.id else []
        if isinstance(question, TradesQuestion):
            rows = [each for each in trades if each.trade_id >= question.from_trade_id]
            first = question.from_trade_id
            rows = rows[: question.limit] if first else rows[-question.limit :]
            records = [TradeRecord(*_values(each)) for each in rows]
            return TradeRecords(number, seq, records, False)
        assert isinstance(question, CandlesQuestion)
        notional = self.instrument.notional_per_tick_lot
        candles = plain_candles(trades, question.interval_s, notional)
        if question.to_ns:
            candles = [each for each in candles if each.open_ns <= question.to_ns]
        if question.from_ns:
            candles = [each for each in candles if each.open_ns >= question.from_ns]
            candles = candles[: question.limit]
        else:
            candles = candles[-question.limit :]
        return CandleRecords(number, seq, candles, False)


def _values(each: Trade) -> tuple[int, ...]:
    return (
        each.trade_id, each.seq, each.price_ticks, each.quantity_lots, each.aggressor_side,
        each.maker_order_id, each.taker_order_id, each.time_ns,
    )  # fmt: skip


def begin_of(interval: str, time_ns: int) -> int:
    """The beginning of the interval a time is in, by the calendar."""
    date = datetime.fromtimestamp(time_ns // SECOND_NS, UTC)
    if interval == "1M":
        first = date.replace(day=1, hour=0, minute=0, second=0)
    elif interval == "1w":
        first = date.replace(hour=0, minute=0, second=0)
        return (int(first.timestamp()) - date.weekday() * 86_400) * SECOND_NS
    else:
        length_ns = int(interval[:-1]) * _UNIT_S[interval[-1]] * SECOND_NS
        return time_ns - time_ns % length_ns
    return int(first.timestamp()) * SECOND_NS


_UNIT_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def plain_klines(
    instrument: Instrument, trades: list[Trade], interval: str, now_ns: int
) -> list[list[Any]]:
    """Every kline from the first trade to now, each by looking at all trades."""
    found: list[list[Any]] = []
    begin_ns = begin_of(interval, trades[0].time_ns)
    close = 0
    while begin_ns <= now_ns:
        next_ns = begin_ns
        while begin_of(interval, next_ns) == begin_ns:
            next_ns += _STEP_NS[interval[-1]]
        inside = [each for each in trades if begin_ns <= each.time_ns < next_ns]
        prices = [each.price_ticks for each in inside] or [close]
        close = prices[-1]
        lots = sum(each.quantity_lots for each in inside)
        quote = sum(each.quantity_lots * each.price_ticks for each in inside)
        bought = [each for each in inside if each.aggressor_side == Side.BUY]
        bought_for = sum(each.quantity_lots * each.price_ticks for each in bought)
        price: Callable[[float], str] = "{:.8f}".format
        found.append(
            [
                begin_ns // 10**6,
                *(price(each / 100) for each in (prices[0], max(prices), min(prices), close)),
                price(lots / 100_000),
                next_ns // 10**6 - 1,
                instrument.grid.quote.text(quote * instrument.notional_per_tick_lot),
                len(inside),
                price(sum(each.quantity_lots for each in bought) / 100_000),
                instrument.grid.quote.text(bought_for * instrument.notional_per_tick_lot),
                "0",
            ]
        )
        begin_ns = next_ns
    return found


_STEP_NS = {
    "s": SECOND_NS, "m": 60 * SECOND_NS, "h": 3_600 * SECOND_NS, "d": 86_400 * SECOND_NS,
    "w": 86_400 * SECOND_NS, "M": 86_400 * SECOND_NS,
}  # fmt: skip
