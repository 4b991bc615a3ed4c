"""Processes die at every named point and at random instants: nothing acknowledged is lost, no
command is applied twice, and every client catches up.

One exchange lives through many deaths, so that later ones meet the files of earlier ones.
"""

import random
import re
from collections.abc import Iterator

import pytest

from tests.crash.world import (
    POINTS,
    CrashWorld,
    die_at,
    figures,
    kill_at_random,
    run_random,
)
from tests.system.exchange import REPOSITORY

SEED = 20_251_026
COMMAND = "python -m pytest tests/crash/test_crash_matrix.py"
RANDOM_KILLS = 8
KILLS_A_WORLD = 12
"""Most deaths in one world: every check reads its whole history, which a new world keeps short."""

SLOW_RUNS = 10
SLOW_KILLS = 32


class Shelf:
    """Keeps one world from test to test, until its history is long."""

    def __init__(self) -> None:
        self.world: CrashWorld | None = None

    def put(self, world: CrashWorld) -> None:
        """Keep a sound world."""
        self.world = world
        if world.kills >= KILLS_A_WORLD:
            self.drop()

    def drop(self) -> None:
        """End the world."""
        if self.world is not None:
            print(figures(self.world))
            self.world.close()
            self.world = None


@pytest.fixture(scope="module")
def shelf() -> Iterator[Shelf]:
    """The shelf of this module's world."""
    shelf = Shelf()
    yield shelf
    shelf.drop()


@pytest.fixture
def world(shelf: Shelf) -> Iterator[CrashWorld]:
    """A world without any fault so far; after a failure a new one."""
    world = shelf.world or CrashWorld(SEED, COMMAND)
    shelf.world = None
    try:
        yield world
    except BaseException:
        world.close()
        raise
    shelf.put(world)


@pytest.mark.parametrize(("process", "point"), POINTS, ids=[point for _, point in POINTS])
def test_a_death_at_a_named_point_breaks_no_promise(
    world: CrashWorld, process: str, point: str
) -> None:
    die_at(world, process, point)
    world.settle()


def test_deaths_at_random_instants_break_no_promise(world: CrashWorld) -> None:
    kill_at_random(world, random.Random(SEED), RANDOM_KILLS)


def test_every_point_in_the_program_is_in_the_matrix() -> None:
    named = set()
    for folder in ("matcher", "gateway", "publisher"):
        for path in (REPOSITORY / folder).rglob("*.py"):
            named |= set(re.findall(r'reached\("([a-z_.]+)"\)', path.read_text()))
    assert named == {point for _, point in POINTS}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, SLOW_RUNS + 1))
def test_hundreds_of_deaths_break_no_promise(seed: int) -> None:
    print(run_random(seed, SLOW_KILLS))
