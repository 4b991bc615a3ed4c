"""The address that holds most pays for what all hold too much."""

from crossbook.common.shedding import to_shed


class Connection:
    """A connection of an address."""

    def __init__(self, owner: str) -> None:
        self.owner = owner


ALONE, FIRST, SECOND = Connection("a"), Connection("b"), Connection("b")
HELD = ((FIRST, 20), (ALONE, 40), (SECOND, 30))


def test_the_greatest_connection_of_the_address_with_most_comes_first() -> None:
    assert to_shed(1, HELD) == [SECOND]
    assert to_shed(90, HELD) == [SECOND, FIRST, ALONE]


def test_no_more_end_than_free_the_excess() -> None:
    assert to_shed(30, HELD) == [SECOND]
    assert to_shed(31, HELD) == to_shed(50, HELD) == [SECOND, FIRST]


def test_none_ends_where_nothing_is_too_much() -> None:
    assert to_shed(0, HELD) == to_shed(-5, HELD) == to_shed(0, ()) == []


def test_of_equal_ones_the_first_ends() -> None:
    third = Connection("b")
    assert to_shed(1, [(FIRST, 10), (SECOND, 10), (third, 10)]) == [FIRST]
