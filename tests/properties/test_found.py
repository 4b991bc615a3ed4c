"""Differences between engine and reference that were found once, in their shortest form."""

from crossbook.common.messages.commands import (
    Command,
    Instructions,
    NewOrder,
    SetInstrumentState,
    Uncross,
)
from tests.properties.differential import compare_commands
from tests.properties.market import FUNDED


def test_a_market_fok_order_with_a_price_is_refused_for_its_price() -> None:
    commands: list[tuple[Command, int]] = [
        (NewOrder(0, 0, 1, 1, 1, 2, 3, 50, 0), 1),
    ]
    difference = compare_commands(commands)
    assert difference is None, str(difference)


def test_a_spent_quote_amount_completes_before_the_rest_of_the_last_maker() -> None:
    commands: list[tuple[Command, int]] = [
        (NewOrder(0, 0, 1, 12, 2, 1, 1, 50, 20), 1),
        (NewOrder(0, 0, 1, 12, 1, 2, 1, 0, 0, "", 958), 2),
    ]
    difference = compare_commands(commands)
    assert difference is None, str(difference)


def test_a_waiting_fok_order_opens_its_account_and_holds() -> None:
    commands: list[tuple[Command, int]] = [
        (NewOrder(0, 0, 1, 1, 2, 4, 3, 50, 10, "", 0, 0, Instructions(27)), 8),
    ]
    difference = compare_commands(commands, rules=FUNDED)
    assert difference is None, str(difference)


def test_a_price_that_came_back_while_an_instrument_was_closed_elects() -> None:
    """Between two checks of the triggers the last price can move and return."""
    commands: list[tuple[Command, int]] = [
        (NewOrder(0, 0, 1, 1, 2, 1, 1, 60, 10), 1),
        (NewOrder(0, 0, 2, 1, 1, 1, 1, 60, 10), 2),
        (NewOrder(0, 0, 3, 1, 1, 3, 1, 0, 10, "", 0, 0, Instructions(61)), 3),
        (NewOrder(0, 0, 1, 1, 2, 1, 1, 61, 20), 4),
        (SetInstrumentState(0, 0, 0, 1, 5), 5),
        (NewOrder(0, 0, 2, 1, 1, 1, 1, 61, 10), 6),
        (Uncross(0, 0, 0, 1, 4), 7),
        (SetInstrumentState(0, 0, 0, 1, 1), 8),
    ]
    difference = compare_commands(commands)
    assert difference is None, str(difference)
