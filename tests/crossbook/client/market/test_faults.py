"""The methods of `Faults` for market data and the venue: each makes the rule of its kind."""

from collections.abc import Callable
from typing import Any

import pytest

from crossbook.client.faults import Faults
from crossbook.client.market.faults import MarketAndVenueFaults
from crossbook.common.faults.face import ListenKeyExpired, ServerShutdown
from crossbook.common.faults.kinds import AnyFault
from crossbook.common.faults.market_data import (
    BookEmpty,
    FeedDelay,
    FeedDisconnect,
    FeedDrop,
    FeedDuplicate,
    FeedGap,
    FeedHeartbeatStopped,
    FeedReorder,
    FeedStandstill,
    FeedWrongChecksum,
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
from crossbook.common.faults.venue import (
    CallPhase,
    ClockShifted,
    DiskSlow,
    Halt,
    InstrumentRemoved,
    ProcessKilled,
)


class Recorded(Faults):
    """Keeps the rule in place of sending it."""

    def add_rule(self, rule: AnyFault) -> Any:
        return rule


MADE: list[tuple[Callable[[Faults], Any], AnyFault]] = [
    (lambda f: f.feed_delay(5, channel="l2"), FeedDelay(milliseconds=5, channel="l2")),
    (lambda f: f.feed_drop(symbol="BTC-USDT"), FeedDrop(symbol="BTC-USDT")),
    (lambda f: f.feed_gap(next=1), FeedGap(next=1)),
    (lambda f: f.feed_duplicate(every=2), FeedDuplicate(every=2)),
    (lambda f: f.feed_reorder(channel="trade"), FeedReorder(channel="trade")),
    (lambda f: f.feed_stale(probability=0.5, seed=1), FeedStandstill(probability=0.5, seed=1)),
    (lambda f: f.feed_wrong_checksum(), FeedWrongChecksum()),
    (lambda f: f.feed_disconnect(3, next=1), FeedDisconnect(seconds=3, next=1)),
    (lambda f: f.feed_heartbeat_stopped(), FeedHeartbeatStopped()),
    (lambda f: f.book_empty(), BookEmpty()),
    (lambda f: f.book_empty("asks", "BTC-USDT"), BookEmpty(side="asks", symbol="BTC-USDT")),
    (
        lambda f: f.stream_delay(5, "uniform", 9, type="bbo"),
        StreamDelay(milliseconds=5, distribution="uniform", milliseconds_max=9, type="bbo"),
    ),
    (lambda f: f.stream_drop(stream="trades"), StreamDrop(stream="trades")),
    (lambda f: f.stream_gap(next=1), StreamGap(next=1)),
    (lambda f: f.stream_duplicate(), StreamDuplicate()),
    (lambda f: f.stream_reorder(), StreamReorder()),
    (lambda f: f.stream_stale(), StreamStandstill()),
    (lambda f: f.stream_wrong_checksum(), StreamWrongChecksum()),
    (
        lambda f: f.stream_disconnect(2, stream="ticker"),
        StreamDisconnect(seconds=2, stream="ticker"),
    ),
    (lambda f: f.stream_heartbeat_stopped(), StreamHeartbeatStopped()),
    (
        lambda f: f.server_shutdown(2, stream="binance-api"),
        ServerShutdown(seconds=2, stream="binance-api"),
    ),
    (lambda f: f.listen_key_expired(1, account=7), ListenKeyExpired(seconds=1, account=7)),
    (lambda f: f.halt(), Halt()),
    (lambda f: f.auction("BTC-USDT"), CallPhase(symbol="BTC-USDT")),
    (lambda f: f.instrument_removed("BTC-USDT"), InstrumentRemoved(symbol="BTC-USDT")),
    (lambda f: f.disk_slow(20, every=3), DiskSlow(milliseconds=20, every=3)),
    (lambda f: f.clock_shifted(-500), ClockShifted(shift_ms=-500)),
    (
        lambda f: f.process_killed("matcher", shard=1, after_ms=50),
        ProcessKilled(process="matcher", shard=1, after_ms=50),
    ),
]


@pytest.mark.parametrize(("make", "rule"), MADE)
def test_a_method_makes_its_rule(make: Callable[[Faults], Any], rule: AnyFault) -> None:
    assert make(Recorded()) == rule


def test_every_method_has_a_case_here() -> None:
    methods = [name for name in vars(MarketAndVenueFaults) if not name.startswith("_")]
    kinds = {rule.__struct_config__.tag for _, rule in MADE}
    assert set(methods) - {"add"} == kinds
