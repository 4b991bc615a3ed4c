"""Lines of accounts, compared with a plain list of all that waits."""

import random

from crossbook.gateway.orders.lines import Lines


def test_accounts_take_turns_and_each_keeps_its_order() -> None:
    lines = Lines[int](100)
    for number in range(6):
        lines.add(1, number)
    lines.add(2, 10)
    lines.add(3, 20)
    assert [lines.take() for _ in range(9)] == [0, 10, 20, 1, 2, 3, 4, 5, None]


def test_an_account_may_fill_as_much_as_it_leaves_free() -> None:
    lines = Lines[int](9)
    filled = dict.fromkeys(range(1, 5), 0)
    for account in filled:
        while lines.has_room(account):
            lines.add(account, 0)
            filled[account] += 1
    assert filled == {1: 5, 2: 2, 3: 1, 4: 1}


def test_nothing_is_lost_or_taken_twice() -> None:
    chance = random.Random(1)
    lines, waiting = Lines[int](1_000), set[int]()
    for number in range(5_000):
        account = chance.randrange(20)
        if chance.random() < 0.5 and lines.has_room(account):
            lines.add(account, number)
            waiting.add(number)
        else:
            taken = lines.take(but={chance.randrange(20)})
            assert taken is None or taken in waiting
            waiting.discard(-1 if taken is None else taken)
        assert len(lines) == len(waiting)
    assert set(lines.drain()) == waiting
    assert len(lines) == 0
