"""Clocks: the machine's never steps back, the fake one moves only when set."""

import time

from crossbook.common.process.clock import Clock, FakeClock, SystemClock


def test_the_system_clock_moves_forward() -> None:
    clock: Clock = SystemClock()
    first, later = clock.monotonic_ns(), clock.monotonic_ns()
    assert later >= first
    assert clock.now_ns() > 1_735_689_600_000_000_000


def test_the_steady_clock_runs_as_fast_as_the_wall_clock() -> None:
    clock = SystemClock()
    steady, monotonic = clock.elapsed_ns(), clock.monotonic_ns()
    while clock.monotonic_ns() - monotonic < 20_000_000:
        pass
    passed = clock.elapsed_ns() - steady
    assert 20_000_000 <= passed < 60_000_000_000


def test_the_steady_clock_counts_sleep_where_the_machine_has_such_a_clock() -> None:
    if hasattr(time, "CLOCK_BOOTTIME"):
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        found = SystemClock().elapsed_ns()
        assert before <= found <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def test_the_fake_clock_moves_when_set() -> None:
    clock = FakeClock(10)
    clock.advance_ns(5)
    clock.advance_ns(0)
    assert (clock.now_ns(), clock.monotonic_ns(), clock.elapsed_ns()) == (15, 15, 15)
    clock.step_ns(-4)
    assert (clock.now_ns(), clock.monotonic_ns(), clock.elapsed_ns()) == (11, 15, 15)
