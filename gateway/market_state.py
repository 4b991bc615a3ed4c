"""The state of an instrument in the words of the API, and what of it waits to be sent."""

from collections import deque
from typing import Final

from crossbook.common.instruments import Instrument
from crossbook.common.messages.feed import MarketState
from crossbook.common.types import InstrumentState
from crossbook.gateway import documents
from crossbook.gateway.render import timestamp

WAITING_MAX: Final = 16
"""Most states that wait to be sent; of more the latest ones are."""

_STATES: Final[dict[int, documents.State]] = {
    InstrumentState.OPEN: "open",
    InstrumentState.POST_ONLY: "post_only",
    InstrumentState.CANCEL_ONLY: "cancel_only",
    InstrumentState.HALTED: "halted",
    InstrumentState.AUCTION: "auction",
}
_NEVER_CROSSED: Final = (InstrumentState.OPEN, InstrumentState.POST_ONLY)

StateFacts = tuple[documents.State | None, str | None, documents.Auction | None]
"""`state`, `state_until` and `auction` of a document; all null while the state is not known."""


def state_facts(instrument: Instrument, state: MarketState | None) -> StateFacts:
    """What documents say of a state.

    >>> from crossbook.common.instruments import example
    >>> halt = MarketState("BTC-USDT", 9, 4, 1_761_482_096_000_000_000, 0, 0, 0, 0)
    >>> state_facts(example(), halt)
    ('halted', '2025-10-26T12:34:56.000Z', None)
    >>> call_phase = MarketState("BTC-USDT", 9, 5, 0, 5_000_001, 2, -3, 0)
    >>> state_facts(example(), call_phase)[2].surplus_side
    'sell'
    """
    if state is None:
        return (None, None, None)
    until = timestamp(state.until_ns) if state.until_ns else None
    auction = None
    if state.state == InstrumentState.AUCTION:
        price, surplus, grid = state.indicative_ticks, state.surplus_lots, instrument.grid
        auction = documents.Auction(
            grid.price.text_or_none(price),
            grid.quantity.text(state.indicative_lots),
            ("buy" if surplus > 0 else "sell") if surplus else None,
            grid.quantity.text(abs(surplus)),
        )
    return (_STATES[state.state], until, auction)


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
