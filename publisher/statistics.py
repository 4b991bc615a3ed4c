"""Candles and 24-hour ticker of one instrument: its trades in, the messages of two topics out.

Both need trades from before the publisher began. So nothing is published before the instrument is
`known`: from a record (`seed`), or because no record is available (`begin`).
"""

from typing import Final

from msgspec.structs import replace

from crossbook.common.following.candles import CandleSeries, has_ended
from crossbook.common.instruments import Instrument
from crossbook.common.messages.codec import encode
from crossbook.common.messages.feed import Candles, Ticker, Trade, topic
from crossbook.common.messages.history_queries import Candle, MarketRecord
from crossbook.publisher.resend_buffer import FeedResendBuffer, Frames
from crossbook.publisher.ticker import RollingDay

HELD_MAX: Final = 100_000
"""Most trades held for an answer about the past; with more a new question is sent."""

CANDLES_MAX: Final = 500
"""Most candles in one message; more change at once only after a pause."""

_MINUTE_S: Final = 60

Quote = tuple[int, int, int, int]
"""Best bid's ticks and lots, best offer's ticks and lots."""


class MarketStatistics:
    """Candles and ticker of one instrument.

    Trades come in order: `add` appends them to a list, `count` does the work. `whole` is true while
    no earlier trade is missing, `known` once the statistics are published.
    """

    def __init__(
        self, instrument: Instrument, base: int, resend_count: int, resend_bytes: int
    ) -> None:
        self.symbol = symbol = instrument.symbol
        self.known = False
        self.whole = False
        self._candle, self._ticker = self.topics = tuple(
            FeedResendBuffer(topic(channel, symbol), base, resend_count, resend_bytes)
            for channel in ("candle", "ticker")
        )
        self._notional = instrument.notional_per_tick_lot
        self._series = CandleSeries()
        self._day = RollingDay()
        # Price and lots of the last trade, which may be older than the day.
        self._last = (0, 0)
        self._waiting: list[Trade] = []
        self._changed = False
        # (length, beginning) -> a candle that differs from the published one.
        self._unsent: dict[tuple[int, int], Candle] = {}
        # Length -> beginning of the latest candle that was published as ended.
        self._ended: dict[int, int] = {}
        self._sent_ticker: Ticker | None = None
        # Trades after `_held_after`; None where they were too many or no question is open.
        self._held: list[Trade] | None = None
        self._held_after = 0

    @property
    def last_trade_id(self) -> int:
        """The last trade counted."""
        return self._series.last_trade_id

    def add(self, trades: list[Trade]) -> None:
        """Add published trades."""
        self._waiting += trades

    def count(self) -> bool:
        """Count the added trades; return whether there is something to publish. O(1) a trade."""
        waiting = self._waiting
        if waiting:
            self._waiting = []
            self._changed = True
            self._add(waiting)
            held = self._held
            if held is not None:
                held += waiting
                if len(held) > HELD_MAX:
                    self._held = None
        return self._changed

    def forget(self, last_trade_id: int, last_price_ticks: int) -> None:
        """Trades were missed: the next one follows `last_trade_id`.

        Before the first trade of an instrument its past is known to be empty.
        """
        self.known = self.whole = not last_trade_id
        self._series = CandleSeries()
        self._series.last_trade_id = last_trade_id
        self._day = RollingDay()
        self._last = (last_price_ticks, 0)
        self._unsent.clear()
        self._ended.clear()
        self._held = None
        self._changed = True

    def hold(self) -> None:
        """Hold the trades from here on, for the answer to a question sent now."""
        self.count()
        self._held, self._held_after = [], self.last_trade_id

    @property
    def holding(self) -> bool:
        """Whether an answer to the question of the last `hold` can be used."""
        return self._held is not None

    def seed(self, record: MarketRecord) -> bool:
        """Continue from a record that is true as of a number already applied; later trades count.
        Return False, with nothing changed, where its trades are not those of this incarnation."""
        self.count()
        held = self._held
        if held is None:
            return False
        recorded = max((candle.last_trade_id for candle in record.latest), default=0)
        published = (trade.trade_id for trade in held if trade.seq <= record.seq)
        if recorded != max(published, default=self._held_after):
            return False
        self._series.load(record.latest)
        self._day = RollingDay()
        for minute in record.minutes:
            self._day.put(minute)
        if record.latest:
            last = max(record.latest, key=lambda candle: candle.last_trade_id)
            self._last = (last.close_ticks, record.last_lots)
        self._add(held)
        self._held = None
        self.whole = True
        self.begin()
        return True

    def begin(self) -> None:
        """Publish from now on, from the trades counted so far."""
        self.known = self._changed = True
        self._unsent = {
            (candle.interval_s, candle.open_ns): candle for candle in self._series.latest()
        }

    def state(self, seq: int, time_ns: int, quote: Quote) -> tuple[Ticker | None, list[Candle]]:
        """Ticker and latest candles for a snapshot; None and an empty list while not known."""
        if not self.known:
            return (None, [])
        self.count()
        self._settle()
        return (self._ticker_at(seq, time_ns, quote), self._series.latest())

    def publish(self, seq: int, time_ns: int, quote: Quote) -> list[Frames]:
        """Messages with the changes, candles first; none while not known. A candle without trades
        since its last message is a change once its time is over."""
        self._settle()
        self._changed = False
        if not self.known:
            self._unsent.clear()
            return []
        self._end_candles(time_ns)
        sent: list[Frames] = []
        changed = [self._unsent[key] for key in sorted(self._unsent)]
        self._unsent.clear()
        for start in range(0, len(changed), CANDLES_MAX):
            part = changed[start : start + CANDLES_MAX]
            sent.append(self._candle.append(encode(Candles(self.symbol, seq, part, time_ns))))
        ticker = self._ticker_at(seq, time_ns, quote)
        before = self._sent_ticker
        if before is None or replace(before, seq=seq, time_ns=time_ns) != ticker:
            self._sent_ticker = ticker
            sent.append(self._ticker.append(encode(ticker)))
        return sent

    def _add(self, trades: list[Trade]) -> None:
        add, notional, after = self._series.add, self._notional, self.last_trade_id
        for trade in trades:
            price, lots = trade.price_ticks, trade.quantity_lots
            add(
                price, lots, price * lots * notional, trade.trade_id, trade.seq, trade.time_ns,
                trade.aggressor_side,
            )  # fmt: skip
        if self.last_trade_id > after:
            self._last = (trades[-1].price_ticks, trades[-1].quantity_lots)

    def _end_candles(self, time_ns: int) -> None:
        """Publish the latest candle of every length once more where one of them has ended."""
        latest = self._series.latest()
        ended = {each.interval_s: each.open_ns for each in latest if has_ended(each, time_ns)}
        if any(self._ended.get(interval_s) != open_ns for interval_s, open_ns in ended.items()):
            self._unsent |= {(each.interval_s, each.open_ns): each for each in latest}
            self._ended = ended

    def _settle(self) -> None:
        """Update the 24 hours from the candles."""
        for candle in self._series.drain_changed():
            self._unsent[candle.interval_s, candle.open_ns] = candle
            if candle.interval_s == _MINUTE_S:
                self._day.put(candle)

    def _ticker_at(self, seq: int, time_ns: int, quote: Quote) -> Ticker:
        day = self._day
        day.advance(time_ns)
        first, last = day.first, day.last
        return Ticker(
            self.symbol,
            seq,
            first.open_ticks if first is not None else 0,
            day.high_ticks,
            day.low_ticks,
            *self._last,
            day.volume_lots,
            day.quote_volume,
            day.trades,
            first.first_trade_id if first is not None else 0,
            last.last_trade_id if last is not None else 0,
            day.open_ns,
            *quote,
            time_ns,
        )
