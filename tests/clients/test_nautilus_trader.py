"""nautilus_trader: a live node, whose strategy trades.

A node shows what it has of its orders, which comes by the user stream: it asks for no unknown
order, sends no client order id twice, reads no book by request and replaces no order on spot.
"""

import pytest

from tests.clients.book_journey import BookJourney
from tests.clients.conversation import Conversation
from tests.clients.journey import SYMBOL, Journey, errors_with, number

pytestmark = pytest.mark.skip(reason="its steps do not wait for what a node learns by its stream")

CLIENT = "nautilus-trader"
SCRIPT = "nautilus_trader"


class TestNode(Journey):
    CLIENT = CLIENT
    SCRIPT = SCRIPT
    ERRORS = errors_with("OrderRefusedError", "")

    def test_fees_of_instruments_are_the_exchanges(self, session: Conversation) -> None:
        assert number(session("markets")[SYMBOL]["taker_fee"]) == number("0.002")


class TestBook(BookJourney):
    CLIENT = CLIENT
    SCRIPT = SCRIPT
