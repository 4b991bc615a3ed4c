"""The feed's state and call phases of an instrument equal those of the engine."""

from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter

import pytest

from crossbook.common.instruments import Instrument, example
from crossbook.common.messages.codec import decode_feed
from crossbook.common.messages.events import (
    AuctionUncrossed,
    Event,
    EventBatch,
    InstrumentStateChanged,
    OrderAccepted,
    OrderCanceled,
)
from crossbook.common.messages.feed import (
    BestBidOffer,
    DepthUpdate,
    FeedMessage,
    MarketState,
    OrdersUpdate,
)
from crossbook.common.messages.matcher_queries import Books, BookState, RestingOrder
from crossbook.common.rules import Rules
from crossbook.common.types import InstrumentState
from crossbook.matcher.engine.auction import uncross_price
from crossbook.matcher.engine.engine import Engine
from crossbook.publisher.feed import CHANGED_NS, INDICATION_NS_PER_PRICE, Feed
from tests.properties.generator import random_commands
from tests.properties.market import INSTRUMENTS, rules_of, venue

BUY, SELL = 1, 2
OPEN, POST_ONLY, CANCEL_ONLY, HALTED, AUCTION = (int(state) for state in InstrumentState)
SYMBOL = "BTC-USDT"


class MarketStateWorld:
    """A feed of BTC-USDT. Each publishing takes `CHANGED_NS` of the clock."""

    def __init__(self) -> None:
        self.feed = Feed([example()], base=0, resend_count=50)
        self.now_ns = 0

    def apply(self, *events: Event) -> None:
        """Apply events as one batch."""
        seq = events[-1].seq
        self.feed.apply(
            EventBatch(
                incarnation=7,
                first_seq=events[0].seq,
                last_seq=seq,
                time_ns=1_000 * seq,
                events=list(events),
            )
        )

    def published(self) -> list[FeedMessage]:
        """The messages of one round without candles and tickers."""
        self.now_ns += CHANGED_NS
        frames = self.feed.publish() + self.feed.publish_statistics(self.now_ns)
        messages = [decode_feed(payload) for _, _, payload in frames]
        kinds = (MarketState, DepthUpdate, BestBidOffer, OrdersUpdate)
        return [message for message in messages if isinstance(message, kinds)]

    def states(self) -> list[MarketState]:
        """The states in the messages of one round."""
        return [message for message in self.published() if isinstance(message, MarketState)]


def state_of(seq: int, state: int, until_ns: int = 0) -> InstrumentStateChanged:
    return InstrumentStateChanged(
        seq=seq, gateway=0, request_seq=0, instrument=1, state=state, until_ns=until_ns
    )


def limit(seq: int, side: int, price: int, lots: int) -> OrderAccepted:
    return OrderAccepted(
        seq=seq,
        gateway=0,
        request_seq=0,
        account=9,
        instrument=1,
        side=side,
        order_type=1,
        time_in_force=1,
        price_ticks=price,
        quantity_lots=lots,
    )


def market(seq: int, side: int, lots: int) -> OrderAccepted:
    return OrderAccepted(
        seq=seq,
        gateway=0,
        request_seq=0,
        account=9,
        instrument=1,
        side=side,
        order_type=2,
        time_in_force=2,
        price_ticks=0,
        quantity_lots=lots,
    )


def state_message(
    seq: int, state: int, until: int = 0, at: tuple[int, int, int] = (0, 0, 0)
) -> MarketState:
    return MarketState(SYMBOL, seq, state, until, *at, 1_000 * seq)


def test_a_halt_is_published_at_once_with_its_end_and_once() -> None:
    world = MarketStateWorld()
    world.apply(state_of(1, HALTED, until_ns=77))
    assert world.states() == [state_message(1, HALTED, 77)]
    assert world.states() == []
    world.apply(state_of(2, OPEN))
    assert world.states() == [state_message(2, OPEN)]


def test_a_call_phase_publishes_its_indicative_uncross_hidden_orders_included() -> None:
    world = MarketStateWorld()
    world.apply(state_of(1, AUCTION))
    assert world.states() == [state_message(1, AUCTION)]
    world.apply(limit(2, BUY, 500, 5), limit(3, SELL, 490, 3))
    assert world.states() == [state_message(3, AUCTION, 0, (500, 3, 2))]
    world.apply(market(4, SELL, 4))
    assert world.states() == [state_message(4, AUCTION, 0, (490, 5, -2))]
    world.apply(
        OrderCanceled(
            seq=5,
            gateway=0,
            request_seq=0,
            account=9,
            instrument=1,
            order_id=4,
            side=SELL,
            price_ticks=0,
            canceled_lots=4,
            filled_lots=0,
            resting=False,
        )
    )
    assert world.states() == [state_message(5, AUCTION, 0, (500, 3, 2))]


def test_orders_that_leave_the_price_as_it_is_are_not_published() -> None:
    world = MarketStateWorld()
    world.apply(state_of(1, AUCTION), limit(2, BUY, 500, 5), limit(3, SELL, 490, 5))
    world.states()
    world.apply(limit(4, BUY, 400, 9))
    assert world.states() == []


def test_a_state_that_may_be_crossed_goes_before_the_book_and_another_behind_it() -> None:
    world = MarketStateWorld()
    world.apply(limit(1, SELL, 490, 5))
    world.published()
    world.apply(state_of(2, AUCTION), limit(3, BUY, 500, 5))
    names = [type(message) for message in world.published()]
    assert names == [MarketState, OrdersUpdate, DepthUpdate, BestBidOffer]
    world.apply(
        OrderCanceled(
            seq=4,
            gateway=0,
            request_seq=0,
            account=9,
            instrument=1,
            order_id=3,
            side=BUY,
            price_ticks=500,
            canceled_lots=5,
            filled_lots=0,
        ),
        state_of(5, OPEN),
    )
    names = [type(message) for message in world.published()]
    assert names == [OrdersUpdate, DepthUpdate, BestBidOffer, MarketState]


def test_the_last_message_of_a_call_phase_equals_the_uncross() -> None:
    world = MarketStateWorld()
    world.apply(state_of(1, AUCTION))
    world.states()
    uncrossed = AuctionUncrossed(
        seq=4,
        gateway=0,
        request_seq=0,
        instrument=1,
        price_ticks=495,
        quantity_lots=7,
        surplus_lots=-2,
    )
    world.apply(uncrossed, state_of(4, OPEN))
    assert world.states() == [state_message(4, AUCTION, 0, (495, 7, -2)), state_message(4, OPEN)]


def test_after_an_uncross_into_another_call_phase_nothing_is_indicated() -> None:
    world = MarketStateWorld()
    world.apply(state_of(1, AUCTION))
    world.states()
    world.apply(
        AuctionUncrossed(
            seq=4,
            gateway=0,
            request_seq=0,
            instrument=1,
            price_ticks=495,
            quantity_lots=7,
            surplus_lots=-2,
        ),
        state_of(4, AUCTION),
    )
    assert world.states() == [state_message(4, AUCTION, 0, (495, 7, -2)), state_message(4, AUCTION)]


def test_the_state_is_loaded_with_the_books_and_published_when_it_differs() -> None:
    world = MarketStateWorld()
    waiting = [RestingOrder(order_id=3, price_ticks=0, shown_lots=4)]
    bids = [RestingOrder(order_id=1, price_ticks=500, shown_lots=2, display_lots=2, hidden_lots=5)]
    state = BookState(
        instrument=1,
        bids=bids,
        asks=[],
        last_trade_id=12,
        last_price_ticks=480,
        state=AUCTION,
        until_ns=99,
        market_bids=[],
        market_asks=waiting,
    )
    world.feed.load(Books(request_id=1, incarnation=7, seq=20, time_ns=9, books=[state]))
    # Seven buyers (five of them hidden) and four sellers: the highest price with buyers left.
    expected = MarketState(
        symbol=SYMBOL,
        seq=20,
        state=AUCTION,
        until_ns=99,
        indicative_ticks=500,
        indicative_lots=4,
        surplus_lots=3,
        time_ns=9,
    )
    assert world.states() == [expected]
    assert world.feed.markets[1].snapshot(1, 20, 9, False).state == expected
    world.feed.load(Books(request_id=1, incarnation=7, seq=21, time_ns=9, books=[state]))
    assert world.states() == []
    world.feed.load(
        Books(
            request_id=1,
            incarnation=8,
            seq=1,
            time_ns=9,
            books=[BookState(instrument=1, bids=[], asks=[], last_trade_id=0, last_price_ticks=0)],
        )
    )
    assert world.states() == [
        MarketState(
            symbol=SYMBOL,
            seq=1,
            state=OPEN,
            until_ns=0,
            indicative_ticks=0,
            indicative_lots=0,
            surplus_lots=0,
            time_ns=9,
        )
    ]


def test_an_auction_of_many_prices_is_published_less_often() -> None:
    world = MarketStateWorld()
    count = 2 * CHANGED_NS // INDICATION_NS_PER_PRICE
    world.apply(state_of(1, AUCTION), *(limit(2 + n, BUY, 1 + n, 1) for n in range(count)))
    world.published()
    world.apply(limit(count + 2, SELL, 1, 1))
    assert world.states() == []
    assert len(world.states()) == 1, "after twice the time"


def engines(seed: int) -> Iterator[tuple[Engine, list[Event], int]]:
    """The venue, the events and the time after each of many random commands."""
    engine = venue(Engine, rules_of(seed))
    for command, time_ns in random_commands(seed, 1_500):
        yield engine, engine.apply(command, time_ns), time_ns


def check(engine: Engine, feed: Feed, instrument: Instrument, where: str) -> None:
    """Assert that a client that joins here receives the state and the indication of the engine."""
    book = engine.books[instrument.id]
    state = feed.markets[instrument.id].snapshot(1, feed.seq, feed.time_ns, False).state
    assert state is not None
    until_ns = book.until[0] if book.until is not None else 0
    assert (state.state, state.until_ns) == (book.state, until_ns), where
    found = (state.indicative_ticks, state.indicative_lots, state.surplus_lots)
    would = uncross_price(book)
    expected = (would.price_ticks, would.lots, would.surplus_lots)
    assert found == (expected if book.state == AUCTION else (0, 0, 0)), where


@pytest.mark.parametrize("seed", [940, 941, 942, 943, 945, 946])
def test_at_every_moment_the_indication_equals_the_uncross(seed: int) -> None:
    feed = Feed(INSTRUMENTS, base=0, resend_count=100)
    gathered = 0
    for engine, events, time_ns in engines(seed):
        if not time_ns % 97:
            books = [engine.book_state(each) for each in engine.books]
            feed.load(
                Books(
                    request_id=1,
                    incarnation=7,
                    seq=engine.seq,
                    time_ns=time_ns,
                    books=books,
                    instruments=engine.instruments,
                )
            )
        elif events:
            feed.apply(
                EventBatch(
                    incarnation=7,
                    first_seq=events[0].seq,
                    last_seq=engine.seq,
                    time_ns=time_ns,
                    events=events,
                )
            )
        feed.publish()
        for instrument in INSTRUMENTS:
            check(engine, feed, instrument, f"seed {seed}, {time_ns}")
            gathered += engine.books[instrument.id].state == AUCTION
    assert gathered > 10, "call phases were run"


@pytest.mark.parametrize("seed", [950, 951, 953, 954, 955, 956])
def test_the_last_indication_before_an_uncross_equals_the_uncross(seed: int) -> None:
    feed = Feed(INSTRUMENTS, base=0, resend_count=100)
    last: dict[str, MarketState] = {}
    now_ns = uncrossed = 0
    for engine, events, time_ns in engines(seed):
        if not events:
            continue
        would = {each: uncross_price(engine.books[each]) for each in engine.books}
        feed.apply(
            EventBatch(
                incarnation=7,
                first_seq=events[0].seq,
                last_seq=engine.seq,
                time_ns=time_ns,
                events=events,
            )
        )
        now_ns += CHANGED_NS
        results = {event.instrument: event for event in events if type(event) is AuctionUncrossed}
        for _, _, payload in feed.publish() + feed.publish_statistics(now_ns):
            message = decode_feed(payload)
            if isinstance(message, MarketState):
                event = results.pop(feed.by_symbol[message.symbol].instrument.id, None)
                if event is not None:
                    result = (event.price_ticks, event.quantity_lots, event.surplus_lots)
                    assert result == _indicated(message), f"seed {seed}, {time_ns}"
                    uncrossed += 1
                last[message.symbol] = message
        assert not results, f"seed {seed}, {time_ns}: an uncross was not published"
        for symbol, message in last.items():
            if message.state == AUCTION:
                at = would[feed.by_symbol[symbol].instrument.id]
                assert _indicated(message) == (at.price_ticks, at.lots, at.surplus_lots)
    assert uncrossed


def _indicated(message: MarketState) -> tuple[int, int, int]:
    return (message.indicative_ticks, message.indicative_lots, message.surplus_lots)


@pytest.mark.parametrize("seed", range(960, 963))
def test_without_short_accounts_the_next_uncross_equals_its_last_indication(
    seed: int,
) -> None:
    engine = venue(Engine, Rules())
    feed = Feed(INSTRUMENTS, base=0, resend_count=100)
    last: dict[int, MarketState] = {}
    now_ns = uncrossed = 0
    steps = (
        list(events)
        for command, time_ns in random_commands(seed, 1_500)
        # What was due by then happened before, as a number of its own.
        for _, events in groupby(engine.apply(command, time_ns), key=attrgetter("seq"))
    )
    for events in steps:
        for event in events:
            if isinstance(event, AuctionUncrossed):
                result = (event.price_ticks, event.quantity_lots, event.surplus_lots)
                assert _indicated(last[event.instrument]) == result, f"seed {seed}, {event.seq}"
                uncrossed += 1
        feed.apply(
            EventBatch(
                incarnation=7,
                first_seq=events[0].seq,
                last_seq=events[0].seq,
                time_ns=now_ns,
                events=events,
            )
        )
        now_ns += CHANGED_NS
        for _, _, payload in feed.publish() + feed.publish_statistics(now_ns):
            message = decode_feed(payload)
            if isinstance(message, MarketState):
                last[feed.by_symbol[message.symbol].instrument.id] = message
    assert uncrossed
