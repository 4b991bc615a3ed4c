"""Which request of a gateway is the next, and which orders a retry is compared with."""

from typing import Final

import pytest
from msgspec.structs import replace

from common.commands import NewOrder
from common.sequence import first_of
from matcher.dedupe import RETRY_WINDOW, RetryWindow, body_of, is_next_request
from matcher.engine import Engine
from matcher.order import Account, Order
from matcher.snapshot import capture, restore
from tests.matcher.venue import ALICE, BOB, BTC, BUY, SELL, limit, venue

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


def _put(window: RetryWindow, name: str, account: int = ALICE, lots: int = 5) -> Order:
    command = limit(account, BUY, 100, lots, name=name)
    order = Order(1, Account(account), BTC.id, int(BUY), 100, lots, lots, name, 0)
    window.add(command, order)
    return order


def _names(window: RetryWindow) -> list[str]:
    return [entry.order.client_order_id for entry in window.entries()]


def test_the_same_words_under_the_same_name_find_the_order() -> None:
    window = RetryWindow()
    order = _put(window, "a")
    command = limit(ALICE, BUY, 100, 5, name="a")
    assert window.find(command) is order
    assert window.find(replace(command, gateway=3, request=77)) is order


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
    assert window.find(replace(limit(ALICE, BUY, 100, 5, name="a"), **changed)) is None


def test_the_body_is_every_field_but_origin_owner_and_name() -> None:
    command = NewOrder(1, 2, 3, 4, 5, 6, 7, 8, 9, "ten", 11)
    assert body_of(command) == (4, 5, 6, 7, 8, 9, 11)


def test_the_oldest_is_forgotten_first_and_the_bound_holds() -> None:
    window = RetryWindow(3)
    for count, name in enumerate("abcde", 1):
        _put(window, name)
        assert len(window) == min(count, 3)
    assert _names(window) == ["c", "d", "e"]
    assert window.find(limit(ALICE, BUY, 100, 5, name="b")) is None


def test_a_later_order_of_a_name_takes_the_place_of_the_first_at_the_back() -> None:
    window = RetryWindow(3)
    for name in "abc":
        _put(window, name)
    second = _put(window, "a", lots=6)
    assert _names(window) == ["b", "c", "a"]
    assert window.find(limit(ALICE, BUY, 100, 5, name="a")) is None
    assert window.find(limit(ALICE, BUY, 100, 6, name="a")) is second
    _put(window, "d")
    assert _names(window) == ["c", "a", "d"]


def test_a_name_used_again_and_again_takes_one_place() -> None:
    window = RetryWindow(3)
    _put(window, "a")
    for lots in range(1, 20):
        _put(window, "b", lots=lots)
        assert _names(window) == ["a", "b"]
        assert len(window) == 2
    _put(window, "c")
    _put(window, "d")
    assert _names(window) == ["b", "c", "d"]
    assert window.find(limit(ALICE, BUY, 100, 19, name="b")) is not None


def test_finding_an_order_does_not_keep_it_longer() -> None:
    window = RetryWindow(2)
    _put(window, "a")
    _put(window, "b")
    assert window.find(limit(ALICE, BUY, 100, 5, name="a")) is not None
    _put(window, "c")
    assert _names(window) == ["b", "c"]


def test_the_same_name_of_two_accounts_is_two_orders() -> None:
    window = RetryWindow(2)
    first, second = _put(window, "a"), _put(window, "a", BOB)
    assert window.find(limit(ALICE, BUY, 100, 5, name="a")) is first
    assert window.find(limit(BOB, BUY, 100, 5, name="a")) is second


def _answer(engine: Engine, number: int) -> str:
    """What the engine says to the order of this number: pairs of numbers trade and end."""
    side = SELL if number % 2 else BUY
    return type(engine.apply(limit(ALICE, side, 100, 5, name=f"n{number}"))[0]).__name__


def test_an_engine_remembers_the_last_65536_named_orders_across_a_snapshot() -> None:
    engine = venue()
    for number in range(RETRY_WINDOW + 2):
        assert _answer(engine, number) == "OrderAccepted"
    for again in (engine, restore(capture(engine))):
        assert len(again.retries) == RETRY_WINDOW == 65_536
        assert _answer(again, 2) == "OrderRepeated"
        assert _answer(again, RETRY_WINDOW + 1) == "OrderRepeated"
        assert _answer(again, 0) == "OrderAccepted"
        assert _answer(again, 2) == "OrderAccepted"
        assert len(again.retries) == RETRY_WINDOW
