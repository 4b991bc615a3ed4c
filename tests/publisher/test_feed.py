"""Events in, exact messages out."""

from zlib import crc32

import pytest

from crossbook.common.errors import StreamError
from crossbook.common.instruments import example
from crossbook.common.messages.codec import decode_feed
from crossbook.common.messages.commands import Instructions
from crossbook.common.messages.events import (
    CommandRejected,
    Event,
    EventBatch,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    TradeExecuted,
)
from crossbook.common.messages.feed import (
    BestBidOffer,
    DepthUpdate,
    FeedMessage,
    Heartbeat,
    MarketState,
    OrderChange,
    OrdersUpdate,
    Trade,
    Trades,
)
from crossbook.common.messages.matcher_queries import Books, BookState, RestingOrder
from crossbook.publisher.feed import Feed

BUY, SELL = 1, 2
GTC, IOC = 1, 2


class World:
    """A feed of BTC-USDT and the events of a matcher made by hand."""

    def __init__(self) -> None:
        self.feed = Feed([example()], base=100, resend_count=50)

    def apply(self, *events: Event, time_ns: int = 0) -> None:
        """Apply events as one batch."""
        self.feed.apply(EventBatch(7, events[0].seq, events[-1].seq, time_ns, list(events)))

    def published(self) -> list[FeedMessage]:
        """What `publish` sends, decoded."""
        return [decode_feed(payload) for _, _, payload in self.feed.publish()]

    def changes(self) -> list[OrderChange]:
        """The order changes that `publish` sends."""
        return [
            change
            for message in self.published()
            if isinstance(message, OrdersUpdate)
            for change in message.changes
        ]


def new(seq: int, side: int, price: int, lots: int, tif: int = GTC, kind: int = 1) -> OrderAccepted:
    return OrderAccepted(seq, 0, 0, 9, 1, side, kind, tif, price, lots)


def cancel(seq: int, order_id: int, side: int, price: int, lots: int) -> OrderCanceled:
    return OrderCanceled(seq, 0, 0, 9, 1, order_id, side, price, lots, 0)


def trade(
    seq: int, trade_id: int, price: int, lots: int, maker: int, taker: int, side: int,
    maker_open: int, taker_open: int,
) -> TradeExecuted:  # fmt: skip
    return TradeExecuted(
        seq, trade_id, 1, price, lots, side, maker, taker, 9, 8, 0, 0, 0, maker_open, 0, taker_open
    )


def test_a_resting_order_shows_on_l3_l2_and_bbo() -> None:
    world = World()
    world.apply(new(1, BUY, 500, 3), time_ns=77)
    orders, depth, quote = world.published()
    assert orders == OrdersUpdate("BTC-USDT", 1, 1, 0, [OrderChange(1, 1, BUY, 500, 3)], 77)
    assert isinstance(depth, DepthUpdate)
    assert (depth.first_seq, depth.seq, depth.prev_seq) == (1, 1, 0)
    assert (depth.bids, depth.asks) == ([(500, 3)], [])
    assert quote == BestBidOffer("BTC-USDT", 1, 500, 3, 0, 0, 77)


def test_a_taker_shows_its_trades_and_then_what_rests_of_it() -> None:
    world = World()
    world.apply(new(1, SELL, 500, 3), new(2, SELL, 501, 4))
    world.published()
    world.apply(
        new(3, BUY, 501, 9),
        trade(3, 1, 500, 3, maker=1, taker=3, side=BUY, maker_open=0, taker_open=6),
        trade(3, 2, 501, 4, maker=2, taker=3, side=BUY, maker_open=0, taker_open=2),
        time_ns=5,
    )
    trades, orders, depth, quote = world.published()
    assert trades == Trades(
        "BTC-USDT", [Trade(3, 1, 500, 3, BUY, 1, 3, 5), Trade(3, 2, 501, 4, BUY, 2, 3, 5)]
    )
    assert isinstance(orders, OrdersUpdate)
    assert orders.changes == [
        OrderChange(3, 1, SELL, 500, 0),
        OrderChange(3, 2, SELL, 501, 0),
        OrderChange(3, 3, BUY, 501, 2),
    ]
    assert (orders.first_seq, orders.seq, orders.prev_seq) == (3, 3, 2)
    assert isinstance(depth, DepthUpdate)
    assert (depth.bids, depth.asks) == ([(501, 2)], [(500, 0), (501, 0)])
    assert quote == BestBidOffer("BTC-USDT", 3, 501, 2, 0, 0, 5)


@pytest.mark.parametrize(("tif", "kind", "price"), [(IOC, 1, 500), (GTC, 2, 0)])
def test_an_order_that_may_not_rest_leaves_only_its_trades(tif: int, kind: int, price: int) -> None:
    world = World()
    world.apply(new(1, SELL, 500, 3))
    world.published()
    world.apply(
        new(2, BUY, price, 5, tif, kind),
        trade(2, 1, 500, 2, maker=1, taker=2, side=BUY, maker_open=1, taker_open=3),
        OrderExpired(2, 9, 1, 2, BUY, price, 3, 2, 21),
    )
    assert world.changes() == [OrderChange(2, 1, SELL, 500, 1)]


def test_an_amend_down_keeps_its_place_and_is_one_change() -> None:
    world = World()
    world.apply(new(1, BUY, 500, 5), new(2, BUY, 500, 5))
    world.published()
    world.apply(OrderAmended(3, 0, 0, 9, 1, 1, BUY, 500, 2, 0, 2, True))
    assert world.changes() == [OrderChange(3, 1, BUY, 500, 2)]
    assert world.feed.markets[1].orders()[0] == [(1, 500, 2), (2, 500, 5)]


def test_an_amend_up_goes_to_the_back() -> None:
    world = World()
    world.apply(new(1, BUY, 500, 5), new(2, BUY, 500, 5))
    world.published()
    world.apply(OrderAmended(3, 0, 0, 9, 1, 1, BUY, 500, 8, 0, 8, False))
    assert world.changes() == [OrderChange(3, 1, BUY, 500, 8, requeued=True)]
    assert world.feed.markets[1].orders()[0] == [(2, 500, 5), (1, 500, 8)]


def test_an_amend_that_trades_leaves_its_old_place() -> None:
    world = World()
    world.apply(new(1, BUY, 490, 5), new(2, SELL, 500, 5))
    world.published()
    world.apply(
        OrderAmended(3, 0, 0, 9, 1, 1, BUY, 500, 5, 0, 5, False),
        trade(3, 1, 500, 5, maker=2, taker=1, side=BUY, maker_open=0, taker_open=0),
        new(4, BUY, 480, 1),
    )
    assert world.changes() == [
        OrderChange(3, 2, SELL, 500, 0),
        OrderChange(3, 1, BUY, 490, 0),
        OrderChange(4, 4, BUY, 480, 1),
    ]
    assert world.feed.markets[1].orders() == ([(4, 480, 1)], [])


def test_l3_tells_everything_and_l2_only_what_is_left_of_it() -> None:
    world = World()
    world.apply(new(1, BUY, 500, 5), cancel(2, 1, BUY, 500, 5))
    (orders,) = world.published()
    assert isinstance(orders, OrdersUpdate)
    assert [change.shown_lots for change in orders.changes] == [5, 0]


def test_a_change_behind_the_best_price_gives_no_bbo() -> None:
    world = World()
    world.apply(new(1, BUY, 500, 5))
    world.published()
    world.apply(new(2, BUY, 499, 5))
    assert [type(message) for message in world.published()] == [OrdersUpdate, DepthUpdate]


def test_a_reject_publishes_nothing_and_advances_the_sequence() -> None:
    world = World()
    world.apply(CommandRejected(1, 0, 0, 9, 1, 6, "order_id"))
    assert world.published() == []
    assert world.feed.seq == 1


def test_messages_of_a_topic_follow_each_other() -> None:
    world = World()
    seen = []
    for seq in (1, 2, 3):
        world.apply(new(seq, BUY, 500 + seq, 1))
        seen += world.feed.publish()
    for channel in ("l3", "l2", "bbo"):
        name = f"{channel}.BTC-USDT|".encode()
        numbers = [int.from_bytes(number, "big") for topic, number, _ in seen if topic == name]
        assert numbers == [101, 102, 103]


def test_the_heartbeat_names_the_last_number_of_each_topic() -> None:
    world = World()
    world.apply(new(1, BUY, 500, 1), time_ns=8)
    world.feed.publish()
    topic, number, payload = world.feed.heartbeat(stale_ns=3_999_999)
    assert (topic, int.from_bytes(number, "big")) == (b"heartbeat|", 101)
    assert decode_feed(payload) == Heartbeat(
        1,
        8,
        3,
        {
            "trade.BTC-USDT|": 100,
            "bbo.BTC-USDT|": 101,
            "l2.BTC-USDT|": 101,
            "l3.BTC-USDT|": 101,
            "candle.BTC-USDT|": 100,
            "ticker.BTC-USDT|": 100,
            "state.BTC-USDT|": 100,
        },
    )


@pytest.mark.parametrize(
    "event",
    [
        cancel(2, 99, BUY, 500, 5),
        cancel(2, 1, BUY, 500, 4),
        trade(2, 1, 500, 2, maker=99, taker=2, side=SELL, maker_open=3, taker_open=0),
        trade(2, 1, 500, 2, maker=1, taker=2, side=SELL, maker_open=4, taker_open=0),
        OrderAmended(2, 0, 0, 9, 1, 99, BUY, 500, 5, 0, 5, True),
        OrderAmended(2, 0, 0, 9, 1, 99, BUY, 500, 5, 0, 5, False),
        OrderAccepted(2, 0, 0, 9, 55, BUY, 1, GTC, 500, 5),
    ],
)
def test_an_event_that_cannot_be_true_is_refused(event: Event) -> None:
    world = World()
    world.apply(new(1, BUY, 500, 5))
    with pytest.raises(StreamError):
        world.apply(event)


def test_an_iceberg_that_reenters_and_trades_away_leaves_nothing_behind() -> None:
    world = World()
    iceberg = OrderAccepted(
        1, 0, 0, 9, 1, BUY, 1, GTC, 500, 5, instructions=Instructions(display_lots=2)
    )
    world.apply(iceberg, new(2, SELL, 510, 5))
    world.apply(
        OrderAmended(3, 0, 0, 9, 1, 1, BUY, 510, 5, 0, 5, False, display_lots=2, shown_lots=2),
        trade(3, 1, 510, 5, maker=2, taker=1, side=BUY, maker_open=0, taker_open=0),
    )
    assert world.feed.markets[1].open_orders == 0
    assert world.feed.markets[1].volumes() == ({}, {}, 510)


def test_loading_books_publishes_only_the_difference() -> None:
    world = World()
    world.apply(*(new(seq, BUY, 500, 5) for seq in (1, 2, 3, 4)), new(5, SELL, 510, 1))
    world.published()
    bids = [(1, 500, 2), (3, 500, 5), (2, 500, 5), (6, 499, 1)]
    state = BookState(1, [RestingOrder(*order) for order in bids], [], 12, 500)
    world.feed.load(Books(1, 7, 20, 9, [state]))
    assert world.changes() == [
        OrderChange(20, 2, BUY, 500, 0),
        OrderChange(20, 4, BUY, 500, 0),
        OrderChange(20, 5, SELL, 510, 0),
        OrderChange(20, 1, BUY, 500, 2),
        OrderChange(20, 2, BUY, 500, 5),
        OrderChange(20, 6, BUY, 499, 1),
    ]
    assert world.feed.markets[1].orders() == (bids, [])
    assert (world.feed.seq, world.feed.markets[1].last_trade_id) == (20, 12)


def test_loading_equal_books_publishes_nothing() -> None:
    world = World()
    world.apply(new(1, BUY, 500, 5))
    world.published()
    state = BookState(1, [RestingOrder(1, 500, 5)], [], 0, 0)
    world.feed.load(Books(1, 7, 20, 9, [state]))
    assert world.published() == [MarketState("BTC-USDT", 20, 1, 0, 0, 0, 0, 9)], "once"
    world.feed.load(Books(1, 7, 21, 10, [state]))
    assert world.published() == []


@pytest.mark.parametrize("largest", [2**62, 2**62 + 1, 2**63 - 1])
def test_a_level_of_any_size_is_shown_exactly(largest: int) -> None:
    world = World()
    world.apply(*(new(seq, SELL, 500, largest) for seq in range(1, 6)))
    _, depth, quote = world.published()
    assert isinstance(depth, DepthUpdate)
    assert isinstance(quote, BestBidOffer)
    assert depth.asks == [(500, 5 * largest)]
    assert depth.checksum == crc32(f"500{5 * largest}".encode())
    assert (quote.ask_ticks, quote.ask_lots) == (500, 5 * largest)
