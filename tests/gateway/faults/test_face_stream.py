"""One connection of the face behind rules: the events that reach the client, and its end."""

from itertools import pairwise
from typing import Any

import pytest

from crossbook.common.faults.face import ServerShutdown
from crossbook.common.faults.kinds import AnyFault
from crossbook.common.faults.market_data import (
    StreamDelay,
    StreamDisconnect,
    StreamDrop,
    StreamDuplicate,
    StreamGap,
    StreamReorder,
    StreamStandstill,
    StreamWrongChecksum,
)
from crossbook.common.faults.table import FaultTable
from crossbook.common.instruments import example
from crossbook.gateway.binance.streams.client import StreamClient
from crossbook.gateway.binance.symbols import SymbolTable
from crossbook.gateway.faults.face_stream import FaultyFaceStream, faulty_face_api
from crossbook.gateway.faults.market_stream import HELD_S
from tests.gateway.faults.test_market_stream import FakeLoop
from tests.worlds.face_stream_world import FaceStreamWorld
from tests.worlds.feed_source import SYMBOL
from tests.worlds.stream_world import FakeConnection

DEPTH = "/ws/btcusdt@depth@100ms"
NOW_NS = 9_000_000


class FaultyFace(FaceStreamWorld):
    """The face's streams behind `table`."""

    def __init__(self, *rules: AnyFault) -> None:
        super().__init__()
        self.table = FaultTable("gateway")
        self.loop = FakeLoop()
        for rule in rules:
            self.table.add(rule)

    def opened(self, path: str = DEPTH) -> FakeConnection:
        """A client behind the rules."""
        path, _, query = path.partition("?")
        inner = self.paths.find(path, query)
        assert isinstance(inner, StreamClient)
        symbols = SymbolTable({SYMBOL: example()})
        return FakeConnection(
            FaultyFaceStream(inner, self.table, lambda: self.loop, lambda: NOW_NS, symbols)
        )

    def events(self, client: FakeConnection, count: int) -> list[Any]:
        """The messages that a client receives while so many changes are sent."""
        for _ in range(count):
            self.step()
            self.advance(100)
        return client.pop_messages()


def is_dense(events: list[dict[str, Any]]) -> bool:
    """Whether each change of a book continues the one before."""
    return all(later["U"] == earlier["u"] + 1 for earlier, later in pairwise(events))


@pytest.mark.parametrize("rule", [StreamGap(next=1), StreamDrop(type="depthUpdate", next=1)])
def test_a_lost_change_of_a_book_leaves_a_hole_in_the_numbers(rule: AnyFault) -> None:
    world = FaultyFace()
    client = world.opened()
    before = world.events(client, 5)
    assert is_dense(before)
    world.table.add(rule)
    after = world.events(client, 5)
    assert after[0]["U"] > before[-1]["u"] + 1
    assert is_dense(after)
    assert world.table.applied.total() == 1


def test_a_gap_concerns_changes_of_books_alone() -> None:
    world = FaultyFace(StreamGap())
    client = world.opened("/stream?streams=btcusdt@depth@100ms/btcusdt@depth5@100ms/btcusdt@trade")
    kinds = {each["stream"] for each in world.events(client, 30)}
    assert kinds == {"btcusdt@depth5@100ms", "btcusdt@trade"}


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        ("btcusdt@depth@100ms", "depthUpdate"),
        ("btcusdt@depth5@100ms", "partialDepth"),
        ("btcusdt@trade", "trade"),
        ("btcusdt@aggTrade", "aggTrade"),
        ("btcusdt@bookTicker", "bookTicker"),
        ("btcusdt@kline_1m", "kline"),
        ("btcusdt@ticker", "24hrTicker"),
        ("btcusdt@miniTicker", "24hrMiniTicker"),
        ("!ticker@arr", "24hrTicker"),
        ("!miniTicker@arr", "24hrMiniTicker"),
    ],
)
@pytest.mark.parametrize("path", ["/ws/", "/stream?streams="])
def test_an_event_is_known_by_its_type_and_symbol_raw_and_wrapped(
    path: str, stream: str, kind: str
) -> None:
    symbol = None if stream.startswith("!") else SYMBOL
    fields: Any = {"stream": "binance", "type": kind, "symbol": symbol}
    world = FaultyFace(StreamDrop(**fields), StreamDrop(symbol="ETH-USDT"))
    client = world.opened(path + stream)
    assert world.events(client, 20) == []
    assert world.table.states()[0].applied > 0
    assert world.table.states()[1].concerned == 0
    world.table.clear()
    world.advance(2_000)
    assert world.events(client, 20)


def test_a_rule_of_a_native_stream_concerns_nothing_of_the_face() -> None:
    world = FaultyFace(StreamDrop(stream="market-data"), StreamWrongChecksum())
    assert is_dense(world.events(world.opened(), 5))
    assert world.table.applied.total() == 0


def test_answers_pass_every_rule() -> None:
    world = FaultyFace(StreamDrop(), StreamStandstill())
    client = world.opened("/ws")
    client.channel.received(client, '{"method":"LIST_SUBSCRIPTIONS","id":1}')
    client.channel.received(client, "no json")
    answer, error = client.pop_messages()
    assert answer == {"result": [], "id": 1}
    assert error["error"]["code"] == 3


def test_an_event_is_sent_twice_or_late() -> None:
    world = FaultyFace(StreamDuplicate(stream="binance", next=1))
    client = world.opened()
    first, second, third = world.events(client, 2)
    assert first == second
    assert third["U"] == first["u"] + 1
    world.table.add(StreamDelay(milliseconds=200, next=1))
    (after,) = world.events(client, 2)
    world.loop.pass_s(0.2)
    (late,) = client.pop_messages()
    assert after["U"] == late["u"] + 1


def test_a_trade_is_overtaken_by_the_next() -> None:
    world = FaultyFace(StreamReorder(type="trade", next=1))
    client = world.opened("/ws/btcusdt@trade")
    ids: list[int] = []
    while len(ids) < 2:
        ids += [each["t"] for each in world.events(client, 1)]
    assert ids[0] == ids[1] + 1


def test_a_held_event_is_sent_before_the_next_one_once_the_rules_are_gone() -> None:
    world = FaultyFace(StreamReorder(type="depthUpdate", next=1))
    client = world.opened()
    assert world.events(client, 1) == []
    world.table.clear()
    world.loop.pass_s(HELD_S)
    assert is_dense(client.pop_messages() + world.events(client, 3))


def test_a_connection_ends_every_so_many_seconds_by_one_of_its_streams() -> None:
    world = FaultyFace(StreamDisconnect(seconds=2, stream="binance", symbol=SYMBOL))
    other, client = world.opened("/ws/ethusdt@trade"), world.opened()
    world.loop.pass_s(1.8)
    assert client.ended is None
    world.loop.pass_s(0.3)
    assert [client.ended, other.ended] == [(1006, ""), None]


def test_clients_receive_the_end_of_the_gateway_before_their_connection_ends() -> None:
    world = FaultyFace()
    client = world.opened("/stream?streams=0")
    world.loop.pass_s(1)
    world.table.add(ServerShutdown(seconds=2))
    world.loop.pass_s(0.1)
    shutdown = {"e": "serverShutdown", "E": NOW_NS // 1_000_000}
    assert client.pop_messages() == [{"stream": "!serverShutdown", "data": shutdown}]
    world.loop.pass_s(1.8)
    assert client.ended is None
    world.loop.pass_s(0.3)
    assert client.ended is not None
    assert client.ended[0] == 1001
    assert world.table.applied["server_shutdown"] == 1


def test_a_connection_stays_when_the_rule_of_its_end_is_cleared() -> None:
    world = FaultyFace(ServerShutdown(seconds=2))
    client = world.opened()
    world.loop.pass_s(1)
    world.table.clear()
    world.loop.pass_s(2)
    assert client.ended is None


def test_a_schedule_of_the_end_counts_connections() -> None:
    world = FaultyFace(ServerShutdown(seconds=0.1, every=2))
    clients = [world.opened("/ws/0") for _ in range(4)]
    world.loop.pass_s(1)
    assert [client.ended is not None for client in clients] == [False, True, False, True]


def test_the_websocket_api_has_the_rules_of_connections() -> None:
    world = FaultyFace(ServerShutdown(seconds=1, stream="binance-api"), StreamDrop())

    class Api:
        """A channel of the WebSocket API that answers with what it receives."""

        connection: Any

        def opened(self, connection: Any) -> None:
            self.connection = connection

        def received(self, connection: Any, text: str) -> None:
            self.connection.send(b"\x81\x02{}")

        def drained(self, connection: Any) -> None: ...

        def closed(self, connection: Any) -> None: ...

        def shut_down(self, now_ns: int) -> None:
            self.connection.send(b'\x81\x0b{"event":1}')

    client = FakeConnection(faulty_face_api(Api(), world.table, lambda: world.loop, lambda: NOW_NS))
    market = world.opened("/ws/0")
    client.channel.received(client, "{}")
    world.loop.pass_s(0.1)
    assert client.pop_messages() == [{"event": 1}, {}]
    world.loop.pass_s(1.1)
    assert client.ended is not None
    assert market.ended is None
