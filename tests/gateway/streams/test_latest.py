"""`/ws/candles/` and `/ws/ticker/`: only the latest message is sent, and every final candle
once."""

import pytest

from crossbook.common.messages.feed import Candles, Snapshot, Ticker
from crossbook.common.messages.history_queries import Candle
from tests.worlds.feed_source import SYMBOL
from tests.worlds.stream_world import FakeConnection, StreamWorld, quiet_world

CANDLES = f"/ws/candles/{SYMBOL}"


def candle(open_s: int, close_ticks: int, interval_s: int = 60) -> Candle:
    """A candle with one trade a second, numbered as the seconds."""
    last = open_s + interval_s - 1
    return Candle(
        interval_s=interval_s,
        open_ns=open_s * 10**9,
        open_ticks=1,
        high_ticks=2,
        low_ticks=1,
        close_ticks=close_ticks,
        volume_lots=3,
        quote_volume=4,
        trades=5,
        first_trade_id=open_s,
        last_trade_id=last,
        seq=open_s,
    )


def publish_candles(world: StreamWorld, *candles: Candle, at_s: int = 0) -> None:
    message = Candles(symbol=SYMBOL, seq=1, candles=list(candles), time_ns=at_s * 10**9)
    world.streams.apply([message])
    world.work()


def candles_of(client: FakeConnection) -> list[tuple[str, str, bool]]:
    return [
        (message["open_time"][11:19], message["close"], message["final"])
        for message in client.pop_messages()
    ]


def test_candles_are_conflated_and_each_is_sent_once_more_when_it_is_final() -> None:
    world = quiet_world()
    client = world.connect(CANDLES)
    publish_candles(world, candle(60, 1), candle(300, 9, 300))
    publish_candles(world, candle(60, 2))
    publish_candles(world, candle(60, 3), candle(120, 4))
    world.advance(1_000)
    assert candles_of(client) == [
        ("00:01:00", "0.01", False),
        ("00:01:00", "0.03", True),
        ("00:02:00", "0.04", False),
    ]
    late = world.connect(f"{CANDLES}?interval=1m")
    assert candles_of(late) == [("00:02:00", "0.04", False)]


def test_a_slow_client_misses_no_final_candle() -> None:
    world = quiet_world()
    client, _ = world.connect(CANDLES), world.connect(CANDLES)
    publish_candles(world, candle(60, 1))
    client.pop_messages()
    client.full = True
    for minute in range(2, 6):
        publish_candles(world, candle(60 * minute, minute))
        world.advance(1_000)
    client.drain()
    assert candles_of(client) == [
        ("00:01:00", "0.01", True),
        ("00:02:00", "0.02", True),
        ("00:03:00", "0.03", True),
        ("00:04:00", "0.04", True),
        ("00:05:00", "0.05", False),
    ]


def test_a_candle_is_final_when_its_time_is_over_and_is_not_sent_as_such_again() -> None:
    world = quiet_world()
    client = world.connect(CANDLES)
    publish_candles(world, candle(60, 1), at_s=119)
    publish_candles(world, candle(60, 1), at_s=120)
    world.advance(1_000)
    assert candles_of(client) == [("00:01:00", "0.01", False), ("00:01:00", "0.01", True)]
    late = world.connect(CANDLES)
    assert candles_of(late) == [("00:01:00", "0.01", True)]
    publish_candles(world, candle(120, 2), at_s=121)
    world.advance(1_000)
    for each in (client, late):
        assert candles_of(each) == [("00:02:00", "0.02", False)]


def test_a_candle_that_the_feed_repeats_unchanged_is_not_sent_again() -> None:
    world = quiet_world()
    client = world.connect(CANDLES)
    for at_s in (61, 62, 120, 121):
        publish_candles(world, candle(60, 1), at_s=at_s)
        world.advance(1_000)
    assert candles_of(client) == [("00:01:00", "0.01", False), ("00:01:00", "0.01", True)]


def test_a_slow_client_receives_a_candle_that_ended_by_time_once() -> None:
    world = quiet_world()
    client = world.connect(CANDLES)
    publish_candles(world, candle(60, 1), at_s=61)
    client.pop_messages()
    client.full = True
    publish_candles(world, candle(60, 1), at_s=120)
    world.advance(1_000)
    publish_candles(world, candle(120, 2), at_s=121)
    world.advance(1_000)
    client.drain()
    assert candles_of(client) == [("00:01:00", "0.01", True), ("00:02:00", "0.02", False)]


def test_a_resync_follows_a_candle_that_ended_by_time_before_missed_trades() -> None:
    world = quiet_world()
    client = world.connect(CANDLES)
    publish_candles(world, candle(60, 1), at_s=120)
    client.pop_messages()
    publish_candles(world, candle(180, 3), at_s=181)
    world.advance(1_000)
    resync, now = client.pop_messages()
    assert resync == {"type": "resync", "symbol": SYMBOL, "interval": "1m"}
    assert (now["open_time"][11:19], now["final"]) == ("00:03:00", False)


def test_a_candle_with_missed_trades_is_never_marked_as_final() -> None:
    world = quiet_world()
    client = world.connect(CANDLES)
    publish_candles(world, candle(60, 1))
    client.pop_messages()
    publish_candles(world, candle(180, 3))
    world.advance(1_000)
    resync, now = client.pop_messages()
    assert resync == {"type": "resync", "symbol": SYMBOL, "interval": "1m"}
    assert (now["open_time"][11:19], now["final"]) == ("00:03:00", False)


def test_a_snapshot_of_the_feed_brings_candles_and_ticker() -> None:
    world = quiet_world()
    ticker = Ticker(SYMBOL, *([7] * 17))
    snapshot = Snapshot(
        request_id=1,
        symbol=SYMBOL,
        seq=10**6,
        topics={},
        bids=[],
        asks=[],
        checksum=0,
        time_ns=0,
        last_trade_id=0,
        bid_orders=[],
        ask_orders=[],
        ticker=ticker,
        candles=[candle(60, 5)],
    )
    world.streams.apply([snapshot])
    assert candles_of(world.connect(CANDLES)) == [("00:01:00", "0.05", False)]
    assert world.connect(f"/ws/ticker/{SYMBOL}").pop_messages()[0]["last"] == "0.07"


def test_every_client_receives_the_latest_ticker() -> None:
    world = quiet_world()
    path = f"/ws/ticker/{SYMBOL}"
    client, slow = world.connect(path), world.connect(path)
    tickers = [Ticker(SYMBOL, *([seq] * 17)) for seq in range(1, 5)]
    world.streams.apply(tickers[:1])
    world.work()
    slow.full = True
    world.streams.apply(tickers[1:3])
    world.work()
    world.advance(1_000)
    slow.drain()
    assert [message["seq"] for message in client.pop_messages()] == [1, 3]
    assert [message["seq"] for message in slow.pop_messages()] == [1, 3]
    late = world.connect(path).pop_messages()
    assert [(message["type"], message["last"]) for message in late] == [("ticker", "0.03")]


@pytest.mark.parametrize(
    ("path", "update"),
    [
        (CANDLES, Candles(symbol=SYMBOL, seq=1, candles=[candle(60, 1)], time_ns=0)),
        (f"/ws/ticker/{SYMBOL}", Ticker(SYMBOL, *([1] * 17))),
    ],
)
def test_work_is_measured_where_something_was_sent(path: str, update: Candles | Ticker) -> None:
    world = quiet_world()
    client = world.connect(path)
    world.advance(2_000)
    client.pop_messages()
    assert not world.streams.work(world.now_ns)
    for changed in (False, True):
        # The second one has to wait for its time.
        world.streams.apply([update])
        assert world.streams.work(world.now_ns) is not changed
        world.streams.written(0)
        assert len(client.pop_messages()) == (not changed)
        if isinstance(update, Ticker):
            update = Ticker(SYMBOL, *([2] * 17))
        else:
            update = Candles(symbol=SYMBOL, seq=2, candles=[candle(60, 2)], time_ns=0)
    world.advance(1_000)
    assert len(client.pop_messages()) == 1


def test_a_heartbeat_has_the_number_of_the_latest_message() -> None:
    """The number is that of the state or the ticker, whichever is later; zero before the first."""
    world = quiet_world()
    ticker, candles = world.connect(f"/ws/ticker/{SYMBOL}"), world.connect(CANDLES)

    def beats() -> list[int]:
        world.streams.beat()
        world.advance(1_000)
        received = [*ticker.pop_messages(), *candles.pop_messages()]
        return [message["seq"] for message in received if message["type"] == "heartbeat"]

    assert beats() == [0, 0]
    world.streams.apply([Ticker(SYMBOL, *([7] * 17))])
    publish_candles(world, candle(60, 1))
    assert beats() == [7, 60]
