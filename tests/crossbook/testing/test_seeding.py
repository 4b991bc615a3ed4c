"""Books and money that a test puts into an exchange."""

from decimal import Decimal
from typing import Any

import pytest

from crossbook.errors import OrderRejected
from crossbook.testing import Book, Exchange
from crossbook.testing.seeding import HOUSE_ACCOUNT
from crossbook.testing.values import Level

SYMBOL = "ETH-USDT"


def test_a_seeded_book_is_exact_at_the_matcher_and_in_market_data(venue: Exchange) -> None:
    bids: list[Level] = [("2999.50", "1"), ("2999.00", "2.5")]
    asks: list[Level] = [("3000.50", "1"), ("3001", 3)]
    venue.book(SYMBOL, bids=bids, asks=asks)
    assert venue.book_of(SYMBOL) == Book(bids, asks)
    assert venue.book_of(SYMBOL).bids == bids
    shown = venue.request("GET", f"/api/v1/orderbook/{SYMBOL}")[1]
    assert shown["bids"] == [["2999.50", "1.0000"], ["2999.00", "2.5000"]]
    assert shown["asks"] == [["3000.50", "1.0000"], ["3001.00", "3.0000"]]


def test_a_second_book_replaces_the_first_and_none_empties_it(venue: Exchange) -> None:
    venue.book(SYMBOL, bids=[("2000.00", "1")])
    venue.book(SYMBOL, asks=[("1000.00", "1"), ("1000.00", "2")])
    assert venue.book_of(SYMBOL).bids == []
    assert venue.book_of(SYMBOL).asks == [("1000", "3")]
    venue.book(SYMBOL)
    assert venue.book_of(SYMBOL).asks == []
    assert venue.open_orders(HOUSE_ACCOUNT, SYMBOL) == []


@pytest.mark.parametrize(
    ("bids", "asks", "complaint"),
    [
        ([("2999.005", "1")], [], r"bids\[0\]: price '2999.005': not a multiple of 0.01"),
        ([("2999", "0.00001")], [], r"bids\[0\]: quantity '0.00001': not a multiple of 0.0001"),
        ([("2999", 0.5)], [], r"bids\[0\]: quantity 0.5: 0.5 is not exact"),
        ([], [("3000", "1"), ("2999", "1")], r"asks\[1\]: price '2999' is better than the one"),
        ([("1", "1"), ("2", "1")], [], r"bids\[1\]: price '2' is better than the one before"),
        ([("3000", "1")], [("3000", "1")], r"asks\[0\]: the best ask is not above the best bid"),
    ],
)
def test_invalid_levels_are_refused_and_nothing_changes(
    venue: Exchange, bids: Any, asks: Any, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        venue.book(SYMBOL, bids=bids, asks=asks)


def test_an_unknown_symbol_is_refused_with_the_existing_ones(venue: Exchange) -> None:
    with pytest.raises(ValueError, match=r"symbol='DOGE': is not traded here, but BTC-USDT"):
        venue.book("DOGE")


def test_a_book_that_would_trade_with_orders_of_others_is_refused(venue: Exchange) -> None:
    other = venue.client(7)
    other.submit("SOL-USDT", "buy", "1", "100.00")
    try:
        with pytest.raises(OrderRejected, match="POST_ONLY_WOULD_TAKE"):
            venue.book("SOL-USDT", asks=[("99.00", "1")])
    finally:
        other.mass_cancel("SOL-USDT")
    assert venue.trades("SOL-USDT") == []


def test_an_account_has_exactly_its_money_and_a_number_of_its_own(venue: Exchange) -> None:
    one = venue.account(USDT="1000.50", BTC=2)
    two = venue.account()
    assert one != two
    assert venue.balances(one) == {"USDT": "1000.5", "BTC": "2"}
    assert venue.balances(two) == {}
    assert venue.account(one, USDT=Decimal("7")) == one
    assert venue.balances(one) == {"USDT": 7}


def test_funds_are_added(venue: Exchange) -> None:
    account = venue.account(USDT="1")
    venue.fund(account, USDT="2.5", ETH="1")
    assert venue.balances(account) == {"USDT": "3.5", "ETH": "1"}


def test_an_order_holds_money(venue: Exchange) -> None:
    account = venue.account(USDT="1000")
    venue.client(account).submit("SOL-USDT", "buy", "2", "50.00")
    assert venue.balances_held(account)["USDT"].held >= 100
    assert venue.balances_held(account)["USDT"].available <= 900
    venue.client(account).mass_cancel()


@pytest.mark.parametrize(
    ("amounts", "complaint"),
    [
        ({"DOGE": "1"}, "DOGE: no instrument here has this asset, but BTC, USDT"),
        ({"USDT": "0.000000001"}, "USDT='0.000000001': more than 8 decimals"),
        ({"USDT": 1.5}, "USDT=1.5: 1.5 is not exact"),
        ({"USDT": "0"}, "USDT='0': is not above zero"),
        ({"USDT": "-1"}, "USDT='-1': not plain decimal text"),
    ],
)
def test_a_wrong_amount_is_named(venue: Exchange, amounts: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        venue.fund(7, **amounts)


def test_an_exchange_without_accounts_needs_no_money() -> None:
    with Exchange(accounts="off", recorder=False) as exchange:
        exchange.book(SYMBOL, bids=[("2000.00", "1")], asks=[("2001.00", "1")])
        assert exchange.book_of(SYMBOL).bids == [("2000", "1")]
