"""From the events of resting orders a reader rebuilds the books of the matcher, under all kinds of
orders."""

from collections import Counter
from collections.abc import Collection

import pytest

from crossbook.common.following.depth import OrderDepth
from crossbook.common.messages.events import (
    Event,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderReplenished,
    TradeExecuted,
)
from crossbook.common.messages.matcher_queries import BookState
from crossbook.common.types import Side
from crossbook.research.order_events import OrderBooks, OrderEvent
from tests.recorder.matcher import RecordedMatcher

SEEDS = 6
BATCHES = 150


class ReaderBook(OrderDepth):
    """A book kept by the documented meaning of the events alone."""

    def read(self, event: OrderEvent, slices: Collection[int]) -> None:
        """Apply one event, which has to fit the book."""
        known = self.get(event.order_id)
        lots = event.quantity_lots
        if event.act == "add":
            # The next slice of an iceberg joins anew, once the one before was traded.
            assert known is None
            assert lots == event.remaining_lots
        else:
            assert known is not None
            assert known[:2] == (event.side, event.price_ticks)
            if event.act == "delete":
                assert (lots, event.remaining_lots) == (known[2], 0)
            elif event.act == "modify":
                assert lots == event.remaining_lots
                assert event.remaining_lots != known[2]
            else:
                # An uncross leaves an iceberg its next slice at once.
                assert event.remaining_lots in (max(known[2] - lots, 0), *slices)
                assert event.trade_id
                assert event.other_order_id
        self.set_order(event.order_id, event.side, event.price_ticks, event.remaining_lots)


def shown(state: BookState) -> list[list[tuple[int, int, int]]]:
    """The resting orders of a matcher's book, bids first."""
    return [
        [(order.order_id, order.price_ticks, order.shown_lots) for order in side]
        for side in (state.bids, state.asks)
    ]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_reader_of_the_events_keeps_the_matchers_books(seed: int) -> None:
    matcher = RecordedMatcher(seed)
    books = OrderBooks()
    readers: dict[int, ReaderBook] = {}
    acts: Counter[str] = Counter()
    for number in range(BATCHES):
        batch = matcher.apply(1 + number % 9)
        if batch is None:
            continue
        slices = [
            each.shown_lots
            for each in batch.events
            if isinstance(each, OrderReplenished) and not each.requeued
        ]
        for event in books.apply(batch.events):
            acts[event.act] += 1
            readers.setdefault(event.instrument, ReaderBook()).read(event, slices)
        for state in matcher.books():
            reader = readers.setdefault(state.instrument, ReaderBook())
            found = [list(reader.orders(side)) for side in (Side.BUY, Side.SELL)]
            assert found == shown(state), f"seed {seed}, batch {number}"
    assert set(acts) == {"add", "execute", "modify", "delete"}
    assert len(books) == sum(len(reader) for reader in readers.values())


def accepted(seq: int, side: int, price_ticks: int, lots: int) -> OrderAccepted:
    return OrderAccepted(
        seq=seq,
        gateway=0,
        request_seq=0,
        account=9,
        instrument=1,
        side=side,
        order_type=1,
        time_in_force=1,
        price_ticks=price_ticks,
        quantity_lots=lots,
    )


def acts_of(*events: Event) -> list[tuple[object, ...]]:
    """(act, order id, lots, remaining, trade id) of what happens to resting orders."""
    found = OrderBooks().apply(events)
    return [(e.act, e.order_id, e.quantity_lots, e.remaining_lots, e.trade_id) for e in found]


def test_an_incoming_order_rests_behind_its_trades() -> None:
    trade = TradeExecuted(
        seq=2,
        trade_id=1,
        instrument=1,
        price_ticks=500,
        quantity_lots=3,
        aggressor_side=1,
        maker_order_id=1,
        taker_order_id=2,
        maker_account=9,
        taker_account=8,
        maker_fee=0,
        taker_fee=0,
        maker_filled_lots=3,
        maker_remaining_lots=0,
        taker_filled_lots=3,
        taker_remaining_lots=4,
    )
    assert acts_of(accepted(1, 2, 500, 3), accepted(2, 1, 500, 7), trade) == [
        ("add", 1, 3, 3, 0),
        ("execute", 1, 3, 0, 1),
        ("add", 2, 4, 4, 0),
    ]


def test_an_order_that_loses_its_place_leaves_and_joins_again() -> None:
    amended = OrderAmended(
        seq=2,
        gateway=0,
        request_seq=0,
        account=9,
        instrument=1,
        order_id=1,
        side=1,
        price_ticks=501,
        quantity_lots=7,
        filled_lots=0,
        remaining_lots=7,
        kept_priority=False,
    )
    smaller = OrderAmended(
        seq=3,
        gateway=0,
        request_seq=0,
        account=9,
        instrument=1,
        order_id=1,
        side=1,
        price_ticks=501,
        quantity_lots=5,
        filled_lots=0,
        remaining_lots=5,
        kept_priority=True,
    )
    assert acts_of(accepted(1, 1, 500, 7), amended, smaller) == [
        ("add", 1, 7, 7, 0),
        ("delete", 1, 7, 0, 0),
        ("add", 1, 7, 7, 0),
        ("modify", 1, 5, 5, 0),
    ]


def test_orders_from_before_the_first_event_are_passed_over() -> None:
    assert (
        acts_of(
            OrderCanceled(
                seq=2,
                gateway=0,
                request_seq=0,
                account=9,
                instrument=1,
                order_id=1,
                side=1,
                price_ticks=500,
                canceled_lots=7,
                filled_lots=0,
            )
        )
        == []
    )
