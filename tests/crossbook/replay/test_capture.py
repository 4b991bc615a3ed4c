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
TRADE = Trade(
    seq=6,
    trade_id=1,
    price_ticks=100,
    quantity_lots=2,
    aggressor_side=2,
    maker_order_id=3,
    taker_order_id=6,
    time_ns=60,
)
SHRUNK = OrdersUpdate(
    symbol=SYMBOL,
    first_seq=6,
    seq=6,
    prev_seq=0,
    changes=[OrderChange(seq=6, order_id=3, side=1, price_ticks=100, shown_lots=3)],
    time_ns=60,
)


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
    early: list[Update] = [
        Trades(
            SYMBOL,
            [
                Trade(
                    seq=5,
                    trade_id=0,
                    price_ticks=100,
                    quantity_lots=1,
                    aggressor_side=2,
                    maker_order_id=3,
                    taker_order_id=5,
                    time_ns=50,
                )
            ],
        )
    ]
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
    capture, _ = captured(
        [
            Snapshot(
                request_id=0,
                symbol=SYMBOL,
                seq=9,
                topics={},
                bids=[],
                asks=[],
                checksum=0,
                time_ns=0,
                last_trade_id=0,
            )
        ]
    )
    with pytest.raises(MarketDataError, match="lost changes"):
        list(capture.step())


def test_a_call_phase_ends_with_what_came_before_it() -> None:
    phase = MarketState(
        symbol=SYMBOL,
        seq=9,
        state=int(InstrumentState.AUCTION),
        until_ns=0,
        indicative_ticks=0,
        indicative_lots=0,
        surplus_lots=0,
        time_ns=90,
    )
    crossed = OrdersUpdate(
        symbol=SYMBOL,
        first_seq=9,
        seq=9,
        prev_seq=6,
        changes=[OrderChange(seq=9, order_id=9, side=2, price_ticks=90, shown_lots=1)],
        time_ns=90,
    )
    capture, _ = captured([Trades(SYMBOL, [TRADE]), SHRUNK, phase, crossed, heartbeat(9)])
    assert ops(capture.step()) == [("exec", 2, 1)]
    assert "entered a call phase at 9" in capture.ended_by
    assert ops(capture.finish(0.0)) == []


def test_nothing_begins_within_a_call_phase() -> None:
    market = ScriptedMarket()
    market._state = MarketState(
        symbol=SYMBOL,
        seq=4,
        state=int(InstrumentState.AUCTION),
        until_ns=0,
        indicative_ticks=0,
        indicative_lots=0,
        surplus_lots=0,
        time_ns=40,
    )
    capture = Capture(cast(MarketData, market), SYMBOL, Flow())
    assert ops(capture.begin([])) == []
    assert capture.ended_by
