"""Candles, ticker and the recorder's answers from a plain list of trades, computed anew each
time, to compare the publisher's own with."""

from collections.abc import Sequence

from crossbook.common.messages.feed import Ticker, Trade
from crossbook.common.messages.history_queries import (
    CANDLE_INTERVALS_S,
    Candle,
    HistoryAnswer,
    MarketQuestion,
    MarketRecord,
    NotYet,
)

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS


def trade(trade_id: int, price: int, lots: int, time_ns: int, seq: int = 0) -> Trade:
    """A trade whose `seq` is ten times its id unless given. Takers buy and sell in turns."""
    return Trade(
        seq=seq or 10 * trade_id,
        trade_id=trade_id,
        price_ticks=price,
        quantity_lots=lots,
        aggressor_side=2 - trade_id % 2,
        maker_order_id=1,
        taker_order_id=2,
        time_ns=time_ns,
    )


def plain_candles(trades: Sequence[Trade], interval_s: int, notional: int) -> list[Candle]:
    """Every candle of one length, oldest first."""
    length_ns = interval_s * SECOND_NS
    groups: dict[int, list[Trade]] = {}
    for each in trades:
        groups.setdefault(each.time_ns // length_ns * length_ns, []).append(each)
    return [
        Candle(
            interval_s=interval_s,
            open_ns=open_ns,
            open_ticks=group[0].price_ticks,
            high_ticks=max(each.price_ticks for each in group),
            low_ticks=min(each.price_ticks for each in group),
            close_ticks=group[-1].price_ticks,
            volume_lots=sum(each.quantity_lots for each in group),
            quote_volume=sum(each.price_ticks * each.quantity_lots for each in group) * notional,
            trades=len(group),
            first_trade_id=group[0].trade_id,
            last_trade_id=group[-1].trade_id,
            seq=group[-1].seq,
            taker_buy_lots=sum(each.quantity_lots for each in group if each.aggressor_side == 1),
            taker_buy_quote_volume=notional
            * sum(
                each.price_ticks * each.quantity_lots for each in group if each.aggressor_side == 1
            ),
        )
        for open_ns, group in groups.items()
    ]


def plain_latest(trades: Sequence[Trade], notional: int) -> list[Candle]:
    """The latest candle of every length."""
    if not trades:
        return []
    return [plain_candles(trades, interval_s, notional)[-1] for interval_s in CANDLE_INTERVALS_S]


def plain_ticker(
    trades: Sequence[Trade], now_ns: int, notional: int, seq: int, quote: tuple[int, int, int, int]
) -> Ticker:
    """The day up to `now_ns`, in the 1,440 minutes of which that is the last."""
    open_ns = max(0, (now_ns // MINUTE_NS - 1_439) * MINUTE_NS)
    inside = [each for each in trades if each.time_ns >= open_ns]
    prices = [each.price_ticks for each in inside] or [0]
    return Ticker(
        "BTC-USDT",
        seq,
        prices[0],
        max(prices),
        min(prices),
        trades[-1].price_ticks if trades else 0,
        trades[-1].quantity_lots if trades else 0,
        sum(each.quantity_lots for each in inside),
        sum(each.price_ticks * each.quantity_lots for each in inside) * notional,
        len(inside),
        inside[0].trade_id if inside else 0,
        inside[-1].trade_id if inside else 0,
        open_ns,
        *quote,
        now_ns,
    )


class PlainRecorder:
    """Holds the trades of each instrument up to command `seq`, and answers from them."""

    def __init__(self, notional: int, incarnation: int = 0) -> None:
        self.seq = 0
        self.incarnation = incarnation
        self.trades: dict[int, list[Trade]] = {}
        self._notional = notional

    def record(self, seq: int, instrument: int, trades: Sequence[Trade] = ()) -> None:
        """Advance to `seq`."""
        self.seq = seq
        self.trades.setdefault(instrument, []).extend(trades)

    def answer(self, question: MarketQuestion) -> HistoryAnswer:
        """The recorder's answer to a question."""
        if question.min_seq > self.seq:
            return NotYet(question.request_id, self.seq, "not yet")
        trades = self.trades.get(question.instrument, [])
        minutes = plain_candles(trades, 60, self._notional)
        last_ns = minutes[-1].open_ns if minutes else 0
        return MarketRecord(
            request_id=question.request_id,
            seq=self.seq,
            instrument=question.instrument,
            latest=plain_latest(trades, self._notional),
            minutes=[minute for minute in minutes if minute.open_ns > last_ns - 1_440 * MINUTE_NS],
            last_lots=trades[-1].quantity_lots if trades else 0,
            incarnation=self.incarnation,
        )
