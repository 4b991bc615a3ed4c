"""The book that session scripts keep for clients that keep none: it finds what it must find."""

from typing import Any

from tests.clients.sessions.stepwise import FollowedBook


def event(first: int, last: int, *bids: tuple[str, str]) -> dict[str, Any]:
    """An event of a diff stream."""
    return {"e": "depthUpdate", "U": first, "u": last, "b": [list(each) for each in bids], "a": []}


def book(number: int, *bids: tuple[str, str]) -> FollowedBook:
    """A book whose snapshot is of this number."""
    snapshot = {"lastUpdateId": number, "bids": [list(each) for each in bids], "asks": []}
    return FollowedBook(lambda: snapshot)


def test_events_before_the_snapshot_are_left_out_and_later_ones_applied() -> None:
    followed = book(5, ("10", "1"))
    followed.take(event(4, 5, ("10", "9")))
    followed.take(event(6, 8, ("10", "0.00000000"), ("9", "2")))
    state = followed.state()
    assert [[str(x) for x in level] for level in state["bids"]] == [["9", "2"]]
    assert (state["number"], state["faults"]) == (8, [])


def test_a_snapshot_older_than_the_stream_is_read_again() -> None:
    followed = book(2)
    followed.take(event(4, 5))
    assert followed.state()["number"] == 0
    followed.take(event(6, 7))
    assert (followed.state()["snapshots"], followed.state()["number"]) == (2, 0)


def test_a_missing_number_is_a_fault_and_a_new_connection_is_none() -> None:
    followed = book(5)
    followed.take(event(4, 5))
    followed.take(event(7, 7))
    assert followed.faults == ["U=7 after u=5", "U=7 after the book of 5"]
    followed = book(20)
    followed.take(event(19, 21))
    followed.connected()
    followed.take(event(20, 25))
    assert followed.faults == []


def test_a_level_is_removed_with_eight_decimals_only() -> None:
    followed = book(5, ("10", "1"))
    followed.take(event(6, 6, ("10", "0")))
    assert followed.faults == ["a level is removed by '0'"]
