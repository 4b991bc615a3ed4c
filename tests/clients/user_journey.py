"""One's own events, as a client shows them by its user stream."""

from collections.abc import Iterator
from typing import Any, ClassVar, Final

import pytest

from crossbook.testing import Exchange
from tests.clients.conversation import Conversation
from tests.clients.journey import ASKS, BIDS, OTHER, OWN, SEEN_S, SYMBOL, host_of, place

WHOLE: Final = [("NEW", "NEW", "0"), ("TRADE", "PARTIALLY_FILLED", "0.2"),
                ("TRADE", "FILLED", "0.5")]  # fmt: skip
CANCELED: Final = [("NEW", "NEW", "0"), ("CANCELED", "CANCELED", "0")]
EXPIRED: Final = [("NEW", "NEW", "0"), ("TRADE", "PARTIALLY_FILLED", "1"),
                  ("EXPIRED", "EXPIRED", "1")]  # fmt: skip


class OwnEvents:
    """One's own events, and how a client shows them. `COLLAPSES` is a client that shows only the
    last of what came at once."""

    CLIENT: ClassVar[str]
    SCRIPT: ClassVar[str]
    COLLAPSES: ClassVar[bool] = False

    @pytest.fixture(scope="class", name="venue")
    @classmethod
    def fixture_venue(cls) -> Iterator[Exchange]:
        with Exchange() as exchange:
            exchange.book(SYMBOL, BIDS, ASKS)
            yield exchange

    @pytest.fixture(scope="class", name="session")
    @classmethod
    def fixture_session(cls, venue: Exchange) -> Iterator[Conversation]:
        with Conversation(cls.CLIENT, cls.SCRIPT, host_of(venue)) as session:
            yield session

    def check_events(self, session: Conversation, venue: Exchange) -> None:
        """Raise `AssertionError` where the client does not show each event of three orders."""
        session("follow_user", symbol=SYMBOL)
        filled = place(session, "buy", "GTC", quantity="0.5", price="49999.50")
        self.await_events(session, venue, filled, WHOLE[:1])
        self.sell(venue, "0.2", "49999.50")
        self.await_events(session, venue, filled, WHOLE[:2])
        self.sell(venue, "0.3", "49999.50")
        self.await_events(session, venue, filled, WHOLE)
        canceled = place(session, "buy", "GTC", quantity="0.5", price="49000")
        self.await_events(session, venue, canceled, CANCELED[:1])
        session("cancel", symbol=SYMBOL, id=canceled)
        self.await_events(session, venue, canceled, CANCELED)
        expired = place(session, "buy", "IOC", quantity="1.5", price="50001")
        self.await_events(session, venue, expired, EXPIRED)
        self.await_money(session, venue)
        self.check_open(session, venue)

    def sell(self, venue: Exchange, quantity: str, price: str) -> None:
        """Sell by the other account, which trades natively."""
        venue.client(OTHER).submit(SYMBOL, "sell", quantity, price)

    def check_open(self, session: Conversation, venue: Exchange) -> None:
        """Raise `AssertionError` where an order is open."""
        assert venue.open_orders(OWN) == []

    def await_events(
        self, session: Conversation, venue: Exchange, id_: str, wanted: list[tuple[str, str, str]]
    ) -> None:
        """Return once the client shows these events of an order, and the money they moved; raises
        `AssertionError` where it shows others."""

        def shown() -> bool:
            seen = session("user_events")
            assert self.events_of(seen, id_) == self.expected(wanted)
            self.check_last(seen)
            return True

        venue.wait_for(shown, SEEN_S)

    def expected(self, wanted: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
        """The events as the client shows them."""
        if not self.COLLAPSES:
            return wanted
        return wanted[-1:] if wanted == EXPIRED else wanted

    def events_of(self, seen: list[dict[str, Any]], id_: str) -> list[tuple[str, str, str]]:
        """The events of one order: what happened, its state, the sum of its fills."""
        return [
            (each["event"], each["status"], plain(each["filled"]))
            for each in seen
            if each.get("id") == id_
        ]

    def check_last(self, seen: list[dict[str, Any]]) -> None:
        """Raise `AssertionError` where the money of the last change is not shown yet. Changes that
        come while it is on its way share it."""
        assert seen[-1]["event"] == "outboundAccountPosition", seen[-1]

    def await_money(self, session: Conversation, venue: Exchange) -> None:
        """Return once the client shows the money of every change."""

        def shown() -> bool:
            self.check_money(session("user_events"))
            return True

        venue.wait_for(shown, SEEN_S)

    def check_money(self, seen: list[dict[str, Any]]) -> None:
        """Raise `AssertionError` where a change of an order is not followed by its money."""
        kinds = [each["event"] for each in seen]
        changes = [n for n, kind in enumerate(kinds) if kind != "outboundAccountPosition"]
        assert len(changes) == len(WHOLE) + len(CANCELED) + len(EXPIRED)
        assert len(kinds) > changes[-1] + 1, "the last change has its money, too"
        assert kinds.count("outboundAccountPosition") >= 6


class UserJourney(OwnEvents):
    """One's own events by a demo key."""

    def test_own_events_come_in_order(self, session: Conversation, venue: Exchange) -> None:
        self.check_events(session, venue)


def plain(value: object) -> str:
    """A number without needless zeros."""
    text = str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text
