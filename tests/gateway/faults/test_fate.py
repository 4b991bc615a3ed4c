"""The fate of a message: delays add up, the first rule that ends the message decides, and later
rules do not count."""

import pytest

from crossbook.common.faults.kinds import AnyFault
from crossbook.common.faults.order_entry import (
    AnswerLate,
    AnswerTwice,
    AnswerUnknown,
    CloseConnection,
    Delay,
    ExecutionFacts,
    ExecutionsDisconnect,
    ExecutionsLate,
    ExecutionsOutOfOrder,
    ExecutionsSilent,
    NoAnswer,
    Refuse,
    RequestFacts,
)
from crossbook.common.faults.table import FaultTable
from crossbook.gateway.faults.fate import (
    AnswerFate,
    ExecutionFate,
    RequestFate,
    answer_fate,
    execution_fate,
    request_fate,
)
from crossbook.gateway.faults.refusal import Refused

REQUEST = RequestFacts(interface="zeromq", account=7, path="", method="submit", symbol="BTC-USDT")
EXECUTION = ExecutionFacts("zeromq", 7, "BTC-USDT")
BUSY = Refuse(code="BUSY")


def table_of(*rules: AnyFault) -> FaultTable:
    """A table with these rules, numbered from 1."""
    table = FaultTable("gateway")
    for rule in rules:
        table.add(rule)
    return table


@pytest.mark.parametrize(
    ("rules", "fate", "counts"),
    [
        ((), RequestFate(), []),
        ((NoAnswer(), ExecutionsSilent()), RequestFate(), [0, 0]),
        ((Delay(milliseconds=20), Delay(milliseconds=30)), RequestFate(0.05), [1, 1]),
        (
            (Delay(milliseconds=20), BUSY, CloseConnection(), Delay(milliseconds=5)),
            RequestFate(0.02, Refused.by(BUSY, 2), rule=2),
            [1, 1, 0, 0],
        ),
        ((CloseConnection(), BUSY), RequestFate(is_closed=True, rule=1), [1, 0]),
        ((Refuse(code="BUSY", account=8), CloseConnection()),
         RequestFate(is_closed=True, rule=2), [0, 1]),
    ],
)  # fmt: skip
def test_the_fate_of_a_request_is_that_of_the_first_rule_to_end_it(
    rules: tuple[AnyFault, ...], fate: RequestFate, counts: list[int]
) -> None:
    table = table_of(*rules)
    assert request_fate(table, REQUEST) == fate
    assert [state.applied for state in table.states()] == counts


@pytest.mark.parametrize(
    ("rules", "is_done", "fate", "counts"),
    [
        ((), True, AnswerFate(), []),
        ((BUSY,), True, AnswerFate(), [0]),
        (
            (AnswerLate(milliseconds=20), AnswerTwice(), AnswerUnknown(), AnswerTwice()),
            True,
            AnswerFate(0.02, 4, True, 3),
            [1, 1, 1, 1],
        ),
        ((AnswerUnknown(), AnswerTwice()), False, AnswerFate(count=2), [0, 1]),
        ((NoAnswer(), AnswerTwice()), False, AnswerFate(count=0), [1, 0]),
    ],
)
def test_the_fate_of_an_answer_combines_its_rules_until_one_ends_it(
    rules: tuple[AnyFault, ...], is_done: bool, fate: AnswerFate, counts: list[int]
) -> None:
    table = table_of(*rules)
    assert answer_fate(table, REQUEST, is_done) == fate
    assert [state.applied for state in table.states()] == counts


@pytest.mark.parametrize(
    ("rules", "has_answer", "fate", "counts"),
    [
        ((), True, ExecutionFate(), []),
        ((ExecutionsLate(milliseconds=20),), True, ExecutionFate(0.02), [1]),
        ((ExecutionsSilent(), ExecutionsLate(milliseconds=20)), True,
         ExecutionFate(is_sent=False), [1, 0]),
        ((ExecutionsLate(milliseconds=20), ExecutionsDisconnect()), True,
         ExecutionFate(0.02, is_sent=False, is_closed=True), [1, 1]),
        ((ExecutionsOutOfOrder(),), True, ExecutionFate(is_sent=False, is_out_of_order=True), [1]),
        ((ExecutionsOutOfOrder(),), False, ExecutionFate(), [0]),
    ],
)  # fmt: skip
def test_the_fate_of_a_report_is_that_of_the_first_rule_to_end_it(
    rules: tuple[AnyFault, ...], has_answer: bool, fate: ExecutionFate, counts: list[int]
) -> None:
    table = table_of(*rules)
    assert execution_fate(table, EXECUTION, has_answer) == fate
    assert [state.applied for state in table.states()] == counts
