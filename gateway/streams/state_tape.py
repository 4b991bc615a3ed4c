"""The states of an instrument that wait to be sent to the clients of a stream."""

from collections import deque
from typing import Final

from crossbook.common.messages.feed import MarketState
from crossbook.common.types import InstrumentState

WAITING_MAX: Final = 16
"""Most states that wait; of more the latest are kept."""

_NEVER_CROSSED: Final = (InstrumentState.OPEN, InstrumentState.POST_ONLY)


class StateTape:
    """The latest state of one instrument, and the changes that lead to it and are not sent yet.

    Of several indications of one call phase only the last one waits, with `WAITING_MAX` changes of
    the state at most.
    """

    def __init__(self) -> None:
        self.latest: MarketState | None = None
        self._waiting: deque[MarketState] = deque(maxlen=WAITING_MAX)
        self._changes = False

    @property
    def waits(self) -> bool:
        """Whether a state waits."""
        return bool(self._waiting)

    @property
    def changes(self) -> bool:
        """Whether one that waits is another state, and not only another indication."""
        return self._changes

    @property
    def may_be_crossed(self) -> bool:
        """Whether the book may be crossed in the latest state."""
        return self.latest is not None and self.latest.state not in _NEVER_CROSSED

    def add(self, state: MarketState) -> None:
        """Add a state of the feed; one that equals the latest does not wait."""
        before, self.latest = self.latest, state
        if before is not None and _facts(before) == _facts(state):
            return
        changes = before is None or _facts(before)[:2] != _facts(state)[:2]
        self._changes |= changes
        if self._waiting and not changes:
            self._waiting.pop()
        self._waiting.append(state)

    def drain(self) -> list[MarketState]:
        """The states that wait; they count as sent."""
        waiting = list(self._waiting)
        self._waiting.clear()
        self._changes = False
        return waiting


def _facts(state: MarketState) -> tuple[int, int, int, int, int]:
    return (
        state.state,
        state.until_ns,
        state.indicative_ticks,
        state.indicative_lots,
        state.surplus_lots,
    )
