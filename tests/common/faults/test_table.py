"""The table of rules: schedules, counts, order, limits."""

import pytest

from crossbook.common.faults.order_entry import (
    AnswerFault,
    Delay,
    NoAnswer,
    Refuse,
    RequestFacts,
    RequestFault,
)
from crossbook.common.faults.table import RULES_MAX, FaultState, FaultTable, FaultTableError

FACTS = RequestFacts("rest", 7, "/api/v1/orders", "POST")


def applied(table: FaultTable, count: int) -> list[int]:
    """The messages, from 0, that a request fault applies to."""
    return [index for index in range(count) if list(table.due(RequestFault, FACTS))]


def test_next_applies_to_the_next_n_and_then_no_more() -> None:
    table = FaultTable("gateway")
    table.add(Refuse(status=503, next=3))
    assert applied(table, 10) == [0, 1, 2]
    assert table.states() == [
        FaultState(
            id=1,
            process="gateway",
            rule=Refuse(status=503, next=3),
            concerned=10,
            applied=3,
            left=0,
        )
    ]


def test_every_applies_to_each_kth() -> None:
    table = FaultTable("gateway")
    table.add(Refuse(status=503, every=4))
    assert applied(table, 10) == [3, 7]


def test_a_probability_applies_to_the_same_messages_for_the_same_seed() -> None:
    found = []
    for _ in range(2):
        table = FaultTable("gateway")
        table.add(Refuse(status=503, probability=0.2, seed=11))
        found.append(applied(table, 1_000))
    assert found[0] == found[1]
    assert 150 < len(found[0]) < 250
    other = FaultTable("gateway")
    other.add(Refuse(status=503, probability=0.2, seed=12))
    assert applied(other, 1_000) != found[0]


def test_without_a_schedule_a_rule_applies_to_all() -> None:
    table = FaultTable("gateway")
    table.add(Refuse(status=503))
    assert applied(table, 3) == [0, 1, 2]


def test_messages_that_a_rule_does_not_concern_are_not_counted() -> None:
    table = FaultTable("gateway")
    table.add(Refuse(status=503, account=8))
    assert applied(table, 3) == []
    assert table.states()[0].concerned == 0


def test_rules_apply_in_order_of_id_and_one_that_ends_a_message_spares_the_rest() -> None:
    table = FaultTable("gateway")
    table.add(Delay(milliseconds=5), 9)
    table.add(Refuse(status=429), 4)
    first = next(iter(table.due(RequestFault, FACTS)))
    assert first.id == 4
    assert [state.applied for state in table.states()] == [1, 0]
    assert table.applied["delay"] == 0


def test_families_are_apart_and_kinds_can_be_left_out() -> None:
    table = FaultTable("gateway")
    table.add(NoAnswer())
    assert not list(table.due(RequestFault, FACTS))
    assert table.has(AnswerFault)
    assert not table.has(RequestFault)
    assert table.may_concern(AnswerFault, FACTS)
    assert not list(table.due(AnswerFault, FACTS, (NoAnswer,)))
    assert table.states()[0].concerned == 0


def test_a_removed_rule_applies_no_more_and_its_kind_stays_counted() -> None:
    table = FaultTable("gateway")
    first, second = table.add(Refuse(status=503)), table.add(NoAnswer())
    applied(table, 2)
    assert table.remove(first)
    assert not table.remove(first)
    assert applied(table, 2) == []
    assert [state.id for state in table.states()] == [second]
    assert table.applied["refuse"] == 2


def test_clear_removes_all_and_ids_are_not_used_again() -> None:
    table = FaultTable("gateway")
    table.add(NoAnswer())
    table.add(NoAnswer())
    assert table.clear() == 2
    assert len(table) == 0
    assert table.add(NoAnswer()) == 3


def test_rules_may_change_while_they_are_applied() -> None:
    table = FaultTable("gateway")
    table.add(Delay(milliseconds=5))
    table.add(Delay(milliseconds=6))
    for _ in table.due(RequestFault, FACTS):
        table.clear()
    assert not table.states()


def test_the_number_of_rules_is_limited_and_an_id_is_used_once() -> None:
    table = FaultTable("gateway")
    table.add(NoAnswer(), 5)
    with pytest.raises(FaultTableError, match="rule 5 is in force already"):
        table.add(NoAnswer(), 5)
    for _ in range(RULES_MAX - 1):
        table.add(NoAnswer())
    with pytest.raises(FaultTableError, match=f"{RULES_MAX} rules are in force"):
        table.add(NoAnswer())


def test_every_kind_of_the_process_is_counted_from_zero() -> None:
    assert FaultTable("gateway").applied["refuse"] == 0
    assert "refuse" in FaultTable("gateway").applied
    assert "refuse" not in FaultTable("publisher").applied


def test_a_later_shard_ends_the_name_of_its_process() -> None:
    assert (FaultTable("publisher").name, FaultTable("publisher", 2).name) == (
        "publisher", "publisher-2",
    )  # fmt: skip
