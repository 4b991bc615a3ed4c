"""A feed of BTC-USDT behind rules, with orders that rest at ever higher prices."""

from crossbook.common.faults.kinds import AnyFault
from crossbook.common.faults.table import FaultTable
from crossbook.common.instruments import example
from crossbook.common.messages.codec import decode_feed
from crossbook.common.messages.events import Event, EventBatch, OrderAccepted, TradeExecuted
from crossbook.common.messages.feed import Heartbeat, topic
from crossbook.common.messages.matcher_queries import Books
from crossbook.publisher.faults.feed import FaultyFeed
from crossbook.publisher.market import PublishedMarket
from crossbook.publisher.resend_buffer import Frames

BUY, SELL, GTC, LIMIT = 1, 2, 1, 1


class FaultyFeedWorld:
    """`feed` behind `table`; `base` is the number before the first message of each topic."""

    base = 100

    def __init__(self, *rules: AnyFault) -> None:
        self.table = FaultTable("publisher")
        for rule in rules:
            self.table.add(rule)
        self.feed = FaultyFeed([example()], self.base, 50, self.table)
        self.feed.load(Books(request_id=1, incarnation=7, seq=0, time_ns=0, books=[]))
        self.seq = 0

    def enter(self, side: int = BUY, price_ticks: int = 0, lots: int = 3) -> None:
        """Enter an order that rests, by default a bid that is the new best."""
        self.seq += 1
        seq, price = self.seq, price_ticks or 500 + self.seq
        event = OrderAccepted(
            seq=seq, gateway=0, request_seq=0, account=9, instrument=1, side=side,
            order_type=LIMIT, time_in_force=GTC, price_ticks=price, quantity_lots=lots,
        )  # fmt: skip
        batch = EventBatch(incarnation=7, first_seq=seq, last_seq=seq, time_ns=0, events=[event])
        self.feed.apply(batch)

    def trade(self, price_ticks: int, lots: int = 3) -> None:
        """Let a buyer take the whole ask that was entered last."""
        maker, self.seq = self.seq, self.seq + 1
        seq = self.seq
        taker = OrderAccepted(
            seq=seq, gateway=0, request_seq=0, account=8, instrument=1, side=BUY,
            order_type=LIMIT, time_in_force=GTC, price_ticks=price_ticks, quantity_lots=lots,
        )  # fmt: skip
        traded = TradeExecuted(
            seq=seq, instrument=1, trade_id=1, price_ticks=price_ticks, quantity_lots=lots,
            aggressor_side=BUY, maker_order_id=maker, taker_order_id=seq, maker_account=9,
            taker_account=8, maker_fee=0, taker_fee=0, maker_filled_lots=lots,
            maker_remaining_lots=0, taker_filled_lots=lots, taker_remaining_lots=0,
        )  # fmt: skip
        events: list[Event] = [taker, traded]
        batch = EventBatch(incarnation=7, first_seq=seq, last_seq=seq, time_ns=0, events=events)
        self.feed.apply(batch)

    @property
    def market(self) -> PublishedMarket:
        """The book as the publisher has it."""
        return self.feed.by_symbol["BTC-USDT"]

    def round(self, at_ms: int = 0) -> list[Frames]:
        """The messages of one round of the loop."""
        return [*self.feed.publish(), *self.feed.publish_statistics(at_ms * 1_000_000)]

    def numbers(self, channel: str, at_ms: int = 0) -> list[int]:
        """The numbers of the messages of a channel that a round sends, from 1."""
        name = topic(channel, "BTC-USDT").encode()
        frames = self.round(at_ms)
        return [int.from_bytes(each[1], "big") - self.base for each in frames if each[0] == name]

    def last(self, channel: str) -> int:
        """The last number of a channel by the next heartbeat."""
        beat = decode_feed(self.feed.heartbeat(0)[2])
        assert isinstance(beat, Heartbeat)
        return beat.topics[topic(channel, "BTC-USDT")] - self.base
