"""The public feed of all instruments: event batches in, messages out, at the caller's pace.

The caller applies any number of batches, then calls `publish` once. Consumers get one message a
topic, whatever the number of orders, and a book that was true after a whole command.
"""

from collections.abc import Iterable
from typing import Final

from crossbook.common.errors import StreamError
from crossbook.common.instruments import Instrument
from crossbook.common.messages.codec import encode
from crossbook.common.messages.events import (
    AccountOpened,
    AuctionUncrossed,
    Event,
    EventBatch,
    InstrumentAdded,
    InstrumentStateChanged,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderCompleted,
    OrderExpired,
    OrderReduced,
    OrderReplenished,
    OrderTriggered,
    TradeExecuted,
)
from crossbook.common.messages.feed import HEARTBEAT_TOPIC, Heartbeat
from crossbook.common.messages.matcher_queries import Books
from crossbook.common.types import OrderType, TimeInForce
from crossbook.publisher.market import Entering, PublishedMarket
from crossbook.publisher.resend_buffer import FeedResendBuffer, Frames

RESEND_BYTES_MAX: Final = 16 * 1024 * 1024
"""Most payload bytes held of one topic."""

CHANGED_NS: Final = 250_000_000
"""Least time between two messages about candles and ticker after trades."""

QUIET_NS: Final = 1_000_000_000
"""Least time between two tickers without trades, for changes of the book or of the window."""

INDICATION_NS_PER_PRICE: Final = 10_000
"""Least time between two computations of indicative auctions, for each of their prices: ten times
the cost."""

_MARKET: Final = int(OrderType.MARKET)
_IMMEDIATE: Final = (int(TimeInForce.IOC), int(TimeInForce.FOK))
_WITHIN: Final = (OrderExpired, OrderReplenished, OrderReduced)
_ASIDE: Final = (AccountOpened, OrderCompleted)


class Feed:
    """Every market, true as of the matcher's `seq` and time.

    Topics are numbered from `base`, which must be above every number of an earlier publisher.

    >>> from crossbook.common.instruments import example
    >>> feed = Feed([example()], base=0, resend_count=100)
    >>> feed.apply(EventBatch(7, 1, 1, 0, [OrderAccepted(1, 0, 0, 9, 1, 1, 1, 1, 500, 3)]))
    >>> [(topic, number[-1]) for topic, number, payload in feed.publish()]
    [(b'l3.BTC-USDT|', 1), (b'l2.BTC-USDT|', 1), (b'bbo.BTC-USDT|', 1)]
    """

    def __init__(self, instruments: Iterable[Instrument], base: int, resend_count: int) -> None:
        self.seq = 0
        self.time_ns = 0
        self.incarnation = 0
        self.loads = 0
        self._base = base
        self._resend_count = resend_count
        self.markets = {
            instrument.id: PublishedMarket(instrument, base, resend_count, RESEND_BYTES_MAX)
            for instrument in instruments
        }
        self.by_symbol = {market.symbol: market for market in self.markets.values()}
        self._heartbeat = FeedResendBuffer(HEARTBEAT_TOPIC, base, resend_count, RESEND_BYTES_MAX)
        self.topics: dict[str, FeedResendBuffer] = {
            topic.name: topic for market in self.markets.values() for topic in market.topics
        }
        self._changed_ns = self._quiet_ns = 0
        # Markets with changes since the last `publish`, since the last `publish_statistics`, and
        # those with statistics to publish then: a round visits no others.
        self._touched: dict[int, PublishedMarket] = {}
        self._published: dict[int, PublishedMarket] = {}
        self._changed: dict[int, PublishedMarket] = {}
        # Markets in a call phase that changed since their last indicative auction, and the earliest
        # time of the next.
        self._gathering: dict[int, PublishedMarket] = {}
        self._look_ns = 0

    def apply(self, batch: EventBatch) -> None:
        """Apply a batch to every book. Batches come in order, each once.

        Raises `StreamError` where an event contradicts a book; the books are then wrong until
        `load`.
        """
        markets, touched = self.markets, self._touched
        time_ns = batch.time_ns
        taker: PublishedMarket | None = None
        try:
            for event in batch.events:
                # The three most frequent kinds come first, compared by class: isinstance calls
                # a method of a message's metaclass.
                if type(event) is TradeExecuted:
                    touched[event.instrument] = market = markets[event.instrument]
                    market.trade(event, time_ns)
                elif type(event) is OrderAccepted:
                    if taker is not None:
                        taker.rest()
                    taker = None
                    instructions = event.instructions
                    if (
                        event.price_ticks
                        and event.time_in_force not in _IMMEDIATE
                        and not (instructions is not None and instructions.trigger_ticks)
                    ):
                        touched[event.instrument] = taker = markets[event.instrument]
                        display_lots = instructions.display_lots if instructions is not None else 0
                        taker.enter(event, event.seq, event.quantity_lots, display_lots)
                    elif event.order_type == _MARKET and markets[event.instrument].state.is_auction:
                        self._touch(event.instrument).state.gather(event)
                elif type(event) is OrderCanceled:
                    if taker is not None:
                        taker.rest()
                        taker = None
                    if event.resting:
                        touched[event.instrument] = market = markets[event.instrument]
                        market.leave(event.seq, event.order_id, event.canceled_lots)
                    elif markets[event.instrument].state.reduce(event.order_id, 0):
                        self._touch(event.instrument)
                elif isinstance(event, _WITHIN):
                    self._apply_within(event)
                elif not isinstance(event, _ASIDE):
                    if taker is not None:
                        taker.rest()
                    taker = self._apply_own(event)
        except KeyError as error:
            raise StreamError(f"event of an instrument {error} that is not configured") from error
        if taker is not None:
            taker.rest()
        self.seq = batch.last_seq
        self.time_ns = time_ns

    def _apply_within(self, event: OrderExpired | OrderReplenished | OrderReduced) -> None:
        """Apply an event that an incoming order causes."""
        market = self._touch(event.instrument)
        if isinstance(event, OrderExpired):
            market.expire(event)
        elif isinstance(event, OrderReplenished):
            market.replenish(event)
        else:
            market.reduce(event)

    def _apply_own(self, event: Event) -> PublishedMarket | None:
        """Apply any other event; return the market where it brings an order that may rest."""
        if isinstance(event, OrderAmended):
            if event.trigger_ticks:
                return None
            if not event.price_ticks:
                self._touch(event.instrument).state.reduce(event.order_id, event.remaining_lots)
                return None
            if not event.kept_priority:
                return self._enter(event, event.order_id, event.remaining_lots, event.display_lots)
            self._touch(event.instrument).reduce(event)
        elif isinstance(event, OrderTriggered):
            if event.price_ticks and event.time_in_force not in _IMMEDIATE:
                return self._enter(event, event.order_id, event.remaining_lots, event.display_lots)
        elif isinstance(event, AuctionUncrossed):
            market = self._touch(event.instrument)
            market.uncrosses = True
            market.state.uncross(event)
        elif isinstance(event, InstrumentStateChanged):
            market = self._touch(event.instrument)
            market.uncrosses = False
            market.state.change(event)
        elif isinstance(event, InstrumentAdded):
            self._add(event.definition)
            # The instrument is new: its past is known to be empty.
            self._touch(event.instrument).load(None, event.seq, same_incarnation=False)
        return None

    def _touch(self, instrument: int) -> PublishedMarket:
        """The market, marked as changed."""
        market = self._touched[instrument] = self.markets[instrument]
        return market

    def _enter(
        self, event: Entering, order_id: int, remaining_lots: int, display_lots: int
    ) -> PublishedMarket:
        market = self._touch(event.instrument)
        market.enter(event, order_id, remaining_lots, display_lots)
        return market

    def _add(self, instrument: Instrument) -> None:
        """Add an instrument; a known one changes nothing."""
        if instrument.id not in self.markets:
            market = PublishedMarket(instrument, self._base, self._resend_count, RESEND_BYTES_MAX)
            self.markets[instrument.id] = self.by_symbol[instrument.symbol] = market
            self.topics.update({topic.name: topic for topic in market.topics})

    def load(self, books: Books) -> None:
        """Replace the books. The next `publish` has the difference.

        Trades between the old state and the new are not published; a gap in trade ids shows this.
        """
        for instrument_added in books.instruments:
            self._add(instrument_added)
        states = {book.instrument: book for book in books.books}
        same_incarnation = books.incarnation == self.incarnation
        self._touched.update(self.markets)
        for instrument, market in self.markets.items():
            market.load(states.get(instrument), books.seq, same_incarnation=same_incarnation)
        self.incarnation, self.seq, self.time_ns = books.incarnation, books.seq, books.time_ns
        self.loads += 1

    def publish(self) -> list[Frames]:
        """Messages that bring every consumer to `seq`; none for unchanged books.

        O(changed markets).
        """
        seq, time_ns = self.seq, self.time_ns
        sent: list[Frames] = []
        for instrument, market in self._touched.items():
            sent += market.publish(seq, time_ns)
            if market.state.is_auction:
                self._gathering[instrument] = market
        self._published.update(self._touched)
        self._touched.clear()
        return sent

    def publish_statistics(self, now_ns: int, *, at_once: bool = False) -> list[Frames]:
        """Messages about candles, tickers and auctions that are due; call it after `publish`.

        With `at_once` all are due. `now_ns` is of any clock that never steps back. Trades are
        counted here, after the messages with them are published. Statistics leave every
        `CHANGED_NS` at most, changes without a trade every `QUIET_NS`, and indicative auctions
        every `CHANGED_NS` at most, or less often where they have many prices.
        """
        return self._publish_indications(now_ns, at_once) + self._publish_trading(now_ns, at_once)

    def _publish_indications(self, now_ns: int, at_once: bool) -> list[Frames]:
        if not self._gathering or (now_ns < self._look_ns and not at_once):
            return []
        sent: list[Frames] = []
        prices = 0
        for market in self._gathering.values():
            prices += len(market.bids.lots) + len(market.asks.lots)
            sent += market.state.publish_indication(self.seq, self.time_ns)
        self._gathering.clear()
        self._look_ns = now_ns + max(CHANGED_NS, prices * INDICATION_NS_PER_PRICE)
        return sent

    def _publish_trading(self, now_ns: int, at_once: bool) -> list[Frames]:
        changed = self._changed
        for instrument, market in self._published.items():
            if market.statistics.count():
                changed[instrument] = market
        self._published.clear()
        quiet = (at_once or now_ns - self._quiet_ns >= QUIET_NS) and bool(self.loads)
        if not quiet and not (changed and now_ns - self._changed_ns >= CHANGED_NS):
            return []
        self._changed_ns = now_ns
        if quiet:
            self._quiet_ns = now_ns
        sent: list[Frames] = []
        for market in (self.markets if quiet else changed).values():
            sent += market.publish_statistics(self.seq, self.time_ns)
        changed.clear()
        return sent

    def past_is_known(self, instrument: int) -> None:
        """The statistics of an instrument are known now, or have to be published anew."""
        self._published[instrument] = self.markets[instrument]

    def heartbeat(self, stale_ns: int) -> Frames:
        """The heartbeat, with `stale_ns` since the last message of the matcher."""
        last = {name: topic.last_seq for name, topic in self.topics.items()}
        stale_ms = stale_ns // 1_000_000
        return self._heartbeat.append(encode(Heartbeat(self.seq, self.time_ns, stale_ms, last)))
