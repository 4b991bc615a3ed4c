"""Routes, trades, candles and the ticker of the streams, without sockets."""

import random
from typing import Any

import pytest

from crossbook.common.messages.feed import Candles, Snapshot, Ticker, Trade, Trades
from crossbook.common.messages.history_queries import Candle
from crossbook.gateway.streams.base import Pace
from crossbook.gateway.streams.routes import Streams
from crossbook.gateway.streams.trade_tape import RUN_BYTES, TRADES_KEPT
from tests.worlds.feed_source import SYMBOL
from tests.worlds.stream_world import FakeConnection, StreamWorld

TRADES = f"/ws/trades/{SYMBOL}"
CANDLES = f"/ws/candles/{SYMBOL}"


def trade(trade_id: int) -> Trade:
    return Trade(1_000 + trade_id, trade_id, 5_000_001, 7, 1, 3, 4, 1_700_000_000_000_001_000)


def publish(world: StreamWorld, *ids: int) -> None:
    world.streams.take([Trades(SYMBOL, [trade(trade_id) for trade_id in ids])])
    world.work()


def ids(client: FakeConnection) -> list[int]:
    taken = [message for message in client.take() if message["type"] != "heartbeat"]
    assert all(message["type"] == "trade" for message in taken), taken
    return [message["trade_id"] for message in taken]


def quiet_world() -> StreamWorld:
    """A live market whose messages the test makes; nothing has ever traded there."""
    world = StreamWorld()
    world.streams = Streams()
    world.streams.describe(world.follower.instruments)
    world.streams.take([Snapshot(1, SYMBOL, 1, {}, [], [], 0, 0, 0)])
    world.streams.set_live(SYMBOL, True, "")
    return world


@pytest.mark.parametrize(
    ("path", "status", "named"),
    [
        ("/ws/market-data/NOPE-USDT", 404, "'NOPE-USDT'"),
        ("/ws/market-data/", 404, "symbol"),
        ("/ws/nothing/BTC-USDT", 404, "/ws/trades/SYMBOL"),
        ("/elsewhere", 404, "/elsewhere"),
        (f"{TRADES}?from_trade_id=x", 400, "from_trade_id"),
        (f"{TRADES}?from_trade_id=0", 400, "from_trade_id"),
        (f"{TRADES}?from_trade_id=-1", 400, "from_trade_id"),
        (f"{TRADES}?from_trade_id=", 400, "from_trade_id"),
        (f"{TRADES}?from_trade_id=\u0663", 400, "from_trade_id"),
        (f"{TRADES}?from_trade_id={'9' * 5_000}", 400, "from_trade_id"),
        (f"{TRADES}?from_trade_id=99", 400, "still to come"),
        (f"{TRADES}?from_trade_id=1&from_trade_id=2", 400, "twice"),
        (f"{TRADES}?interval=1m", 400, "interval"),
        (f"{CANDLES}?interval=7m", 400, "1s, 1m, 5m"),
        (f"/ws/market-data/{SYMBOL}?levels=5", 400, "levels"),
    ],
)
def test_a_wrong_address_is_refused_by_name(path: str, status: int, named: str) -> None:
    refusal = quiet_world().refused(path)
    assert refusal.status == status
    assert named in refusal.text
    assert len(refusal.text) < 300


def test_before_the_instruments_are_known_clients_are_sent_away_for_a_moment() -> None:
    world = StreamWorld()
    world.streams = Streams()
    assert world.refused(TRADES).status == 503


def test_a_trade_is_told_as_it_is() -> None:
    world = quiet_world()
    client = world.connect(TRADES)
    publish(world, 1)
    assert client.take() == [
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


def test_trades_no_longer_held_are_told_missing() -> None:
    world = quiet_world()
    for first in range(1, TRADES_KEPT + 11, 1_000):
        publish(world, *range(first, first + 1_000))
    client = world.connect(f"{TRADES}?from_trade_id=1")
    resync, *rest = client.take()
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


def test_a_hole_in_the_feed_is_told_to_everyone() -> None:
    world = quiet_world()
    level, behind = world.connect(TRADES), world.connect(TRADES)
    publish(world, 1)
    behind.full = True
    publish(world, 2)
    publish(world, 9, 10)
    behind.drain()
    told = [message.get("trade_id") or message["from_trade_id"] for message in level.take()]
    assert told == [1, 2, 9, 9, 10]
    assert [message["type"] for message in behind.take()] == ["trade", "resync", "trade", "trade"]


def test_a_hole_between_two_sendings_is_told_as_well() -> None:
    world = quiet_world()
    world.cost_ns = 15_000_000
    client = world.connect(TRADES)
    publish(world, 1)
    publish(world, 2)
    publish(world, 9)
    client.full = True
    client.drain()
    world.advance(500)
    told = client.take()
    assert [message["type"] for message in told] in (
        ["trade", "trade", "resync", "trade"],
        ["trade", "resync", "trade"],
    )
    assert told[-1]["trade_id"] == told[-2]["from_trade_id"] == 9


@pytest.mark.parametrize("seed", range(10))
def test_no_trade_is_ever_missing_without_a_word(seed: int) -> None:
    draw = random.Random(seed)
    world = quiet_world()
    publish(world, *range(1, 50))
    last = 49
    clients: dict[FakeConnection, int] = {}
    for _ in range(150):
        world.cost_ns = draw.choice((0, 0, 3_000_000, 20_000_000))
        what = draw.random()
        if what < 0.1:
            first = draw.randint(max(1, last - 300), last + 1)
            clients[world.connect(f"{TRADES}?from_trade_id={first}")] = first
        elif what < 0.3 and clients:
            draw.choice(list(clients)).full = True
        elif what < 0.5 and clients:
            draw.choice(list(clients)).drain()
        elif what < 0.52:
            last += draw.choice((0, 0, 3))
        else:
            count = draw.choice((1, 1, 1, 2, 50))
            publish(world, *range(last + 1, last + count + 1))
            last += count
        world.advance(draw.choice((0, 1, 50)))
        for client, following in clients.items():
            clients[client] = follow(client.take(), following)
    for client in clients:
        client.drain()
    publish(world, last + 1)
    world.advance(1_000)
    for client, following in clients.items():
        assert follow(client.take(), following) == last + 2


def follow(messages: list[dict[str, Any]], following: int) -> int:
    """The trade that has to come next after these messages, when `following` had to."""
    for message in messages:
        if message["type"] == "resync":
            assert message["from_trade_id"] > following
            following = message["from_trade_id"]
        elif message["type"] == "trade":
            assert message["trade_id"] == following
            following += 1
    return following


def candle(open_s: int, close_ticks: int, interval_s: int = 60) -> Candle:
    """A candle with one trade a second, numbered as the seconds."""
    last = open_s + interval_s - 1
    return Candle(
        interval_s, open_s * 10**9, 1, 2, 1, close_ticks, 3, 4, 5, open_s, last, open_s
    )  # fmt: skip


def publish_candles(world: StreamWorld, *candles: Candle) -> None:
    world.streams.take([Candles(SYMBOL, 1, list(candles), 0)])
    world.work()


def told(client: FakeConnection) -> list[tuple[str, str, bool]]:
    return [
        (message["open_time"][11:19], message["close"], message["final"])
        for message in client.take()
    ]


def test_candles_are_conflated_and_each_is_told_once_more_when_it_is_final() -> None:
    world = quiet_world()
    client = world.connect(CANDLES)
    publish_candles(world, candle(60, 1), candle(300, 9, 300))
    publish_candles(world, candle(60, 2))
    publish_candles(world, candle(60, 3), candle(120, 4))
    world.advance(1_000)
    assert told(client) == [
        ("00:01:00", "0.01", False),
        ("00:01:00", "0.03", True),
        ("00:02:00", "0.04", False),
    ]
    late = world.connect(f"{CANDLES}?interval=1m")
    assert told(late) == [("00:02:00", "0.04", False)]


def test_a_slow_client_misses_no_final_candle() -> None:
    world = quiet_world()
    client, _ = world.connect(CANDLES), world.connect(CANDLES)
    publish_candles(world, candle(60, 1))
    client.take()
    client.full = True
    for minute in range(2, 6):
        publish_candles(world, candle(60 * minute, minute))
        world.advance(1_000)
    client.drain()
    assert told(client) == [
        ("00:01:00", "0.01", True),
        ("00:02:00", "0.02", True),
        ("00:03:00", "0.03", True),
        ("00:04:00", "0.04", True),
        ("00:05:00", "0.05", False),
    ]


def test_a_candle_of_which_trades_were_missed_is_never_called_final() -> None:
    world = quiet_world()
    client = world.connect(CANDLES)
    publish_candles(world, candle(60, 1))
    client.take()
    publish_candles(world, candle(180, 3))
    world.advance(1_000)
    resync, now = client.take()
    assert resync == {"type": "resync", "symbol": SYMBOL, "interval": "1m"}
    assert (now["open_time"][11:19], now["final"]) == ("00:03:00", False)


def test_a_snapshot_of_the_feed_brings_candles_and_ticker() -> None:
    world = quiet_world()
    ticker = Ticker(SYMBOL, *([7] * 17))
    snapshot = Snapshot(
        1, SYMBOL, 10**6, {}, [], [], 0, 0, 0, [], [], ticker, [candle(60, 5)]
    )  # fmt: skip
    world.streams.take([snapshot])
    assert told(world.connect(CANDLES)) == [("00:01:00", "0.05", False)]
    assert world.connect(f"/ws/ticker/{SYMBOL}").take()[0]["last"] == "0.07"


def test_the_ticker_is_the_latest_for_everyone() -> None:
    world = quiet_world()
    path = f"/ws/ticker/{SYMBOL}"
    client, slow = world.connect(path), world.connect(path)
    tickers = [Ticker(SYMBOL, *([seq] * 17)) for seq in range(1, 5)]
    world.streams.take(tickers[:1])
    world.work()
    slow.full = True
    world.streams.take(tickers[1:3])
    world.work()
    world.advance(1_000)
    slow.drain()
    assert [message["seq"] for message in client.take()] == [1, 3]
    assert [message["seq"] for message in slow.take()] == [1, 3]
    late = world.connect(path).take()
    assert [(message["type"], message["last"]) for message in late] == [("ticker", "0.03")]


def test_nothing_that_may_follow_piles_up_in_a_pace() -> None:
    pace = Pace(least_ns=0, most_ns=1 << 62, factor=5, slack_ns=5_000)
    for at in range(0, 1_000_000, 1_000):
        pace.sent(at, 900)
    assert pace.free_ns <= 1_000_000 + 5 * 900


def test_gone_clients_leave_nothing_behind() -> None:
    world = quiet_world()
    paths = (TRADES, f"{TRADES}?from_trade_id=1", CANDLES, f"/ws/market-data/{SYMBOL}")
    clients = [world.connect(path) for path in paths * 5]
    assert len(world.streams) == 20
    for client in clients:
        client.leave()
    assert len(world.streams) == 0
    for stream in world.streams._markets[SYMBOL].streams:
        assert not stream.level
        assert not stream.behind
        assert not stream._received
