"""The random commands have every kind of retry and of request out of turn. They find engines that
answer these wrongly."""

from collections import Counter

import pytest

from crossbook.common.messages.commands import NewOrder
from crossbook.common.messages.events import OrderAccepted, OrderRepeated, TimeAdvanced
from crossbook.common.sequence import epoch_of
from crossbook.common.types import OrderStatus, OrderType
from crossbook.matcher.engine.engine import Engine
from tests.properties.differential import Candidate, MatcherUnderTest, compare_steps
from tests.properties.faulty import (
    AcceptsGaps,
    AcceptsLateStarts,
    ForgetsRetriesEarly,
    IgnoresLaterEpochs,
    PushesOutTheYoung,
    RemembersRetriesLonger,
    ReportsTheFirstStatus,
    SharesOneWindow,
)
from tests.properties.generator import StepGenerator, random_steps
from tests.properties.market import RETRIES, venue
from tests.properties.shrinker import as_test, shrink

SEEDS = range(850, 870)
COMMANDS = 2_000

EVERY_RETRY = {
    (OrderType.LIMIT, "", OrderStatus.NEW),
    (OrderType.LIMIT, "", OrderStatus.PARTIALLY_FILLED),
    (OrderType.LIMIT, "", OrderStatus.FILLED),
    (OrderType.LIMIT, "", OrderStatus.CANCELED),
    (OrderType.LIMIT, "", OrderStatus.EXPIRED),
    (OrderType.LIMIT, "", OrderStatus.EXPIRED_IN_MATCH),
    (OrderType.MARKET, "", OrderStatus.FILLED),
    (OrderType.MARKET, "", OrderStatus.EXPIRED),
    (OrderType.MARKET, "by quote amount", OrderStatus.FILLED),
    (OrderType.MARKET, "by quote amount", OrderStatus.EXPIRED),
}
EVERY_TURN = {"sent again", "after a gap", "not the first of its epoch", "first of a later epoch"}


def test_the_random_commands_hold_every_kind_of_repeat() -> None:
    retries: Counter[tuple[OrderType, str, OrderStatus]] = Counter()
    turns: Counter[str] = Counter()
    for seed in SEEDS:
        generator = StepGenerator(seed)
        last: dict[int, int] = {}
        entered: dict[int, NewOrder] = {}
        for _, command, all_events in generator.steps(COMMANDS):
            due_seqs = [event.seq for event in all_events if isinstance(event, TimeAdvanced)]
            events = [event for event in all_events if event.seq not in due_seqs]
            before = last.get(command.gateway, 0)
            if command.gateway > 0:
                turns[_turn(before, command.request_seq, bool(events))] += 1
            if not events:
                continue
            last[command.gateway] = command.request_seq
            answer = events[0]
            if isinstance(answer, OrderAccepted):
                assert isinstance(command, NewOrder)
                entered[answer.seq] = command
            elif isinstance(answer, OrderRepeated):
                first = entered[answer.order_id]
                by = "by quote amount" if first.quote_amount else ""
                kind = OrderType(first.order_type)
                retries[kind, by, OrderStatus(answer.status)] += 1
        assert len(generator.reference.remembered) == RETRIES, f"seed {seed}: nothing forgotten"
    assert set(retries) >= EVERY_RETRY
    assert min(retries[kind] for kind in EVERY_RETRY) > 2, retries
    assert set(turns) == EVERY_TURN | {"next"}
    assert min(turns.values()) > 20, turns


def _turn(last: int, request: int, applied: bool) -> str:
    if applied:
        return "next" if request == last + 1 else "first of a later epoch"
    if request <= last:
        return "sent again"
    same = epoch_of(request) == epoch_of(last)
    return "after a gap" if same else "not the first of its epoch"


@pytest.mark.parametrize(
    ("kind", "at_most"),
    [
        # one command that is not the first
        (AcceptsGaps, 1),
        # one command that is not the first of a later epoch, and what it changed before
        (AcceptsLateStarts, 2),
        # one command of a later epoch
        (IgnoresLaterEpochs, 1),
        # an order, whatever ends it, and the order again
        (ReportsTheFirstStatus, 3),
        # one name more than may be remembered, and the first name again
        (RemembersRetriesLonger, RETRIES + 2),
        (ForgetsRetriesEarly, RETRIES + 1),
        # as many names of others as are remembered, and the first name again
        (SharesOneWindow, RETRIES + 2),
        # a full memory, and one order more
        (PushesOutTheYoung, RETRIES + 2),
    ],
)
def test_a_wrong_answer_to_a_repeat_is_found(kind: type[Engine], at_most: int) -> None:
    def nothing(matcher: MatcherUnderTest) -> None:
        """The fault must show in the engine's answers."""

    candidate = Candidate(lambda rules: venue(kind, rules), nothing)
    steps = random_steps(8, 1_500)
    assert compare_steps(steps, candidate) is not None
    fewest = shrink(steps, lambda some: compare_steps(some, candidate) is not None)
    assert len(fewest) <= at_most, as_test(fewest, "fault")
