"""`/ws/trades/`: every trade once and in order, or a resync where some are gone."""

import random
from typing import Any

import pytest

from crossbook.common.messages.feed import Trade, Trades
from crossbook.gateway.streams.trade_tape import RUN_BYTES, TRADES_KEPT
from tests.worlds.feed_source import SYMBOL
from tests.worlds.stream_world import FakeConnection, StreamWorld, quiet_world

TRADES = f"/ws/trades/{SYMBOL}"


def ids(client: FakeConnection) -> list[int]:
    taken = [message for message in client.pop_messages() if message["type"] != "heartbeat"]
    assert all(message["type"] == "trade" for message in taken), taken
    return [message["trade_id"] for message in taken]


def trade(trade_id: int) -> Trade:
    return Trade(
        seq=1_000 + trade_id,
        trade_id=trade_id,
        price_ticks=5_000_001,
        quantity_lots=7,
        aggressor_side=1,
        maker_order_id=3,
        taker_order_id=4,
        time_ns=1_700_000_000_000_001_000,
    )


def publish(world: StreamWorld, *ids: int) -> None:
    world.streams.apply([Trades(SYMBOL, [trade(trade_id) for trade_id in ids])])
    world.work()


def test_a_trade_is_sent_as_it_is() -> None:
    world = quiet_world()
    client = world.connect(TRADES)
    publish(world, 1)
    assert client.pop_messages() == [
        {
            "type": "trade", "symbol": SYMBOL, "trade_id": 1, "seq": 1_001, "price": "50000.01",
            "quantity": "0.00007", "aggressor_side": "buy", "maker_order_id": "ORD-0000000003",
            "taker_order_id": "ORD-0000000004", "ts": 1_700_000_000_000_001,
        }
    ]  # fmt: skip


def test_from_trade_id_begins_there_and_goes_on_without_a_hole() -> None:
    world = quiet_world()
    publish(world, *range(1, 6))
    client, next_one = world.connect(f"{TRADES}?from_trade_id=3"), world.connect(
        f"{TRADES}?from_trade_id=6"
    )  # fmt: skip
    publish(world, 6, 7)
    assert ids(client) == [3, 4, 5, 6, 7]
    assert ids(next_one) == [6, 7]


def test_a_trade_that_is_still_to_come_is_refused_with_the_last_there_is() -> None:
    world = quiet_world()
    publish(world, *range(1, 6))
    refusal = world.refused(f"{TRADES}?from_trade_id=7")
    assert refusal.status == 400
    assert "7 is still to come; the last trade is 5" in refusal.text


def test_trades_no_longer_held_are_sent_as_missing() -> None:
    world = quiet_world()
    for first in range(1, TRADES_KEPT + 11, 1_000):
        publish(world, *range(first, first + 1_000))
    client = world.connect(f"{TRADES}?from_trade_id=1")
    resync, *rest = client.pop_messages()
    assert (resync["type"], resync["from_trade_id"]) == ("resync", rest[0]["trade_id"])
    assert [message["trade_id"] for message in rest] == list(range(1_001, 11_001))


def test_a_slow_client_goes_on_from_its_own_trade() -> None:
    world = quiet_world()
    client, other = world.connect(TRADES), world.connect(TRADES)
    publish(world, 1)
    client.full = True
    publish(world, 2)
    publish(world, 3, 4)
    assert ids(client) == [1]
    assert ids(other) == [1, 2, 3, 4]
    client.drain()
    publish(world, 5)
    assert ids(client) == [2, 3, 4, 5]


def test_a_client_that_fills_up_while_catching_up_stops_there() -> None:
    world = quiet_world()
    client = world.connect(TRADES)
    client.full = True
    for first in range(1, 2_001, 100):
        publish(world, *range(first, first + 100))
    send = client.send

    def send_and_fill(frame: bytes) -> None:
        send(frame)
        client.full = True

    client.send = send_and_fill  # type: ignore[method-assign]
    seen: list[int] = []
    for _ in range(20):
        client.drain()
        assert sum(map(len, client.writes)) < RUN_BYTES + 1_000
        seen += ids(client)
    assert seen == list(range(1, 2_001))


def test_a_hole_in_the_feed_is_reported_to_all_clients() -> None:
    world = quiet_world()
    current, behind = world.connect(TRADES), world.connect(TRADES)
    publish(world, 1)
    behind.full = True
    publish(world, 2)
    publish(world, 9, 10)
    behind.drain()
    ids_sent = [
        message.get("trade_id") or message["from_trade_id"] for message in current.pop_messages()
    ]
    assert ids_sent == [1, 2, 9, 9, 10]
    assert [message["type"] for message in behind.pop_messages()] == [
        "trade",
        "resync",
        "trade",
        "trade",
    ]


def test_a_hole_between_two_sendings_is_reported_as_well() -> None:
    world = quiet_world()
    world.cost_ns = 15_000_000
    client = world.connect(TRADES)
    publish(world, 1)
    publish(world, 2)
    publish(world, 9)
    client.full = True
    client.drain()
    world.advance(500)
    received = client.pop_messages()
    assert [message["type"] for message in received] in (
        ["trade", "trade", "resync", "trade"],
        ["trade", "resync", "trade"],
    )
    assert received[-1]["trade_id"] == received[-2]["from_trade_id"] == 9


@pytest.mark.parametrize("seed", range(10))
def test_no_trade_is_missing_without_a_resync(seed: int) -> None:
    draw = random.Random(seed)
    world = quiet_world()
    publish(world, *range(1, 50))
    last = 49
    clients: dict[FakeConnection, int] = {}
    for _ in range(150):
        world.cost_ns = draw.choice((0, 0, 3_000_000, 20_000_000))
        choice = draw.random()
        if choice < 0.1:
            first = draw.randint(max(1, last - 300), last + 1)
            clients[world.connect(f"{TRADES}?from_trade_id={first}")] = first
        elif choice < 0.3 and clients:
            draw.choice(list(clients)).full = True
        elif choice < 0.5 and clients:
            draw.choice(list(clients)).drain()
        elif choice < 0.52:
            last += draw.choice((0, 0, 3))
        else:
            count = draw.choice((1, 1, 1, 2, 50))
            publish(world, *range(last + 1, last + count + 1))
            last += count
        world.advance(draw.choice((0, 1, 50)))
        for client, following in clients.items():
            clients[client] = follow(client.pop_messages(), following)
    for client in clients:
        client.drain()
    publish(world, last + 1)
    world.advance(1_000)
    for client, following in clients.items():
        assert follow(client.pop_messages(), following) == last + 2


def follow(messages: list[dict[str, Any]], following: int) -> int:
    """The id due after these messages, where `following` is due first. Asserts that ids are missing
    only at a resync."""
    for message in messages:
        if message["type"] == "resync":
            assert message["from_trade_id"] > following
            following = message["from_trade_id"]
        elif message["type"] == "trade":
            assert message["trade_id"] == following
            following += 1
    return following
