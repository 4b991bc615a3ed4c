"""Balances of one account: those of an answer, and every change since. No I/O.

An answer of the matching engine is true as of its number, which may be earlier or later than the
last change that came. Changes from the question on are kept until the answer, so that each counts
once.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from crossbook.common.messages.entry import Balance

KEPT_MAX: Final = 10_000
"""Most changes that are kept for an answer; with more another question is needed."""


class _Move(Struct, gc=False):
    """Total and held part of an asset change; an absolute `total` replaces the one before."""

    seq: int
    asset: str
    total: int
    held: int
    is_absolute: bool = False


class FollowedBalances:
    """`is_exact` is true from an answer on, while every change is known.

    >>> followed = FollowedBalances()
    >>> followed.ask()
    >>> followed.move(8, "USDT", -5, 0)
    >>> followed.load(7, [Balance("USDT", 100, 10)])
    >>> followed.of("USDT"), followed.is_exact
    ((95, 10), True)
    """

    def __init__(self) -> None:
        self.is_exact = False
        self._balances: dict[str, list[int]] = {}
        self._as_of = 0
        # Orders that hold an amount which no event has.
        self._opaque: set[int] = set()
        self._since: list[_Move] | None = None

    def of(self, asset: str) -> tuple[int, int]:
        """Total and held part of an asset."""
        total, held = self._balances.get(asset, (0, 0))
        return total, held

    def ask(self) -> None:
        """A question leaves now, when all changes so far are applied."""
        self._since = None if self._opaque else []

    def fail(self) -> None:
        """There is no answer to the question."""
        self._since = None

    def load(self, seq: int | None, balances: Iterable[Balance]) -> None:
        """Begin with an answer that is true as of `seq`, unless changes since the question are
        not known; None for an answer of no single number."""
        since, self._since = self._since, None
        found = {each.asset: [each.total_units, each.held_units] for each in balances}
        if since is None or seq is None or not found:
            return
        self._balances, self._as_of, self.is_exact = found, seq, True
        for move in since:
            self._apply(move)

    def move(self, seq: int, asset: str, total: int, held: int) -> None:
        """Add to total and held part of an asset."""
        self._take(_Move(seq, asset, total, held))

    def set_total(self, seq: int, asset: str, total: int) -> None:
        """Replace the total of an asset."""
        self._take(_Move(seq, asset, total, 0, True))

    def hide(self, order_id: int) -> None:
        """An order holds an amount that is not known, until `show`."""
        self._opaque.add(order_id)
        self.is_exact = False
        self._since = None

    def show(self, order_id: int) -> None:
        """An order has ended, or holds a known amount."""
        self._opaque.discard(order_id)

    def _take(self, move: _Move) -> None:
        if self._since is not None:
            self._since.append(move)
            if len(self._since) > KEPT_MAX:
                self._since = None
        if self.is_exact:
            self._apply(move)

    def _apply(self, move: _Move) -> None:
        if move.seq <= self._as_of:
            return
        balance = self._balances.setdefault(move.asset, [0, 0])
        balance[0] = move.total if move.is_absolute else balance[0] + move.total
        balance[1] += move.held
