"""Differences between engine and reference that were found once, in their shortest form."""

from common.commands import Command, NewOrder
from tests.properties.differential import compare_commands


def test_a_market_fok_order_with_a_price_is_refused_for_its_price() -> None:
    commands: list[Command] = [
        NewOrder(0, 0, 1, 1, 1, 2, 3, 50, 0),
    ]
    difference = compare_commands(commands)
    assert difference is None, str(difference)


def test_a_spent_quote_amount_completes_before_the_rest_of_the_last_maker() -> None:
    commands: list[Command] = [
        NewOrder(0, 0, 1, 12, 2, 1, 1, 50, 20),
        NewOrder(0, 0, 1, 12, 1, 2, 1, 0, 0, "", 958),
    ]
    difference = compare_commands(commands)
    assert difference is None, str(difference)
