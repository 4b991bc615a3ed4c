"""The face's streams that send only the latest of what they show. No I/O."""

from collections.abc import Iterable
from typing import Final

from msgspec.json import Encoder

from crossbook.common.messages.feed import BestBidOffer, Ticker
from crossbook.gateway.binance.streams.events import EventMaker
from crossbook.gateway.binance.streams.message import Message
from crossbook.gateway.binance.streams.stream import FaceStream, Subscriber
from crossbook.gateway.streams.pace import StreamPace
from crossbook.gateway.streams.paced import NEW

_MS: Final = 1_000_000
_NEVER_NS: Final = 1 << 62

TICKER_NS: Final = 1_000 * _MS
"""Least time between two events of a ticker."""

_encode: Final = Encoder().encode


def ticker_pace(least_ns: int) -> StreamPace:
    """So often at most, and less often where one sending costs much."""
    return StreamPace(least_ns, 2 * TICKER_NS, 10)


class LatestStream(FaceStream):
    """A stream whose position counts the events sent; `dirty` while the latest may differ.

    A new client gets the latest at once.
    """

    def __init__(self, name: str, pace: StreamPace) -> None:
        super().__init__(name, pace)
        self.dirty = True
        self.number = 0
        self._latest: Message | None = None

    @property
    def position(self) -> int:
        return self.number

    def make(self) -> Message | None:
        """The event of the latest; None where it is that of the call before, or there is none."""
        raise NotImplementedError

    def _due_ns(self) -> int | None:
        return self.pace.free_ns if self.dirty else None

    def _work(self, now_ns: int) -> bool:
        if not self.dirty or now_ns < self.pace.free_ns:
            return False
        before = self.number
        if not self._renew():
            return False
        assert self._latest is not None, "an event was made"
        self.send_current([self._latest], before)
        self.advance_behind()
        return True

    def catch_up(self, subscriber: Subscriber, position: int) -> int:
        """Send the latest."""
        if position == NEW and not self.current and not self.sending:
            # Nobody was sent anything since the last client left.
            self._renew()
        if position != self.number and self._latest is not None:
            subscriber.send(self._latest.frame(subscriber.form))
        return self.number

    def _renew(self) -> bool:
        """Make the event of the latest; return whether it is another one."""
        self.dirty = False
        message = self.make()
        if message is None:
            return False
        self._latest = message
        self.number += 1
        return True


class BookTickerStream(LatestStream):
    """`<symbol>@bookTicker`: best bid and offer, at once as long as that takes no more than a fifth
    of the time."""

    takes = (BestBidOffer,)

    def __init__(self, name: str, events: EventMaker) -> None:
        super().__init__(name, StreamPace(0, _NEVER_NS, 5, 5 * _MS))
        self._events = events
        self._best: BestBidOffer | None = None

    def apply(self, best: BestBidOffer) -> None:
        """Apply a message of the feed."""
        self._best = best
        self.dirty = True

    def make(self) -> Message | None:
        """The best prices that came since."""
        best, self._best = self._best, None
        return None if best is None else Message(self.name, self._events.book_ticker(best))


class DayTickerStream(LatestStream):
    """`<symbol>@ticker` and `@miniTicker`: the last 24 hours, at most once a second."""

    takes = (Ticker,)

    def __init__(
        self, name: str, events: EventMaker, *, is_mini: bool, least_ns: int = TICKER_NS
    ) -> None:
        super().__init__(name, ticker_pace(least_ns))
        self._made = events.mini_ticker if is_mini else events.ticker
        self._ticker: Ticker | None = None

    def apply(self, ticker: Ticker) -> None:
        """Apply a message of the feed."""
        self._ticker = ticker
        self.dirty = True

    def make(self) -> Message | None:
        """The ticker that came since."""
        ticker, self._ticker = self._ticker, None
        return None if ticker is None else Message(self.name, self._made(ticker))


class TickersStream(FaceStream):
    """`!ticker@arr` and `!miniTicker@arr`: a list of the tickers that changed, at most once a
    second; for a new client all of them."""

    def __init__(self, name: str, *, is_mini: bool, least_ns: int = TICKER_NS) -> None:
        super().__init__(name, ticker_pace(least_ns))
        self.live = True
        self._is_mini = is_mini
        self._number = 0
        # Symbol -> its maker, its ticker, and the number of the event that has it.
        self._tickers: dict[str, tuple[EventMaker, Ticker, int]] = {}
        self._dirty = False

    @property
    def position(self) -> int:
        return self._number

    def put(self, events: EventMaker, ticker: Ticker) -> None:
        """Apply the ticker of an instrument, whose events `events` makes."""
        self._tickers[ticker.symbol] = (events, ticker, self._number + 1)
        self._dirty = True

    def _due_ns(self) -> int | None:
        return self.pace.free_ns if self._dirty else None

    def _work(self, now_ns: int) -> bool:
        if not self._dirty or now_ns < self.pace.free_ns:
            return False
        self._dirty = False
        before = self._number
        self._number += 1
        self.send_current([self._since(before)], before)
        self.advance_behind()
        return True

    def catch_up(self, subscriber: Subscriber, position: int) -> int:
        """Send the tickers that changed since its position."""
        if position == NEW and self._dirty and not self.current:
            # The first client gets all of them now.
            self._dirty = False
            self._number += 1
        if position != self._number and any(self._changed(position)):
            subscriber.send(self._since(position).frame(subscriber.form))
        return self._number

    def _changed(self, position: int) -> Iterable[tuple[EventMaker, Ticker]]:
        for events, ticker, number in self._tickers.values():
            if number > position:
                yield events, ticker

    def _since(self, position: int) -> Message:
        changed = list(self._changed(position))
        if self._is_mini:
            return Message(
                self.name,
                lambda unit_ns: _encode([e.mini_ticker_event(t, unit_ns) for e, t in changed]),
            )
        return Message(
            self.name, lambda unit_ns: _encode([e.ticker_event(t, unit_ns) for e, t in changed])
        )
