"""The time of stamps: a jump ahead is refused, sleep and slewing are not, and all of it ends."""

import pytest

from crossbook.common.process.clock import FakeClock
from crossbook.matcher.timekeeper import Timekeeper

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
YEAR = 365 * DAY
NOW = 1_780_000_000 * SECOND
JUMP = 60 * SECOND
ABSENCE = 366 * DAY


def started(clock: FakeClock, last_ns: int = NOW - DAY) -> Timekeeper:
    """A timekeeper of a journal that ends a day ago."""
    return Timekeeper(clock, last_ns, JUMP, ABSENCE)


@pytest.mark.parametrize(
    ("step_ns", "believed"),
    [
        (JUMP - 1, True),
        (JUMP, True),
        (JUMP + 1, False),
        (3_600 * SECOND, False),
        (10 * YEAR, False),
    ],
)
def test_a_jump_ahead_is_accepted_up_to_the_limit(step_ns: int, believed: bool) -> None:
    clock = FakeClock(NOW)
    keeper = started(clock)
    clock.step_ns(step_ns)
    assert keeper.now_ns() == (NOW + step_ns if believed else NOW)
    assert (keeper.refused, keeper.refusals) == (not believed, int(not believed))
    assert keeper.clock_ns == NOW + step_ns


def test_time_goes_on_at_the_steady_pace_while_the_clock_is_refused() -> None:
    clock = FakeClock(NOW)
    keeper = started(clock)
    clock.step_ns(10 * YEAR)
    for second in range(1, 100):
        clock.advance_ns(SECOND)
        assert keeper.now_ns() == NOW + second * SECOND
    assert keeper.refusals == 1


def test_a_clock_that_comes_back_is_accepted_again() -> None:
    clock = FakeClock(NOW)
    keeper = started(clock)
    clock.step_ns(10 * YEAR)
    keeper.now_ns()
    clock.advance_ns(SECOND)
    clock.step_ns(-10 * YEAR)
    assert keeper.now_ns() == NOW + SECOND
    assert (keeper.refused, keeper.refusals) == (False, 1)
    clock.step_ns(10 * YEAR)
    keeper.now_ns()
    assert (keeper.refused, keeper.refusals) == (True, 2)


def test_an_accepted_clock_is_the_time_and_the_limit_begins_anew() -> None:
    clock = FakeClock(NOW)
    keeper = started(clock)
    clock.step_ns(YEAR)
    assert keeper.accept() == (NOW, NOW + YEAR)
    assert not keeper.refused
    assert (keeper.now_ns(), keeper.refused) == (NOW + YEAR, False)
    clock.step_ns(JUMP + 1)
    assert (keeper.now_ns(), keeper.refused) == (NOW + YEAR, True)
    assert keeper.refusals == 2


def test_jumps_within_the_limit_are_refused_once_their_sum_exceeds_it() -> None:
    clock = FakeClock(NOW)
    keeper = started(clock)
    for _ in range(2):
        clock.step_ns(JUMP // 2)
        assert keeper.now_ns() == clock.now_ns()
    clock.step_ns(JUMP // 2)
    assert keeper.now_ns() < clock.now_ns()
    assert keeper.refused


def test_the_room_of_an_accepted_jump_comes_back_with_time() -> None:
    clock = FakeClock(NOW)
    keeper = started(clock)
    clock.step_ns(JUMP)
    keeper.now_ns()
    for _ in range(1_000):
        clock.advance_ns(JUMP)
        keeper.now_ns()
    clock.step_ns(JUMP)
    assert keeper.now_ns() == clock.now_ns()


@pytest.mark.parametrize("parts_per_million", [500, -500, 999])
def test_a_clock_that_is_slewed_for_a_month_stays_accepted(parts_per_million: int) -> None:
    clock = FakeClock(NOW)
    keeper = started(clock)
    for _ in range(30 * 24):
        clock.advance_ns(3_600 * SECOND)
        clock.step_ns(3_600 * SECOND * parts_per_million // 1_000_000)
        assert keeper.now_ns() == clock.now_ns()
    assert not keeper.refusals


def test_a_drift_in_tiny_steps_stays_accepted() -> None:
    clock = FakeClock(NOW)
    keeper = Timekeeper(clock, 0, jump_max_ns=10, absence_max_ns=ABSENCE)
    for _ in range(40_000):
        clock.advance_ns(999)
        clock.step_ns(0)
        keeper.now_ns()
    clock.step_ns(10)
    assert keeper.now_ns() == clock.now_ns()
    for _ in range(11):
        clock.advance_ns(999)
        keeper.now_ns()
    clock.step_ns(10)
    assert keeper.now_ns() == clock.now_ns()


def test_a_night_asleep_is_no_jump() -> None:
    clock = FakeClock(NOW)
    keeper = started(clock)
    # The clock that counts sleep moves with the one on the wall.
    clock.advance_ns(9 * 3_600 * SECOND)
    assert (keeper.now_ns(), keeper.refused) == (NOW + 9 * 3_600 * SECOND, False)


def test_a_clock_set_back_and_put_right_is_no_jump() -> None:
    clock = FakeClock(NOW)
    keeper = started(clock)
    clock.step_ns(-YEAR)
    assert keeper.now_ns() == NOW - YEAR
    clock.advance_ns(SECOND)
    clock.step_ns(YEAR)
    assert (keeper.now_ns(), keeper.refused) == (NOW + SECOND, False)


@pytest.mark.parametrize(
    ("away_ns", "believed"),
    [(30 * DAY, True), (ABSENCE, True), (ABSENCE + 1, False), (10 * YEAR, False)],
)
def test_a_start_accepts_a_clock_up_to_the_longest_absence(away_ns: int, believed: bool) -> None:
    clock = FakeClock(NOW)
    keeper = started(clock, last_ns=NOW - away_ns)
    assert keeper.now_ns() == (NOW if believed else NOW - away_ns)
    assert (keeper.refused, keeper.refusals) == (not believed, int(not believed))


def test_a_first_start_accepts_any_clock() -> None:
    assert started(FakeClock(NOW), last_ns=0).now_ns() == NOW


def test_a_start_on_a_refused_clock_ends_when_the_clock_is_set_right() -> None:
    clock = FakeClock(NOW)
    clock.step_ns(10 * YEAR)
    keeper = started(clock)
    clock.advance_ns(SECOND)
    assert keeper.now_ns() == NOW - DAY + SECOND
    clock.step_ns(-10 * YEAR)
    assert (keeper.now_ns(), keeper.refused) == (NOW + SECOND, False)


def test_a_machine_that_starts_without_the_date_accepts_the_given_one() -> None:
    clock = FakeClock(SECOND)
    keeper = started(clock)
    assert keeper.now_ns() == SECOND
    clock.step_ns(NOW)
    assert (keeper.now_ns(), keeper.refused) == (NOW + SECOND, False)
    clock.step_ns(JUMP + 1)
    keeper.now_ns()
    assert keeper.refused


@pytest.mark.parametrize(
    ("away_ns", "believed"), [(ABSENCE, True), (ABSENCE + 1, False), (10 * YEAR, False)]
)
def test_a_machine_that_starts_without_the_date_refuses_a_wild_one(
    away_ns: int, believed: bool
) -> None:
    clock = FakeClock(SECOND)
    keeper = started(clock, last_ns=NOW)
    clock.step_ns(NOW + away_ns - SECOND)
    assert keeper.now_ns() == (NOW + away_ns if believed else SECOND)
    assert (keeper.refused, keeper.refusals) == (not believed, int(not believed))


@pytest.mark.parametrize("began_ns", [SECOND, NOW - 1, NOW])
@pytest.mark.parametrize(("beyond_ns", "over"), [(-1, False), (0, True)])
def test_an_absence_is_over_once_the_clock_shows_the_last_stamp(
    began_ns: int, beyond_ns: int, over: bool
) -> None:
    clock = FakeClock(began_ns)
    keeper = started(clock, last_ns=NOW - beyond_ns)
    clock.step_ns(NOW - began_ns)
    assert keeper.now_ns() == NOW
    clock.step_ns(JUMP + 1)
    assert keeper.now_ns() == (NOW if over else NOW + JUMP + 1)
    assert keeper.refused == over


def test_a_steady_clock_that_stands_still_is_borne() -> None:
    class Stuck(FakeClock):
        def elapsed_ns(self) -> int:
            return 7

    clock = Stuck(NOW)
    keeper = started(clock)
    clock.advance_ns(SECOND)
    assert keeper.now_ns() == NOW + SECOND
