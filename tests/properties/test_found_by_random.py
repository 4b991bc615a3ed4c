"""Random commands find engines that break a rule of few orders."""

import pytest

from crossbook.matcher.engine.engine import Engine
from tests.properties.differential import Candidate, MatcherUnderTest, compare_seed
from tests.properties.faulty import (
    CallsTimersOffOnRefusal,
    MeetsOwnOrdersWhenSpent,
    RoundsTheMiddleDown,
)
from tests.properties.market import venue

SEEDS = range(24)
COMMANDS = 800


@pytest.mark.parametrize(
    "kind", [MeetsOwnOrdersWhenSpent, RoundsTheMiddleDown, CallsTimersOffOnRefusal]
)
def test_a_rare_fault_is_found_in_several_seeds(kind: type[Engine]) -> None:
    def nothing(matcher: MatcherUnderTest) -> None:
        """The fault must show in the engine's answers."""

    candidate = Candidate(lambda rules: venue(kind, rules), nothing)
    found = [seed for seed in SEEDS if compare_seed(seed, COMMANDS, candidate) is not None]
    assert len(found) > 1, f"{kind.__name__} was found by seeds {found} only"
