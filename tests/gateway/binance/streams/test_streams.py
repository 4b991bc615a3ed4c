"""The face's streams of trades, best prices, tickers: events, paces, slow clients."""

from typing import Any

import pytest
from msgspec.structs import replace

from crossbook.common.instruments import example
from crossbook.gateway.binance.streams import trades
from crossbook.gateway.streams.paced import SLICE
from tests.worlds.face_stream_world import FaceStreamWorld, request
from tests.worlds.feed_source import SYMBOL


def trade_ids(events: list[dict[str, Any]]) -> list[int]:
    return [event["t"] for event in events]


def test_every_trade_is_sent_once_with_the_documented_fields() -> None:
    world = FaceStreamWorld()
    client, aggregates = world.connect("/ws/btcusdt@trade"), world.connect("/ws/btcusdt@aggTrade")
    before = world.source.trade_id
    world.step(60)
    world.advance(100)
    events, others = client.pop_messages(), aggregates.pop_messages()
    assert trade_ids(events) == list(range(before + 1, world.source.trade_id + 1))
    event = events[-1]
    assert list(event) == ["e", "E", "s", "t", "p", "q", "T", "m", "M"]
    assert (event["e"], event["s"], event["p"], event["q"]) == (
        "trade", "BTCUSDT", "0.05000000", "0.00001000",
    )  # fmt: skip
    assert (event["m"], event["M"]) == (False, True)
    assert list(others[-1]) == ["e", "E", "s", "a", "p", "q", "f", "l", "T", "m", "M"]
    assert [each["a"] for each in others] == trade_ids(events)
    assert all(each["f"] == each["l"] == each["a"] for each in others)


def test_times_are_milliseconds_and_on_request_microseconds() -> None:
    world = FaceStreamWorld()
    plain = world.connect("/ws/btcusdt@trade")
    fine = world.connect("/ws/btcusdt@trade?timeUnit=MICROSECOND")
    wrapped = world.connect("/stream?timeUnit=MICROSECOND&streams=btcusdt@trade")
    world.step(20)
    world.advance(100)
    events, fine_events = plain.pop_messages(), fine.pop_messages()
    assert events
    assert [event["T"] for event in events] == [event["T"] // 1_000 for event in fine_events]
    assert any(event["T"] % 1_000 for event in fine_events)
    assert [event["data"] for event in wrapped.pop_messages()] == fine_events


def test_clients_of_one_form_share_their_frames() -> None:
    world = FaceStreamWorld()
    clients = [world.connect("/ws/btcusdt@trade") for _ in range(3 * SLICE)]
    wrapped = [world.connect("/stream?streams=btcusdt@trade") for _ in range(3)]
    while not clients[0].writes:
        world.step()
        world.advance(200)
    assert all(client.writes == clients[0].writes for client in clients)
    assert all(client.writes[0] is wrapped[0].writes[0] for client in wrapped)


def test_a_slow_client_gets_every_trade_it_missed() -> None:
    world = FaceStreamWorld()
    client, other = world.connect("/ws/btcusdt@trade"), world.connect("/ws/btcusdt@trade")
    client.full = True
    world.step(2_000)
    world.advance(200)
    assert client.writes == []
    client.drain()
    assert trade_ids(client.pop_messages()) == trade_ids(other.pop_messages())
    world.step(20)
    world.advance(200)
    assert trade_ids(client.pop_messages()) == trade_ids(other.pop_messages())


def test_a_client_of_which_trades_are_no_longer_held_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trades, "TRADES_KEPT", 20)
    world = FaceStreamWorld()
    client, other = world.connect("/ws/btcusdt@trade"), world.connect("/ws/btcusdt@trade")
    client.full = True
    for _ in range(20):
        world.step(10)
        world.advance(200)
    client.drain()
    assert client.ended is not None
    assert "too slow" in client.ended[1]
    assert other.ended is None
    (stream,) = world.streams.streams()
    assert stream.losses == 1


def test_best_prices_come_at_once_and_have_no_event_type() -> None:
    world = FaceStreamWorld()
    client = world.connect("/ws/btcusdt@bookTicker")
    (first,) = client.pop_messages()
    assert list(first) == ["u", "s", "b", "B", "a", "A"]
    seen = 0
    for _ in range(50):
        world.step()
        for event in client.pop_messages():
            bids, asks = world.books[event["u"]]
            assert (event["b"], event["B"]) == (bids or [("0.00000000", "0.00000000")])[0]
            assert (event["a"], event["A"]) == (asks or [("0.00000000", "0.00000000")])[0]
            seen += 1
    assert seen > 10


def test_a_ticker_comes_at_once_and_at_most_once_a_second() -> None:
    world = FaceStreamWorld()
    world.step(30)
    client, mini = world.connect("/ws/btcusdt@ticker"), world.connect("/ws/btcusdt@miniTicker")
    (event,), (small,) = client.pop_messages(), mini.pop_messages()
    assert "".join(event) == "eEspPwxcQbBaAohlvqOCFLn"
    assert event["e"] == "24hrTicker"
    assert "".join(small) == "eEscohlvq"
    assert small["e"] == "24hrMiniTicker"
    for _ in range(100):
        world.step()
        world.advance(30)
    assert 2 <= len(client.pop_messages()) <= 4


def test_the_tickers_of_all_symbols_are_a_list_of_those_that_changed() -> None:
    world = FaceStreamWorld()
    world.step(30)
    other = replace(example(), id=2, symbol="ETH-USDT")
    world.streams.describe({SYMBOL: example(), "ETH-USDT": other})
    ticker = world.ticker(SYMBOL)
    assert ticker is not None
    client = world.connect("/ws/!ticker@arr")
    first: Any
    second: Any
    missed: Any
    (first,) = client.pop_messages()
    assert [event["s"] for event in first] == ["BTCUSDT"]
    world.streams.apply([replace(ticker, symbol="ETH-USDT")])
    world.advance(1_000)
    (second,) = client.pop_messages()
    assert [event["s"] for event in second] == ["ETHUSDT"]
    mini = world.connect("/stream?streams=!miniTicker@arr")
    world.streams.apply([ticker])
    world.advance(1_000)
    third: Any
    (third,) = client.pop_messages()
    assert [event["s"] for event in third] == ["BTCUSDT"]
    events = mini.pop_messages()
    assert events[0]["stream"] == "!miniTicker@arr"
    assert {event["e"] for event in events[0]["data"]} == {"24hrMiniTicker"}
    # A full client gets all that changed meanwhile.
    client.full = True
    for symbol in (SYMBOL, "ETH-USDT"):
        world.streams.apply([replace(ticker, symbol=symbol)])
        world.advance(1_100)
    client.drain()
    (missed,) = client.pop_messages()
    assert {event["s"] for event in missed} == {"BTCUSDT", "ETHUSDT"}


def test_a_dear_crowd_gets_fewer_events_of_the_book_and_every_trade() -> None:
    world = FaceStreamWorld()
    world.cost_ns = 60 * 10**6
    clients = [world.connect("/ws/btcusdt@depth@100ms") for _ in range(5)]
    tape = world.connect("/ws/btcusdt@trade")
    before, begun_ns = world.source.trade_id, world.now_ns
    while world.now_ns - begun_ns < 2 * 10**9:
        world.step()
        world.advance(5)
    world.advance(1_000)
    assert 8 <= len(clients[0].pop_messages()) <= 15
    assert trade_ids(tape.pop_messages()) == list(range(before + 1, world.source.trade_id + 1))


def test_a_stream_without_clients_is_dropped() -> None:
    world = FaceStreamWorld()
    client = world.connect("/ws/btcusdt@trade/btcusdt@depth/!ticker@arr/btcusdt@kline_1m/nothing")
    assert len(list(world.streams.streams())) == 4
    request_later(client)
    assert len(list(world.streams.streams())) == 3
    client.leave()
    assert list(world.streams.streams()) == []
    assert len(world.streams) == 0
    world.step(5)


def request_later(client: Any) -> None:
    client.pop_messages()
    assert request(client, "UNSUBSCRIBE", "btcusdt@depth") == {"result": None, "id": 1}


def test_a_connection_ends_after_its_time() -> None:
    world = FaceStreamWorld(lifetime_s=10)
    first = world.connect("/ws")
    world.advance(6_000)
    second = world.connect("/ws")
    world.beat()
    assert first.ended is None
    world.advance(5_000)
    world.beat()
    world.beat()
    assert first.ended is not None
    assert first.ended[0] == 1001
    assert second.ended is None


def test_a_symbol_that_is_added_later_gets_its_clients() -> None:
    world = FaceStreamWorld()
    client = world.connect("/ws/ethusdt@bookTicker/btcusdt@nothing")
    assert list(world.streams.streams()) == []
    other = replace(example(), id=2, symbol="ETH-USDT")
    world.streams.describe({"ETH-USDT": other})
    (stream,) = world.streams.streams()
    assert stream.name == "ethusdt@bookTicker"
    assert len(stream) == 1
    client.leave()
    assert list(world.streams.streams()) == []
    gone = world.connect("/ws/xrpusdt@trade")
    gone.leave()
    assert not world.streams._unknown
