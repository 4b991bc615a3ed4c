"""The words of the API: every member of an enumeration has a word of its own."""

from collections.abc import Mapping
from enum import IntEnum

import pytest

from crossbook.common import types
from crossbook.gateway import words

TABLES = [
    (types.Side, words.SIDES),
    (types.OrderType, words.ORDER_TYPES),
    (types.TimeInForce, words.TIMES_IN_FORCE),
    (types.Prevention, words.PREVENTIONS),
    (types.Liquidity, words.LIQUIDITIES),
    (types.OrderStatus, words.STATUSES),
    (types.ExecutionKind, words.EXECUTIONS),
    (types.InstrumentState, words.STATES),
]


@pytest.mark.parametrize(
    ("members", "table"), TABLES, ids=lambda value: getattr(value, "__name__", "")
)
def test_every_member_has_its_word(members: type[IntEnum], table: Mapping[int, str]) -> None:
    assert {number: word.upper() for number, word in table.items()} == {
        int(member): member.name for member in members
    }
    assert words.numbers_of(table) == {word: number for number, word in table.items()}
