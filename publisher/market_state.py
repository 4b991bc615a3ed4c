"""The public state of one instrument, with the indicative auction of a call phase.

Changes of the state are published with the books of their round. The indicative auction is computed
at the owner's pace, not for every order.
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from crossbook.common.auction import NOTHING, Price, uncross_price
from crossbook.common.messages.codec import encode
from crossbook.common.messages.events import AuctionUncrossed, InstrumentStateChanged, OrderAccepted
from crossbook.common.messages.feed import MarketState, topic
from crossbook.common.messages.matcher_queries import BookState
from crossbook.common.types import InstrumentState, Side
from crossbook.publisher.resend_buffer import FeedResendBuffer, Frames

_AUCTION: Final = int(InstrumentState.AUCTION)
_OPEN: Final = int(InstrumentState.OPEN)
_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)
_NEVER_CROSSED: Final = (_OPEN, int(InstrumentState.POST_ONLY))

Volumes = tuple[dict[int, int], dict[int, int], int]
"""Lots by price of bids and of asks, hidden ones included, and the price of the last trade."""


class StateTopic:
    """Topic `state` of one instrument, and the market orders of a call phase, which are not public.

    `volumes` returns the lots of the book and is called in a call phase only. `is_known` is False
    until the first `load` or `change`.
    """

    def __init__(
        self, symbol: str, volumes: Callable[[], Volumes], base: int, count: int, size: int
    ) -> None:
        self.symbol = symbol
        self.topic = FeedResendBuffer(topic("state", symbol), base, count, size)
        self.state = _OPEN
        self.until_ns = 0
        self.is_known = False
        self._volumes = volumes
        # order id -> (side, lots) of market orders that wait for the uncross.
        self._waiting: dict[int, tuple[int, int]] = {}
        self._indicated: Price | None = NOTHING
        self._changed = False
        self._uncrossed: list[AuctionUncrossed] = []
        self._sent: MarketState | None = None

    @property
    def is_auction(self) -> bool:
        """Whether orders gather for an uncross."""
        return self.state == _AUCTION

    def load(self, book: BookState | None) -> None:
        """Become the state of `book`; without a book the instrument is new, and open."""
        self._waiting.clear()
        if book is None:
            self._become(_OPEN, 0)
            return
        for side, orders in ((_BUY, book.market_bids), (_SELL, book.market_asks)):
            for order in orders:
                self._waiting[order.order_id] = (side, order.shown_lots)
        self._become(book.state, book.until_ns)

    def gather(self, event: OrderAccepted) -> None:
        """A market order waits for the uncross of a call phase."""
        self._waiting[event.seq] = (event.side, event.quantity_lots)

    def reduce(self, order_id: int, left_lots: int) -> bool:
        """Set the remaining lots of a market order that waits for an uncross; False if none
        does."""
        known = self._waiting.get(order_id)
        if known is None:
            return False
        if left_lots:
            self._waiting[order_id] = (known[0], left_lots)
        else:
            del self._waiting[order_id]
        return True

    def change(self, event: InstrumentStateChanged) -> None:
        """The matcher changed the state."""
        self._become(event.state, event.until_ns)

    def uncross(self, event: AuctionUncrossed) -> None:
        """A call phase ends: its last message has the price and the lots of the uncross."""
        self._uncrossed.append(event)

    def disturb(self) -> None:
        """The result of an uncross may have changed."""
        self._indicated = None if self.is_auction else NOTHING

    def before_book(self, seq: int, time_ns: int) -> list[Frames]:
        """Messages to send before those about the book: ends of call phases, and a state in which
        the book may be crossed."""
        sent: list[Frames] = []
        for event in self._uncrossed:
            result = Price(event.price_ticks, event.quantity_lots, event.surplus_lots)
            sent.append(self._send(_message(self.symbol, event.seq, _AUCTION, 0, result, time_ns)))
        self._uncrossed.clear()
        if self._changed and self.state not in _NEVER_CROSSED:
            sent.append(self._publish(seq, time_ns))
        return sent

    def after_book(self, seq: int, time_ns: int) -> list[Frames]:
        """Messages to send after those about the book: a state in which it is never crossed."""
        return [self._publish(seq, time_ns)] if self._changed else []

    def publish_indication(self, seq: int, time_ns: int) -> list[Frames]:
        """A message where the result of an uncross differs from the published one.

        O(prices log prices)."""
        if not self.is_auction:
            return []
        message, before = self.as_of(seq, time_ns), self._sent
        if before is not None and replace(before, seq=seq, time_ns=time_ns) == message:
            return []
        return [self._send(message)]

    def as_of(self, seq: int, time_ns: int) -> MarketState:
        """The state for a consumer that joins. O(prices log prices) in a call phase, the first time
        after a change of the book."""
        if self._indicated is None:
            bids, asks, reference = self._volumes()
            buys = sum(lots for side, lots in self._waiting.values() if side == _BUY)
            sells = sum(lots for side, lots in self._waiting.values() if side == _SELL)
            self._indicated = uncross_price(bids, asks, buys, sells, reference)
        state, until_ns = self.state, self.until_ns
        return _message(self.symbol, seq, state, until_ns, self._indicated, time_ns)

    def _become(self, state: int, until_ns: int) -> None:
        # Published the first time, and whenever it differs.
        if not self.is_known or (state, until_ns) != (self.state, self.until_ns):
            self._changed = True
        self.state, self.until_ns, self.is_known = state, until_ns, True
        self.disturb()

    def _publish(self, seq: int, time_ns: int) -> Frames:
        self._changed = False
        return self._send(self.as_of(seq, time_ns))

    def _send(self, message: MarketState) -> Frames:
        self._sent = message
        return self.topic.append(encode(message))


def _message(
    symbol: str, seq: int, state: int, until_ns: int, at: Price, time_ns: int
) -> MarketState:
    return MarketState(
        symbol, seq, state, until_ns, at.price_ticks, at.lots, at.surplus_lots, time_ns
    )
