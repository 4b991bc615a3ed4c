"""The table of commands in flight: numbers, room, and the ways a command leaves it."""

from crossbook.common.messages.commands import CancelOrder
from crossbook.gateway.orders.commands_in_flight import (
    RESEND_MAX_NS,
    RESEND_NS,
    CommandsInFlight,
)
from crossbook.gateway.orders.session import OrderSession

ANN = OrderSession(b"token", 7, b"ann")


def cancel(number: int) -> CancelOrder:
    return CancelOrder(gateway=1, request_seq=number, account=7, instrument=1, order_id=5)


def opened(limit: int = 3, number: int = 0) -> CommandsInFlight:
    table = CommandsInFlight(limit)
    table.begin(number)
    return table


def add(table: CommandsInFlight, count: int) -> None:
    for _ in range(count):
        number = table.number + 1
        table.add(ANN, 100 + number, cancel(number))


def test_there_is_room_only_while_the_table_is_open() -> None:
    table = CommandsInFlight(3)
    assert (table.room(), table.is_open) == (0, False)
    table.begin(10)
    add(table, 1)
    assert (table.room(), table.number) == (2, 11)
    table.suspend("in doubt")
    assert (table.room(), table.why_busy) == (0, "in doubt")
    assert table.answered(11) is not None
    assert table.room() == 0
    table.resume()
    assert table.room() == 3


def test_an_answer_makes_room_and_gives_the_origin_once() -> None:
    table = opened()
    add(table, 3)
    assert table.room() == 0
    assert table.answered(2) == (ANN, 102, cancel(2))
    assert (len(table), table.room(), 2 in table) == (2, 1, False)
    assert table.answered(2) is None
    assert (table.room(), table.is_taken_over) == (1, False)


def test_collected_commands_stay_in_flight() -> None:
    table = opened()
    add(table, 2)
    assert table.collect() == [cancel(1), cancel(2)]
    assert (table.unsent, table.all()) == ([], [cancel(1), cancel(2)])


def test_numbers_of_withdrawn_commands_are_used_again() -> None:
    table = opened()
    add(table, 1)
    table.collect()
    add(table, 2)
    assert table.withdraw(table.collect()) == [(ANN, 102, cancel(2)), (ANN, 103, cancel(3))]
    assert (table.number, table.room(), table.all()) == (1, 2, [cancel(1)])


def test_commands_up_to_a_number_are_given_up() -> None:
    table = opened()
    add(table, 3)
    assert [request_seq for _, request_seq, _ in table.give_up(2)] == [101, 102]
    assert (table.number, table.room(), table.all()) == (3, 2, [cancel(3)])


def test_an_answer_to_a_number_not_used_yet_means_another_gateway() -> None:
    table = opened(number=10)
    assert table.answered(10) is None
    assert not table.is_taken_over
    assert table.answered(11) is None
    assert table.is_taken_over


def test_the_wait_for_the_oldest_doubles_until_it_is_another_one() -> None:
    table = opened()
    assert not table.is_overdue(0)
    add(table, 2)
    assert not table.is_overdue(0)
    assert not table.is_overdue(RESEND_NS - 1)
    assert table.is_overdue(RESEND_NS)
    table.wait_longer(RESEND_NS)
    assert not table.is_overdue(3 * RESEND_NS - 1)
    assert table.is_overdue(3 * RESEND_NS)
    for _ in range(10):
        table.wait_longer(0)
    assert not table.is_overdue(RESEND_MAX_NS - 1)
    assert table.is_overdue(RESEND_MAX_NS)
    table.answered(1)
    assert not table.is_overdue(RESEND_MAX_NS)
    assert table.is_overdue(RESEND_MAX_NS + RESEND_NS)


def test_the_wait_is_the_shortest_again_after_nothing_was_sent() -> None:
    table = opened()
    add(table, 1)
    assert not table.is_overdue(0)
    table.wait_longer(0)
    table.wait_least()
    assert table.is_overdue(RESEND_NS)
