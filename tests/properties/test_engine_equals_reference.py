"""The engine and the obvious matcher give the same events for the same random commands.

Invariants are checked after each command in the fast suite. The slow suite checks them after each
command in every tenth seed and after every seventh command in the others, and reads longer runs.
"""

import pytest

from tests.properties.report import failure_report

CHUNKS = 10
SEEDS = 40
COMMANDS = 800

SLOW_CHUNKS = 50
SLOW_SEEDS = 1_000
SLOW_COMMANDS = 1_000


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_engine_equals_reference_event_for_event(chunk: int) -> None:
    for seed in range(chunk, SEEDS, CHUNKS):
        report = failure_report(seed, COMMANDS)
        assert not report, report


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(SLOW_CHUNKS))
def test_engine_equals_reference_over_a_million_commands(chunk: int) -> None:
    for seed in range(chunk, SLOW_SEEDS, SLOW_CHUNKS):
        check_every = 1 if not seed // SLOW_CHUNKS else 7
        report = failure_report(1_000_000 + seed, SLOW_COMMANDS, check_every=check_every)
        assert not report, report
