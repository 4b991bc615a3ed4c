"""The session that every client of other projects goes through, against a real exchange.

`Journey` holds the steps that trade by requests. A test file derives from it, names the client and
the exceptions it raises, and adds what only this client has. Every expectation is either native
(what the exchange itself shows of the account) or the client's own word for it.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, ClassVar, Final

import pytest

from crossbook.testing import Book, Exact, Exchange, Order
from tests.clients.conversation import ClientError, Conversation
from tests.clients.refusals import Errors

SYMBOL: Final = "BTC-USDT"
BIDS: Final = [("49999.00", "1"), ("49998.00", "2")]
ASKS: Final = [("50001.00", "1"), ("50002.00", "2")]

SEEN_S: Final = 10.0
"""Longest time until a client shows what happened."""

OWN, OTHER = 1, 2
"""The account of the client, and that of its counterparty, which trades natively."""


class Journey:
    """Orders from the first to the last, as every client that trades has them."""

    CLIENT: ClassVar[str]
    SCRIPT: ClassVar[str]
    ERRORS: ClassVar[Errors]

    @pytest.fixture(scope="class", name="venue")
    @classmethod
    def fixture_venue(cls) -> Iterator[Exchange]:
        with Exchange() as exchange:
            yield exchange

    @pytest.fixture(scope="class", name="session")
    @classmethod
    def fixture_session(cls, venue: Exchange) -> Iterator[Conversation]:
        with Conversation(cls.CLIENT, cls.SCRIPT, host_of(venue)) as session:
            yield session

    @pytest.fixture(autouse=True)
    def fixture_fresh_book(self, session: Conversation, venue: Exchange) -> None:
        """No order of either account is open, and the house quotes the same book."""
        for account in (OWN, OTHER):
            venue.client(account).mass_cancel()
        venue.book(SYMBOL, BIDS, ASKS)

    def test_markets_have_the_exchanges_grid(self, session: Conversation, venue: Exchange) -> None:
        markets = session("markets")
        assert set(markets) == set(venue.instruments)
        for symbol, instrument in venue.instruments.items():
            market = markets[symbol]
            assert (market["base"], market["quote"]) == (instrument.base, instrument.quote)
            assert number(market["tick"]) == number(instrument.price_text(1))
            assert number(market["lot"]) == number(instrument.quantity_text(1))
            assert market["active"] is True

    def test_a_limit_order_rests_and_is_filled_in_two_parts(
        self, session: Conversation, venue: Exchange
    ) -> None:
        id_ = place(session, "buy", "GTC", quantity="0.5", price="49999.50")
        check(order(session, id_), "NEW", filled="0", quantity="0.5", price="49999.5")
        assert [each["id"] for each in session("open_orders", symbol=SYMBOL)] == [id_]
        (native,) = venue.open_orders(OWN)
        assert native == Order(SYMBOL, "buy", "0.5", "49999.5")
        venue.client(OTHER).submit(SYMBOL, "sell", "0.2", "49999.50")
        self.check_order(session, venue, id_, "PARTIALLY_FILLED", filled="0.2", quantity="0.5")
        venue.client(OTHER).submit(SYMBOL, "sell", "0.3", "49999.50")
        venue.wait_until_filled(native.order_id, OWN)
        self.check_order(session, venue, id_, "FILLED", filled="0.5", quantity="0.5")
        assert session("open_orders", symbol=SYMBOL) == []

    def test_an_order_is_canceled(self, session: Conversation, venue: Exchange) -> None:
        id_ = place(session, "buy", "GTC", quantity="0.5", price="49000")
        assert session("cancel", symbol=SYMBOL, id=id_)["status"] == "CANCELED"
        check(order(session, id_), "CANCELED", filled="0", quantity="0.5")
        assert venue.open_orders(OWN) == []

    def test_an_order_that_only_makes_is_refused_where_it_would_take(
        self, session: Conversation, venue: Exchange
    ) -> None:
        with pytest.raises(ClientError) as caught:
            place(session, "buy", "LIMIT_MAKER", quantity="0.1", price="50001")
        self.ERRORS.would_take.check(caught.value)
        id_ = place(session, "buy", "LIMIT_MAKER", quantity="0.1", price="50000.99")
        check(order(session, id_), "NEW", filled="0", quantity="0.1", price="50000.99")

    def test_more_than_the_account_has_is_the_clients_own_exception(
        self, session: Conversation, venue: Exchange
    ) -> None:
        before = venue.balances_held(OWN)
        with pytest.raises(ClientError) as caught:
            place(session, "buy", "GTC", quantity="8999", price="49000")
        self.ERRORS.no_money.check(caught.value)
        assert venue.balances_held(OWN) == before

    def test_the_rest_of_an_immediate_order_expires(
        self, session: Conversation, venue: Exchange
    ) -> None:
        id_ = place(session, "buy", "IOC", quantity="1.5", price="50001")
        check(order(session, id_), "EXPIRED", filled="1", quantity="1.5", price="50001")
        assert venue.open_orders(OWN) == []

    def test_fill_or_kill_is_whole_or_nothing(self, session: Conversation, venue: Exchange) -> None:
        id_ = place(session, "buy", "FOK", quantity="1.5", price="50001")
        check(order(session, id_), "EXPIRED", filled="0", quantity="1.5")
        assert venue.book_of(SYMBOL) == Book(BIDS, ASKS)
        id_ = place(session, "buy", "FOK", quantity="1.5", price="50002")
        check(order(session, id_), "FILLED", filled="1.5", quantity="1.5")
        assert venue.book_of(SYMBOL).asks == [("50002", "1.5")]

    def test_a_market_order_by_quantity(self, session: Conversation, venue: Exchange) -> None:
        id_ = place(session, "sell", "MARKET", quantity="1.5")
        check(order(session, id_), "FILLED", filled="1.5", quantity="1.5")
        assert venue.book_of(SYMBOL).bids == [("49998", "1.5")]

    def test_a_market_order_by_amount(self, session: Conversation, venue: Exchange) -> None:
        id_ = place(session, "buy", "MARKET", quote_quantity="25000.50")
        check(order(session, id_), "FILLED", filled="0.5", quantity="0.5")
        assert venue.book_of(SYMBOL).asks[0] == ("50001", "0.5")

    def test_a_stop_waits_and_is_elected(self, session: Conversation, venue: Exchange) -> None:
        venue.client(OTHER).submit(SYMBOL, "buy", "0.1", "50001")
        with pytest.raises(ClientError) as caught:
            place(session, "sell", "STOP_LOSS_LIMIT", quantity="0.1", price="49990",
                  stop_price="50002")  # fmt: skip
        self.ERRORS.would_trigger.check(caught.value)
        id_ = place(session, "sell", "STOP_LOSS_LIMIT", quantity="0.1", price="49990",
                    stop_price="49999.50")  # fmt: skip
        check(order(session, id_), "NEW", filled="0", quantity="0.1", price="49990")
        assert [each["id"] for each in session("open_orders", symbol=SYMBOL)] == [id_]
        venue.client(OTHER).submit(SYMBOL, "sell", "0.1", "49999")
        venue.wait_until_filled(native_id(id_), OWN)
        self.check_order(session, venue, id_, "FILLED", filled="0.1", quantity="0.1")

    def test_own_trades_have_the_native_fees(self, session: Conversation, venue: Exchange) -> None:
        place(session, "buy", "IOC", quantity="1.5", price="50002")
        place(session, "sell", "GTC", quantity="0.3", price="50001.50")
        venue.client(OTHER).submit(SYMBOL, "buy", "0.3", "50001.50")
        native = venue.fills(OWN, SYMBOL)
        trades = self.own_trades(session, venue, len(native))
        for trade, fill in zip(trades, native, strict=True):
            assert number(trade["price"]) == number(fill.price)
            assert number(trade["quantity"]) == number(fill.quantity)
            assert native_id(trade["order"]) == fill.order_id
            assert trade["is_buyer"] is (fill.side == "buy")
            assert trade["is_maker"] is (fill.liquidity == "maker")
            assert trade["fee_asset"] == fill.fee_asset
            assert rounded_up(fill.fee) == number(trade["fee"])
        assert [trade["is_maker"] for trade in trades[-3:]] == [False, False, True]

    def test_balances_are_the_native_ones_and_nothing_is_lost(
        self, session: Conversation, venue: Exchange
    ) -> None:
        place(session, "buy", "GTC", quantity="0.25", price="49000")
        before, fees = total_of(venue), fees_of(venue)
        place(session, "sell", "GTC", quantity="0.2", price="50000.50")
        venue.client(OTHER).submit(SYMBOL, "buy", "0.1", "50000.50")
        self.check_balances(session, venue)
        paid = {asset: fees_of(venue)[asset] - fees[asset] for asset in fees}
        assert paid["BTC"] > 0
        assert paid["USDT"] > 0
        after = total_of(venue)
        assert {asset: before[asset] - after[asset] for asset in paid} == paid

    def check_order(
        self, session: Conversation, venue: Exchange, id_: str, status: str, **terms: str
    ) -> None:
        """Raise `AssertionError` where the client shows an order in another state than that which a
        counterparty brought it into."""
        check(order(session, id_), status, **terms)

    def own_trades(
        self, session: Conversation, venue: Exchange, count: int
    ) -> list[dict[str, Any]]:
        """The client's own trades, once they are as many."""
        found: list[dict[str, Any]] = session("own_trades", symbol=SYMBOL)
        return found

    def check_balances(self, session: Conversation, venue: Exchange) -> None:
        """Raise `AssertionError` where the client shows other balances than the exchange."""
        balances = session("balances")
        for asset, native in venue.balances_held(OWN).items():
            assert close_to(balances[asset]["free"], native.available), asset
            assert close_to(balances[asset]["locked"], native.held), asset


class RequestJourney(Journey):
    """With what a client has that sends a request for each step."""

    CORRECTS_CLOCK: ClassVar[bool] = True
    REPLACES: ClassVar[bool] = True

    def test_a_canceled_order_is_unknown_to_a_cancel(self, session: Conversation) -> None:
        id_ = place(session, "buy", "GTC", quantity="0.5", price="49000")
        session("cancel", symbol=SYMBOL, id=id_)
        with pytest.raises(ClientError) as caught:
            session("cancel", symbol=SYMBOL, id=id_)
        self.ERRORS.unknown_cancel.check(caught.value)

    def test_the_book_is_the_native_one(self, session: Conversation, venue: Exchange) -> None:
        assert book_of(session("book", symbol=SYMBOL)) == venue.book_of(SYMBOL)
        assert venue.book_of(SYMBOL) == Book(BIDS, ASKS)

    def test_an_unknown_order_is_the_clients_own_exception(self, session: Conversation) -> None:
        with pytest.raises(ClientError) as caught:
            session("order", symbol=SYMBOL, id="987654321")
        self.ERRORS.unknown_order.check(caught.value)

    def test_a_client_order_id_counts_once(self, session: Conversation, venue: Exchange) -> None:
        terms: dict[str, Any] = {
            "quantity": "0.1", "price": "48000", "client_id": "my-order-1",
        }  # fmt: skip
        made = session("place", symbol=SYMBOL, side="buy", kind="GTC", **terms)
        assert made["client_id"] == "my-order-1"
        with pytest.raises(ClientError) as caught:
            place(session, "buy", "GTC", **terms)
        self.ERRORS.duplicate.check(caught.value)
        assert len(venue.open_orders(OWN)) == 1

    def test_all_orders_are_the_native_ones(self, session: Conversation, venue: Exchange) -> None:
        place(session, "buy", "GTC", quantity="0.1", price="48000")
        place(session, "buy", "IOC", quantity="1.5", price="50001")
        native = venue.orders(OWN, SYMBOL)
        orders = session("all_orders", symbol=SYMBOL)
        assert [native_id(each["id"]) for each in orders] == [each.order_id for each in native]
        for found, wanted in zip(orders, native, strict=True):
            # An order by amount has no quantity but what it bought.
            quantity = wanted.quantity or wanted.filled
            check(found, wanted.status, filled=wanted.filled, quantity=quantity)
        assert [each["status"] for each in orders[-2:]] == ["NEW", "EXPIRED"]

    def test_trades_ticker_and_candles_are_the_native_ones(
        self, session: Conversation, venue: Exchange
    ) -> None:
        venue.client(OTHER).submit(SYMBOL, "buy", "1.5", "50002")
        venue.client(OTHER).submit(SYMBOL, "sell", "0.25", "49999")
        native = venue.trades(SYMBOL)
        volume = sum((each.quantity for each in native), Decimal(0))

        def equal() -> bool:
            trades = session("trades", symbol=SYMBOL)
            assert sum((number(each[1]) for each in trades), Decimal(0)) == volume
            assert [number(trades[-1][0]), trades[-1][2]] == [number("49999"), "sell"]
            ticker = session("ticker", symbol=SYMBOL)
            assert number(ticker["last"]) == number("49999")
            assert number(ticker["bid"]) == number("49999")
            assert number(ticker["ask"]) == number("50002")
            assert number(ticker["volume"]) == volume
            candles = session("candles", symbol=SYMBOL, interval="1m")
            assert number(candles[-1][4]) == number("49999")
            assert sum((number(each[5]) for each in candles), Decimal(0)) == volume
            return True

        venue.wait_for(equal)

    def test_a_price_off_the_grid_is_refused(self, session: Conversation) -> None:
        if self.ERRORS.bad_price is None:
            pytest.skip(f"{self.CLIENT} rounds prices to the grid before it sends them")
        with pytest.raises(ClientError) as caught:
            place(session, "buy", "GTC", quantity="0.1", price="48000.001")
        self.ERRORS.bad_price.check(caught.value)

    def test_an_order_is_replaced(self, session: Conversation, venue: Exchange) -> None:
        if not self.REPLACES:
            pytest.skip(f"{self.SCRIPT}: the client has no call that replaces an order")
        id_ = place(session, "buy", "GTC", quantity="0.5", price="49000")
        made = session(
            "replace", symbol=SYMBOL, id=id_, side="buy", quantity="0.4", price="49100.50"
        )
        assert made["id"] != id_
        check(order(session, id_), "CANCELED", filled="0", quantity="0.5")
        check(order(session, made["id"]), "NEW", filled="0", quantity="0.4", price="49100.5")
        (native,) = venue.open_orders(OWN)
        assert native == Order(SYMBOL, "buy", "0.4", "49100.5")

    def test_a_wrong_clock_is_refused_and_can_be_corrected(
        self, session: Conversation, venue: Exchange
    ) -> None:
        assert abs(session("server_time") - venue.now().timestamp() * 1_000) < 2_000
        try:
            for seconds in (-20.0, 3.0):
                session("skew", seconds=seconds)
                with pytest.raises(ClientError) as caught:
                    session("open_orders", symbol=SYMBOL)
                self.ERRORS.wrong_clock.check(caught.value)
            if self.CORRECTS_CLOCK:
                session("correct_clock")
                assert session("open_orders", symbol=SYMBOL) == []
        finally:
            session("skew", seconds=0.0)
            session("restore_clock")


def host_of(venue: Exchange) -> str:
    """Where the HTTP of an exchange is."""
    return venue.http_url.removeprefix("http://")


def number(value: object) -> Decimal:
    """A number of a client: text, or a float by its shortest text."""
    return Decimal(str(value))


def close_to(value: object, native: Decimal) -> bool:
    """Whether a client's number is a native one, as near as its 8 decimals, or a float, can be."""
    return abs(number(value) - native) <= Decimal("0.00000001") + abs(native) * Decimal("1e-15")


def rounded_up(fee: Decimal) -> Decimal:
    """A fee in the 8 decimals of this face."""
    return Decimal(fee).quantize(Decimal("0.00000001"), rounding="ROUND_UP")


def native_id(order_id: str) -> str:
    """The native id of an order."""
    return f"ORD-{int(order_id):010d}"


def place(session: Conversation, side: str, kind: str, **terms: Any) -> str:
    """Place an order; its id."""
    made = session("place", symbol=SYMBOL, side=side, kind=kind, **terms)
    found: str = made["id"]
    return found


def order(session: Conversation, id_: str) -> dict[str, Any]:
    """An order as the client shows it."""
    found: dict[str, Any] = session("order", symbol=SYMBOL, id=id_)
    assert found["id"] == id_
    return found


def check(
    found: dict[str, Any],
    status: str,
    *,
    filled: object,
    quantity: object,
    price: str | None = None,
) -> None:
    """Raise `AssertionError` where an order is another one."""
    assert found["status"] == status, found
    assert number(found["filled"]) == number(filled), found
    assert number(found["quantity"]) == number(quantity), found
    assert price is None or number(found["price"]) == number(price), found


def book_of(found: dict[str, Any]) -> Book:
    """A book as a client shows it, as a native one."""
    sides = [
        [(number(level[0]), number(level[1])) for level in found[side]] for side in ("bids", "asks")
    ]
    return Book(*sides)


def total_of(venue: Exchange) -> dict[str, Decimal]:
    """What both accounts have, by asset."""
    return {
        asset: sum((Exact(venue.balances(each)[asset]) for each in (OWN, OTHER)), Decimal(0))
        for asset in ("BTC", "USDT")
    }


def fees_of(venue: Exchange) -> dict[str, Decimal]:
    """What both accounts have paid, by asset."""
    fills = [*venue.fills(OWN), *venue.fills(OTHER)]
    return {
        asset: sum((fill.fee for fill in fills if fill.fee_asset == asset), Decimal(0))
        for asset in ("BTC", "USDT")
    }
