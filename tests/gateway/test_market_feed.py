"""The gateway's copy of the market data, over real sockets to a publisher in the test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import zmq

from crossbook.common.following.feed_follower import Update
from crossbook.common.messages.codec import decode_feed_request, encode
from crossbook.common.messages.feed import (
    HEARTBEAT_TOPIC,
    DepthUpdate,
    InstrumentsRequest,
    SnapshotRequest,
)
from crossbook.common.process.clock import FakeClock
from crossbook.common.process.sockets import has_more
from crossbook.gateway import market_feed
from crossbook.gateway.market_feed import MarketFeed
from tests.worlds.feed_source import SYMBOL, FeedSource, Frames
from tests.worlds.websocket_server import SECONDS, run, turn, until


class FeedWorld:
    """A feed of one publisher; the test holds both sockets of the publisher."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        self.source = FeedSource(1)
        self.clock = FakeClock()
        self.clock.advance_ns(1)
        self.sockets = [context.socket(kind) for kind in (zmq.XPUB, zmq.ROUTER, zmq.SUB)]
        self.requests = context.socket(zmq.DEALER)
        self.published, self.snapshots, feed = self.sockets
        self.sockets.append(self.requests)
        ends = ((self.published, feed), (self.snapshots, self.requests))
        for number, (own, other) in enumerate(ends):
            own.bind(f"inproc://{number}")
            other.connect(f"inproc://{number}")
        self.feed = MarketFeed([(feed, self.requests)], self.clock)

    def topics(self, count: int) -> set[str]:
        """The topics that the feed subscribed to, once there are `count`."""
        found: set[str] = set()
        for _ in range(count):
            assert self.published.poll(round(SECONDS * 1_000)), f"only {found} were subscribed to"
            found.add(self.published.recv()[1:].decode())
        assert not self.published.poll(0)
        return found

    def question(self) -> Any:
        """The next request of the feed."""
        assert self.snapshots.poll(round(SECONDS * 1_000)), "no request came"
        self.peer, *_, payload = self.snapshots.recv_multipart()
        return decode_feed_request(payload)

    def answer(self, request: Any) -> None:
        """Answer a request as a publisher does."""
        self.snapshots.send_multipart([self.peer, encode(self.source.answer(request))])

    def publish(self, frames: list[Frames]) -> None:
        """Send these frames of the publisher's book."""
        for name, seq, payload in frames:
            self.published.send_multipart([name, seq.to_bytes(8, "big"), payload])

    async def load(self) -> None:
        """Start the feed, and answer its requests until it has the book."""
        self.feed.start()
        self.answer(self.question())
        await until(lambda: bool(self.snapshots.poll(0)))
        self.answer(self.question())
        await until(lambda: self.feed.ready)


@asynccontextmanager
async def feed_world() -> AsyncIterator[FeedWorld]:
    """The feed and its publisher, whose sockets are closed at the end."""
    with zmq.Context() as context:
        world = FeedWorld(context)
        try:
            yield world
        finally:
            world.feed.stop()
            for each in world.sockets:
                each.close(0)


def test_a_market_feed_subscribes_to_all_channels_of_every_instrument_and_to_the_heartbeat() -> (
    None
):
    async def main() -> None:
        async with feed_world() as world:
            assert world.topics(7) == {
                HEARTBEAT_TOPIC, "l2.", "bbo.", "trade.", "candle.", "ticker.", "state.",
            }  # fmt: skip

    run(main())


def test_a_market_feed_requests_the_instruments_and_then_each_book() -> None:
    async def main() -> None:
        async with feed_world() as world:
            world.feed.start()
            question = world.question()
            assert question == InstrumentsRequest(1)
            world.answer(question)
            await until(lambda: bool(world.snapshots.poll(0)))
            assert world.question() == SnapshotRequest(2, SYMBOL)
            assert list(world.feed.instruments) == [SYMBOL]

    run(main())


def test_a_question_that_is_not_accepted_is_sent_again() -> None:
    async def main() -> None:
        async with feed_world() as world:
            world.requests.disconnect("inproc://1")
            world.feed.start()
            assert not world.snapshots.poll(0)
            world.requests.connect("inproc://1")
            world.clock.advance_ns(60_000_000_000)
            await until(lambda: bool(world.snapshots.poll(0)))
            assert world.question() == InstrumentsRequest(2)

    run(main())


@pytest.mark.parametrize("most", [1, 2, 2_000])
def test_between_two_ticks_ready_sockets_alone_drive_the_feed(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        monkeypatch.setattr(market_feed, "DRAIN_MAX", most)
        monkeypatch.setattr(market_feed, "TICK_S", 10 * SECONDS)
        async with feed_world() as world:
            deliveries: list[Update] = []
            world.feed.on_updates = deliveries.extend
            await world.load()
            wait = asyncio.create_task(world.feed.wait_for(SYMBOL, world.source.seq + 1))
            await turn()
            published = [frames for _ in range(20) for frames in world.source.step()]
            world.publish(published)
            world.publish([(HEARTBEAT_TOPIC.encode(), 1, b"no heartbeat"), (b"two", 2, b"")])
            world.publish([world.source.heartbeat()])
            await until(lambda: world.feed.seq_of(0) == world.source.seq)
            assert await wait
            books = [each for each in deliveries if isinstance(each, DepthUpdate)]
            sent = sum(name.startswith(b"l2.") for name, *_ in published)
            assert len(books) == sent > 10

    run(main())


def test_a_tick_is_delivered_and_ends_the_waits_that_no_change_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        monkeypatch.setattr(market_feed, "TICK_S", 0.001)
        async with feed_world() as world:
            await world.load()
            ticks: list[None] = []
            world.feed.on_tick = lambda: ticks.append(None)
            # A command that changes no market: only the heartbeat shows it.
            world.source.seq += 1
            wait = asyncio.create_task(world.feed.wait_for(SYMBOL, world.source.seq))
            await turn()
            assert not wait.done()
            world.publish([world.source.heartbeat()])
            assert await wait
            await until(lambda: len(ticks) > 2)

    run(main())


@pytest.mark.parametrize("most", [1, 2, 2_000])
def test_all_waiting_messages_are_applied_however_few_are_received_at_a_time(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        monkeypatch.setattr(market_feed, "DRAIN_MAX", most)
        async with feed_world() as world:
            await world.load()
            for _ in range(20):
                world.publish(world.source.step())
            world.publish([world.source.heartbeat()])
            await until(lambda: world.feed.seq_of(0) == world.source.seq)
            book = world.feed.book(SYMBOL)
            assert book is not None
            assert [list(each) for each in (book.bids(), book.asks())] == [
                world.source.levels(1), world.source.levels(2),
            ]  # fmt: skip

    run(main())


def test_a_feed_that_was_stopped_watches_no_socket_and_no_time() -> None:
    async def main() -> None:
        async with feed_world() as world:
            await world.load()
            world.feed.stop()
            loop = asyncio.get_running_loop()
            assert not any(loop.remove_reader(each.fileno()) for each in world.sockets)
            ticked = asyncio.Event()
            world.feed.on_tick = ticked.set
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ticked.wait(), 3 * market_feed.TICK_S)

    # `remove_reader` of uvloop returns nothing.
    asyncio.run(main())


def test_updates_that_wait_when_the_feed_stops_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        monkeypatch.setattr(market_feed, "DRAIN_MAX", 1)
        async with feed_world() as world:
            await world.load()
            deliveries: list[list[Update]] = []

            def stop(updates: list[Update]) -> None:
                deliveries.append(updates)
                world.feed.stop()

            world.feed.on_updates = stop
            world.publish([frames for _ in range(20) for frames in world.source.step()])
            await until(lambda: bool(deliveries))
            for _ in range(5):
                await turn()
            assert len(deliveries) == 1

    run(main())


def test_between_two_ticks_the_feed_does_nothing_while_nothing_arrives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        monkeypatch.setattr(market_feed, "TICK_S", 10 * SECONDS)
        looks: list[None] = []

        def look(socket: "zmq.Socket[bytes]") -> bool:
            looks.append(None)
            return has_more(socket)

        monkeypatch.setattr(market_feed, "has_more", look)
        async with feed_world() as world:
            await world.load()
            for _ in range(5):
                await turn()
            before = len(looks)
            for _ in range(20):
                await turn()
            assert len(looks) == before

    run(main())


def test_a_wait_ends_with_the_change_that_it_is_for() -> None:
    async def main() -> None:
        async with feed_world() as world:
            await world.load()
            assert await world.feed.wait_for(SYMBOL, world.source.seq)
            first = world.source.step()
            wait = asyncio.create_task(world.feed.wait_for(SYMBOL, world.source.seq))
            await turn()
            assert not wait.done()
            world.publish([*first, world.source.heartbeat()])
            assert await wait

    run(main())


def test_a_market_feed_names_the_reason_a_market_is_not_live() -> None:
    async def main() -> None:
        async with feed_world() as world:
            world.feed.start()
            world.answer(world.question())
            await until(lambda: bool(world.snapshots.poll(0)))
            assert world.feed.stale_reason(SYMBOL) == "no market data yet"
            world.answer(world.question())
            await until(lambda: world.feed.ready)
            assert world.feed.stale_reason(SYMBOL) == ""

            lost = world.source.step()
            while not any(name.startswith(b"l2.") for name, *_ in lost):
                lost = world.source.step()
            world.publish([world.source.heartbeat()])
            await until(lambda: not world.feed.ready)
            assert world.feed.stale_reason(SYMBOL) == ""
            world.clock.advance_ns(market_feed.HOLE_NS)
            assert world.feed.stale_reason(SYMBOL) == ""
            world.clock.advance_ns(1)
            assert world.feed.stale_reason(SYMBOL) == "market data is missing"
            world.clock.advance_ns(60_000_000_000)
            await until(lambda: world.feed.stale)
            assert world.feed.stale_reason(SYMBOL) == "the exchange is silent"

    run(main())
