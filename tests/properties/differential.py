"""Run engine and reference side by side, and say where they first differ."""

from collections.abc import Callable, Iterable
from typing import Protocol

from msgspec import Struct

from common.commands import Command
from common.events import Event
from common.sync import BookState
from matcher.engine import Engine
from matcher.invariants import check
from tests.model.reference import ReferenceMatcher
from tests.properties.generator import Generator
from tests.properties.market import INSTRUMENTS, RETRIES, venue
from tests.properties.steps import Step, resolve

BOOKS_EVERY = 10
"""Whole books are compared after every tenth command and after the last; events after each."""


class Matcher(Protocol):
    """What a candidate must offer to be compared."""

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]: ...

    def book_state(self, instrument: int) -> BookState: ...


class Candidate(Struct, frozen=True):
    """Makes a matcher, and names what must hold of it after each command."""

    make: Callable[[], Matcher]
    check: Callable[[Matcher], None]


class Difference(Struct, frozen=True):
    """Where a candidate first left the reference: after command number `index`, from zero."""

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


def _check_engine(matcher: Matcher) -> None:
    assert isinstance(matcher, Engine)
    check(matcher)


ENGINE = Candidate(lambda: venue(Engine), _check_engine)


def compare_seed(
    seed: int, count: int, candidate: Candidate = ENGINE, check_every: int = 1
) -> Difference | None:
    """Run the commands of a seed through both; None when nothing differs."""
    generator = Generator(seed)
    runs = ((command, events) for _, command, events in generator.steps(count))
    return _compare(runs, generator.reference, candidate, check_every)


def compare_commands(
    commands: Iterable[Command], candidate: Candidate = ENGINE
) -> Difference | None:
    """Run given commands through both, checking everything after each."""
    reference = ReferenceMatcher(INSTRUMENTS, RETRIES)
    runs = ((command, reference.apply(command)) for command in commands)
    return _compare(runs, reference, candidate, 1)


def compare_steps(steps: Iterable[Step], candidate: Candidate = ENGINE) -> Difference | None:
    """`compare_commands` of the resolved steps."""
    return compare_commands(resolve(steps), candidate)


def _compare(
    runs: Iterable[tuple[Command, list[Event]]],
    reference: ReferenceMatcher,
    candidate: Candidate,
    check_every: int,
) -> Difference | None:
    matcher = candidate.make()
    index = -1
    command: Command | None = None
    for index, (command, expected) in enumerate(runs):
        try:
            found = matcher.apply(command)
            if not index % check_every:
                candidate.check(matcher)
        except Exception as error:  # any failure of the candidate is a difference to report
            return Difference(index, command, expected, error)
        if found != expected:
            return Difference(index, command, expected, found)
        if not index % BOOKS_EVERY:
            difference = _compare_books(index, command, reference, matcher)
            if difference is not None:
                return difference
    return _compare_books(index, command, reference, matcher)


def _compare_books(
    index: int, command: Command | None, reference: ReferenceMatcher, matcher: Matcher
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
