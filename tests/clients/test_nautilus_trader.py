"""nautilus_trader: a live node, whose strategy trades.

A node shows what it has of its orders, which comes by the user stream: it asks for no unknown
order, sends no client order id twice, reads no book by request and replaces no order on spot.
"""

from collections.abc import Callable
from typing import Any

import pytest

from crossbook.testing import Exchange
from tests.clients.book_journey import BookJourney
from tests.clients.conversation import Conversation
from tests.clients.journey import SEEN_S, SYMBOL, Journey, check, number, order
from tests.clients.refusals import errors_with
from tests.clients.user_journey import UserJourney

CLIENT = "nautilus-trader"
SCRIPT = "nautilus_trader"


class TestNode(Journey):
    """Each check waits for what the user stream brings."""

    CLIENT = CLIENT
    SCRIPT = SCRIPT
    ERRORS = errors_with("OrderRefusedError", "'code': {}")

    def test_fees_of_instruments_are_the_exchanges(self, session: Conversation) -> None:
        assert number(session("markets")[SYMBOL]["taker_fee"]) == number("0.002")

    def test_a_market_order_by_amount(self, session: Conversation, venue: Exchange) -> None:
        # nautilus sends the quantity, by the last quote that it has.
        venue.wait_for(lambda: number(session("best_ask", symbol=SYMBOL)) == 50001, SEEN_S)
        super().test_a_market_order_by_amount(session, venue)

    def check_order(
        self, session: Conversation, venue: Exchange, id_: str, status: str, **terms: str
    ) -> None:
        self._wait(venue, lambda: check(order(session, id_), status, **terms))

    def own_trades(
        self, session: Conversation, venue: Exchange, count: int
    ) -> list[dict[str, Any]]:
        def shown() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = session("own_trades", symbol=SYMBOL)
            assert len(found) == count
            return found

        return venue.wait_for(shown, SEEN_S)

    def check_balances(self, session: Conversation, venue: Exchange) -> None:
        check_now = super().check_balances
        self._wait(venue, lambda: check_now(session, venue))

    def _wait(self, venue: Exchange, checked: Callable[[], None]) -> None:
        def holds() -> bool:
            checked()
            return True

        venue.wait_for(holds, SEEN_S)


class TestUser(UserJourney):
    CLIENT = CLIENT
    SCRIPT = SCRIPT


@pytest.mark.slow
class TestBook(BookJourney):
    CLIENT = CLIENT
    SCRIPT = SCRIPT
