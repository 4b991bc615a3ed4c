"""The unicorn suite: its managers of REST, of streams, and of depth caches."""

import pytest

from crossbook.testing import Exchange
from tests.clients.book_journey import BookJourney
from tests.clients.conversation import Conversation
from tests.clients.journey import OTHER, SYMBOL, RequestJourney
from tests.clients.refusals import errors_with
from tests.clients.user_journey import UserJourney
from tests.system.exchange import select_nothing

CLIENT = "unicorn-binance-local-depth-cache"
SCRIPT = "unicorn"
CHANGES_MAX, CHANGE_S = 80, 0.5
"""Changes of the book until a depth cache is synchronized, and the time between two."""


@pytest.mark.slow
class TestRest(RequestJourney):
    CLIENT = CLIENT
    SCRIPT = SCRIPT
    ERRORS = errors_with("BinanceAPIException", "(code={}): ")
    REPLACES = False


class TestUser(UserJourney):
    CLIENT = CLIENT
    SCRIPT = SCRIPT


@pytest.mark.slow
class TestBook(BookJourney):
    CLIENT = CLIENT
    SCRIPT = SCRIPT
    EVENTS_MIN = 3

    def follow(self, session: Conversation, venue: Exchange) -> None:
        super().follow(session, venue)

        for _ in range(CHANGES_MAX):
            # A depth cache begins with an event that comes after its snapshot.
            venue.client(OTHER).submit(SYMBOL, "sell", "0.01", "51000")
            select_nothing(CHANGE_S)
            if session("followed_book", symbol=SYMBOL)["bids"]:
                break
        else:
            pytest.fail(f"the depth cache is not synchronized\n{session.errors()}")
        venue.client(OTHER).mass_cancel()
