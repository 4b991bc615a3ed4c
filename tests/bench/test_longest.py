"""The bench of the longest batches prepares acts that happen, and bounds those with limits."""

from typing import Final

import pytest

from bench import longest
from bench.longest import ACTS, LongestRow, run

ORDERS: Final = 2_000


@pytest.fixture(scope="module")
def rows() -> list[LongestRow]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(longest, "MAX_FILLS", 100)
        return run(ORDERS).rows


@pytest.mark.parametrize("act", ACTS)
def test_an_act_is_one_batch_without_limits_and_bounded_ones_with_them(
    rows: list[LongestRow], act: str
) -> None:
    without, limited = (row for row in rows if row.act == act)
    assert (without.limits, limited.limits) == (False, True)
    assert without.events >= (ORDERS // 10 if "FOK" not in act else 60)
    if "FOK" not in act:
        assert limited.events <= 3 * 100 + 2
        assert limited.batches > 1
    assert 0 < limited.longest_ms <= limited.total_ms
