"""A book without a side: consumers follow its loss and its return without a gap or a wrong
checksum."""

import pytest

from crossbook.common.faults.market_data import BookEmpty, FeedDrop
from crossbook.common.following.local_book import LocalBook
from crossbook.common.instruments import example
from crossbook.common.messages.codec import decode_feed
from crossbook.common.messages.feed import (
    BestBidOffer,
    DepthUpdate,
    OrdersUpdate,
)
from crossbook.publisher.resend_buffer import Frames
from tests.publisher.faults.faulty_world import BUY, SELL, FaultyFeedWorld


class Follower:
    """A local book that follows the messages of a world, and the best prices that were
    published."""

    def __init__(self, world: FaultyFeedWorld) -> None:
        self.world = world
        self.book = LocalBook("BTC-USDT", by_order=True)
        self.book.describe(example())
        self.best = (0, 0, 0, 0)
        world.round()

    def follow(self, frames: list[Frames] | None = None) -> tuple[list[int], list[int]]:
        """Apply the messages of a round; return the best prices then."""
        for _, _, payload in self.world.round() if frames is None else frames:
            message = decode_feed(payload)
            if isinstance(message, DepthUpdate):
                assert self.book.apply_levels(message)
            elif isinstance(message, OrdersUpdate):
                assert self.book.apply_orders(message)
            elif isinstance(message, BestBidOffer):
                self.best = (
                    message.bid_ticks, message.bid_lots, message.ask_ticks, message.ask_lots,
                )  # fmt: skip
        assert self.book.order_depth is not None
        assert self.book.order_depth.depth == self.book.depth
        return [p for p, _ in self.book.bids()], [p for p, _ in self.book.asks()]


@pytest.fixture(name="follower")
def fixture_follower() -> Follower:
    world = FaultyFeedWorld()
    follower = Follower(world)
    world.enter(BUY, 500)
    world.enter(SELL, 600)
    assert follower.follow() == ([500], [600])
    return follower


@pytest.mark.parametrize(
    ("side", "left", "best"),
    [
        ("both", ([], []), (0, 0, 0, 0)),
        ("bids", ([], [600]), (0, 0, 600, 3)),
        ("asks", ([500], []), (500, 3, 0, 0)),
    ],
)
def test_a_side_vanishes_stays_away_and_returns(
    follower: Follower,
    side: str,
    left: tuple[list[int], list[int]],
    best: tuple[int, int, int, int],
) -> None:
    world = follower.world
    world.table.add(BookEmpty(side=side))  # type: ignore[arg-type]
    assert follower.follow() == left
    assert follower.best == best
    world.enter(BUY, 400)
    world.enter(SELL, 700)
    bids, asks = follower.follow()
    assert bids == ([500, 400] if left[0] else [])
    assert asks == ([600, 700] if left[1] else [])
    assert follower.best == best
    world.table.clear()
    assert follower.follow() == ([500, 400], [600, 700])
    assert follower.best == (500, 3, 600, 3)


def test_only_the_instrument_of_the_rule_is_concerned(follower: Follower) -> None:
    follower.world.table.add(BookEmpty(symbol="ETH-USDT"))
    assert follower.follow() == ([500], [600])


def test_two_rules_hide_two_sides(follower: Follower) -> None:
    first = follower.world.table.add(BookEmpty(side="bids"))
    assert follower.follow() == ([], [600])
    follower.world.table.add(BookEmpty(side="asks"))
    assert follower.follow() == ([], [])
    follower.world.table.remove(first)
    assert follower.follow() == ([500], [])


def test_snapshots_and_resends_agree_with_the_book_shown(follower: Follower) -> None:
    world = follower.world
    world.table.add(BookEmpty(side="asks"))
    follower.follow()
    world.table.add(FeedDrop(channel="l2", next=1))
    world.enter(SELL, 700)
    frames = world.round()
    topic = world.feed.topics["l2.BTC-USDT|"]
    (payload,) = topic.since(topic.last_seq, topic.last_seq, 9_999) or []
    assert follower.follow([*frames, (b"", b"", payload)]) == ([500], [])
    snapshot = world.feed.cut.snapshot(world.market.snapshot(1, world.feed.seq, 0, True))
    assert (snapshot.bids, snapshot.asks, snapshot.ask_orders) == ([(500, 3)], [], [])
    later = LocalBook("BTC-USDT", by_order=True)
    later.describe(example())
    assert later.load(snapshot)
