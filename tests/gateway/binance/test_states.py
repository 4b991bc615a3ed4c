"""Words of orders in the Binance-spot face."""

from collections.abc import Mapping
from enum import IntEnum

import pytest

from crossbook.common import types
from crossbook.common.types import OrderType
from crossbook.gateway.binance import states

TABLES = [
    (types.Side, states.SIDES),
    (types.OrderType, states.TYPES),
    (types.TimeInForce, states.TIMES_IN_FORCE),
    (types.Prevention, states.PREVENTIONS),
    (types.OrderStatus, states.STATES),
]

KNOWN_STATES = {
    "NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "REJECTED", "EXPIRED", "EXPIRED_IN_MATCH",
}  # fmt: skip


@pytest.mark.parametrize(
    ("members", "table"), TABLES, ids=lambda value: getattr(value, "__name__", "")
)
def test_every_member_has_a_word(members: type[IntEnum], table: Mapping[int, str]) -> None:
    assert {int(number) for number in table} == {int(member) for member in members}


def test_states_are_words_that_all_clients_read() -> None:
    assert set(states.STATES.values()) == KNOWN_STATES


def test_a_limit_order_that_only_makes_has_a_type_of_its_own() -> None:
    assert states.type_word(OrderType.LIMIT, True) == "LIMIT_MAKER"
    assert states.type_word(OrderType.LIMIT, False) == "LIMIT"
    assert states.type_word(OrderType.STOP_LIMIT, True) == "STOP_LOSS_LIMIT"
