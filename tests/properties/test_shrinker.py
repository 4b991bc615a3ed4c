"""The shrinker finds the few commands that matter, shown on engines that are wrong on purpose."""

from collections.abc import Callable

import pytest

from crossbook.common.messages import commands as command_kinds
from crossbook.common.messages.commands import CancelOrder, Command, NewOrder
from crossbook.matcher.engine.engine import Engine
from tests.model.reference import ReferenceMatcher
from tests.properties.differential import (
    Candidate,
    MatcherUnderTest,
    compare_commands,
    compare_steps,
)
from tests.properties.faulty import (
    CrashesOnAmendAcross,
    ForgetsToFreeNames,
    RequeuesPartlyFilledMakers,
)
from tests.properties.generator import random_commands, random_steps
from tests.properties.market import FUNDED, INSTRUMENTS, MEMORY, rules_of, venue
from tests.properties.report import failure_report
from tests.properties.shrinker import as_test, shrink
from tests.properties.steps import NEVER_ENTERED, Step, resolve


def _candidate(kind: type[Engine]) -> Candidate:
    def nothing(matcher: MatcherUnderTest) -> None:
        """The fault must show in the engine's answers."""

    return Candidate(lambda rules: venue(kind, rules), nothing)


@pytest.mark.parametrize(
    ("kind", "at_most"),
    [
        # two makers at one price, and a taker of part of the first
        (RequeuesPartlyFilledMakers, 3),
        # a named order, its cancel, and the name again
        (ForgetsToFreeNames, 3),
        # a maker, an order beside it, and the amend
        (CrashesOnAmendAcross, 3),
    ],
)
def test_a_fault_shrinks_to_the_commands_that_cause_it(kind: type[Engine], at_most: int) -> None:
    candidate = _candidate(kind)
    steps = random_steps(3, 1_500)
    assert compare_steps(steps, candidate) is not None
    fewest = shrink(steps, lambda some: compare_steps(some, candidate) is not None)
    assert compare_steps(fewest, candidate) is not None
    assert len(fewest) <= at_most, as_test(fewest, "fault")


def test_the_report_holds_a_test_that_runs_and_the_command_that_repeats() -> None:
    candidate = _candidate(RequeuesPartlyFilledMakers)
    report = failure_report(5, 1_500, candidate)
    assert "repeat with: python -m tests.properties --seed 5 --commands 1500" in report
    source = report[report.index("def test_") : report.index("\nrepeat with")]

    def run_against(checked: Callable[..., object]) -> None:
        names: dict[str, object] = {**vars(command_kinds), "compare_commands": checked}
        names |= {"Command": Command, "FUNDED": FUNDED}
        exec(source, names)
        test = names["test_engine_equals_reference_seed_5"]
        assert callable(test)
        test()

    with pytest.raises(AssertionError):
        run_against(lambda commands, **how: compare_commands(commands, candidate, **how))
    run_against(compare_commands)


def test_an_engine_without_fault_reports_nothing() -> None:
    assert failure_report(3, 300) == ""


def test_steps_resolve_to_the_commands_of_their_generator() -> None:
    reference = ReferenceMatcher(INSTRUMENTS, MEMORY, rules_of(9))
    assert resolve(random_steps(9, 2_000), reference) == random_commands(9, 2_000)


def test_a_cancel_follows_its_order_when_steps_before_it_are_dropped() -> None:
    steps = [
        Step(
            1,
            NewOrder(
                gateway=0,
                request_seq=0,
                account=1,
                instrument=1,
                side=1,
                order_type=1,
                time_in_force=1,
                price_ticks=50,
                quantity_lots=10,
            ),
        ),
        Step(
            2,
            NewOrder(
                gateway=0,
                request_seq=0,
                account=1,
                instrument=1,
                side=1,
                order_type=1,
                time_in_force=1,
                price_ticks=50,
                quantity_lots=10,
            ),
        ),
        Step(3, CancelOrder(gateway=0, request_seq=0, account=1, instrument=1, order_id=2)),
    ]
    assert _resolved(steps)[2] == CancelOrder(
        gateway=0, request_seq=0, account=1, instrument=1, order_id=2
    )
    assert _resolved(steps[1:])[1] == CancelOrder(
        gateway=0, request_seq=0, account=1, instrument=1, order_id=1
    )
    assert _resolved(steps[2:])[0] == CancelOrder(
        gateway=0, request_seq=0, account=1, instrument=1, order_id=2 + NEVER_ENTERED
    )


def _resolved(steps: list[Step]) -> list[Command]:
    return [command for command, _ in resolve(steps, ReferenceMatcher(INSTRUMENTS))]
