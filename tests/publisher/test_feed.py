"""The exact messages of the feed for given events."""

from zlib import crc32

import pytest

from crossbook.common.errors import StreamError
from crossbook.common.instruments import example
from crossbook.common.keys import Key, KeyScheme, Scope
from crossbook.common.messages.codec import decode_feed
from crossbook.common.messages.commands import Instructions
from crossbook.common.messages.events import (
    CommandRejected,
    Event,
    EventBatch,
    KeyChanged,
    KeyDeleted,
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


class HandmadeFeed:
    """A feed of BTC-USDT and the events of a matcher made by hand."""

    def __init__(self) -> None:
        self.feed = Feed([example()], base=100, resend_count=50)

    def apply(self, *events: Event, time_ns: int = 0) -> None:
        """Apply events as one batch."""
        self.feed.apply(
            EventBatch(
                incarnation=7,
                first_seq=events[0].seq,
                last_seq=events[-1].seq,
                time_ns=time_ns,
                events=list(events),
            )
        )

    def published(self) -> list[FeedMessage]:
        """The messages that `publish` sends, decoded."""
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
    return OrderAccepted(
        seq=seq,
        gateway=0,
        request_seq=0,
        account=9,
        instrument=1,
        side=side,
        order_type=kind,
        time_in_force=tif,
        price_ticks=price,
        quantity_lots=lots,
    )


def cancel(seq: int, order_id: int, side: int, price: int, lots: int) -> OrderCanceled:
    return OrderCanceled(
        seq=seq,
        gateway=0,
        request_seq=0,
        account=9,
        instrument=1,
        order_id=order_id,
        side=side,
        price_ticks=price,
        canceled_lots=lots,
        filled_lots=0,
    )


def amended(
    seq: int, order_id: int, side: int, price: int, lots: int, kept_priority: bool,
    display_lots: int = 0, shown_lots: int = 0,
) -> OrderAmended:  # fmt: skip
    """An amendment to a total of `lots`, of which nothing was filled."""
    return OrderAmended(
        seq=seq,
        gateway=0,
        request_seq=0,
        account=9,
        instrument=1,
        order_id=order_id,
        side=side,
        price_ticks=price,
        quantity_lots=lots,
        filled_lots=0,
        remaining_lots=lots,
        kept_priority=kept_priority,
        display_lots=display_lots,
        shown_lots=shown_lots,
    )


def trade(
    seq: int, trade_id: int, price: int, lots: int, maker: int, taker: int, side: int,
    maker_open: int, taker_open: int,
) -> TradeExecuted:  # fmt: skip
    return TradeExecuted(
        seq=seq,
        trade_id=trade_id,
        instrument=1,
        price_ticks=price,
        quantity_lots=lots,
        aggressor_side=side,
        maker_order_id=maker,
        taker_order_id=taker,
        maker_account=9,
        taker_account=8,
        maker_fee=0,
        taker_fee=0,
        maker_filled_lots=0,
        maker_remaining_lots=maker_open,
        taker_filled_lots=0,
        taker_remaining_lots=taker_open,
    )


def test_a_resting_order_shows_on_l3_l2_and_bbo() -> None:
    world = HandmadeFeed()
    world.apply(new(1, BUY, 500, 3), time_ns=77)
    orders, depth, quote = world.published()
    assert orders == OrdersUpdate(
        symbol="BTC-USDT",
        first_seq=1,
        seq=1,
        prev_seq=0,
        changes=[OrderChange(seq=1, order_id=1, side=BUY, price_ticks=500, shown_lots=3)],
        time_ns=77,
    )
    assert isinstance(depth, DepthUpdate)
    assert (depth.first_seq, depth.seq, depth.prev_seq) == (1, 1, 0)
    assert (depth.bids, depth.asks) == ([(500, 3)], [])
    assert quote == BestBidOffer(
        symbol="BTC-USDT", seq=1, bid_ticks=500, bid_lots=3, ask_ticks=0, ask_lots=0, time_ns=77
    )


def test_a_taker_shows_its_trades_and_then_its_resting_remainder() -> None:
    world = HandmadeFeed()
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
        "BTC-USDT",
        [
            Trade(
                seq=3,
                trade_id=1,
                price_ticks=500,
                quantity_lots=3,
                aggressor_side=BUY,
                maker_order_id=1,
                taker_order_id=3,
                time_ns=5,
            ),
            Trade(
                seq=3,
                trade_id=2,
                price_ticks=501,
                quantity_lots=4,
                aggressor_side=BUY,
                maker_order_id=2,
                taker_order_id=3,
                time_ns=5,
            ),
        ],
    )
    assert isinstance(orders, OrdersUpdate)
    assert orders.changes == [
        OrderChange(seq=3, order_id=1, side=SELL, price_ticks=500, shown_lots=0),
        OrderChange(seq=3, order_id=2, side=SELL, price_ticks=501, shown_lots=0),
        OrderChange(seq=3, order_id=3, side=BUY, price_ticks=501, shown_lots=2),
    ]
    assert (orders.first_seq, orders.seq, orders.prev_seq) == (3, 3, 2)
    assert isinstance(depth, DepthUpdate)
    assert (depth.bids, depth.asks) == ([(501, 2)], [(500, 0), (501, 0)])
    assert quote == BestBidOffer(
        symbol="BTC-USDT", seq=3, bid_ticks=501, bid_lots=2, ask_ticks=0, ask_lots=0, time_ns=5
    )


@pytest.mark.parametrize(("tif", "kind", "price"), [(IOC, 1, 500), (GTC, 2, 0)])
def test_an_order_that_may_not_rest_leaves_only_its_trades(tif: int, kind: int, price: int) -> None:
    world = HandmadeFeed()
    world.apply(new(1, SELL, 500, 3))
    world.published()
    world.apply(
        new(2, BUY, price, 5, tif, kind),
        trade(2, 1, 500, 2, maker=1, taker=2, side=BUY, maker_open=1, taker_open=3),
        OrderExpired(
            seq=2,
            account=9,
            instrument=1,
            order_id=2,
            side=BUY,
            price_ticks=price,
            expired_lots=3,
            filled_lots=2,
            reason=21,
        ),
    )
    assert world.changes() == [
        OrderChange(seq=2, order_id=1, side=SELL, price_ticks=500, shown_lots=1)
    ]


def test_an_amend_down_keeps_its_place_and_is_one_change() -> None:
    world = HandmadeFeed()
    world.apply(new(1, BUY, 500, 5), new(2, BUY, 500, 5))
    world.published()
    world.apply(amended(3, 1, BUY, 500, 2, kept_priority=True))
    assert world.changes() == [
        OrderChange(seq=3, order_id=1, side=BUY, price_ticks=500, shown_lots=2)
    ]
    assert world.feed.markets[1].orders()[0] == [(1, 500, 2), (2, 500, 5)]


def test_an_amend_up_goes_to_the_back() -> None:
    world = HandmadeFeed()
    world.apply(new(1, BUY, 500, 5), new(2, BUY, 500, 5))
    world.published()
    world.apply(amended(3, 1, BUY, 500, 8, kept_priority=False))
    assert world.changes() == [
        OrderChange(seq=3, order_id=1, side=BUY, price_ticks=500, shown_lots=8, requeued=True)
    ]
    assert world.feed.markets[1].orders()[0] == [(2, 500, 5), (1, 500, 8)]


def test_an_amend_that_trades_leaves_its_old_place() -> None:
    world = HandmadeFeed()
    world.apply(new(1, BUY, 490, 5), new(2, SELL, 500, 5))
    world.published()
    world.apply(
        amended(3, 1, BUY, 500, 5, kept_priority=False),
        trade(3, 1, 500, 5, maker=2, taker=1, side=BUY, maker_open=0, taker_open=0),
        new(4, BUY, 480, 1),
    )
    assert world.changes() == [
        OrderChange(seq=3, order_id=2, side=SELL, price_ticks=500, shown_lots=0),
        OrderChange(seq=3, order_id=1, side=BUY, price_ticks=490, shown_lots=0),
        OrderChange(seq=4, order_id=4, side=BUY, price_ticks=480, shown_lots=1),
    ]
    assert world.feed.markets[1].orders() == ([(4, 480, 1)], [])


def test_l3_has_every_change_and_l2_only_the_resulting_levels() -> None:
    world = HandmadeFeed()
    world.apply(new(1, BUY, 500, 5), cancel(2, 1, BUY, 500, 5))
    (orders,) = world.published()
    assert isinstance(orders, OrdersUpdate)
    assert [change.shown_lots for change in orders.changes] == [5, 0]


def test_a_change_behind_the_best_price_gives_no_bbo() -> None:
    world = HandmadeFeed()
    world.apply(new(1, BUY, 500, 5))
    world.published()
    world.apply(new(2, BUY, 499, 5))
    assert [type(message) for message in world.published()] == [OrdersUpdate, DepthUpdate]


def test_a_reject_publishes_nothing_and_advances_the_sequence() -> None:
    world = HandmadeFeed()
    world.apply(
        CommandRejected(
            seq=1, gateway=0, request_seq=0, account=9, instrument=1, reason=6, field="order_id"
        )
    )
    assert world.published() == []
    assert world.feed.seq == 1


def test_a_change_of_a_key_publishes_nothing_and_lets_an_order_rest() -> None:
    world = HandmadeFeed()
    key = Key(
        key_id="k", scheme=KeyScheme.HMAC_SHA256, material=b"s" * 64, scopes=Scope.READ, account=9
    )
    world.apply(new(1, BUY, 500, 5), KeyChanged(2, 0, 0, key), KeyDeleted(3, 0, 0, "k"))
    assert [type(message) for message in world.published()] == [
        OrdersUpdate, DepthUpdate, BestBidOffer,
    ]  # fmt: skip
    world.apply(KeyChanged(4, 0, 0, key))
    assert world.published() == []
    assert world.feed.seq == 4


def test_messages_of_a_topic_follow_each_other() -> None:
    world = HandmadeFeed()
    seen = []
    for seq in (1, 2, 3):
        world.apply(new(seq, BUY, 500 + seq, 1))
        seen += world.feed.publish()
    for channel in ("l3", "l2", "bbo"):
        name = f"{channel}.BTC-USDT|".encode()
        numbers = [int.from_bytes(number, "big") for topic, number, _ in seen if topic == name]
        assert numbers == [101, 102, 103]


def test_the_heartbeat_names_the_last_number_of_each_topic() -> None:
    world = HandmadeFeed()
    world.apply(new(1, BUY, 500, 1), time_ns=8)
    world.feed.publish()
    topic, number, payload = world.feed.heartbeat(stale_ns=3_999_999)
    assert (topic, int.from_bytes(number, "big")) == (b"heartbeat|", 101)
    assert decode_feed(payload) == Heartbeat(
        seq=1,
        time_ns=8,
        stale_ms=3,
        topics={
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
        amended(2, 99, BUY, 500, 5, kept_priority=True),
        amended(2, 99, BUY, 500, 5, kept_priority=False),
        OrderAccepted(
            seq=2,
            gateway=0,
            request_seq=0,
            account=9,
            instrument=55,
            side=BUY,
            order_type=1,
            time_in_force=GTC,
            price_ticks=500,
            quantity_lots=5,
        ),
    ],
)
def test_an_event_that_cannot_be_true_is_refused(event: Event) -> None:
    world = HandmadeFeed()
    world.apply(new(1, BUY, 500, 5))
    with pytest.raises(StreamError):
        world.apply(event)


def test_an_iceberg_that_reenters_and_trades_away_leaves_nothing_behind() -> None:
    world = HandmadeFeed()
    iceberg = OrderAccepted(
        seq=1,
        gateway=0,
        request_seq=0,
        account=9,
        instrument=1,
        side=BUY,
        order_type=1,
        time_in_force=GTC,
        price_ticks=500,
        quantity_lots=5,
        instructions=Instructions(display_lots=2),
    )
    world.apply(iceberg, new(2, SELL, 510, 5))
    world.apply(
        amended(3, 1, BUY, 510, 5, kept_priority=False, display_lots=2, shown_lots=2),
        trade(3, 1, 510, 5, maker=2, taker=1, side=BUY, maker_open=0, taker_open=0),
    )
    assert world.feed.markets[1].open_orders == 0
    assert world.feed.markets[1].volumes() == ({}, {}, 510)


def test_loading_books_publishes_only_the_difference() -> None:
    world = HandmadeFeed()
    world.apply(*(new(seq, BUY, 500, 5) for seq in (1, 2, 3, 4)), new(5, SELL, 510, 1))
    world.published()
    bids = [(1, 500, 2), (3, 500, 5), (2, 500, 5), (6, 499, 1)]
    state = BookState(
        instrument=1,
        bids=[RestingOrder(*order) for order in bids],
        asks=[],
        last_trade_id=12,
        last_price_ticks=500,
    )
    world.feed.load(Books(request_id=1, incarnation=7, seq=20, time_ns=9, books=[state]))
    assert world.changes() == [
        OrderChange(seq=20, order_id=2, side=BUY, price_ticks=500, shown_lots=0),
        OrderChange(seq=20, order_id=4, side=BUY, price_ticks=500, shown_lots=0),
        OrderChange(seq=20, order_id=5, side=SELL, price_ticks=510, shown_lots=0),
        OrderChange(seq=20, order_id=1, side=BUY, price_ticks=500, shown_lots=2),
        OrderChange(seq=20, order_id=2, side=BUY, price_ticks=500, shown_lots=5),
        OrderChange(seq=20, order_id=6, side=BUY, price_ticks=499, shown_lots=1),
    ]
    assert world.feed.markets[1].orders() == (bids, [])
    assert (world.feed.seq, world.feed.markets[1].last_trade_id) == (20, 12)


def test_loading_equal_books_publishes_nothing() -> None:
    world = HandmadeFeed()
    world.apply(new(1, BUY, 500, 5))
    world.published()
    state = BookState(
        instrument=1,
        bids=[RestingOrder(order_id=1, price_ticks=500, shown_lots=5)],
        asks=[],
        last_trade_id=0,
        last_price_ticks=0,
    )
    world.feed.load(Books(request_id=1, incarnation=7, seq=20, time_ns=9, books=[state]))
    assert world.published() == [
        MarketState(
            symbol="BTC-USDT",
            seq=20,
            state=1,
            until_ns=0,
            indicative_ticks=0,
            indicative_lots=0,
            surplus_lots=0,
            time_ns=9,
        )
    ], "once"
    world.feed.load(Books(request_id=1, incarnation=7, seq=21, time_ns=10, books=[state]))
    assert world.published() == []


@pytest.mark.parametrize("largest", [2**62, 2**62 + 1, 2**63 - 1])
def test_a_level_of_any_size_is_shown_exactly(largest: int) -> None:
    world = HandmadeFeed()
    world.apply(*(new(seq, SELL, 500, largest) for seq in range(1, 6)))
    _, depth, quote = world.published()
    assert isinstance(depth, DepthUpdate)
    assert isinstance(quote, BestBidOffer)
    assert depth.asks == [(500, 5 * largest)]
    assert depth.checksum == crc32(f"500{5 * largest}".encode())
    assert (quote.ask_ticks, quote.ask_lots) == (500, 5 * largest)
