"""To kill a FOK order costs O(orders), however many slices the icebergs in the book have.

Measured at a cost of O(slices): 5,000 icebergs of 100 slices, and a frame of 60 FOK orders that
could not fill, stopped the venue for a minute.
"""

import time
from collections.abc import Iterator

import pytest

from crossbook.common.messages.commands import NewOrder
from crossbook.common.messages.events import CommandRejected, OrderExpired
from crossbook.common.rules import Rules
from crossbook.common.types import OrderType, Prevention, RejectReason, TimeInForce
from crossbook.matcher.engine.engine import Engine
from tests.worlds.venue import ALICE, BOB, BTC, BUY, SELL, iceberg

ICEBERGS = 1_000
SLICES = 100
PRICE = 10_000
RULES = Rules(accounts=True, opening=(("BTC", 10**15), ("USDT", 10**9)), max_fills=65_536)


@pytest.fixture(scope="module")
def venue() -> Iterator[Engine]:
    engine = Engine([BTC], RULES)
    for _ in range(ICEBERGS):
        engine.apply(iceberg(BOB, SELL, PRICE, SLICES, 1))
    yield engine
    assert sum(1 for _ in engine.books[BTC.id].asks.orders()) == ICEBERGS, "nothing was traded"


def shortest(engine: Engine, command: NewOrder, seconds: int = 3) -> float:
    """Processor time of a command, the shortest of several."""
    times = []
    for _ in range(seconds):
        began = time.process_time()
        engine.apply(command)
        times.append(time.process_time() - began)
    return min(times)


@pytest.mark.parametrize("lots", [ICEBERGS * SLICES + 1, ICEBERGS * SLICES - 1])
@pytest.mark.parametrize(
    "prevention", [Prevention.NONE, Prevention.EXPIRE_TAKER, Prevention.EXPIRE_MAKER]
)
def test_a_killed_fok_looks_at_each_iceberg_once(
    venue: Engine, lots: int, prevention: Prevention
) -> None:
    """A FOK order that would fill, but with more makers than an order may meet, is killed as
    well."""
    taker = NewOrder(
        gateway=0,
        request_seq=0,
        account=BOB + 1,
        instrument=BTC.id,
        side=BUY,
        order_type=1,
        time_in_force=int(TimeInForce.FOK),
        price_ticks=PRICE,
        quantity_lots=lots,
        client_order_id="",
        quote_amount=0,
        prevention=int(prevention),
    )
    rich = Engine([BTC], Rules(max_fills=65_536))
    for _ in range(ICEBERGS):
        rich.apply(iceberg(BOB, SELL, PRICE, SLICES, 1))
    rich.effort.reset()
    last = rich.apply(taker)[-1]
    assert isinstance(last, OrderExpired)
    assert last.reason == RejectReason.FILL_OR_KILL
    assert rich.effort.makers == ICEBERGS
    one_order = shortest(rich, iceberg(BOB, SELL, PRICE, SLICES, 1), 20)
    assert shortest(rich, taker) < 1_000 * one_order, "as much as a thousand orders cost"


def test_a_refused_market_order_looks_at_each_iceberg_once(venue: Engine) -> None:
    taker = NewOrder(
        gateway=0,
        request_seq=0,
        account=ALICE,
        instrument=BTC.id,
        side=BUY,
        order_type=int(OrderType.MARKET),
        time_in_force=int(TimeInForce.IOC),
        price_ticks=0,
        quantity_lots=ICEBERGS * SLICES,
    )
    venue.effort.reset()
    answer = venue.apply(taker)[0]
    assert isinstance(answer, CommandRejected)
    assert answer.reason == RejectReason.INSUFFICIENT_BALANCE
    assert venue.effort.makers == ICEBERGS
