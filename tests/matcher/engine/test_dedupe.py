"""The next request of a gateway, and the orders that a retry is compared with."""

from itertools import count
from typing import Final

import pytest
from msgspec.structs import replace

from crossbook.common.messages.commands import NewOrder
from crossbook.common.messages.events import CommandRejected, OrderAccepted
from crossbook.common.sequence import first_of
from crossbook.common.types import RejectReason
from crossbook.matcher.engine.dedupe import (
    OWN_RETRIES,
    SHARED_RETRIES,
    RetryWindow,
    body_of,
    is_next_request,
)
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.engine.order import Account, Order
from crossbook.matcher.recovery.snapshot import capture, restore, state_hash
from tests.worlds.venue import ALICE, BOB, BTC, BUY, IOC, SELL, cancel, limit, venue

EPOCH: Final = first_of(9) - 1
"""The number before the first one of an epoch."""


@pytest.mark.parametrize(
    ("last", "request_number", "is_next"),
    [
        (0, 1, True),
        (0, 0, False),
        (0, 2, False),
        (0, -1, False),
        (0, EPOCH + 1, True),
        (0, EPOCH, False),
        (0, EPOCH + 2, False),
        (7, 8, True),
        (7, 7, False),
        (7, 6, False),
        (7, 1, False),
        (7, 9, False),
        (7, EPOCH + 1, True),
        (7, EPOCH + 8, False),
        (EPOCH + 7, EPOCH + 8, True),
        (EPOCH + 7, EPOCH + 9, False),
        (EPOCH + 7, EPOCH + 7, False),
        (EPOCH + 7, EPOCH + 1, False),
        (EPOCH + 1, EPOCH + 1, False),
        (EPOCH + 7, 8, False),
        (EPOCH + 7, first_of(8), False),
        (EPOCH + 7, first_of(10), True),
        (EPOCH + 7, first_of(10) + 1, False),
        (EPOCH + 7, first_of(10) - 1, False),
        (EPOCH + 7, first_of(900), True),
        (EPOCH + 7, -first_of(900), False),
        pytest.param(first_of(9) - 2, first_of(9) - 1, True, id="the count carries into the epoch"),
    ],
)
def test_the_next_request_is_one_more_or_starts_a_later_epoch(
    last: int, request_number: int, is_next: bool
) -> None:
    assert is_next_request(last, request_number) is is_next


NUMBERS = count(1)


def _put(
    window: RetryWindow, name: str, account: int = ALICE, lots: int = 5, time_ns: int = 0
) -> Order:
    command = limit(account, BUY, 100, lots, name=name)
    order = Order(
        order_id=next(NUMBERS),
        account=Account(account),
        instrument=BTC.id,
        side=int(BUY),
        price_ticks=100,
        quantity_lots=lots,
        remaining_lots=lots,
        client_order_id=name,
        time_ns=time_ns,
    )
    window.add(command, order)
    return order


def _names(window: RetryWindow) -> list[str]:
    return [entry.order.client_order_id for entry in window.entries()]


def test_the_same_words_under_the_same_name_find_the_order() -> None:
    window = RetryWindow()
    order = _put(window, "a")
    command = limit(ALICE, BUY, 100, 5, name="a")
    assert window.find(command, 0) is order
    assert window.find(replace(command, gateway=3, request_seq=77), 0) is order


@pytest.mark.parametrize(
    "changed",
    [
        {"account": BOB},
        {"client_order_id": "b"},
        {"client_order_id": ""},
        {"instrument": 2},
        {"side": 2},
        {"order_type": 2},
        {"time_in_force": 2},
        {"price_ticks": 101},
        {"quantity_lots": 4},
        {"quote_amount": 1},
    ],
)
def test_any_other_word_finds_nothing(changed: dict[str, object]) -> None:
    window = RetryWindow()
    _put(window, "a")
    assert window.find(replace(limit(ALICE, BUY, 100, 5, name="a"), **changed), 0) is None


def test_the_body_is_every_field_but_origin_owner_and_name() -> None:
    command = NewOrder(
        gateway=1,
        request_seq=2,
        account=3,
        instrument=4,
        side=5,
        order_type=6,
        time_in_force=7,
        price_ticks=8,
        quantity_lots=9,
        client_order_id="ten",
        quote_amount=11,
    )
    assert body_of(command) == (4, 5, 6, 7, 8, 9, 11)


def test_the_oldest_order_is_dropped_first_and_the_bound_holds() -> None:
    window = RetryWindow(own=3, shared=0)
    for number, name in enumerate("abcde", 1):
        _put(window, name)
        assert len(window) == min(number, 3)
    assert _names(window) == ["c", "d", "e"]
    assert window.find(limit(ALICE, BUY, 100, 5, name="b"), 0) is None


def test_a_later_order_of_a_name_takes_the_place_of_the_first_at_the_back() -> None:
    window = RetryWindow(own=3, shared=0)
    for name in "abc":
        _put(window, name)
    second = _put(window, "a", lots=6)
    assert _names(window) == ["b", "c", "a"]
    assert window.find(limit(ALICE, BUY, 100, 5, name="a"), 0) is None
    assert window.find(limit(ALICE, BUY, 100, 6, name="a"), 0) is second
    _put(window, "d")
    assert _names(window) == ["c", "a", "d"]


def test_a_name_used_again_and_again_takes_one_place() -> None:
    window = RetryWindow(own=3, shared=0)
    _put(window, "a")
    for lots in range(1, 20):
        _put(window, "b", lots=lots)
        assert _names(window) == ["a", "b"]
        assert len(window) == 2
    _put(window, "c")
    _put(window, "d")
    assert _names(window) == ["b", "c", "d"]
    assert window.find(limit(ALICE, BUY, 100, 19, name="b"), 0) is not None
    for name in "efg":
        _put(window, name)
        assert len(window) == 3
    assert _names(window) == ["e", "f", "g"]


def test_an_account_without_kept_orders_takes_no_room() -> None:
    window = RetryWindow(own=0, shared=2)
    for account in range(100, 200):
        _put(window, "a", account)
    assert len(window._accounts) == 2
    order = _put(window, "b", 100)
    assert window.find(limit(100, BUY, 100, 5, name="b"), 0) is order
    assert _remembered(window, 199) == ["a"]
    assert _remembered(window, 198) == []


def test_finding_an_order_does_not_keep_it_longer() -> None:
    window = RetryWindow(own=2, shared=0)
    _put(window, "a")
    _put(window, "b")
    assert window.find(limit(ALICE, BUY, 100, 5, name="a"), 0) is not None
    _put(window, "c")
    assert _names(window) == ["b", "c"]


def test_the_same_name_of_two_accounts_is_two_orders() -> None:
    window = RetryWindow(own=2, shared=0)
    first, second = _put(window, "a"), _put(window, "a", BOB)
    assert window.find(limit(ALICE, BUY, 100, 5, name="a"), 0) is first
    assert window.find(limit(BOB, BUY, 100, 5, name="a"), 0) is second


def _flood(window: RetryWindow, account: int, many: int, time_ns: int = 0) -> None:
    for number in range(many):
        _put(window, f"f{number}", account, time_ns=time_ns)


def _remembered(window: RetryWindow, account: int) -> list[str]:
    return [
        entry.order.client_order_id
        for entry in window.entries()
        if entry.order.account.account_id == account
    ]


@pytest.mark.parametrize("strangers", [1, 3, 50])
def test_an_account_cannot_push_another_accounts_own_orders_out(strangers: int) -> None:
    window = RetryWindow(own=4, shared=6)
    for name in "abcdef":
        _put(window, name)
    for stranger in range(100, 100 + strangers):
        _flood(window, stranger, 40)
    assert _remembered(window, ALICE)[-4:] == ["c", "d", "e", "f"]
    for stranger in range(100, 100 + strangers):
        assert _remembered(window, stranger)[-4:] == ["f36", "f37", "f38", "f39"]
    assert len(window) == 4 * (strangers + 1) + 6


def test_one_stranger_pushes_nothing_out_but_its_own() -> None:
    window = RetryWindow(own=4, shared=16)
    for name in "abcdefgh":
        _put(window, name)
    _flood(window, BOB, 500)
    assert _remembered(window, ALICE) == list("abcdefgh")
    assert len(_remembered(window, BOB)) == 16


def test_of_accounts_with_as_many_the_oldest_goes_first() -> None:
    window = RetryWindow(own=2, shared=2)
    for name in "abc":
        _put(window, name)
        _put(window, name, BOB)
    assert _remembered(window, ALICE) == _remembered(window, BOB) == list("abc")
    _put(window, "d", BOB)
    assert _remembered(window, ALICE) == list("bc")
    _put(window, "d")
    assert _remembered(window, BOB) == list("bcd")


def _full() -> RetryWindow:
    """Three accounts with their own two each, of which Alice's are the oldest: no more fits."""
    window = RetryWindow(own=2, shared=4, most=6, kept_ns=100)
    for account in (ALICE, BOB, 3):
        _put(window, "a", account, time_ns=10)
        _put(window, "b", account, time_ns=20)
    return window


@pytest.mark.parametrize(
    ("account", "name", "time_ns", "room"),
    [
        (4, "a", 109, False),
        (4, "a", 110, True),
        (ALICE, "c", 20, True),
        (ALICE, "a", 20, True),
        (4, "a", 20, False),
    ],
    ids=["just too young", "just old enough", "in place of its own", "the same name", "at once"],
)
def test_a_full_window_takes_the_place_of_nothing_young(
    account: int, name: str, time_ns: int, room: bool
) -> None:
    window = _full()
    assert window.full
    found = window.find(limit(account, BUY, 100, 6, name=name), time_ns)
    assert found == (None if room else (RejectReason.BUSY, "client_order_id"))
    if room:
        _put(window, name, account, 6, time_ns)
        assert len(window) == 6
        assert "b" in _remembered(window, BOB)
        assert "a" in _remembered(window, BOB)


def test_orders_beyond_an_accounts_own_make_room_before_any_refusal() -> None:
    window = RetryWindow(own=2, shared=4, most=6, kept_ns=100)
    for name in "abcdef":
        _put(window, name)
    assert not window.full
    for account in (BOB, 3):
        for name in "xy":
            assert window.find(limit(account, BUY, 100, 5, name=name), 0) is None
            _put(window, name, account)
    assert _remembered(window, ALICE) == ["e", "f"]
    assert window.full


def test_a_window_under_other_limits_keeps_the_latest_that_fit() -> None:
    window = RetryWindow(own=0, shared=3)
    for name in "abcd":
        _put(window, name)
    assert _names(window) == list("bcd")
    wider = window.under(1, 3, 100)
    for name in "efgh":
        _put(wider, name)
    assert _names(wider) == list("efgh")
    assert wider.find(limit(ALICE, BUY, 100, 5, name="e"), 0) is not None


def _enter(engine: Engine, account: int, number: int, time_ns: int = 0) -> str:
    """The engine's answer to the order of this number; pairs of numbers trade and end."""
    side = SELL if number % 2 else BUY
    command = limit(account, side, 100, 5, name=f"n{number}")
    return type(engine.apply(command, time_ns)[0]).__name__


def test_an_engine_keeps_65600_named_orders_of_one_account_across_a_snapshot() -> None:
    engine = venue()
    kept = OWN_RETRIES + SHARED_RETRIES
    assert (OWN_RETRIES, SHARED_RETRIES) == (64, 65_536)
    for number in range(kept + 2):
        assert _enter(engine, ALICE, number) == "OrderAccepted"
    for again in (engine, restore(capture(engine))):
        assert len(again.retries) == kept
        assert _enter(again, ALICE, 2) == "OrderRepeated"
        assert _enter(again, ALICE, kept + 1) == "OrderRepeated"
        assert _enter(again, ALICE, 0) == "OrderAccepted"
        assert _enter(again, ALICE, 2) == "OrderAccepted"
        assert len(again.retries) == kept


def test_a_stranger_that_enters_many_does_not_let_another_account_buy_twice() -> None:
    engine = venue()
    for number in range(OWN_RETRIES):
        assert _enter(engine, ALICE, number) == "OrderAccepted"
    for number in range(SHARED_RETRIES + OWN_RETRIES + 100):
        engine.apply(limit(BOB, BUY, 1, 1, IOC, name=f"s{number}"))
    for again in (engine, restore(capture(engine))):
        for number in range(OWN_RETRIES):
            assert _enter(again, ALICE, number) == "OrderRepeated"


def test_a_named_order_without_room_in_the_window_is_refused_and_changes_nothing() -> None:
    engine = venue()
    engine.retries = RetryWindow(own=1, shared=1, most=2, kept_ns=100)
    assert _enter(engine, ALICE, 0, 10) == "OrderAccepted"
    assert _enter(engine, BOB, 0, 10) == "OrderAccepted"
    before = state_hash(engine)
    [refused] = engine.apply(limit(3, BUY, 100, 5, name="n0"), 109)
    assert isinstance(refused, CommandRejected)
    assert (refused.reason, refused.field) == (RejectReason.BUSY, "client_order_id")
    assert 3 not in engine.accounts
    assert state_hash(engine) == before
    assert isinstance(engine.apply(limit(3, BUY, 100, 5), 109)[0], OrderAccepted)
    assert _enter(engine, 3, 0, 110) == "OrderAccepted"
    assert _enter(engine, BOB, 0, 110) == "OrderRepeated"


def test_the_first_edition_has_one_window_for_all_accounts() -> None:
    engine = Engine([BTC], edition=1)
    assert _enter(engine, ALICE, 0) == "OrderAccepted"
    engine.apply(cancel(ALICE, 1))
    for number in range(SHARED_RETRIES):
        engine.apply(limit(BOB, BUY, 1, 1, IOC, name=f"s{number}"))
    assert len(engine.retries) == SHARED_RETRIES
    assert _enter(engine, ALICE, 0) == "OrderAccepted"
    engine.configure([BTC])
    engine.apply(cancel(ALICE, engine.seq))
    for number in range(SHARED_RETRIES):
        engine.apply(limit(BOB, BUY, 1, 1, IOC, name=f"t{number}"))
    assert _enter(engine, ALICE, 0) == "OrderRepeated"
