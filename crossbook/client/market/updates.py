"""Market data as views: `crossbook.client.view`.

Every price and quantity is there twice: in whole ticks and lots, as it travels, and as an exact
`Decimal`. A price that may be missing, such as the best bid of an empty side, is None.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from msgspec.structs import replace

from crossbook.client.view import Described, Priced
from crossbook.common.following.feed_follower import Update
from crossbook.common.following.local_book import Level, levels_of
from crossbook.common.instruments import Instrument
from crossbook.common.messages import feed, history_queries
from crossbook.common.messages.feed import Heartbeat
from crossbook.common.types import InstrumentState, Side


class Trade(Priced, feed.Trade, frozen=True):
    """One public trade; `aggressor_side` is the taker's."""

    _wire = feed.Trade
    _shown = ("symbol", "trade_id", "price", "quantity", "aggressor_side", "seq", "time_ns")

    aggressor_side: Side
    symbol: str = ""
    described: Instrument | None = None

    @property
    def notional(self) -> Decimal:
        """Price times quantity, in the quote asset."""
        steps = self.price_ticks * self.quantity_lots
        return self._money(steps * self.instrument.notional_per_tick_lot)


class Trades(Described, feed.Trades, frozen=True):
    """Trades of one instrument, in match order."""

    _wire = feed.Trades
    _shown = ("symbol", "trades")

    trades: Sequence[Trade]
    described: Instrument | None = None


class _Best(Described):
    """A best bid and offer; a price is None where a side is empty."""

    __slots__ = ()

    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int

    @property
    def bid(self) -> Decimal | None:
        """The highest price that a buyer offers."""
        return self._price_or_none(self.bid_ticks)

    @property
    def bid_quantity(self) -> Decimal:
        """The quantity at the best bid."""
        return self._quantity(self.bid_lots)

    @property
    def ask(self) -> Decimal | None:
        """The lowest price that a seller offers."""
        return self._price_or_none(self.ask_ticks)

    @property
    def ask_quantity(self) -> Decimal:
        """The quantity at the best offer."""
        return self._quantity(self.ask_lots)


class _Traded(Described):
    """What was traded in a time."""

    __slots__ = ()

    volume_lots: int
    quote_volume: int

    @property
    def volume(self) -> Decimal:
        """The quantity traded, in the base asset."""
        return self._quantity(self.volume_lots)

    @property
    def notional(self) -> Decimal:
        """The sum of price times quantity, in the quote asset; `quote_volume` in its units."""
        return self._money(self.quote_volume)


class BestBidOffer(_Best, feed.BestBidOffer, frozen=True):
    """Best bid and offer as of `seq`; None where a side is empty."""

    _wire = feed.BestBidOffer
    _shown = ("symbol", "bid", "bid_quantity", "ask", "ask_quantity", "seq")

    described: Instrument | None = None


class _Levels(Described):
    """Levels of both sides, as (price ticks, lots) and as `Level`."""

    __slots__ = ()

    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]

    @property
    def bid_levels(self) -> list[Level]:
        """The bid levels of this message as decimals."""
        return levels_of(self.instrument, self.bids)

    @property
    def ask_levels(self) -> list[Level]:
        """The ask levels of this message as decimals."""
        return levels_of(self.instrument, self.asks)


class DepthUpdate(_Levels, feed.DepthUpdate, frozen=True):
    """Levels that changed, with their new totals; a quantity of zero removes one. The local book
    has them already."""

    _wire = feed.DepthUpdate
    _shown = ("symbol", "seq", "bid_levels", "ask_levels")

    described: Instrument | None = None


class Snapshot(_Levels, feed.Snapshot, frozen=True):
    """A whole book that replaced the local one: at the start, and after a gap."""

    _wire = feed.Snapshot
    _shown = ("symbol", "seq", "last_trade_id", "bid_levels", "ask_levels")

    ticker: "Ticker | None" = None
    candles: Sequence["Candle"] = []
    state: "MarketState | None" = None
    described: Instrument | None = None


class OrderChange(Described, feed.OrderChange, frozen=True):
    """A resting order now shows `shown` at `price`; zero removes it."""

    _wire = feed.OrderChange
    _shown = ("symbol", "order_id", "side", "price", "shown", "requeued", "seq")

    side: Side
    symbol: str = ""
    described: Instrument | None = None

    @property
    def price(self) -> Decimal:
        """The price at which it rests."""
        return self._price(self.price_ticks)

    @property
    def shown(self) -> Decimal:
        """The quantity it shows."""
        return self._quantity(self.shown_lots)


class OrdersUpdate(Described, feed.OrdersUpdate, frozen=True):
    """Every change of resting orders, in order. The local book has them already."""

    _wire = feed.OrdersUpdate
    _shown = ("symbol", "seq", "changes")

    changes: Sequence[OrderChange]
    described: Instrument | None = None


class Candle(_Traded, history_queries.Candle, frozen=True):
    """The trades of one instrument in `interval_s` seconds from `open_ns` on."""

    _wire = history_queries.Candle
    _shown = (
        "symbol", "interval_s", "open_ns", "open", "high", "low", "close", "volume", "notional",
        "trades",
    )  # fmt: skip

    symbol: str = ""
    described: Instrument | None = None

    @property
    def open(self) -> Decimal:
        """The price of the first trade."""
        return self._price(self.open_ticks)

    @property
    def high(self) -> Decimal:
        """The highest price."""
        return self._price(self.high_ticks)

    @property
    def low(self) -> Decimal:
        """The lowest price."""
        return self._price(self.low_ticks)

    @property
    def close(self) -> Decimal:
        """The price of the last trade so far."""
        return self._price(self.close_ticks)


class Candles(Described, feed.Candles, frozen=True):
    """The candles that changed, shortest length first, then oldest first."""

    _wire = feed.Candles
    _shown = ("symbol", "seq", "candles")

    candles: Sequence[Candle]
    described: Instrument | None = None


class Ticker(_Traded, _Best, feed.Ticker, frozen=True):
    """An instrument's last 24 hours, and its best bid and offer. None: there is no such price."""

    _wire = feed.Ticker
    _shown = (
        "symbol", "open", "high", "low", "last", "volume", "notional", "trades", "bid", "ask",
        "seq",
    )  # fmt: skip

    described: Instrument | None = None

    @property
    def open(self) -> Decimal | None:
        """The price of the first trade of the window."""
        return self._price_or_none(self.open_ticks)

    @property
    def high(self) -> Decimal | None:
        """The highest price of the window."""
        return self._price_or_none(self.high_ticks)

    @property
    def low(self) -> Decimal | None:
        """The lowest price of the window."""
        return self._price_or_none(self.low_ticks)

    @property
    def last(self) -> Decimal | None:
        """The price of the last trade, which may be older than the window."""
        return self._price_or_none(self.last_ticks)


class MarketState(Described, feed.MarketState, frozen=True):
    """Whether an instrument trades, and what the uncross of its call phase would give now."""

    _wire = feed.MarketState
    _shown = ("symbol", "state", "until_ns", "indicative_price", "indicative_quantity", "seq")

    state: InstrumentState
    described: Instrument | None = None

    @property
    def indicative_price(self) -> Decimal | None:
        """The price of an uncross now; None where nothing can trade."""
        return self._price_or_none(self.indicative_ticks)

    @property
    def indicative_quantity(self) -> Decimal:
        """The quantity of an uncross now."""
        return self._quantity(self.indicative_lots)

    @property
    def surplus(self) -> Decimal:
        """What would not trade at that price: positive of buyers, negative of sellers."""
        return self._quantity(self.surplus_lots)


MarketUpdate = (
    Trades
    | BestBidOffer
    | DepthUpdate
    | OrdersUpdate
    | Heartbeat
    | Candles
    | Ticker
    | MarketState
    | Snapshot
)
"""An update of market data: a message in order, or a snapshot that replaced a book."""


def market_update(update: Update, instruments: Mapping[str, Instrument]) -> MarketUpdate:
    """The view of an update."""
    if isinstance(update, Heartbeat):
        return update
    symbol = update.symbol
    instrument = instruments.get(symbol)
    if isinstance(update, feed.Trades):
        trades = [Trade._of(each, symbol, instrument) for each in update.trades]
        return Trades(symbol, trades, instrument)
    if isinstance(update, feed.OrdersUpdate):
        changes = [OrderChange._of(each, symbol, instrument) for each in update.changes]
        return OrdersUpdate(
            symbol, update.first_seq, update.seq, update.prev_seq, changes, update.time_ns,
            instrument,
        )  # fmt: skip
    if isinstance(update, feed.Candles):
        candles = [candle(each, symbol, instrument) for each in update.candles]
        return Candles(symbol, update.seq, candles, update.time_ns, instrument)
    if isinstance(update, feed.Snapshot):
        return _snapshot(update, instrument)
    if isinstance(update, feed.DepthUpdate):
        return DepthUpdate._of(update, instrument)
    if isinstance(update, feed.BestBidOffer):
        return BestBidOffer._of(update, instrument)
    if isinstance(update, feed.Ticker):
        return ticker(update, instrument)
    return market_state(update, instrument)


def candle(wire: history_queries.Candle, symbol: str, instrument: Instrument | None) -> Candle:
    """The view of a candle."""
    return Candle._of(wire, symbol, instrument)


def ticker(wire: feed.Ticker, instrument: Instrument | None) -> Ticker:
    """The view of a ticker."""
    return Ticker._of(wire, instrument)


def market_state(wire: feed.MarketState, instrument: Instrument | None) -> MarketState:
    """The view of an instrument's state."""
    return MarketState._of(wire, instrument)


def _snapshot(wire: feed.Snapshot, instrument: Instrument | None) -> Snapshot:
    viewed = replace(
        wire,
        ticker=None if wire.ticker is None else ticker(wire.ticker, instrument),
        candles=[candle(each, wire.symbol, instrument) for each in wire.candles],
        state=None if wire.state is None else market_state(wire.state, instrument),
    )
    return Snapshot._of(viewed, instrument)
