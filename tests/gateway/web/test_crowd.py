"""The clients of one server: once all hold too much, the one that holds most is cut off."""

import pytest

from crossbook.gateway.web import crowd
from crossbook.gateway.web.crowd import Crowd, Holdings


class Client:
    """A connection that records when it is cut off."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.is_cut_off = False

    def cut_off(self) -> None:
        """Record the cut."""
        self.is_cut_off = True


def test_the_greatest_connection_of_the_greatest_address_is_cut_off() -> None:
    holdings = Holdings(limit=100)
    alone, first, second = Client("a"), Client("b"), Client("b")
    holdings.hold(alone, 45)
    holdings.hold(first, 20)
    holdings.hold(second, 30)
    assert (holdings.total, holdings.cut_off) == (95, 0)
    holdings.hold(first, 26)
    assert [each.is_cut_off for each in (alone, first, second)] == [False, False, True]
    assert (holdings.total, holdings.cut_off) == (71, 1)
    holdings.hold(second, 30)
    assert first.is_cut_off or second.is_cut_off
    assert holdings.total <= 100


def test_released_bytes_do_not_count() -> None:
    holdings = Holdings(limit=100)
    client = Client("a")
    for _ in range(10):
        holdings.hold(client, 90)
        holdings.release(client)
    holdings.release(client)
    assert (holdings.total, holdings.cut_off) == (0, 0)
    assert not client.is_cut_off


def test_every_reason_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "BODIES_MAX", 10)
    clients = Crowd(1, 1, unread_max=10)
    clients.unread.hold(Client("a"), 11)
    clients.bodies.hold(Client("a"), 11)
    clients.refused["unread"] += 3
    assert clients.cut_off() == {
        "bodies_of_all": 1, "connections": 0, "connections_of_address": 0, "rate_of_address": 0,
        "unread": 3, "unread_of_all": 1,
    }  # fmt: skip
