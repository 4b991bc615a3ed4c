"""Trades and klines of one instrument from the exchange's record."""

from typing import Final, TypeVar

from crossbook.common.following.candles import SECOND_NS
from crossbook.common.instruments import Instrument
from crossbook.common.messages.history_queries import (
    ROWS_MAX,
    Candle,
    CandleRecords,
    CandlesQuestion,
    TradeRecord,
    TradeRecords,
    TradesQuestion,
)
from crossbook.gateway.binance.market.intervals import Interval
from crossbook.gateway.binance.market.klines import filled, grouped
from crossbook.gateway.history.queries import HistoryQueries, Question
from crossbook.gateway.orders.local_sessions import LocalSessions

PAGES_MAX: Final = 40
"""Most questions for the candles of one answer: a thousand months of days need 31."""

_SECOND_S: Final = 1
_NOBODY: Final = 0

T = TypeVar("T")


class RecordedMarket:
    """What the recorders have of the market. An answer contains everything that this gateway had
    received when the question came; `Problem` 503 is raised when a recorder is away or behind."""

    def __init__(self, history: HistoryQueries, sessions: LocalSessions) -> None:
        self._history = history
        self._sessions = sessions

    async def last_trades(self, instrument: Instrument, limit: int) -> list[TradeRecord]:
        """The last trades, oldest first."""
        return await self._trades(instrument, 0, limit)

    async def trades_from(
        self, instrument: Instrument, trade_id: int, limit: int
    ) -> list[TradeRecord]:
        """The trades from one on, oldest first."""
        return await self._trades(instrument, max(1, trade_id), limit)

    async def trades_between(
        self, instrument: Instrument, start_ns: int | None, end_ns: int | None, limit: int
    ) -> list[TradeRecord]:
        """The first trades from `start_ns` to `end_ns`, both included; without `start_ns` the last
        ones up to `end_ns`. Oldest first.

        The candles of a second lead to the trades of a time.
        """
        if start_ns is None:
            second = await self._candles(instrument, _SECOND_S, 0, end_ns or 0, 1)
            if not second:
                return []
            # The second of the end may go on after it: as many trades more are read.
            last_id = second[-1].last_trade_id
            first_id = max(1, last_id - limit - second[-1].trades + 1)
            rows = await self._trades_up_to(instrument, first_id, last_id)
            return [row for row in rows if end_ns is None or row.time_ns <= end_ns][-limit:]
        begin_ns = max(1, start_ns - start_ns % SECOND_NS)
        second = await self._candles(instrument, _SECOND_S, begin_ns, 0, 1)
        if not second:
            return []
        found: list[TradeRecord] = []
        trade_id = second[0].first_trade_id
        for _ in range(PAGES_MAX):
            rows = await self._trades(instrument, trade_id, ROWS_MAX)
            found += [
                row
                for row in rows
                if row.time_ns >= start_ns and (end_ns is None or row.time_ns <= end_ns)
            ]
            is_past = end_ns is not None and bool(rows) and rows[-1].time_ns > end_ns
            if len(found) >= limit or len(rows) < ROWS_MAX or is_past:
                break
            trade_id = rows[-1].trade_id + 1
        return found[:limit]

    async def klines(
        self,
        instrument: Instrument,
        interval: Interval,
        start_ns: int | None,
        end_ns: int,
        limit: int,
    ) -> list[Candle]:
        """One candle for each interval that begins in `start_ns`..`end_ns`, oldest first: the first
        `limit` ones, or the last ones without `start_ns`. None before the first trade. Intervals
        without trades have the last close before them."""
        last_ns = interval.begin_of(end_ns)
        if start_ns is None:
            first_ns = interval.after(last_ns, 1 - limit)
        else:
            first_ns = interval.begin_of(start_ns)
            if first_ns < start_ns:
                first_ns = interval.end_of(first_ns)
        if first_ns > last_ns:
            return []
        length_s = interval.candle_s
        before = []
        if first_ns:
            before = await self._candles(instrument, length_s, 0, first_ns - 1, 1)
        if not before:
            end_ns = interval.end_of(last_ns) - 1
            first = await self._candles(instrument, length_s, max(1, first_ns), end_ns, 1)
            if not first:
                return []
            first_ns = interval.begin_of(first[0].open_ns)
        if start_ns is not None:
            last_ns = min(last_ns, interval.after(first_ns, limit - 1))
        candles = await self.candles(instrument, interval, first_ns, last_ns)
        close_ticks = before[-1].close_ticks if before else 0
        return filled(interval, grouped(interval, candles), first_ns, last_ns, close_ticks)

    async def candles(
        self, instrument: Instrument, interval: Interval, first_ns: int, last_ns: int
    ) -> list[Candle]:
        """The candles that make up the intervals which begin in `first_ns`..`last_ns`, oldest
        first."""
        end_ns = interval.end_of(last_ns) - 1
        found: list[Candle] = []
        from_ns = max(1, first_ns)
        for _ in range(PAGES_MAX):
            page = await self._candles(instrument, interval.candle_s, from_ns, end_ns, ROWS_MAX)
            found += page
            if len(page) < ROWS_MAX:
                break
            from_ns = page[-1].open_ns + 1
        return found

    async def _candles(
        self, instrument: Instrument, length_s: int, from_ns: int, to_ns: int, limit: int
    ) -> list[Candle]:
        answer = await self._fetch(
            instrument,
            lambda request_id, seq: CandlesQuestion(
                request_id, seq, instrument.id, length_s, from_ns, to_ns, limit
            ),
            CandleRecords,
        )
        return answer.candles

    async def _trades(
        self, instrument: Instrument, from_trade_id: int, limit: int
    ) -> list[TradeRecord]:
        answer = await self._fetch(
            instrument,
            lambda request_id, seq: TradesQuestion(
                request_id, seq, instrument.id, from_trade_id, limit
            ),
            TradeRecords,
        )
        return answer.trades

    async def _trades_up_to(
        self, instrument: Instrument, first_id: int, last_id: int
    ) -> list[TradeRecord]:
        """The trades `first_id`..`last_id`, the last ones of them where they are many."""
        first_id = max(first_id, last_id - PAGES_MAX * ROWS_MAX + 1)
        found: list[TradeRecord] = []
        while first_id <= last_id:
            limit = min(ROWS_MAX, last_id - first_id + 1)
            rows = await self._trades(instrument, first_id, limit)
            found += rows
            if len(rows) < limit:
                break
            first_id = rows[-1].trade_id + 1
        return [row for row in found if row.trade_id <= last_id]

    async def _fetch(self, instrument: Instrument, question: Question, kind: type[T]) -> T:
        shard = self._sessions.home_of(instrument.symbol)
        seq = self._sessions.seqs[shard]
        return await self._history.fetch(_NOBODY, shard, question, kind, seq)
