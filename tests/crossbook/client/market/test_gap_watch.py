"""Gaps and silences in a stream of updates."""

from crossbook.client.market.gap_watch import FeedLive, FeedStale, Gap, GapWatch, MarketEvent
from crossbook.client.market.updates import market_update
from crossbook.common.following.feed_follower import Update
from crossbook.common.instruments import example
from crossbook.common.messages import feed

BTC = "BTC-USDT"


def snapshot(seq: int, last_trade_id: int = 4) -> feed.Snapshot:
    return feed.Snapshot(
        request_id=1,
        symbol=BTC,
        seq=seq,
        topics={},
        bids=[],
        asks=[],
        checksum=0,
        time_ns=0,
        last_trade_id=last_trade_id,
    )


def depth(seq: int) -> feed.DepthUpdate:
    return feed.DepthUpdate(
        symbol=BTC,
        first_seq=seq,
        seq=seq,
        prev_seq=seq - 1,
        bids=[],
        asks=[],
        checksum=0,
        time_ns=0,
    )


def trades(*trade_ids: int) -> feed.Trades:
    return feed.Trades(
        BTC,
        [
            feed.Trade(
                seq=9,
                trade_id=each,
                price_ticks=1,
                quantity_lots=1,
                aggressor_side=1,
                maker_order_id=1,
                taker_order_id=2,
                time_ns=0,
            )
            for each in trade_ids
        ],
    )


class Watched:
    """A watch, and the events that it makes of updates."""

    def __init__(self, channels: tuple[str, ...] = ("l2", "trade")) -> None:
        self.watch = GapWatch(channels)

    def events(self, *updates: Update, stale: bool = False) -> list[MarketEvent]:
        """The events of these updates."""
        views = [market_update(each, {BTC: example()}) for each in updates]
        return self.watch.events(self.watch.watch(views), stale)


def gaps(events: list[MarketEvent]) -> list[MarketEvent]:
    return [each for each in events if isinstance(each, Gap | FeedStale | FeedLive)]


def test_a_whole_stream_has_no_gap_and_no_heartbeats() -> None:
    watched = Watched()
    updates = (snapshot(9), depth(10), trades(5, 6), feed.Heartbeat(10, 0, 0, {}), trades(7))
    assert watched.events(*updates) == [snapshot(9), depth(10), trades(5, 6), trades(7)]


def test_missed_trades_are_a_gap_before_the_next_one() -> None:
    watched = Watched()
    watched.events(snapshot(9), trades(5))
    assert watched.events(trades(9)) == [Gap(BTC, "trade", 6, 8), trades(9)]
    assert gaps(watched.events(trades(10))) == []


def test_trades_are_watched_from_the_first_snapshot_or_the_first_trade() -> None:
    assert Watched().events(snapshot(9, 4), trades(6))[1] == Gap(BTC, "trade", 5, 5)
    assert gaps(Watched().events(trades(6))) == []


def test_a_snapshot_that_replaced_a_book_is_a_gap_of_the_changes_it_has() -> None:
    watched = Watched()
    watched.events(snapshot(9), depth(12))
    assert watched.events(snapshot(20)) == [Gap(BTC, "book", 13, 20), snapshot(20)]
    assert gaps(watched.events(snapshot(20))) == []


def test_a_consumer_without_books_misses_no_changes_of_them() -> None:
    watched = Watched(("trade",))
    watched.events(snapshot(9), trades(5))
    assert gaps(watched.events(snapshot(20, 8))) == []
    assert gaps(watched.events(trades(9))) == [Gap(BTC, "trade", 6, 8)]


def test_a_restarted_exchange_is_a_gap_from_its_beginning() -> None:
    watched = Watched()
    watched.events(snapshot(90, 40), trades(41))
    assert gaps(watched.events(snapshot(3, 1), trades(2))) == [Gap(BTC, "book", 1, 3)]


def test_a_silence_begins_and_ends_once() -> None:
    watched = Watched()
    assert watched.events(stale=True) == [FeedStale()]
    assert watched.events(stale=True) == []
    assert watched.events(snapshot(9), stale=False) == [FeedLive(), snapshot(9)]
    assert watched.events() == []
