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
        (
            NewOrder(
                gateway=0, request_seq=0, account=1, instrument=1, side=1, order_type=2,
                time_in_force=3, price_ticks=50, quantity_lots=0,
            ),
            1,
        )
    ]  # fmt: skip
    difference = compare_commands(commands)
    assert difference is None, str(difference)


def test_a_spent_quote_amount_completes_before_the_rest_of_the_last_maker() -> None:
    commands: list[tuple[Command, int]] = [
        (
            NewOrder(
                gateway=0, request_seq=0, account=1, instrument=12, side=2, order_type=1,
                time_in_force=1, price_ticks=50, quantity_lots=20,
            ),
            1,
        ),
        (
            NewOrder(
                gateway=0, request_seq=0, account=1, instrument=12, side=1, order_type=2,
                time_in_force=1, price_ticks=0, quantity_lots=0, quote_amount=958,
            ),
            2,
        ),
    ]  # fmt: skip
    difference = compare_commands(commands)
    assert difference is None, str(difference)


def test_a_waiting_fok_order_opens_its_account_and_holds() -> None:
    commands: list[tuple[Command, int]] = [
        (
            NewOrder(
                gateway=0, request_seq=0, account=1, instrument=1, side=2, order_type=4,
                time_in_force=3, price_ticks=50, quantity_lots=10,
                instructions=Instructions(trigger_ticks=27),
            ),
            8,
        )
    ]  # fmt: skip
    difference = compare_commands(commands, rules=FUNDED)
    assert difference is None, str(difference)


def test_a_price_that_came_back_while_an_instrument_was_closed_elects() -> None:
    """Between two checks of the triggers the last price can move and return."""
    commands: list[tuple[Command, int]] = [
        (
            NewOrder(
                gateway=0, request_seq=0, account=1, instrument=1, side=2, order_type=1,
                time_in_force=1, price_ticks=60, quantity_lots=10,
            ),
            1,
        ),
        (
            NewOrder(
                gateway=0, request_seq=0, account=2, instrument=1, side=1, order_type=1,
                time_in_force=1, price_ticks=60, quantity_lots=10,
            ),
            2,
        ),
        (
            NewOrder(
                gateway=0, request_seq=0, account=3, instrument=1, side=1, order_type=3,
                time_in_force=1, price_ticks=0, quantity_lots=10,
                instructions=Instructions(trigger_ticks=61),
            ),
            3,
        ),
        (
            NewOrder(
                gateway=0, request_seq=0, account=1, instrument=1, side=2, order_type=1,
                time_in_force=1, price_ticks=61, quantity_lots=20,
            ),
            4,
        ),
        (SetInstrumentState(gateway=0, request_seq=0, account=0, instrument=1, state=5), 5),
        (
            NewOrder(
                gateway=0, request_seq=0, account=2, instrument=1, side=1, order_type=1,
                time_in_force=1, price_ticks=61, quantity_lots=10,
            ),
            6,
        ),
        (Uncross(gateway=0, request_seq=0, account=0, instrument=1, state=4), 7),
        (SetInstrumentState(gateway=0, request_seq=0, account=0, instrument=1, state=1), 8),
    ]  # fmt: skip
    difference = compare_commands(commands)
    assert difference is None, str(difference)
