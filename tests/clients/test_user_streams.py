"""One's own events, by every client that has a user stream."""

from collections.abc import Iterator
from typing import Any

import pytest

from crossbook.testing import Exchange
from tests.clients.conversation import Conversation
from tests.clients.journey import SYMBOL, place
from tests.clients.test_cryptofeed import CLIENT, SCRIPT, session_with
from tests.clients.user_journey import OwnEvents, UserJourney


class CcxtEvents(OwnEvents):
    """ccxt shows orders as they are after an event, and the balances it keeps."""

    COLLAPSES = True

    def expected(self, wanted: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
        return [("order", status, filled) for _, status, filled in super().expected(wanted)]

    def events_of(self, seen: list[dict[str, Any]], id_: str) -> list[tuple[str, str, str]]:
        found = super().events_of(seen, id_)
        # What came at once is shown once, and how much of it did is a matter of time.
        if found and found[-1][1] == "EXPIRED":
            return found[-1:]
        return found

    def check_last(self, seen: list[dict[str, Any]]) -> None:
        """Money comes beside the orders, or not at all."""

    def check_money(self, seen: list[dict[str, Any]]) -> None:
        assert [each for each in seen if each["event"] == "balance"]


class TestCcxtPro(CcxtEvents, UserJourney):
    CLIENT = "ccxt"
    SCRIPT = "ccxt_pro"


class TestCcxtProOfNode(CcxtEvents, UserJourney):
    CLIENT = "npm"
    SCRIPT = "ccxt_pro.js"


class TestPythonBinance(UserJourney):
    CLIENT = "python-binance"
    SCRIPT = "python_binance_async"


class TestBinanceConnector(UserJourney):
    CLIENT = "binance-connector"
    SCRIPT = "binance_connector"


class TestBinanceSdkSpot(UserJourney):
    CLIENT = "binance-sdk-spot"
    SCRIPT = "binance_sdk_spot"


class TestBinanceApiNode(UserJourney):
    CLIENT = "npm"
    SCRIPT = "binance_api_node.js"


class TestBinance(UserJourney):
    CLIENT = "npm"
    SCRIPT = "binance.js"


class TestNodeBinanceApi(UserJourney):
    CLIENT = "npm"
    SCRIPT = "node_binance_api.js"


class TestBinanceSpot(UserJourney):
    CLIENT = "npm"
    SCRIPT = "binance_spot.js"


class CryptofeedEvents(OwnEvents):
    """The feed of orders connects beside the steps, and shows no money."""

    def check_events(self, session: Conversation, venue: Exchange) -> None:
        session("follow_user", symbol=SYMBOL)

        def shown() -> Any:
            id_ = place(session, "buy", "GTC", quantity="0.1", price="40000")
            session("cancel", symbol=SYMBOL, id=id_)
            return session("user_events")

        venue.wait_for(shown, 20)
        super().check_events(session, venue)

    def check_last(self, seen: list[dict[str, Any]]) -> None:
        """Money comes beside the orders, or not at all."""

    def check_money(self, seen: list[dict[str, Any]]) -> None:
        """The feed of orders shows no money."""


class TestCryptofeed(CryptofeedEvents, UserJourney):
    CLIENT = CLIENT
    SCRIPT = SCRIPT

    @pytest.fixture(scope="class", name="session")
    @classmethod
    def fixture_session(
        cls, venue: Exchange, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Conversation]:
        yield from session_with(venue, tmp_path_factory.mktemp("relay"))
