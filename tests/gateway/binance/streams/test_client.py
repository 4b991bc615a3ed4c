"""Requests of a client: subscriptions, properties, errors, limits."""

import json
from typing import Any

import pytest

from crossbook.gateway.binance.streams.client import REQUESTS_AT_ONCE, STREAMS_MAX
from tests.worlds.face_stream_world import FaceStreamWorld, request
from tests.worlds.stream_world import FakeConnection


def raw(client: FakeConnection, text: str) -> Any:
    client.channel.received(client, text)
    (answer,) = client.pop_messages()
    return answer


@pytest.mark.parametrize("number", [1, 0, 2**53, "a", "7", None])
def test_an_answer_has_the_id_as_it_came(number: Any) -> None:
    client = FaceStreamWorld().connect("/ws")
    assert request(client, "SUBSCRIBE", "btcusdt@trade", number=number) == {
        "result": None, "id": number,
    }  # fmt: skip
    assert request(client, "LIST_SUBSCRIPTIONS", number=number)["id"] == number


def test_the_answer_to_a_subscription_comes_before_its_events() -> None:
    client = FaceStreamWorld().connect("/ws")
    assert request(client, "SUBSCRIBE", "btcusdt@bookTicker") == {"result": None, "id": 1}
    (event,) = client.pop_messages()
    assert event["s"] == "BTCUSDT"


def test_subscribing_twice_is_one_subscription() -> None:
    world = FaceStreamWorld()
    client = world.connect("/ws/btcusdt@trade")
    request(client, "SUBSCRIBE", "btcusdt@trade", "btcusdt@trade")
    assert request(client, "LIST_SUBSCRIPTIONS")["result"] == ["btcusdt@trade"]
    before = world.source.trade_id
    world.step(30)
    world.advance(100)
    assert len(client.pop_messages()) == world.source.trade_id - before
    assert request(client, "UNSUBSCRIBE", "btcusdt@trade", "never@trade")["result"] is None
    world.step(30)
    world.advance(100)
    assert client.writes == []


def test_unknown_names_are_subscriptions_of_which_nothing_comes() -> None:
    world = FaceStreamWorld()
    client = world.connect("/ws/0")
    assert request(client, "SUBSCRIBE", "nothing", "xyz@trade")["result"] is None
    assert request(client, "LIST_SUBSCRIPTIONS")["result"] == ["0", "nothing", "xyz@trade"]
    world.step(5)
    assert client.writes == []


def test_the_path_decides_the_form_and_a_property_changes_it() -> None:
    world = FaceStreamWorld()
    for path, is_wrapped in (("/ws", False), ("/stream", True)):
        client = world.connect(path)
        request(client, "SUBSCRIBE", "btcusdt@bookTicker")
        (event,) = client.pop_messages()
        assert ("stream" in event) == is_wrapped
        assert request(client, "GET_PROPERTY", "combined")["result"] is is_wrapped
        assert request(client, "SET_PROPERTY", "combined", not is_wrapped)["result"] is None
        client.writes.clear()
        while not client.writes:
            world.step()
        assert ("stream" in client.pop_messages()[0]) != is_wrapped


@pytest.mark.parametrize(
    ("text", "code", "number"),
    [
        ("", 3, None),
        ("no json", 3, None),
        ("[1]", 3, None),
        ("[" * 5_000, 3, None),
        ('{"method":"SUBSCRIBE","id":1.5}', 2, None),
        ('{"method":"SUBSCRIBE","id":-1}', 2, None),
        ('{"method":"SUBSCRIBE","id":true}', 2, None),
        ('{"method":"SUBSCRIBE","id":[]}', 2, None),
        ('{"method":"DANCE","id":7}', 2, 7),
        ('{"id":"x"}', 2, "x"),
        ('{"method":{},"id":7}', 2, 7),
        ('{"method":"SUBSCRIBE","params":"btcusdt@trade","id":7}', 2, 7),
        ('{"method":"SUBSCRIBE","params":[1],"id":7}', 2, 7),
        ('{"method":"SET_PROPERTY","params":[],"id":7}', 2, 7),
        ('{"method":"SET_PROPERTY","params":["other",true],"id":7}', 0, 7),
        ('{"method":"SET_PROPERTY","params":["combined",1],"id":7}', 1, 7),
        ('{"method":"GET_PROPERTY","params":[{}],"id":7}', 2, 7),
    ],
)
def test_a_request_at_fault_gets_an_error_and_the_connection_stays(
    text: str, code: int, number: Any
) -> None:
    client = FaceStreamWorld().connect("/ws")
    answer = raw(client, text)
    assert answer["id"] == number
    assert answer["error"]["code"] == code
    assert answer["error"]["msg"]
    assert client.ended is None
    assert request(client, "LIST_SUBSCRIPTIONS")["result"] == []


def test_a_connection_has_a_limit_of_streams() -> None:
    client = FaceStreamWorld().connect("/ws")
    names = [f"none{n}@trade" for n in range(STREAMS_MAX)]
    assert request(client, "SUBSCRIBE", *names)["result"] is None
    assert request(client, "SUBSCRIBE", *names[:9])["result"] is None
    answer = request(client, "SUBSCRIBE", "one@more", number=4)
    assert (answer["error"]["code"], answer["id"]) == (2, 4)
    assert len(request(client, "LIST_SUBSCRIPTIONS")["result"]) == STREAMS_MAX


def test_a_client_that_sends_too_many_requests_is_closed() -> None:
    world = FaceStreamWorld()
    client = world.connect("/ws")
    for _ in range(REQUESTS_AT_ONCE):
        request(client, "LIST_SUBSCRIPTIONS")
    world.advance(1_000)
    for _ in range(5):
        request(client, "LIST_SUBSCRIPTIONS")
    client.channel.received(client, json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 1}))
    assert client.ended is not None
    assert client.ended[0] == 1008


def test_a_full_client_is_caught_up_in_all_its_streams() -> None:
    world = FaceStreamWorld()
    client = world.connect("/stream?streams=btcusdt@trade/btcusdt@depth@100ms/btcusdt@ticker")
    client.full = True
    world.step(30)
    world.advance(2_000)
    client.writes.clear()
    client.drain()
    assert {event["stream"] for event in client.pop_messages()} == {
        "btcusdt@trade", "btcusdt@depth@100ms", "btcusdt@ticker",
    }  # fmt: skip


def test_every_client_receives_the_end_of_its_gateway_in_its_form() -> None:
    world = FaceStreamWorld()
    plain, fine = world.connect("/ws/0"), world.connect("/stream?timeUnit=MICROSECOND")
    world.streams.shut_down(7_000_000)
    assert plain.pop_messages() == [{"e": "serverShutdown", "E": 7}]
    assert fine.pop_messages() == [
        {"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 7_000}}
    ]
