"""The sample's flow, with a scripted chance."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from crossbook.replay.recording import RecordedCommand
from crossbook.replay.sample_flow import sample_commands

REDUCED, ENTERED = 0.1, 0.5
"""The dice's value for a reduction, and for an order."""


class DealtDice(random.Random):
    """A source of chance that returns these dice, orders of 5,000 lots and reductions of `less`
    lots."""

    def __init__(self, dice: Sequence[float], less: int) -> None:
        super().__init__(0)
        self._dice = iter(dice)
        self._less = less
        self.most: list[int] = []

    def random(self) -> float:
        """The next die."""
        return next(self._dice)

    def expovariate(self, lambd: float = 1.0) -> float:
        """No time and no distance."""
        return 0.0

    def choice(self, seq: Any) -> Any:
        """5,000 lots for an order, else the first choice."""
        return 5_000 if 5_000 in seq else seq[0]

    def randint(self, a: int, b: int) -> int:
        """The lots of a reduction, else the smallest value."""
        if a != 1:
            return a
        self.most.append(b)
        return self._less


@pytest.mark.parametrize(
    ("left", "op", "most"), [(1_999, "cancel", 2), (2_000, "cancel", 2), (2_001, "reduce", 1_001)]
)
def test_orders_of_two_thousand_lots_are_not_reduced(
    monkeypatch: pytest.MonkeyPatch, left: int, op: str, most: int
) -> None:
    chance = DealtDice([ENTERED, REDUCED, REDUCED], 5_000 - left)
    monkeypatch.setattr("crossbook.replay.sample_flow.random.Random", lambda seed: chance)

    first, second, third = sample_commands(1, 3)

    assert (first.op, first.order_id, first.quantity_lots) == ("new", 1, 5_000)
    assert second == RecordedCommand(1, first.time_ns, "reduce", 1, quantity_lots=5_000 - left)
    assert third.op == op
    # A reduction leaves a thousand lots at least, and a cancel names an order before it.
    assert chance.most == [4_000, most]
