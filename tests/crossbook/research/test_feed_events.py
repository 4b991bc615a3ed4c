"""The public feed gives the same order events as the matcher's own events, outside call phases."""

from collections import Counter
from itertools import groupby
from operator import attrgetter

import pytest

from crossbook.common.messages.codec import decode_feed
from crossbook.common.messages.events import EventBatch, InstrumentAdded, InstrumentStateChanged
from crossbook.common.messages.feed import OrdersUpdate, Trades
from crossbook.common.types import InstrumentState
from crossbook.publisher.feed import Feed
from crossbook.research.feed_events import FeedBook
from crossbook.research.order_events import OrderBooks, OrderEvent
from tests.properties.market import INSTRUMENTS
from tests.recorder.matcher import RecordedMatcher

SEEDS = 8
BATCHES = 200


class FeedReader:
    """A publisher's feed, and the books of one that follows it."""

    def __init__(self) -> None:
        self._feed = Feed(INSTRUMENTS, base=0, resend_count=1)
        self._ids = {each.symbol: each.id for each in INSTRUMENTS}
        self._books: dict[str, FeedBook] = {}

    def apply(self, batch: EventBatch) -> list[OrderEvent]:
        """The events of the books for one batch, as the feed shows them."""
        for event in batch.events:
            if isinstance(event, InstrumentAdded):
                self._ids[event.definition.symbol] = event.instrument
        self._feed.apply(batch)
        changes, trades = [], {}
        for _, _, payload in self._feed.publish():
            message = decode_feed(payload)
            if isinstance(message, OrdersUpdate):
                changes.append(message)
            elif isinstance(message, Trades):
                trades[message.symbol] = message.trades
        found: list[OrderEvent] = []
        for update in changes:
            book = self._books.setdefault(update.symbol, FeedBook(self._ids[update.symbol]))
            found += book.apply(update.changes, trades.get(update.symbol, []))
        return found


def by_instrument(events: list[OrderEvent]) -> dict[int, list[OrderEvent]]:
    ordered = sorted(events, key=attrgetter("instrument"))
    return {each: list(some) for each, some in groupby(ordered, attrgetter("instrument"))}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_feed_gives_the_events_of_the_journal(seed: int) -> None:
    matcher, books, reader = RecordedMatcher(seed), OrderBooks(), FeedReader()
    gathers: set[int] = set()
    acts: Counter[str] = Counter()
    for number in range(BATCHES):
        batch = matcher.apply(1 + number % 5)
        if batch is None:
            continue
        expected = by_instrument(books.apply(batch.events))
        found = by_instrument(reader.apply(batch))
        changed = {
            event.instrument for event in batch.events if isinstance(event, InstrumentStateChanged)
        }
        for instrument in expected.keys() | found.keys():
            if instrument not in gathers | changed:
                assert found.get(instrument) == expected.get(instrument), f"seed {seed}"
                acts.update(each.act for each in expected[instrument])
        gathers = {
            state.instrument for state in matcher.books() if state.state == InstrumentState.AUCTION
        }
    assert set(acts) == {"add", "execute", "modify", "delete"}
