"""A snapshot taken at any point, and the commands after it, lead to the state of all commands.

There are two hundred cuts: ten random places in each of twenty flows. The restored engine keeps as
few orders for retries as the captured one, so that both drop the same ones.
"""

from collections.abc import Iterable
from random import Random

import pytest

from crossbook.common.messages.codec import encode
from crossbook.common.messages.commands import Command
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.recovery.snapshot import capture, restore, state_hash
from tests.properties.generator import random_commands
from tests.properties.market import INSTRUMENTS, retry_window, rules_of, venue
from tests.worlds.invariants import check

SEEDS = range(800, 820)
CUTS = 10
COMMANDS = 1_000


def _restored(snapshot: bytes) -> Engine:
    engine = restore(snapshot)
    remembered = engine.retries.entries()
    engine.retries = retry_window()
    for entry in remembered:
        engine.retries.put(entry.body, entry.order)
    return engine


def _run(engine: Engine, commands: Iterable[tuple[Command, int]]) -> list[bytes]:
    """The events of commands at their times, as they go on the wire."""
    return [encode(engine.apply(command, time_ns)) for command, time_ns in commands]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_snapshot_and_the_later_commands_give_the_state_of_the_whole_run(seed: int) -> None:
    commands = random_commands(seed, COMMANDS)
    cuts = sorted(Random(seed).sample(range(COMMANDS + 1), CUTS))
    whole = venue(Engine, rules_of(seed))
    events: list[bytes] = []
    snapshots = []
    for cut in cuts:
        events += _run(whole, commands[len(events) : cut])
        snapshots.append((cut, capture(whole), state_hash(whole)))
    events += _run(whole, commands[len(events) :])
    for cut, snapshot, hash_then in snapshots:
        engine = _restored(snapshot)
        check(engine)
        assert capture(engine) == snapshot, f"seed {seed}, cut {cut}"
        assert state_hash(engine) == hash_then, f"seed {seed}, cut {cut}"
        assert _run(engine, commands[cut:]) == events[cut:], f"seed {seed}, cut {cut}"
        assert capture(engine) == capture(whole), f"seed {seed}, cut {cut}"
        assert state_hash(engine) == state_hash(whole), f"seed {seed}, cut {cut}"
        check(engine)


@pytest.mark.parametrize("seed", range(830, 834))
def test_a_venue_restored_again_and_again_stays_the_same(seed: int) -> None:
    whole, restarted = (venue(Engine, rules_of(seed)) for _ in range(2))
    for command, time_ns in random_commands(seed, COMMANDS):
        if not time_ns % 7:
            restarted = _restored(capture(restarted))
        assert restarted.apply(command, time_ns) == whole.apply(command, time_ns), f"seed {seed}"
        for account in range(1, 5):
            assert restarted.open_orders(account) == whole.open_orders(account)
    for instrument in INSTRUMENTS:
        assert restarted.book_state(instrument.id) == whole.book_state(instrument.id)
    assert capture(restarted) == capture(whole)
