"""Several families of streams driven as one."""

from typing import Any

from crossbook.gateway.streams.together import StreamsTogether


class Family:
    """Records what is done to it."""

    def __init__(self, due_ns: int | None, sends: bool, slices: int) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._due_ns = due_ns
        self._sends = sends
        self.slices = slices

    def describe(self, instruments: Any) -> None:
        """Record it."""
        self.calls.append(("describe", instruments))

    def apply(self, updates: Any) -> None:
        """Record it."""
        self.calls.append(("apply", updates))

    def set_live(self, symbol: str, live: bool, reason: str) -> None:
        """Record it."""
        self.calls.append(("set_live", symbol, live, reason))

    def beat(self) -> None:
        """Record it."""
        self.calls.append(("beat",))

    def due_ns(self) -> int | None:
        """The time given."""
        return self._due_ns

    def work(self, now_ns: int) -> bool:
        """Whether it sends."""
        self.calls.append(("work", now_ns))
        return self._sends

    @property
    def sending(self) -> bool:
        """While slices are left."""
        return self.slices > 0

    def send_slice(self) -> bool:
        """Send one."""
        self.slices = max(0, self.slices - 1)
        return self.sending

    def written(self, cost_ns: int) -> None:
        """Record it."""
        self.calls.append(("written", cost_ns))


def test_everything_is_done_to_every_family() -> None:
    families = [Family(None, False, 0), Family(5, True, 0)]
    together = StreamsTogether(families)
    together.describe({})
    together.apply([])
    together.set_live("BTC-USDT", True, "")
    together.beat()
    assert together.work(7)
    together.written(9)
    expected: list[tuple[Any, ...]] = [
        ("describe", {}), ("apply", []), ("set_live", "BTC-USDT", True, ""), ("beat",),
        ("work", 7), ("written", 9),
    ]  # fmt: skip
    assert [family.calls for family in families] == [expected, expected]


def test_the_earliest_due_time_counts_and_none_where_nothing_waits() -> None:
    assert StreamsTogether([Family(9, False, 0), Family(4, False, 0)]).due_ns() == 4
    assert StreamsTogether([Family(None, False, 0), Family(4, False, 0)]).due_ns() == 4
    assert StreamsTogether([Family(None, False, 0)]).due_ns() is None
    assert not StreamsTogether([Family(None, False, 0)] * 2).work(1)


def test_slices_of_all_families_are_sent() -> None:
    families = [Family(None, True, 1), Family(None, True, 3)]
    together = StreamsTogether(families)
    assert together.sending
    assert [together.send_slice() for _ in range(3)] == [True, True, False]
    assert not together.sending
