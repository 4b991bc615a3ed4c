"""What a round of the publisher costs does not depend on how many instruments there are."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from msgspec.structs import replace

from crossbook.common.instruments import example
from crossbook.common.messages.events import Event, EventBatch, OrderAccepted, TradeExecuted
from crossbook.common.types import Side
from crossbook.publisher.feed import CHANGED_NS, Feed


def calls_in(work: Callable[[], object]) -> int:
    """How many calls, of Python and of C functions, `work` makes."""
    count = 0

    def note(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def rounds(instruments: int) -> int:
    """Calls of ten rounds, each with a trade in the one instrument of many that trades."""
    many = [replace(example(), id=n, symbol=f"A{n}-USDT") for n in range(1, instruments + 1)]
    feed = Feed(many, base=0, resend_count=100)
    buy, sell = int(Side.BUY), int(Side.SELL)

    def one(seq: int) -> None:
        events: list[Event] = [
            OrderAccepted(seq, 0, 0, 9, 1, buy, 1, 1, 500, 3),
            OrderAccepted(seq + 1, 0, 0, 8, 1, sell, 1, 1, 500, 3),
            TradeExecuted(
                seq + 1, seq, 1, 500, 3, sell, seq, seq + 1, 9, 8, 0, 0, 3, 0, 3, 0, "", ""
            ),
        ]
        feed.apply(EventBatch(7, seq, seq + 1, seq, events))
        assert len(feed.publish()) == 2
        feed.publish_statistics(CHANGED_NS // 2)

    def ten() -> None:
        for seq in range(3, 23, 2):
            one(seq)

    one(1)
    return calls_in(ten)


def test_a_round_costs_the_same_whatever_the_number_of_instruments() -> None:
    assert rounds(1_000) == rounds(10)
