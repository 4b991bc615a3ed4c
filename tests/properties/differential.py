"""Run engine and reference side by side, and find their first difference."""

from collections.abc import Callable, Iterable
from typing import Protocol

from msgspec import Struct

from crossbook.common.messages.commands import Command
from crossbook.common.messages.events import Event
from crossbook.common.messages.matcher_queries import BookState
from crossbook.common.rules import Rules
from crossbook.matcher.engine import queries
from crossbook.matcher.engine.engine import Engine
from tests.model.reference import ReferenceMatcher
from tests.properties.generator import ACCOUNTS, StepGenerator
from tests.properties.market import INSTRUMENTS, MEMORY, UNFUNDED, venue
from tests.properties.steps import Run, Step, run
from tests.worlds.invariants import check

BOOKS_EVERY = 10
"""Commands between two comparisons of whole books and balances, which are also compared at the end.
Events are compared after each command."""


class MatcherUnderTest(Protocol):
    """The methods of an engine to be compared."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]: ...

    def book_state(self, instrument: int) -> BookState: ...


class Candidate(Struct, frozen=True):
    """A way to make an engine, and to check its state after each command."""

    make: Callable[[Rules], MatcherUnderTest]
    check: Callable[[MatcherUnderTest], None]


class Difference(Struct, frozen=True):
    """The first difference of a candidate from the reference: after command number `index`, from
    zero."""

    index: int
    command: Command | None
    expected: object
    found: object

    def __str__(self) -> str:
        return (
            f"command {self.index}: {self.command}\n"
            f"  reference: {_lines(self.expected)}\n"
            f"  engine:    {_lines(self.found)}"
        )


def _check_engine(matcher: MatcherUnderTest) -> None:
    assert isinstance(matcher, Engine)
    check(matcher)


ENGINE = Candidate(lambda rules: venue(Engine, rules), _check_engine)


def compare_seed(
    seed: int, count: int, candidate: Candidate = ENGINE, check_every: int = 1
) -> Difference | None:
    """Run the commands of a seed through both; None when nothing differs."""
    generator = StepGenerator(seed)
    runs = ((command, step.label, events) for step, command, events in generator.steps(count))
    return _compare(runs, generator.reference, candidate, check_every)


def compare_commands(
    commands: Iterable[tuple[Command, int]],
    candidate: Candidate = ENGINE,
    rules: Rules = UNFUNDED,
) -> Difference | None:
    """Run given commands, each with its time, through both, checking everything after each."""
    reference = ReferenceMatcher(INSTRUMENTS, MEMORY, rules)
    runs = ((command, time, reference.apply(command, time)) for command, time in commands)
    return _compare(runs, reference, candidate, 1)


def compare_steps(
    steps: Iterable[Step], candidate: Candidate = ENGINE, rules: Rules = UNFUNDED
) -> Difference | None:
    """`compare_commands` of the resolved steps."""
    reference = ReferenceMatcher(INSTRUMENTS, MEMORY, rules)
    return _compare(run(steps, reference), reference, candidate, 1)


def _compare(
    runs: Iterable[Run],
    reference: ReferenceMatcher,
    candidate: Candidate,
    check_every: int,
) -> Difference | None:
    matcher = candidate.make(reference.rules)
    index = -1
    command: Command | None = None
    for index, (command, time_ns, expected) in enumerate(runs):
        try:
            found = matcher.apply(command, time_ns)
            if not index % check_every:
                candidate.check(matcher)
        except Exception as error:  # any failure of the candidate is a difference to report
            return Difference(index, command, expected, error)
        if found != expected:
            return Difference(index, command, expected, found)
        if not index % BOOKS_EVERY:
            difference = _compare_state(index, command, reference, matcher)
            if difference is not None:
                return difference
    return _compare_state(index, command, reference, matcher)


def _compare_state(
    index: int, command: Command | None, reference: ReferenceMatcher, matcher: MatcherUnderTest
) -> Difference | None:
    difference = _compare_books(index, command, reference, matcher)
    if difference is not None or not isinstance(matcher, Engine) or not reference.rules.accounts:
        return difference
    for account in range(ACCOUNTS + 1):
        expected = reference.balances(account)
        if not expected:
            continue
        found = {
            each.asset: (each.total_units, each.held_units)
            for each in queries.balances(matcher, account)
        }
        if {asset: each for asset, each in found.items() if any(each)} != {
            asset: each for asset, each in expected.items() if any(each)
        }:
            return Difference(index, command, (account, expected), (account, found))
    return None


def _compare_books(
    index: int, command: Command | None, reference: ReferenceMatcher, matcher: MatcherUnderTest
) -> Difference | None:
    for instrument in reference.instruments:
        expected, found = reference.book_state(instrument), matcher.book_state(instrument)
        if expected != found:
            return Difference(index, command, expected, found)
    return None


def _lines(value: object) -> str:
    if isinstance(value, list):
        return "".join(f"\n    {event}" for event in value) or "no events"
    return repr(value)
