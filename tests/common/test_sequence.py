"""Request numbers of one gateway only ever grow, over any number of its lives."""

from hypothesis import strategies as st

from crossbook.common.sequence import COUNT_MASK, base_at, epoch_of
from crossbook.common.types import MAX_INT
from tests.worlds.given import given

START_OF_2025 = 1_735_689_600_000_000_000
EIGHTH = 125_000_000
START_OF_2059 = START_OF_2025 + 34 * 365 * 86_400 * 10**9


@given(st.integers(START_OF_2025, START_OF_2059), st.integers(1, COUNT_MASK))
def test_a_later_life_continues_above_all_an_earlier_one_used(now_ns: int, used: int) -> None:
    assert base_at(now_ns) + used < base_at(now_ns + EIGHTH) + 1


@given(st.integers(START_OF_2025, START_OF_2059), st.integers(0, COUNT_MASK))
def test_numbers_of_one_life_share_its_epoch(now_ns: int, used: int) -> None:
    assert epoch_of(base_at(now_ns) + used) == epoch_of(base_at(now_ns))


def test_numbers_fit_a_signed_64_bit_integer() -> None:
    assert base_at(START_OF_2059) + COUNT_MASK <= MAX_INT


def test_a_clock_before_2025_is_no_negative_number() -> None:
    assert base_at(0) == 0
