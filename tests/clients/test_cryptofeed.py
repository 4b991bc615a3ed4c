"""cryptofeed: its feeds over a TLS relay, and its calls that trade."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crossbook.testing import Exchange, Order
from tests.clients.book_journey import BookJourney
from tests.clients.conversation import ClientError, Conversation
from tests.clients.journey import (
    ASKS,
    BIDS,
    OTHER,
    OWN,
    SYMBOL,
    close_to,
    host_of,
    number,
    place,
)
from tests.clients.tls_relay import TlsRelay

CLIENT = SCRIPT = "cryptofeed"


def session_with(venue: Exchange, folder: Path, *named: str) -> Iterator[Conversation]:
    """A session over a relay, with these arguments."""
    with (
        TlsRelay(host_of(venue), folder) as relay,
        Conversation(
            CLIENT, SCRIPT, host_of(venue), "--relay", relay.host, "--certificate",
            str(relay.certificate), *named,
        ) as session,
    ):  # fmt: skip
        yield session


class TestRequests:
    @pytest.fixture(scope="class", name="venue")
    @classmethod
    def fixture_venue(cls) -> Iterator[Exchange]:
        with Exchange() as exchange:
            exchange.book(SYMBOL, BIDS, ASKS)
            yield exchange

    @pytest.fixture(scope="class", name="session")
    @classmethod
    def fixture_session(
        cls, venue: Exchange, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Conversation]:
        yield from session_with(venue, tmp_path_factory.mktemp("relay"))

    def test_instruments_have_the_exchanges_ticks(
        self, session: Conversation, venue: Exchange
    ) -> None:
        markets = session("markets")
        assert set(markets) == set(venue.instruments)
        for symbol, instrument in venue.instruments.items():
            assert number(markets[symbol]["tick"]) == number(instrument.price_text(1))

    def test_orders_rest_and_are_canceled(self, session: Conversation, venue: Exchange) -> None:
        id_ = place(session, "buy", "GTC", quantity="0.5", price="49000")
        assert venue.open_orders(OWN) == [Order(SYMBOL, "buy", "0.5", "49000")]
        assert [each["id"] for each in session("open_orders", symbol=SYMBOL)] == [id_]
        assert session("cancel", symbol=SYMBOL, id=id_)["status"] == "CANCELED"
        assert venue.open_orders(OWN) == []

    def test_a_refusal_is_its_exception(self, session: Conversation) -> None:
        with pytest.raises(ClientError, match="400") as caught:
            place(session, "buy", "GTC", quantity="8999", price="49000")
        assert caught.value.name == "ClientResponseError"

    def test_balances_are_the_native_ones(self, session: Conversation, venue: Exchange) -> None:
        place(session, "buy", "MARKET", quantity="0.1")
        balances = session("balances")
        for asset, native in venue.balances_held(OWN).items():
            assert close_to(balances[asset]["free"], native.available), asset


class TestBook(BookJourney):
    CLIENT = CLIENT
    SCRIPT = SCRIPT

    @pytest.fixture(name="session")
    def fixture_session(self, venue: Exchange, tmp_path: Path) -> Iterator[Conversation]:
        yield from session_with(venue, tmp_path)

    def test_trades_are_the_native_ones(self, session: Conversation, venue: Exchange) -> None:
        session("follow_book", symbol=SYMBOL)

        def shown() -> Any:
            # The feed connects beside the steps, and has what is traded from then on.
            venue.client(OTHER).submit(SYMBOL, "buy", "0.01", "50001")
            return session("followed_trades")

        trades = venue.wait_for(shown, 20)
        native = [[each.price, each.quantity] for each in venue.trades(SYMBOL)]
        assert [[number(each[0]), number(each[1])] for each in trades] == native[: len(trades)]
        assert {each[2] for each in trades} == {"buy"}
