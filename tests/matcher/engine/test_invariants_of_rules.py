"""Each invariant of money, time and waiting can fail too."""

from collections.abc import Callable

import pytest

from crossbook.common.messages.commands import Instructions, NewOrder, SetCancelAfter
from crossbook.common.rules import FEE_ACCOUNT, Rules
from crossbook.common.types import InstrumentState
from crossbook.matcher.engine.engine import Engine
from tests.worlds.invariants import check
from tests.worlds.venue import ALICE, BOB, BTC, BUY, SELL, limit

FUNDED = Rules(True, (("BTC", 10**9), ("USDT", 10**9)))
WAITING, ICEBERG = 3, 4


def sound() -> Engine:
    """A trade, a waiting stop, an iceberg that expires, and a dead-man timer."""
    engine = Engine([BTC], FUNDED)
    engine.apply(limit(ALICE, SELL, 100, 5))
    engine.apply(limit(BOB, BUY, 100, 3))
    for instructions, price in ((Instructions(90), 90), (Instructions(0, 2, 99), 120)):
        kind, tif = (4, 1) if instructions.trigger_ticks else (1, 4)
        engine.apply(
            NewOrder(
                gateway=0,
                request_seq=0,
                account=ALICE,
                instrument=1,
                side=SELL,
                order_type=kind,
                time_in_force=tif,
                price_ticks=price,
                quantity_lots=9,
                client_order_id="",
                quote_amount=0,
                prevention=0,
                instructions=instructions,
            )
        )
    engine.apply(SetCancelAfter(gateway=0, request_seq=0, account=BOB, instrument=0, timeout_ns=50))
    return engine


def _triggered_long_ago(engine: Engine) -> None:
    engine.books[1].last_price_ticks = 80


def _money_from_nothing(engine: Engine) -> None:
    engine.accounts[BOB].total["USDT"] += 1


def _a_lost_fee(engine: Engine) -> None:
    engine.accounts[FEE_ACCOUNT].total["USDT"] -= 1


def _a_hold_left_over(engine: Engine) -> None:
    engine.accounts[ALICE].held["BTC"] += 1


def _a_debt(engine: Engine) -> None:
    engine.accounts[BOB].total["USDT"] -= 2 * 10**9
    engine.accounts[ALICE].total["USDT"] += 2 * 10**9


def _a_lost_timer(engine: Engine) -> None:
    engine.timers.pop()


def _a_slice_too_large(engine: Engine) -> None:
    conditions = engine.accounts[ALICE].orders[ICEBERG].conditions
    assert conditions is not None
    conditions.shown_lots = 10


def _an_order_in_two_places(engine: Engine) -> None:
    book = engine.books[1]
    book.uncrossing[WAITING] = engine.accounts[ALICE].orders[WAITING]
    book.state = int(InstrumentState.AUCTION)


def _a_waiting_order_without_its_wait(engine: Engine) -> None:
    conditions = engine.accounts[ALICE].orders[WAITING].conditions
    assert conditions is not None
    conditions.waits = 0


def test_a_sound_engine_has_nothing_broken() -> None:
    check(sound())


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (_triggered_long_ago, "should have been elected"),
        (_money_from_nothing, "USDT: accounts have"),
        (_a_lost_fee, "USDT: accounts have"),
        (_a_hold_left_over, "BTC held of 1 is wrong"),
        (_a_debt, "account 2 owes USDT"),
        (_a_lost_timer, "timers are not those"),
        (_a_slice_too_large, "shows the wrong lots"),
        (_an_order_in_two_places, "does not know that it waits"),
        (_a_waiting_order_without_its_wait, "does not know that it waits"),
    ],
)
def test_a_broken_invariant_is_named(spoil: Callable[[Engine], None], complaint: str) -> None:
    engine = sound()
    spoil(engine)
    with pytest.raises(AssertionError, match=complaint):
        check(engine)
