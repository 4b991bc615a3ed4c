"""The capture of a feed: it is joined once it is complete, and refused where it never will be."""

from collections import deque
from typing import Any, cast

import pytest

from crossbook.client.market_data import MarketData
from crossbook.common.following.depth import OrderDepth
from crossbook.common.following.feed_follower import Update
from crossbook.common.following.feed_topic import FeedCounters
from crossbook.common.instruments import example
from crossbook.common.messages.feed import (
    Heartbeat,
    MarketState,
    OrderChange,
    OrdersUpdate,
    Snapshot,
    Trade,
    Trades,
)
from crossbook.common.types import InstrumentState
from crossbook.errors import MarketDataError
from crossbook.replay.capture import Capture
from crossbook.replay.flow import Flow, RecordedStep

SYMBOL = "BTC-USDT"
TRADE = Trade(6, 1, 100, 2, 2, 3, 6, 60)
SHRUNK = OrdersUpdate(SYMBOL, 6, 6, 0, [OrderChange(6, 3, 1, 100, 3)], 60)


class ScriptedMarket:
    """A book with one bid, order 3 of five lots as of number 5, and then these updates."""

    def __init__(self, *polls: list[Update]) -> None:
        self.counters = FeedCounters()
        self.instruments = {SYMBOL: example()}
        self.ready = True
        self.orders_seq = 5
        self._polls = deque(polls)
        self._heartbeat: Heartbeat | None = None
        self._state: MarketState | None = None

    def poll(self, timeout_s: float) -> list[Update]:
        updates = self._polls.popleft() if self._polls else []
        for update in updates:
            if isinstance(update, Heartbeat):
                self._heartbeat = update
        return updates

    def orders(self, symbol: str) -> OrderDepth:
        depth = OrderDepth()
        depth.set_order(3, 1, 100, 5)
        return depth

    def book(self, symbol: str) -> "ScriptedMarket":
        return self

    def state(self, symbol: str) -> MarketState | None:
        return self._state

    def heartbeat_of(self, symbol: str) -> Heartbeat | None:
        return self._heartbeat


def heartbeat(seq: int) -> Heartbeat:
    return Heartbeat(seq, 0, 0, {})


def captured(*polls: list[Update]) -> tuple[Capture, ScriptedMarket]:
    market = ScriptedMarket(*polls)
    capture = Capture(cast(MarketData, market), SYMBOL, Flow())
    early: list[Update] = [Trades(SYMBOL, [Trade(5, 0, 100, 1, 2, 3, 5, 50)])]
    (step,) = capture.begin(early)
    assert (step.command.op, step.command.quantity_lots) == ("new", 5)
    return capture, market


def ops(steps: Any) -> list[tuple[str, int, int]]:
    """(op, lots, fills) of steps."""
    found: list[RecordedStep] = list(steps)
    return [(each.command.op, each.command.quantity_lots, len(each.fills)) for each in found]


@pytest.mark.parametrize("first", [0, 1])
def test_a_trade_and_its_change_are_joined_whichever_arrives_first(first: int) -> None:
    pair: list[Update] = [Trades(SYMBOL, [TRADE]), SHRUNK]
    capture, _ = captured([pair[first]], [pair[1 - first]], [heartbeat(6)])
    assert [ops(capture.step()) for _ in range(3)] == [[], [], [("exec", 2, 1)]]


def test_nothing_is_recorded_while_something_is_missing() -> None:
    capture, market = captured([Trades(SYMBOL, [TRADE]), SHRUNK, heartbeat(6)])
    market.ready = False
    assert ops(capture.step()) == []
    market.ready = True
    assert ops(capture.step()) == [("exec", 2, 1)]


def test_the_end_waits_for_the_next_heartbeat() -> None:
    capture, _ = captured([heartbeat(5)], [Trades(SYMBOL, [TRADE]), SHRUNK], [heartbeat(6)])
    assert ops(capture.step()) == []
    assert ops(capture.finish(5.0)) == [("exec", 2, 1)]


def test_a_recording_whose_end_is_never_complete_is_refused() -> None:
    capture, _ = captured()
    with pytest.raises(MarketDataError, match="did not complete the feed in 0 s"):
        list(capture.finish(0.0))


def test_a_loss_for_good_is_refused() -> None:
    capture, market = captured([heartbeat(6)])
    market.counters.lost = 1
    with pytest.raises(MarketDataError, match="lost trades"):
        list(capture.step())
    capture, _ = captured([Snapshot(0, SYMBOL, 9, {}, [], [], 0, 0, 0)])
    with pytest.raises(MarketDataError, match="lost changes"):
        list(capture.step())


def test_a_call_phase_ends_with_what_came_before_it() -> None:
    phase = MarketState(SYMBOL, 9, int(InstrumentState.AUCTION), 0, 0, 0, 0, 90)
    crossed = OrdersUpdate(SYMBOL, 9, 9, 6, [OrderChange(9, 9, 2, 90, 1)], 90)
    capture, _ = captured([Trades(SYMBOL, [TRADE]), SHRUNK, phase, crossed, heartbeat(9)])
    assert ops(capture.step()) == [("exec", 2, 1)]
    assert "entered a call phase at 9" in capture.ended_by
    assert ops(capture.finish(0.0)) == []


def test_nothing_begins_within_a_call_phase() -> None:
    market = ScriptedMarket()
    market._state = MarketState(SYMBOL, 4, int(InstrumentState.AUCTION), 0, 0, 0, 0, 40)
    capture = Capture(cast(MarketData, market), SYMBOL, Flow())
    assert ops(capture.begin([])) == []
    assert capture.ended_by
