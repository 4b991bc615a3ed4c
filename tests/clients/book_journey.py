"""A book that a client follows by streams, while a simulated market trades and processes are
killed."""

from collections.abc import Iterator
from typing import ClassVar, Final

import pytest

from crossbook.testing import Exchange
from tests.clients.conversation import Conversation
from tests.clients.journey import ASKS, BIDS, SEEN_S, SYMBOL, book_of, host_of

RATE: Final = 100.0
"""Requests of the simulated market in a second of a bounded test."""

BOUNDED_TICKS, LONG_TICKS = 60, 300
"""Tenths of a simulated second in a bounded test; and in a long one, where a simulated second lasts
a real one."""


class BookJourney:
    """A book that is followed by a stream; every client keeps it in its own way."""

    CLIENT: ClassVar[str]
    SCRIPT: ClassVar[str]
    EVENTS_MIN: ClassVar[int] = 10

    @pytest.fixture(name="venue")
    def fixture_venue(self) -> Iterator[Exchange]:
        with Exchange() as exchange:
            exchange.book(SYMBOL, BIDS, ASKS)
            yield exchange

    @pytest.fixture(name="session")
    def fixture_session(self, venue: Exchange) -> Iterator[Conversation]:
        with Conversation(self.CLIENT, self.SCRIPT, host_of(venue)) as session:
            yield session

    def test_a_followed_book_stays_the_native_one(
        self, session: Conversation, venue: Exchange
    ) -> None:
        self.follow(session, venue)
        with venue.market(seed=1, rate=RATE, symbols=(SYMBOL,)) as market:
            market.wait_for_ticks(BOUNDED_TICKS)
        self.check_book(session, venue)
        assert session("followed_book", symbol=SYMBOL)["faults"] == []

    @pytest.mark.slow
    def test_a_followed_book_outlives_gateway_and_matcher(
        self, session: Conversation, venue: Exchange
    ) -> None:
        self.follow(session, venue)
        with venue.market(seed=2, symbols=(SYMBOL,)) as market:
            market.wait_for_ticks(LONG_TICKS // 3)
            for name in ("gateway", "matcher"):
                venue.kill(name)
                venue.restart(name)
                if hasattr(self, "GAPS"):
                    session("expect_gap")
                market.wait_for_ticks(LONG_TICKS // 3, timeout_s=120)
        self.check_book(session, venue, timeout_s=40)
        faults = session("followed_book", symbol=SYMBOL)["faults"]
        assert [each for each in faults if each.startswith("U=")] == []

    def follow(self, session: Conversation, venue: Exchange) -> None:
        """Let the client follow the book from here on."""
        session("follow_book", symbol=SYMBOL)

    def check_book(self, session: Conversation, venue: Exchange, timeout_s: float = SEEN_S) -> None:
        """Raise `AssertionError` where the client's book is another one than the exchange's, which
        has orders of a market that rests."""
        market = venue.market(seed=9, symbols=(SYMBOL,), stepped=True)
        market.step(3)
        native = venue.book_of(SYMBOL)
        assert native.bids
        assert native.asks

        def equal() -> bool:
            assert book_of(session("followed_book", symbol=SYMBOL)) == native
            return True

        venue.wait_for(equal, timeout_s)
        assert session("followed_book", symbol=SYMBOL)["events"] > self.EVENTS_MIN
        market.stop()
