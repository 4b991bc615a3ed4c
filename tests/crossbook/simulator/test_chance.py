"""The random numbers are those of SplitMix64, with the distributions of their names."""

import subprocess
import sys

import pytest

from crossbook.simulator.chance import Chance

DRAWS = 20_000


def test_bits_are_those_of_the_published_generator() -> None:
    # The first outputs for seed 1234567 of the public-domain reference implementation.
    chance = Chance(1234567)
    assert [chance.below(2**64) for _ in range(5)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_another_process_draws_the_same() -> None:
    code = (
        "from crossbook.simulator.chance import Chance; c = Chance(3);"
        "print([c.normal(), c.fat(9.0), c.fatter(9.0), c.fattest(9.0), c.fork().uniform()])"
    )
    command = [sys.executable, "-c", code]
    printed = {subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2)}
    chance = Chance(3)
    mine = [chance.normal(), chance.fat(9.0), chance.fatter(9.0), chance.fattest(9.0)]
    mine.append(chance.fork().uniform())
    assert printed == {f"{mine}\n".encode()}


def test_the_draws_of_a_fork_shift_nothing_here() -> None:
    one, other = Chance(5), Chance(5)
    forked, silent = one.fork(), other.fork()
    assert forked.uniform() == silent.uniform()
    for _ in range(10):
        forked.uniform()
    assert one.uniform() == other.uniform()


def test_uniform_numbers_may_be_divided_by() -> None:
    chance = Chance(1)
    drawn = [chance.uniform() for _ in range(DRAWS)]
    assert all(0.0 < each <= 1.0 for each in drawn)
    assert sum(drawn) / DRAWS == pytest.approx(0.5, abs=0.01)


def test_integers_are_below_their_bound_and_even() -> None:
    chance = Chance(2)
    counts = [0] * 7
    for _ in range(DRAWS):
        counts[chance.below(7)] += 1
    assert all(count == pytest.approx(DRAWS / 7, rel=0.1) for count in counts)


def test_normal_numbers_have_mean_zero_and_deviation_one() -> None:
    chance = Chance(3)
    drawn = [chance.normal() for _ in range(DRAWS)]
    assert sum(drawn) / DRAWS == pytest.approx(0.0, abs=0.03)
    assert sum(each * each for each in drawn) / DRAWS == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize(("name", "power"), [("fat", 2.0), ("fatter", 4 / 3), ("fattest", 1.0)])
def test_tails_have_the_power_they_are_named_for(name: str, power: float) -> None:
    draw = getattr(Chance(4), name)
    drawn = [draw(50.0) for _ in range(DRAWS)]
    assert all(1.0 <= each <= 50.0 for each in drawn)
    for beyond in (2.0, 5.0):
        share = sum(each > beyond for each in drawn) / DRAWS
        assert share == pytest.approx(beyond**-power, rel=0.1)


def test_a_shuffle_keeps_the_items_and_every_order_comes() -> None:
    chance = Chance(5)
    seen = set()
    for _ in range(200):
        items = [1, 2, 3]
        chance.shuffle(items)
        assert sorted(items) == [1, 2, 3]
        seen.add(tuple(items))
    assert len(seen) == 6
