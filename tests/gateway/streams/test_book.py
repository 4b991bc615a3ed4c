"""`/ws/market-data/`: conflation, slow clients, resync, staleness; all without sockets."""

import random

import pytest

from crossbook.common.messages.feed import DepthUpdate
from crossbook.gateway.streams import paced
from crossbook.gateway.streams.conflated_book import (
    UNFLUSHED_MAX,
    ConflatedBook,
)
from tests.worlds.feed_source import SYMBOL, FeedSource
from tests.worlds.json_book import JsonBook
from tests.worlds.stream_world import FakeConnection, StreamWorld, messages


def kinds(connection: FakeConnection) -> list[str]:
    return [message["type"] for message in connection.pop_messages()]


def test_a_client_receives_snapshot_best_prices_and_state_at_once_in_one_write() -> None:
    world = StreamWorld()
    client = world.connect()
    assert len(client.writes) == 1
    snapshot, bbo, state = client.pop_messages()
    assert (state["type"], state["state"]) == ("state", "open")
    assert snapshot["type"] == "snapshot"
    assert snapshot["seq"] == world.source.seq
    assert (bbo["bid"], bbo["bid_quantity"]) == tuple(snapshot["bids"][0])
    assert (bbo["ask"], bbo["ask_quantity"]) == tuple(snapshot["asks"][0])


def test_changes_within_a_flush_leave_as_one_update() -> None:
    world = StreamWorld()
    client, book = world.connect(), JsonBook()
    world.step()
    world.check(client, book)
    before = book.counts["l2_update"]
    world.step(30)
    world.advance(50)
    world.check(client, book)
    assert book.counts["l2_update"] == before + 1
    assert book.rows() == world.source_rows()


def test_the_book_is_flushed_twenty_times_a_second_and_eleven_times_when_that_is_dear() -> None:
    for cost_ns, least, most in ((0, 19, 20), (60_000_000, 10, 11)):
        world = StreamWorld()
        world.cost_ns = cost_ns
        client, book = world.connect(), JsonBook()
        begun_ns = world.now_ns
        while world.now_ns - begun_ns < 1_000_000_000:
            world.step()
            world.advance(1)
        world.check(client, book)
        assert least <= book.counts["l2_update"] <= most + 1


def test_best_prices_leave_at_once_for_few_and_with_the_book_when_that_is_dear() -> None:
    world = StreamWorld()
    client = world.connect()
    client.pop_messages()
    for _ in range(10):
        before = world.source.levels(1)[:1] + world.source.levels(2)[:1]
        world.step()
        if before != world.source.levels(1)[:1] + world.source.levels(2)[:1]:
            assert "bbo" in kinds(client)
    world.cost_ns = 30_000_000
    begun_ns = world.now_ns
    while world.now_ns - begun_ns < 2_000_000_000:
        world.step()
        world.advance(1)
    assert 20 <= len(client.writes) <= 28
    together = [[message["type"] for message in messages(write)] for write in client.writes]
    assert together.count(["l2_update", "bbo"]) > 14
    # Once it is cheap again, they leave at once again.
    world.cost_ns = 0
    world.advance(200)
    client.pop_messages()
    world.step(40)
    assert kinds(client).count("bbo") > 20


def test_a_client_that_joins_between_flushes_fits_the_next_update() -> None:
    world = StreamWorld()
    first = world.connect()
    world.step()
    world.step(5)
    client, book = world.connect(), JsonBook()
    world.check(client, book)
    assert book.seq is not None
    assert book.seq < world.source.seq
    world.advance(50)
    world.check(client, book)
    # The snapshot is the one the first client got; what was flushed since came with it.
    assert (book.counts["snapshot"], book.counts["l2_update"]) == (1, 2)
    assert book.rows() == world.source_rows()
    first.leave()


def test_joiners_share_a_snapshot_and_are_brought_up_to_date_in_the_same_write() -> None:
    world = StreamWorld()
    world.connect()
    first = world.connect().pop_messages()[0]
    world.step()
    world.advance(50)
    client, book = world.connect(), JsonBook()
    assert len(client.writes) == 1
    received = client.pop_messages()
    assert (received[0], received[-1]["type"]) == (first, "state")
    for message in received:
        book.apply(message)
    assert book.rows() == world.source_rows()


def test_a_full_client_receives_nothing_and_then_one_update_from_its_own_position() -> None:
    world = StreamWorld()
    client, book, other = world.connect(), JsonBook(), world.connect()
    world.check(client, book)
    client.full = True
    for _ in range(20):
        world.step(3)
        world.advance(50)
    assert not client.writes
    assert len(other.writes) > 20
    client.drain()
    assert len(client.writes) == 1
    world.check(client, book)
    assert book.counts["l2_update"] == 1
    assert book.rows() == world.source_rows()
    world.step()
    world.advance(50)
    world.check(client, book)
    assert book.rows() == world.source_rows()


def test_a_client_at_a_dropped_position_is_resynced() -> None:
    world = StreamWorld()
    client, book, _ = world.connect(), JsonBook(), world.connect()
    world.check(client, book)
    client.full = True
    while world.streams.work(world.now_ns) or world.source.seq < 4_000:
        world.step()
        world.advance(50)
    client.drain()
    world.check(client, book)
    assert (book.counts["resync"], book.counts["snapshot"]) == (1, 2)
    assert book.rows() == world.source_rows()


def test_a_client_skipped_for_best_prices_receives_only_the_latest_when_it_has_room() -> None:
    world = StreamWorld()
    client, book = world.connect(), JsonBook()
    world.step()
    world.advance(60)
    client.pop_messages()
    client.full = True
    for _ in range(5):
        world.step()
    client.drain()
    last = [message for message in client.pop_messages() if message["type"] == "bbo"][-1]
    bid, ask = world.follower.book(SYMBOL).best[0], world.follower.book(SYMBOL).best[2]
    assert last["bid"] == (world.instrument.price_text(bid) if bid else None)
    assert last["ask"] == (world.instrument.price_text(ask) if ask else None)
    assert not book.counts


def test_heartbeats_contain_the_seq_and_leave_with_an_update_that_is_about_to_come() -> None:
    world = StreamWorld()
    client, book = world.connect(), JsonBook()
    world.streams.beat()
    world.work()
    world.check(client, book)
    assert book.counts["heartbeat"] == 1
    world.step(2)
    client.pop_messages()
    world.streams.beat()
    world.work()
    assert not client.writes
    world.advance(50)
    assert len(client.writes) == 1
    assert kinds(client)[-1] == "heartbeat"


def test_while_the_market_is_stale_clients_receive_only_a_status() -> None:
    world = StreamWorld()
    client, book = world.connect(), JsonBook()
    world.step()
    world.streams.set_live(SYMBOL, False, "the exchange is silent")
    world.check(client, book)
    assert not book.live
    world.step(3)
    world.streams.beat()
    world.advance(2_000)
    assert not client.writes
    late = world.connect()
    (received,) = late.pop_messages()
    assert (received["type"], received["status"]) == ("status", "stale")
    assert received["reason"] == "the exchange is silent"
    world.streams.set_live(SYMBOL, True, "")
    world.advance(100)
    world.check(client, book)
    assert book.rows() == world.source_rows()
    assert [kind for kind in kinds(late) if kind != "l2_update"][:4] == [
        "status", "snapshot", "bbo", "state",
    ]  # fmt: skip


def test_a_client_before_the_first_book_waits_for_it() -> None:
    world = StreamWorld(live=False)
    client = world.connect()
    assert [message["status"] for message in client.pop_messages()] == ["stale"]
    world.streams.set_live(SYMBOL, True, "")
    assert kinds(client) == ["status", "snapshot", "bbo", "state"]


def test_a_new_snapshot_of_the_feed_is_just_an_update_to_clients() -> None:
    world = StreamWorld()
    client, book = world.connect(), JsonBook()
    world.step(3)
    for _ in range(40):
        world.source.step()
    # The messages are lost, and the range with them.
    world.source.history = 1
    world.step(2)
    world.advance(1_000)
    world.pump()
    world.advance(1_000)
    world.check(client, book)
    assert world.follower.counters.snapshots == 2
    assert "resync" not in book.counts
    assert book.rows() == world.source_rows()


def test_another_history_leads_to_a_resync_of_every_client() -> None:
    world = StreamWorld()
    client, book = world.connect(), JsonBook()
    world.step(30)
    world.advance(50)
    world.check(client, book)
    world.source = FeedSource(9, epoch=6)
    world.books.clear()
    for _ in range(3):
        world.source.step()
    assert book.seq is not None
    assert world.source.seq < book.seq
    world.follower.on_feed(*world.source.heartbeat())
    world.pump()
    world.step(2)
    world.advance(100)
    book.best = None
    world.check(client, book)
    assert book.counts["resync"] == 1
    assert book.rows() == world.source_rows()


def test_without_clients_changes_do_not_accumulate() -> None:
    world = StreamWorld()
    target = world.streams.route(f"/ws/market-data/{SYMBOL}", "")
    book: ConflatedBook = target.book  # type: ignore[union-attr]
    for first in range(0, 20 * UNFLUSHED_MAX, 100):
        levels = [(first + price + 1, 1) for price in range(100)]
        world.streams.apply(
            [
                DepthUpdate(
                    symbol=SYMBOL,
                    first_seq=1,
                    seq=2,
                    prev_seq=0,
                    bids=levels,
                    asks=[],
                    checksum=0,
                    time_ns=0,
                )
            ]
        )
        assert book.waiting <= UNFLUSHED_MAX + 100


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("slice_size", [1, paced.SLICE])
def test_every_client_has_the_zeromq_book_at_every_seq_under_random_flow(
    seed: int, slice_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paced, "SLICE", slice_size)
    draw = random.Random(seed)
    world = StreamWorld(seed)
    clients: dict[FakeConnection, JsonBook] = {}
    for _ in range(300):
        world.cost_ns = draw.choice((0, 0, 1_000_000, 40_000_000))
        choice = draw.random()
        if choice < 0.1:
            clients[world.connect()] = JsonBook()
        elif choice < 0.13 and clients:
            gone = draw.choice(list(clients))
            gone.leave()
            del clients[gone]
        elif choice < 0.25 and clients:
            draw.choice(list(clients)).full = True
        elif choice < 0.35 and clients:
            client = draw.choice(list(clients))
            if client.full:
                client.drain()
        elif choice < 0.37:
            world.streams.beat()
        elif choice < 0.38:
            live = draw.random() < 0.7
            world.streams.set_live(SYMBOL, live, "")
        elif choice < 0.7:
            world.advance(draw.randint(0, 200))
        else:
            world.step(draw.randint(1, 5))
        for client, book in clients.items():
            world.check(client, book)
    world.streams.set_live(SYMBOL, True, "")
    for client in clients:
        client.drain()
    world.step()
    world.advance(1_000)
    for client, book in clients.items():
        world.check(client, book)
        assert book.rows() == world.source_rows(), f"seed {seed}"
