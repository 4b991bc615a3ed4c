"""What of an instrument's state waits to be sent to the clients of a stream."""

from collections import deque
from typing import Final

from crossbook.common.messages.feed import MarketState
from crossbook.common.types import InstrumentState

WAITING_MAX: Final = 16
"""Most states that wait to be sent; of more the latest ones are."""

_NEVER_CROSSED: Final = (InstrumentState.OPEN, InstrumentState.POST_ONLY)


class StateTape:
    """The latest state of one instrument, and what is to be sent to get there.

    Of several indications of one call phase only the last one waits, with `WAITING_MAX` changes of
    the state at most.
    """

    def __init__(self) -> None:
        self.latest: MarketState | None = None
        self._waiting: deque[MarketState] = deque(maxlen=WAITING_MAX)
        self._changes = False

    @property
    def waits(self) -> bool:
        """Whether something is to be sent."""
        return bool(self._waiting)

    @property
    def changes(self) -> bool:
        """Whether that is another state, and not only another indication."""
        return self._changes

    @property
    def may_be_crossed(self) -> bool:
        """Whether the book may be crossed in the latest state."""
        return self.latest is not None and self.latest.state not in _NEVER_CROSSED

    def take(self, state: MarketState) -> None:
        """A message of the feed; nothing waits when it tells nothing new."""
        before, self.latest = self.latest, state
        if before is not None and _said(before) == _said(state):
            return
        changes = before is None or _said(before)[:2] != _said(state)[:2]
        self._changes |= changes
        if self._waiting and not changes:
            self._waiting.pop()
        self._waiting.append(state)

    def drain(self) -> list[MarketState]:
        """What waits; it counts as sent."""
        waiting = list(self._waiting)
        self._waiting.clear()
        self._changes = False
        return waiting


def _said(state: MarketState) -> tuple[int, int, int, int, int]:
    return (
        state.state,
        state.until_ns,
        state.indicative_ticks,
        state.indicative_lots,
        state.surplus_lots,
    )
