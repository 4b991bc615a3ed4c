"""hummingbot's connector, where its environment was made by hand."""

from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from crossbook.testing import Exchange, Order
from tests.clients.conversation import ClientError, Conversation
from tests.clients.journey import (
    ASKS,
    BIDS,
    OTHER,
    OWN,
    SEEN_S,
    SYMBOL,
    book_of,
    check,
    close_to,
    host_of,
    order,
    place,
)

pytestmark = pytest.mark.slow
CLIENT = SCRIPT = "hummingbot"
READY_S = 60.0


@pytest.fixture(scope="module", name="venue")
def fixture_venue() -> Iterator[Exchange]:
    with Exchange() as exchange:
        exchange.book(SYMBOL, BIDS, ASKS)
        yield exchange


@pytest.fixture(scope="module", name="session")
def fixture_session(venue: Exchange) -> Iterator[Conversation]:
    with Conversation(CLIENT, SCRIPT, host_of(venue)) as session:
        session("open_orders", READY_S, symbol=SYMBOL)
        yield session


@pytest.fixture(autouse=True)
def fixture_fresh_book(session: Conversation, venue: Exchange) -> None:
    for account in (OWN, OTHER):
        venue.client(account).mass_cancel()
    venue.book(SYMBOL, BIDS, ASKS)


def holds(venue: Exchange, checked: Callable[[], None]) -> None:
    """Return once a check of what the connector learns by its streams holds."""

    def shown() -> bool:
        checked()
        return True

    venue.wait_for(shown, SEEN_S)


def test_an_order_rests_and_is_filled_in_two_parts(session: Conversation, venue: Exchange) -> None:
    id_ = place(session, "buy", "GTC", quantity="0.5", price="49999.50")
    check(order(session, id_), "NEW", filled="0", quantity="0.5", price="49999.5")
    assert venue.open_orders(OWN) == [Order(SYMBOL, "buy", "0.5", "49999.5")]
    for quantity, status, filled in (("0.2", "PARTIALLY_FILLED", "0.2"), ("0.3", "FILLED", "0.5")):
        venue.client(OTHER).submit(SYMBOL, "sell", quantity, "49999.50")
        found = {"filled": filled, "quantity": "0.5"}
        holds(venue, lambda: check(order(session, id_), status, **found))  # noqa: B023
    holds(venue, lambda: check_balances(session, venue))


def test_an_order_is_canceled(session: Conversation, venue: Exchange) -> None:
    id_ = place(session, "buy", "GTC", quantity="0.5", price="49000")
    assert session("cancel", symbol=SYMBOL, id=id_)["status"] == "CANCELED"
    assert venue.open_orders(OWN) == []
    holds(venue, lambda: check_balances(session, venue))


def test_a_market_order_is_filled(session: Conversation, venue: Exchange) -> None:
    id_ = place(session, "buy", "MARKET", quantity="0.25")
    holds(venue, lambda: check(order(session, id_), "FILLED", filled="0.25", quantity="0.25"))
    assert venue.book_of(SYMBOL).asks[0] == ("50001", "0.75")


def test_an_order_that_only_makes_fails_where_it_would_take(session: Conversation) -> None:
    with pytest.raises(ClientError) as caught:
        place(session, "buy", "LIMIT_MAKER", quantity="0.1", price="50001")
    assert caught.value.name == "OrderFailedError"


def test_the_book_of_the_connector_is_the_native_one(
    session: Conversation, venue: Exchange
) -> None:
    venue.client(OTHER).submit(SYMBOL, "sell", "0.5", "50001.50")

    def equal() -> None:
        assert book_of(session("book", symbol=SYMBOL)) == venue.book_of(SYMBOL)

    holds(venue, equal)


def check_balances(session: Conversation, venue: Exchange) -> None:
    """Raise `AssertionError` where the connector has other money than the exchange."""
    balances = session("balances")
    for asset, native in venue.balances_held(OWN).items():
        assert close_to(balances[asset]["free"], native.available), asset
        assert close_to(balances[asset]["total"], Decimal(native.available + native.held)), asset
