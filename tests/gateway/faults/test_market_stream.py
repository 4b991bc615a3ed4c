"""One connection to a stream behind rules: the messages that reach the client."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from crossbook.common.faults.kinds import AnyFault
from crossbook.common.faults.market_data import (
    StreamDelay,
    StreamDisconnect,
    StreamDrop,
    StreamDuplicate,
    StreamGap,
    StreamHeartbeatStopped,
    StreamReorder,
    StreamStandstill,
    StreamWrongChecksum,
)
from crossbook.common.faults.table import FaultTable
from crossbook.common.faults.venue import InstrumentRemoved
from crossbook.gateway.faults.market_stream import HELD_S, faulty_stream
from crossbook.gateway.web.channel import Channel, HandshakeRefusal
from tests.worlds.feed_source import SYMBOL
from tests.worlds.json_book import JsonBook
from tests.worlds.stream_world import FakeConnection, StreamWorld

BOOK, TRADES = f"/ws/market-data/{SYMBOL}", f"/ws/trades/{SYMBOL}"


class FakeLoop:
    """Timers that run when `pass_s` has passed their time."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._timers: list[tuple[float, int, Callable[[], Any]]] = []

    def time(self) -> float:
        return self.now_s

    def call_later(self, delay: float, callback: Callable[..., Any]) -> "FakeLoop":
        self._timers.append((self.now_s + delay, len(self._timers), callback))
        return self

    def cancel(self) -> None:
        """Do nothing: no timer is needed once a client has left."""
        self._timers.clear()

    def pass_s(self, seconds: float) -> None:
        """Let time pass."""
        end_s = self.now_s + seconds
        while due := [each for each in self._timers if each[0] <= end_s + 1e-9]:
            first = min(due, key=lambda each: each[:2])
            self._timers.remove(first)
            self.now_s = first[0]
            first[2]()
        self.now_s = end_s


class FaultyStreams(StreamWorld):
    """Streams behind `table`."""

    def __init__(self, *rules: AnyFault) -> None:
        super().__init__()
        self.table = FaultTable("gateway")
        self.loop = FakeLoop()
        for rule in rules:
            self.table.add(rule)

    def opened(self, path: str = BOOK) -> FakeConnection:
        """A client behind the rules."""
        target = self.streams.route(path, "")
        assert not isinstance(target, HandshakeRefusal)
        return FakeConnection(faulty_stream(target, path, self.table, lambda: self.loop))

    def updates(self, client: FakeConnection, count: int) -> list[dict[str, Any]]:
        """The updates of the book that a client receives while the market moves."""
        self.move(count)
        return [each for each in client.pop_messages() if each["type"] == "l2_update"]

    def move(self, count: int) -> None:
        """Let so many updates of the book be sent."""
        for _ in range(count):
            self.step()
            self.advance(100)


def test_without_rules_a_client_keeps_the_book() -> None:
    world = FaultyStreams()
    client, book = world.opened(), JsonBook()
    for _ in range(20):
        world.move(1)
        world.check(client, book)
    assert book.rows() == world.source_rows()


def test_a_lost_update_shows_in_the_numbers_of_the_next() -> None:
    world = FaultyStreams()
    client = world.opened()
    first, *_ = world.updates(client, 3)
    world.table.add(StreamDrop(type="l2_update", next=1))
    before = world.updates(client, 3)
    assert before[0]["prev_seq"] > first["seq"]
    assert world.table.applied["stream_drop"] == 1


def test_a_rule_of_another_stream_symbol_or_type_concerns_nothing() -> None:
    world = FaultyStreams(
        StreamDrop(stream="trades"), StreamDrop(symbol="ETH-USDT"), StreamDrop(type="candle")
    )
    world.updates(world.opened(), 5)
    assert world.table.applied["stream_drop"] == 0


def test_a_gap_of_the_book_is_announced_and_followed_by_a_snapshot() -> None:
    world = FaultyStreams()
    client, book = world.opened(), JsonBook()
    world.check(client, book)
    world.table.add(StreamGap(type="l2_update", every=3))
    for _ in range(12):
        world.move(1)
        world.check(client, book)
    assert book.counts["resync"] >= 2
    assert book.counts["snapshot"] == book.counts["resync"] + 1
    assert book.rows() == world.source_rows()


def test_a_gap_of_trades_names_the_next_trade() -> None:
    world = FaultyStreams(StreamGap(type="trade", next=1))
    client = world.opened(TRADES)
    found: list[dict[str, Any]] = []
    while len(found) < 2:
        world.move(1)
        found += client.pop_messages()
    assert [each["type"] for each in found[:2]] == ["resync", "trade"]
    assert found[0]["from_trade_id"] == found[1]["trade_id"]


def test_an_update_is_sent_twice_or_late() -> None:
    world = FaultyStreams(StreamDuplicate(type="l2_update", next=1))
    client = world.opened()
    first, second, third = world.updates(client, 2)
    assert first == second
    assert third["prev_seq"] == first["seq"]
    world.table.add(StreamDelay(milliseconds=200, type="l2_update", next=1))
    (after,) = world.updates(client, 2)
    world.loop.pass_s(0.2)
    (late,) = client.pop_messages()
    assert after["prev_seq"] == late["seq"]


def test_a_trade_is_overtaken_by_the_next() -> None:
    world = FaultyStreams(StreamReorder(type="trade", next=1))
    client = world.opened(TRADES)
    ids: list[int] = []
    while len(ids) < 2:
        world.move(1)
        ids += [each["trade_id"] for each in client.pop_messages()]
    assert ids[0] == ids[1] + 1


def test_a_trade_that_nothing_overtakes_comes_after_a_second() -> None:
    world = FaultyStreams(StreamReorder(type="trade", next=1))
    client = world.opened(TRADES)
    while not world.table.applied["stream_reorder"]:
        world.step()
    assert client.pop_messages() == []
    world.loop.pass_s(HELD_S)
    assert [each["type"] for each in client.pop_messages()] == ["trade"]


def test_a_checksum_is_wrong_once() -> None:
    world = FaultyStreams(StreamWrongChecksum(type="l2_update", next=1))
    client, book = world.opened(), JsonBook()
    world.check(client, book)
    world.move(1)
    with pytest.raises(AssertionError, match="checksum of l2_update"):
        world.check(client, book)


def test_a_stalled_stream_sends_heartbeats_of_its_last_message() -> None:
    world = FaultyStreams()
    client = world.opened()
    last = world.updates(client, 3)[-1]["seq"]
    world.table.add(StreamStandstill())
    assert world.updates(client, 3) == []
    world.streams.beat()
    world.work()
    (beat,) = client.pop_messages()
    assert (beat["type"], beat["seq"]) == ("heartbeat", last)
    world.table.clear()
    world.streams.beat()
    world.work()
    (beat,) = client.pop_messages()
    assert beat["seq"] > last


def test_heartbeats_stop_alone() -> None:
    world = FaultyStreams(StreamHeartbeatStopped(stream="market-data", next=1))
    client = world.opened()
    client.pop_messages()
    for expected in ([], ["heartbeat"]):
        world.streams.beat()
        world.work()
        assert [each["type"] for each in client.pop_messages()] == expected
    assert world.table.applied["stream_heartbeat_stopped"] == 1


def test_a_connection_ends_after_its_seconds_and_another_one_anew() -> None:
    world = FaultyStreams(StreamDisconnect(seconds=2, stream="market-data", next=2))
    trades = world.opened(TRADES)
    for left in (2, 1):
        client = world.opened()
        world.loop.pass_s(1.8)
        assert client.ended is None
        world.loop.pass_s(0.3)
        assert client.ended == (1006, "")
        assert world.table.in_force(StreamDisconnect)[0].left == left - 1
        client.leave()
    assert trades.ended is None


def test_streams_of_a_removed_instrument_end() -> None:
    world = FaultyStreams(InstrumentRemoved(symbol="ETH-USDT"))
    client = world.opened()
    world.loop.pass_s(1)
    assert client.ended is None
    world.table.add(InstrumentRemoved(symbol=SYMBOL))
    world.loop.pass_s(0.1)
    assert client.ended == (1001, "the instrument is gone")


def test_statuses_pass_every_rule() -> None:
    world = FaultyStreams(StreamDrop())
    client = world.opened()
    world.streams.set_live(SYMBOL, False, "the exchange is silent")
    (status,) = client.pop_messages()
    assert (status["type"], status["status"]) == ("status", "stale")


def test_a_path_of_another_face_is_not_behind_these_rules() -> None:
    channel = cast(Channel, object())
    for path in ("/ws/btcusdt@trade", "/stream", "/ws-api/v3"):
        assert faulty_stream(channel, path, FaultTable("gateway"), FakeLoop) is channel
