"""Clocks: the machine's never steps back, the fake one moves only when told."""

from common.clock import Clock, FakeClock, SystemClock


def test_the_system_clock_moves_forward() -> None:
    clock: Clock = SystemClock()
    first, later = clock.monotonic_ns(), clock.monotonic_ns()
    assert later >= first
    assert clock.now_ns() > 1_735_689_600_000_000_000


def test_the_fake_clock_moves_when_told() -> None:
    clock = FakeClock(10)
    clock.advance_ns(5)
    clock.advance_ns(0)
    assert (clock.now_ns(), clock.monotonic_ns()) == (15, 15)
