"""A batch ends after so many events or so much work; what is left makes the next ones."""

from itertools import chain

import pytest

from crossbook.common.instruments_file import MAX_FILLS
from crossbook.common.messages.codec import decode_commands, decode_events, encode
from crossbook.common.messages.commands import AdvanceTime, MassCancelOrders, NewOrder
from crossbook.common.messages.events import Event, EventBatch, OrderReplenished, TradeExecuted
from crossbook.common.process.sockets import INTERNAL_MESSAGE_MAX
from crossbook.common.rules import Rules
from crossbook.common.types import MAX_CLIENT_ORDER_ID, MAX_INT
from crossbook.matcher import batch
from crossbook.matcher.batch import EXPIRY, Applied, apply_batch, apply_some
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.recovery.snapshot import state_hash
from tests.worlds.venue import ALICE, BOB, BTC, BUY, FOK, SELL, limit


def orders(count: int) -> list[NewOrder]:
    return [limit(ALICE, BUY, 100, 1) for _ in range(count)]


def run(engine: Engine, payloads: list[bytes], time_ns: int = 0) -> list[Applied]:
    """The batches that these payloads make, one after the other."""
    made = [apply_some(engine, 7, payloads, time_ns)]
    while made[-1].rest or engine.next_due_ns <= time_ns:
        made.append(apply_some(engine, 7, made[-1].rest or EXPIRY, time_ns))
    return made


def events_of(made: list[Applied]) -> list[Event]:
    return list(chain(*(decode_events(each.encoded).events for each in made if each.encoded)))


def test_a_long_list_is_cut_and_a_replay_of_the_parts_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch, "EVENTS_MAX", 3)
    engine = Engine([BTC])
    payloads = [encode(orders(6)), b"\xc1", encode(orders(1)), encode(orders(2))]
    made = run(engine, payloads)
    assert [(each.first_seq, each.last_seq) for each in made] == [(1, 4), (5, 8), (9, 9)]
    assert [len(each.rest) for each in made] == [4, 1, 0]
    assert sum(each.malformed for each in made) == 1
    applied = [decode_commands(p) for each in made for p in each.payloads if p != b"\xc1"]
    assert list(chain(*applied)) == orders(9)
    replayed = Engine([BTC])
    for each in made:
        again = apply_batch(replayed, 7, each.payloads, 0)
        assert again.encoded == each.encoded
    assert state_hash(replayed) == state_hash(engine)


def test_a_list_that_ends_with_the_batch_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "EVENTS_MAX", 3)
    payloads = [encode(orders(4))]
    made = run(Engine([BTC]), payloads)
    assert [each.payloads for each in made] == [payloads]


def test_the_work_of_dry_runs_ends_a_batch_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MAKERS_MAX", 25)
    engine = Engine([BTC])
    for _ in range(10):
        engine.apply(limit(BOB, SELL, 100, 1))
    killed = [limit(ALICE, BUY, 100, 11, time_in_force=FOK) for _ in range(7)]
    made = run(engine, [encode(killed)])
    assert [each.last_seq - each.first_seq + 1 for each in made] == [3, 3, 1]


def test_what_is_due_comes_first_and_alone_where_it_is_long() -> None:
    engine = Engine([BTC], Rules(max_fills=2))
    for order in orders(5):
        engine.apply(order)
    made = run(engine, [encode([MassCancelOrders(0, 0, ALICE)]), encode(orders(1))])
    kinds = [[type(e).__name__ for e in decode_events(each.encoded).events] for each in made]
    assert kinds == [
        ["OrdersMassCanceled", "OrderCanceled", "OrderCanceled"],
        ["TimeAdvanced", "OrderCanceled", "OrderCanceled"],
        ["TimeAdvanced", "OrderCanceled", "OrderAccepted"],
    ]
    replayed = Engine([BTC], Rules(max_fills=2))
    for order in orders(5):
        replayed.apply(order)
    assert [apply_batch(replayed, 7, each.payloads, 0).encoded for each in made] == [
        each.encoded for each in made
    ]


def test_a_long_act_is_one_batch_for_each_of_its_numbers() -> None:
    engine = Engine([BTC], Rules(max_fills=2))
    for order in orders(7):
        engine.apply(order)
    engine.apply(MassCancelOrders(0, 0, ALICE))
    made = run(engine, [encode(orders(1))])
    assert [each.payloads for each in made[:-1]] == [EXPIRY, EXPIRY]
    assert decode_commands(made[-1].payloads[0]) == [AdvanceTime()]
    assert [each.last_seq - each.first_seq + 1 for each in made] == [1, 1, 2]
    assert len(list(engine.books[BTC.id].bids.orders())) == 1


def test_the_largest_batch_fits_into_a_message() -> None:
    """Of each maker a trade and the next slice; names and numbers as long as they can be."""
    name = "\U0001f600" * MAX_CLIENT_ORDER_ID
    big = MAX_INT
    trade = TradeExecuted(
        seq=big,
        trade_id=big,
        instrument=65535,
        price_ticks=big,
        quantity_lots=big,
        aggressor_side=1,
        maker_order_id=big,
        taker_order_id=big,
        maker_account=big,
        taker_account=big,
        maker_fee=big,
        taker_fee=big,
        maker_filled_lots=big,
        maker_remaining_lots=big,
        taker_filled_lots=big,
        taker_remaining_lots=big,
        maker_client_order_id=name,
        taker_client_order_id=name,
    )
    slice_shown = OrderReplenished(
        seq=big,
        account=big,
        instrument=65535,
        order_id=big,
        side=1,
        price_ticks=big,
        shown_lots=big,
        remaining_lots=big,
        requeued=True,
        client_order_id=name,
    )
    events = batch.EVENTS_MAX + 3 * MAX_FILLS
    largest = max(len(encode(trade)), len(encode(slice_shown)))
    head = len(
        encode(EventBatch(incarnation=big, first_seq=big, last_seq=big, time_ns=big, events=[]))
    )
    assert head + events * largest < INTERNAL_MESSAGE_MAX / 8
