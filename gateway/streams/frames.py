"""The JSON messages of the market-data streams, as WebSocket frames.

docs/reference/streams.md describes each. Prices and quantities are decimal text at the
instrument's fixed precision, `ts` is the matcher's time in microseconds since the Unix epoch.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct
from msgspec.json import Encoder

from crossbook.common.instruments import Instrument
from crossbook.common.messages.feed import BestBidOffer, MarketState, Ticker, Trade
from crossbook.common.messages.history_queries import Candle
from crossbook.gateway.market_facts import Auction, candle_facts, state_facts, ticker_facts
from crossbook.gateway.web.channel import text_frame
from crossbook.gateway.words import SIDES, SideWord, StateWord, order_id_text

TEXTS_CACHED: Final = 65_536
"""Prices and quantities of one instrument whose text is cached."""

Levels = list[tuple[int, int]]
_Rows = list[tuple[str, str]]
_encode: Final = Encoder().encode


class _BookSnapshot(Struct, tag="snapshot"):
    symbol: str
    seq: int
    bids: _Rows
    asks: _Rows
    checksum: int
    ts: int


class _BookUpdate(Struct, tag="l2_update"):
    symbol: str
    first_seq: int
    seq: int
    prev_seq: int
    bids: _Rows
    asks: _Rows
    checksum: int
    ts: int


class _Bbo(Struct, tag="bbo"):
    symbol: str
    seq: int
    bid: str | None
    bid_quantity: str | None
    ask: str | None
    ask_quantity: str | None
    ts: int


class _Trade(Struct, tag="trade"):
    symbol: str
    trade_id: int
    seq: int
    price: str
    quantity: str
    aggressor_side: SideWord
    maker_order_id: str
    taker_order_id: str
    ts: int


class _Candle(Struct, tag="candle"):
    symbol: str
    interval: str
    open_time: str
    open: str
    high: str
    low: str
    close: str
    volume: str
    quote_volume: str
    trades: int
    final: bool
    seq: int


class _Ticker(Struct, tag="ticker"):
    symbol: str
    seq: int
    last: str | None
    last_quantity: str | None
    open: str | None
    high: str | None
    low: str | None
    volume: str
    quote_volume: str
    trades: int
    bid: str | None
    bid_quantity: str | None
    ask: str | None
    ask_quantity: str | None
    ts: int


class _State(Struct, tag="state"):
    symbol: str
    seq: int
    state: StateWord | None
    state_until: str | None
    auction: Auction | None
    ts: int


class FrameMaker:
    """Makes the frames of one instrument."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.symbol = instrument.symbol
        self._price = lru_cache(TEXTS_CACHED)(instrument.grid.price.text)
        self._quantity = lru_cache(TEXTS_CACHED)(instrument.grid.quantity.text)

    def snapshot(self, seq: int, bids: Levels, asks: Levels, checksum: int, time_ns: int) -> bytes:
        """A whole book, best levels first."""
        rows = self._rows
        return _frame(
            _BookSnapshot(self.symbol, seq, rows(bids), rows(asks), checksum, time_ns // 1000)
        )

    def update(
        self,
        seqs: tuple[int, int, int],
        bids: Levels,
        asks: Levels,
        checksum: int,
        time_ns: int,
    ) -> bytes:
        """Levels that changed, with zero lots where removed; `seqs` are first, last, previous."""
        first_seq, seq, prev_seq = seqs
        rows = self._rows
        return _frame(
            _BookUpdate(
                self.symbol,
                first_seq,
                seq,
                prev_seq,
                rows(bids),
                rows(asks),
                checksum,
                time_ns // 1000,
            )
        )

    def bbo(self, best: BestBidOffer) -> bytes:
        """Best bid and offer; null where a side is empty."""
        price, quantity = self._some_price, self._some_quantity
        return _frame(
            _Bbo(
                self.symbol,
                best.seq,
                price(best.bid_ticks),
                quantity(best.bid_lots),
                price(best.ask_ticks),
                quantity(best.ask_lots),
                best.time_ns // 1000,
            )
        )

    def trade(self, trade: Trade) -> bytes:
        """One trade."""
        return _frame(
            _Trade(
                self.symbol,
                trade.trade_id,
                trade.seq,
                self._price(trade.price_ticks),
                self._quantity(trade.quantity_lots),
                SIDES[trade.aggressor_side],
                order_id_text(trade.maker_order_id),
                order_id_text(trade.taker_order_id),
                trade.time_ns // 1000,
            )
        )

    def candle(self, candle: Candle, interval: str, final: bool) -> bytes:
        """One candle; `final` when its time is over or a later one has begun."""
        return _frame(
            _Candle(
                self.symbol,
                interval,
                *candle_facts(self.instrument, candle),
                final,
                candle.seq,
            )
        )

    def ticker(self, ticker: Ticker) -> bytes:
        """The last 24 hours."""
        return _frame(
            _Ticker(
                self.symbol,
                ticker.seq,
                *ticker_facts(self.instrument, ticker),
                ticker.time_ns // 1000,
            )
        )

    def state(self, state: MarketState) -> bytes:
        """The state of the instrument, and the result of an auction if it ended now."""
        facts = state_facts(self.instrument, state)
        return _frame(_State(self.symbol, state.seq, *facts, state.time_ns // 1000))

    def heartbeat(self, seq: int) -> bytes:
        """A sign of life, with the `seq` of this stream's last message."""
        return _frame({"type": "heartbeat", "symbol": self.symbol, "seq": seq})

    def resync(self, **position: int | str) -> bytes:
        """Messages are missing before the next one; `position` names where the stream continues."""
        return _frame({"type": "resync", "symbol": self.symbol, **position})

    def status(self, live: bool, reason: str) -> bytes:
        """Whether the gateway has the market as it is now, and if not, the reason."""
        status = "live" if live else "stale"
        return _frame({"type": "status", "symbol": self.symbol, "status": status, "reason": reason})

    def error(self, code: str, text: str) -> bytes:
        """The answer to a message of a client."""
        return _frame({"type": "error", "error": {"code": code, "message": text}})

    def _rows(self, levels: Iterable[tuple[int, int]]) -> _Rows:
        price, quantity = self._price, self._quantity
        return [(price(ticks), quantity(lots) if lots else "0") for ticks, lots in levels]

    def _some_price(self, ticks: int) -> str | None:
        return self._price(ticks) if ticks else None

    def _some_quantity(self, lots: int) -> str | None:
        return self._quantity(lots) if lots else None


def _frame(message: Any) -> bytes:
    return text_frame(_encode(message))
