"""A local book that follows a lossy feed ends equal to the publisher's book."""

from collections.abc import Iterable, Iterator

import pytest

from crossbook.common.following.feed_follower import HELD_MAX, STALE_NS, FeedFollower, Update
from crossbook.common.following.feed_topic import RETRY_NS
from crossbook.common.following.local_book import Best, LocalBook
from crossbook.common.messages.codec import encode
from crossbook.common.messages.feed import (
    BestBidOffer,
    DepthUpdate,
    FeedReject,
    FeedReply,
    FeedRequest,
    Heartbeat,
    InstrumentsRequest,
    OrdersUpdate,
    RangeRequest,
    Snapshot,
    SnapshotRequest,
    Trades,
    topic,
)
from crossbook.common.sequence import epoch_of, first_of
from crossbook.common.types import RejectReason
from tests.worlds.feed_source import SYMBOL, FeedSource, Frames

ALL = ("trade", "bbo", "l2", "l3", "candle", "ticker")


class FollowerWorld:
    """A follower and its source. With `lossy` the messages between them are dropped, repeated and
    reordered."""

    def __init__(
        self, seed: int = 1, channels: tuple[str, ...] = ALL, lossy: float = 0.0, history: int = 999
    ) -> None:
        self.source = FeedSource(seed, history=history)
        self.follower = FeedFollower([SYMBOL], channels)
        self.subscribed = {name.encode() for name in self.follower.topics()}
        self.lossy = lossy
        self.now_ns = 1_000
        self.late: list[Frames] = []
        self.updates: list[Update] = []
        self.requests_sent: list[FeedRequest] = []

    def lose(self, frames: Iterable[Frames]) -> Iterator[Frames]:
        draw = self.source.random
        for frame in frames:
            if draw.random() >= self.lossy:
                yield frame
                continue
            fate = draw.choice(("drop", "repeat", "delay"))
            if fate == "repeat":
                yield frame
                yield frame
            elif fate == "delay":
                self.late.append(frame)
        if self.late and draw.random() < 0.5:
            yield self.late.pop(draw.randrange(len(self.late)))

    def feed(self, frames: Iterable[Frames]) -> None:
        for name, seq, payload in self.lose(frames):
            if name in self.subscribed:
                self.follower.on_feed(name, seq, payload)
        self.updates += self.follower.drain_updates()

    def answer(self) -> None:
        """Answer the requests of the follower until it sends none."""
        self.follower.on_time(self.now_ns)
        for _ in range(1_000):
            requests = self.follower.drain_requests()
            if not requests:
                break
            self.requests_sent += requests
            for request in requests:
                if self.source.random.random() >= self.lossy:
                    self.follower.on_reply(self.source.answer(request))
        else:
            pytest.fail("the follower never stops its requests")
        self.updates += self.follower.drain_updates()

    def run(self, steps: int, answer_chance: float = 1.0) -> None:
        for _ in range(steps):
            self.feed(self.source.step())
            self.now_ns += RETRY_NS // 4
            if self.source.random.random() < answer_chance:
                self.answer()
            if self.source.random.random() < 0.1:
                self.feed([self.source.heartbeat()])

    def settle(self) -> None:
        """End losses and changes; heartbeats and time then fill the holes."""
        self.lossy = 0.0
        for _ in range(20):
            self.now_ns += 20 * RETRY_NS
            self.feed([self.source.heartbeat()])
            self.answer()
            if self.follower.ready:
                return
        pytest.fail("the follower never became ready")

    def check(self) -> None:
        book, source = self.follower.book(SYMBOL), self.source
        assert self.follower.ready
        assert (book.bids(), book.asks()) == (source.levels(1), source.levels(2))
        assert book.checksum == source.checksum()
        if book.order_depth is not None:
            assert list(book.order_depth.orders(1)) == source.side_orders(1)
            assert list(book.order_depth.orders(2)) == source.side_orders(2)
            assert book.order_depth.depth == book.depth
        if "ticker" in self.follower.channels:
            self.check_statistics()

    def check_statistics(self) -> None:
        follower, source = self.follower, self.source
        assert follower.ready
        assert follower.ticker(SYMBOL) == source.ticker
        assert list(follower.candles(SYMBOL).values()) == source.series.latest()


def started(**options: object) -> FollowerWorld:
    world = FollowerWorld(**options)  # type: ignore[arg-type]
    world.source.step()
    world.answer()
    return world


def seqs_of(updates: Iterable[Update], kind: type) -> list[int]:
    return [update.seq for update in updates if type(update) is kind]  # type: ignore[union-attr]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("channels", [("l2",), ("l3",), ALL])
def test_book_behind_a_lossy_feed_ends_equal(seed: int, channels: tuple[str, ...]) -> None:
    world = FollowerWorld(seed, channels, lossy=0.3, history=20)
    world.run(300, answer_chance=0.3)
    world.settle()
    world.check()
    counters = world.follower.counters
    assert counters.gaps
    assert counters.duplicates
    assert counters.snapshots


def test_trades_are_complete_and_in_order_behind_a_lossy_feed() -> None:
    world = FollowerWorld(3, ("trade",), lossy=0.3)
    world.answer()
    first = world.source.trade_id
    world.run(300, answer_chance=0.5)
    world.settle()
    trades = [t.trade_id for update in world.updates if isinstance(update, Trades)
              for t in update.trades]  # fmt: skip
    assert trades == list(range(trades[0], world.source.trade_id + 1))
    assert trades[0] <= first + 20
    assert world.follower.counters.lost == 0


def test_without_loss_only_one_snapshot_is_requested() -> None:
    world = started()
    world.run(50)
    world.check()
    assert [type(request) for request in world.requests_sent] == [
        InstrumentsRequest,
        SnapshotRequest,
    ]
    assert world.follower.counters.duplicates == 0


def test_messages_a_snapshot_contains_are_dropped() -> None:
    world = FollowerWorld()
    world.follower.on_time(1)
    early = [frame for _ in range(5) for frame in world.source.step()]
    world.feed(early)
    world.answer()
    world.check()
    assert [type(update) for update in world.updates] == [Snapshot]
    assert world.follower.counters.messages == 0
    world.feed(world.source.step())
    world.check()


def test_a_hole_is_requested_by_range_and_the_rest_waits() -> None:
    world = started(channels=("l2",))
    frames = [frame for _ in range(9) for frame in world.source.step() if b"l2." in frame[0]]
    world.feed([frames[0], *frames[3:]])
    (request,) = world.follower.drain_requests()
    assert isinstance(request, RangeRequest)
    assert (request.from_seq, request.to_seq) == (frames[1][1], frames[2][1])
    assert len(seqs_of(world.updates, DepthUpdate)) == 1
    assert not world.follower.ready
    world.follower.on_reply(world.source.answer(request))
    world.updates += world.follower.drain_updates()
    assert len(seqs_of(world.updates, DepthUpdate)) == len(frames)
    assert sorted(seqs_of(world.updates, DepthUpdate)) == seqs_of(world.updates, DepthUpdate)
    world.check()
    assert world.follower.counters.snapshots == 1


@pytest.mark.parametrize(
    "payload", [b"", b"\xc1", b"\x92\xa1\xff\x01", b"\x93\x01\xa2\xff\xfe\x01", b"\x91" * 100_000]
)
def test_bytes_that_are_no_message_do_not_end_the_follower(payload: bytes) -> None:
    world = started()
    world.feed([(b"heartbeat|", 1, payload)])
    world.feed([(name, seq, payload) for name, seq, _ in world.source.step()])
    assert world.follower.counters.mismatches
    world.settle()
    world.check()


def test_lost_tail_shows_in_the_heartbeat() -> None:
    world = started(channels=("l2", "l3"))
    world.source.step()
    assert world.follower.ready
    world.feed([world.source.heartbeat()])
    assert not world.follower.ready
    world.answer()
    world.check()


def test_range_that_is_gone_leads_to_a_snapshot() -> None:
    world = started(history=3)
    for _ in range(10):
        world.source.step()
    world.feed(world.source.step())
    world.answer()
    world.check()
    assert world.follower.counters.snapshots >= 2


def test_trades_that_are_gone_are_counted_and_passed() -> None:
    world = started(channels=("trade",), history=3)
    name = world.follower.topics()[1]
    before = world.source.last[name]
    while world.source.last[name] < before + 10:
        world.source.step()
    world.settle()
    assert world.follower.counters.lost == 7
    assert sum(isinstance(update, Trades) for update in world.updates) == 3


def test_wrong_checksum_leads_to_a_snapshot() -> None:
    world = started(channels=("l2",))
    name = world.follower.topics()[1]
    world.source.last[name] += 1
    book = world.follower.book(SYMBOL)
    wrong = DepthUpdate(
        symbol=SYMBOL,
        first_seq=1,
        seq=book.seq + 1,
        prev_seq=book.seq,
        bids=[(7, 7)],
        asks=[],
        checksum=12345,
        time_ns=0,
    )
    world.feed([(name.encode(), world.source.last[name], encode(wrong))])
    assert world.follower.counters.mismatches == 1
    assert not seqs_of(world.updates, DepthUpdate)
    assert not world.follower.ready
    world.answer()
    world.check()


def test_update_that_does_not_follow_leads_to_a_snapshot() -> None:
    world = started(channels=("l3",))
    world.feed(world.source.step())
    name = world.follower.topics()[1]
    world.source.last[name] += 1
    orphan = OrdersUpdate(
        symbol=SYMBOL, first_seq=900, seq=901, prev_seq=899, changes=[], time_ns=0
    )
    world.feed([(name.encode(), world.source.last[name], encode(orphan))])
    assert world.follower.counters.mismatches == 1
    world.answer()
    world.check()


def test_bytes_that_are_no_message_lead_to_a_snapshot() -> None:
    world = started(channels=("l2",))
    name = world.follower.topics()[1]
    world.source.last[name] += 1
    world.feed([(name.encode(), world.source.last[name], b"\xc1")])
    world.answer()
    world.check()
    assert world.follower.counters.mismatches == 1


def test_a_snapshot_with_a_wrong_checksum_is_not_applied() -> None:
    world = FollowerWorld()
    world.source.step()
    world.source.answer_wrongly = True
    world.answer()
    assert not world.follower.ready
    assert not world.updates
    world.source.answer_wrongly = False
    world.settle()
    world.check()


@pytest.mark.parametrize("by_heartbeat", [True, False])
def test_restarted_publisher_is_followed_from_its_first_message(by_heartbeat: bool) -> None:
    world = started()
    world.run(20)
    old = world.source
    world.source = FeedSource(seed=77, epoch=9)
    missed = [frame for _ in range(10) for frame in world.source.step()]
    world.updates.clear()
    world.feed([world.source.heartbeat()] if by_heartbeat else missed[-2:])
    world.feed([(name.encode(), seq, payload) for name, sent in old.sent.items()
                for seq, payload in list(sent.items())[-2:]])  # fmt: skip
    world.settle()
    world.check()
    assert world.follower.counters.restarts == 1
    assert world.follower.counters.lost == 0
    assert all(epoch_of(seq) == 9 for seq in world.source.last.values())
    bbo = [name for name, _, _ in missed if name.startswith(b"bbo.")]
    assert sum(isinstance(update, BestBidOffer) for update in world.updates) == len(bbo)


def test_unanswered_requests_are_repeated_under_new_numbers() -> None:
    world = FollowerWorld()
    world.follower.on_time(1)
    (first,) = world.follower.drain_requests()
    world.follower.on_time(RETRY_NS)
    assert world.follower.drain_requests() == []
    world.follower.on_time(RETRY_NS + 1)
    (second,) = world.follower.drain_requests()
    assert first.request_id != second.request_id
    world.follower.on_reply(world.source.answer(first))
    assert world.follower.drain_requests() == []
    world.follower.on_reply(world.source.answer(second))
    (snapshot,) = world.follower.drain_requests()
    busy = FeedReject(
        request_id=snapshot.request_id, reason=RejectReason.BUSY, field="symbol", text="no book yet"
    )
    world.follower.on_reply(busy)
    world.settle()
    world.check()


def test_a_hole_filled_by_a_late_message_is_not_requested_for_ever() -> None:
    world = started(channels=("l3",))
    first, second = world.source.step()[0], world.source.step()[0]
    world.feed([second, first])
    world.follower.drain_requests()
    world.now_ns += 100 * RETRY_NS
    world.answer()
    world.check()
    assert world.follower.counters.resends == 1


def test_unknown_symbol_is_named() -> None:
    follower = FeedFollower(["DOGE-USD"], ["l2"])
    follower.on_time(1)
    source = FeedSource(1)
    replies: list[FeedReply] = [source.answer(each) for each in follower.drain_requests()]
    for reply in replies:
        follower.on_reply(reply)
    assert follower.unknown_symbols == ["DOGE-USD"]
    with pytest.raises(ValueError, match="channels"):
        FeedFollower([], ["candles"])


def test_without_symbols_every_instrument_is_followed() -> None:
    world = FollowerWorld()
    world.follower = FeedFollower([], ALL)
    assert world.follower.topics() == [
        "heartbeat|",
        "trade.",
        "bbo.",
        "l2.",
        "l3.",
        "candle.",
        "ticker.",
    ]
    world.answer()
    assert world.follower.symbols() == [SYMBOL]
    world.run(5)
    world.check()


def test_silence_and_a_silent_matcher_are_stale() -> None:
    world = started()
    assert not world.follower.stale
    world.follower.on_time(world.now_ns + STALE_NS + 1)
    assert world.follower.stale
    world.feed([world.source.heartbeat()])
    assert not world.follower.stale
    stuck = Heartbeat(seq=1, time_ns=0, stale_ms=STALE_NS // 1_000_000 + 1, topics={})
    world.feed([(b"heartbeat|", 2, encode(stuck))])
    assert world.follower.stale


def test_the_messages_held_behind_a_hole_are_bounded() -> None:
    world = started(channels=("bbo",))
    name = world.follower.topics()[1]
    payload = encode(
        BestBidOffer(
            symbol=SYMBOL, seq=1, bid_ticks=0, bid_lots=0, ask_ticks=0, ask_lots=0, time_ns=0
        )
    )
    start = world.source.last[name] + 2
    for seq in range(start, start + HELD_MAX + 50):
        world.follower.on_feed(name.encode(), seq, payload)
    (line,) = world.follower._books[SYMBOL].topics
    assert len(line.held) <= HELD_MAX
    assert len(world.follower.drain_requests()) == 1


def test_book_shows_levels_best_first() -> None:
    book = LocalBook(SYMBOL)
    update = DepthUpdate(
        symbol=SYMBOL,
        first_seq=1,
        seq=2,
        prev_seq=0,
        bids=[(99, 4), (100, 5)],
        asks=[(102, 1), (101, 2)],
        checksum=0,
        time_ns=0,
    )
    assert book.apply_levels(update)
    assert (book.bids(1), book.asks(1)) == ([(100, 5)], [(101, 2)])
    assert book.best == Best(100, 5, 101, 2)
    assert book.seq == 2
    assert first_of(3) == (3 << 30) + 1


def test_messages_published_while_a_snapshot_was_on_its_way_follow_it() -> None:
    world = started(channels=("l2", "l3"))
    line = world.follower._books[SYMBOL].topics[0]
    world.feed([(line.name.encode(), line.next_seq, b"\xc1")])
    (request,) = world.follower.drain_requests()
    world.source.step()
    reply = world.source.answer(request)
    # The first of these has the very number behind the snapshot.
    for _ in range(4):
        world.feed(world.source.step())
    before = world.follower.counters.duplicates
    world.follower.on_reply(reply)
    world.check()
    assert world.follower.drain_requests() == []
    assert world.follower.counters.duplicates == before


def test_a_message_of_a_later_publisher_begins_everything_anew() -> None:
    world = started(channels=("l2", "trade"))
    world.source = FeedSource(seed=77, epoch=9)
    frames: list[Frames] = []
    while not any(name == b"trade.BTC-USDT|" for name, _, _ in frames):
        frames += world.source.step()
    world.feed(frames)
    assert world.follower.counters.restarts == 1
    assert not world.follower.ready
    world.answer()
    world.check()
    assert world.follower.counters.restarts == 1
    world.source = FeedSource(seed=78, epoch=8)
    world.feed(world.source.step())
    assert world.follower.counters.restarts == 1, "of an earlier one: it has ended"


def test_a_message_behind_a_hole_leads_to_a_request_at_once() -> None:
    world = started(channels=("l3",))
    name, first = topic("l3", SYMBOL), world.follower._books[SYMBOL].topics[0].next_seq
    world.source.step()
    world.source.step()
    world.feed(world.source.step())
    (request,) = world.follower.drain_requests()
    assert isinstance(request, RangeRequest)
    assert (request.topic, request.from_seq, request.to_seq) == (name, first, first + 1)
    world.follower.on_reply(world.source.answer(request))
    world.check()


def test_a_hole_of_a_life_that_ended_does_not_hide_one_of_the_next() -> None:
    world = started(channels=("state",))
    world.source.change_state(2)
    world.feed(world.source.change_state(3))
    world.follower.drain_requests()
    world.source = FeedSource(seed=77, epoch=9)
    world.feed([world.source.heartbeat()])
    world.answer()
    assert world.follower.ready
    world.source.change_state(2)
    world.feed(world.source.change_state(4))
    world.answer()
    assert world.follower.ready
    assert world.follower.state(SYMBOL) == world.source.state
