"""Several families of streams as one, for the loop that drives them. No I/O."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from crossbook.common.following.feed_follower import Update
from crossbook.common.instruments import Instrument


class DrivenStreams(Protocol):
    """Streams as the loop drives them; see `gateway.streams.routes.Streams`."""

    def describe(self, instruments: Mapping[str, Instrument]) -> None:
        """Add the streams of these instruments."""

    def apply(self, updates: Sequence[Update]) -> None:
        """Apply updates of the feed."""

    def set_live(self, symbol: str, live: bool, reason: str) -> None:
        """Set whether the gateway has an instrument's market as it is now."""

    def beat(self) -> None:
        """A second has passed."""

    def due_ns(self) -> int | None:
        """When `work` has something to send; None when nothing waits."""

    def work(self, now_ns: int) -> bool:
        """Send what is due; return whether the sending has to be measured by `written`."""

    @property
    def sending(self) -> bool:
        """Whether clients still wait for their slice."""

    def send_slice(self) -> bool:
        """Send to the next few clients that wait; return whether more are left."""

    def written(self, cost_ns: int) -> None:
        """Count what all sendings since the last call cost together."""


class StreamsTogether:
    """The streams of all `families`, each of which does what is done to all."""

    def __init__(self, families: Sequence[DrivenStreams]) -> None:
        self._families = families

    def describe(self, instruments: Mapping[str, Instrument]) -> None:
        """Add the streams of these instruments."""
        for family in self._families:
            family.describe(instruments)

    def apply(self, updates: Sequence[Update]) -> None:
        """Apply updates of the feed."""
        for family in self._families:
            family.apply(updates)

    def set_live(self, symbol: str, live: bool, reason: str) -> None:
        """Set whether the gateway has an instrument's market as it is now."""
        for family in self._families:
            family.set_live(symbol, live, reason)

    def beat(self) -> None:
        """A second has passed."""
        for family in self._families:
            family.beat()

    def due_ns(self) -> int | None:
        """The earliest time at which one of them has something to send."""
        dues = [family.due_ns() for family in self._families]
        return min((due for due in dues if due is not None), default=None)

    def work(self, now_ns: int) -> bool:
        """Send what is due; return whether any sending has to be measured."""
        sent = [family.work(now_ns) for family in self._families]
        return any(sent)

    @property
    def sending(self) -> bool:
        """Whether clients still wait for their slice."""
        return any(family.sending for family in self._families)

    def send_slice(self) -> bool:
        """Send to the next few clients of each; return whether more are left."""
        left = [family.send_slice() for family in self._families]
        return any(left)

    def written(self, cost_ns: int) -> None:
        """Count what all sendings cost together; each counts the whole, so that all of them
        together keep their share of the processor."""
        for family in self._families:
            family.written(cost_ns)
