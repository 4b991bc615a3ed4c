"""The cost of a round of the publisher does not depend on the number of instruments."""

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
    """The number of calls, of Python and of C functions, that `work` makes."""
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


def order(seq: int, side: Side) -> OrderAccepted:
    """A limit order for 3 lots at 500."""
    return OrderAccepted(
        seq=seq,
        gateway=0,
        request_seq=0,
        account=9,
        instrument=1,
        side=side,
        order_type=1,
        time_in_force=1,
        price_ticks=500,
        quantity_lots=3,
    )


def trade(seq: int, maker: int) -> TradeExecuted:
    """A trade of the whole order."""
    return TradeExecuted(
        seq=seq,
        trade_id=maker,
        instrument=1,
        price_ticks=500,
        quantity_lots=3,
        aggressor_side=Side.SELL,
        maker_order_id=maker,
        taker_order_id=seq,
        maker_account=9,
        taker_account=9,
        maker_fee=0,
        taker_fee=0,
        maker_filled_lots=3,
        maker_remaining_lots=0,
        taker_filled_lots=3,
        taker_remaining_lots=0,
    )


def rounds(instruments: int) -> int:
    """Calls of ten rounds, each with a trade in the one instrument of many that trades."""
    many = [replace(example(), id=n, symbol=f"A{n}-USDT") for n in range(1, instruments + 1)]
    feed = Feed(many, base=0, resend_count=100)

    def one(seq: int) -> None:
        events: list[Event] = [
            order(seq, Side.BUY),
            order(seq + 1, Side.SELL),
            trade(seq + 1, maker=seq),
        ]
        feed.apply(
            EventBatch(incarnation=7, first_seq=seq, last_seq=seq + 1, time_ns=seq, events=events)
        )
        assert len(feed.publish()) == 2
        feed.publish_statistics(CHANGED_NS // 2)

    def ten() -> None:
        for seq in range(3, 23, 2):
            one(seq)

    one(1)
    return calls_in(ten)


def test_a_round_costs_the_same_for_any_number_of_instruments() -> None:
    assert rounds(1_000) == rounds(10)
