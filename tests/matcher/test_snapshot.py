"""The state hash: equal for equal markets, different for any difference that can matter."""

from collections.abc import Callable

import pytest

from common.commands import Command
from matcher.engine import Engine
from matcher.snapshot import state_hash
from tests.matcher.venue import (
    ALICE,
    BOB,
    BUY,
    ETH,
    SELL,
    amend,
    cancel,
    limit,
    market,
    mass_cancel,
    venue,
)

BASE: list[Command] = [
    limit(ALICE, BUY, 100, 5, name="a"),
    limit(BOB, BUY, 100, 5),
    limit(BOB, SELL, 110, 5),
    limit(ALICE, SELL, 110, 2),
    market(ALICE, BUY, 1),
]


def run(commands: list[Command], time_ns: int = 0) -> Engine:
    engine = venue()
    for command in commands:
        engine.apply(command, time_ns)
    return engine


def test_the_same_commands_give_the_same_hash() -> None:
    assert state_hash(run(BASE)) == state_hash(run(BASE))


def test_the_hash_is_hex_sha256() -> None:
    assert len(bytes.fromhex(state_hash(venue()))) == 32


@pytest.mark.parametrize(
    "command",
    [
        limit(ALICE, BUY, 90, 1),
        limit(ALICE, BUY, 90, 5, instrument=ETH),
        market(ALICE, BUY, 1),
        market(ALICE, BUY, quote_amount=1_100),
        cancel(ALICE, 1),
        amend(ALICE, 1, lots=4),
        amend(ALICE, 1, lots=6),
        amend(ALICE, 1, price_ticks=101),
        mass_cancel(BOB),
    ],
)
def test_whatever_changes_the_market_changes_the_hash(command: Command) -> None:
    engine = run(BASE)
    before = state_hash(engine)
    engine.apply(command)
    assert state_hash(engine) != before


def _other_owner(commands: list[Command]) -> None:
    commands[1] = limit(ALICE, BUY, 100, 5)


def _other_name(commands: list[Command]) -> None:
    commands[0] = limit(ALICE, BUY, 100, 5, name="b")


def _other_place(commands: list[Command]) -> None:
    commands[0], commands[1] = commands[1], commands[0]


def _other_price(commands: list[Command]) -> None:
    commands[3] = limit(ALICE, SELL, 111, 2)


@pytest.mark.parametrize("change", [_other_owner, _other_name, _other_place, _other_price])
def test_markets_that_differ_in_one_thing_have_different_hashes(
    change: Callable[[list[Command]], None],
) -> None:
    commands = list(BASE)
    change(commands)
    assert state_hash(run(commands)) != state_hash(run(BASE))


def test_filled_and_open_lots_are_told_apart() -> None:
    less, more = (run([limit(ALICE, SELL, 100, 8), limit(BOB, BUY, 100, lots)]) for lots in (2, 3))
    assert less.book_state(1).last_trade_id == more.book_state(1).last_trade_id
    assert state_hash(less) != state_hash(more)
    total = run([limit(ALICE, SELL, 100, 7), limit(BOB, BUY, 100, 2)])
    assert total.book_state(1) == more.book_state(1)
    assert state_hash(total) != state_hash(more)


def test_a_bid_and_an_ask_are_told_apart() -> None:
    bid, ask = run([limit(ALICE, BUY, 100, 5)]), run([limit(ALICE, SELL, 100, 5)])
    assert state_hash(bid) != state_hash(ask)


def test_entry_time_is_part_of_the_state() -> None:
    assert state_hash(run(BASE, time_ns=1)) != state_hash(run(BASE, time_ns=2))


def test_numbers_and_seen_requests_are_not_part_of_the_state() -> None:
    engine = run(BASE)
    before = state_hash(engine)
    for _ in range(3):
        engine.apply(cancel(ALICE, 99))
        engine.apply(limit(9, BUY, -5, 1))
    assert state_hash(engine) == before
