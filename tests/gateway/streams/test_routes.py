"""The routes of the streams, without sockets."""

import pytest

from crossbook.gateway.streams.routes import Streams
from tests.worlds.feed_source import SYMBOL
from tests.worlds.stream_world import StreamWorld, quiet_world

TRADES = f"/ws/trades/{SYMBOL}"
CANDLES = f"/ws/candles/{SYMBOL}"


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


def test_before_the_instruments_are_loaded_clients_are_refused_for_a_moment() -> None:
    world = StreamWorld()
    world.streams = Streams()
    assert world.refused(TRADES).status == 503


def test_gone_clients_leave_nothing_behind() -> None:
    world = quiet_world()
    paths = (TRADES, f"{TRADES}?from_trade_id=1", CANDLES, f"/ws/market-data/{SYMBOL}")
    clients = [world.connect(path) for path in paths * 5]
    assert len(world.streams) == 20
    for client in clients:
        client.leave()
    assert len(world.streams) == 0
    for stream in world.streams._markets[SYMBOL].streams:
        assert not stream.current
        assert not stream.behind
        assert not stream._received
