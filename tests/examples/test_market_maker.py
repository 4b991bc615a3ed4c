"""The market maker quotes both sides, follows other orders, and leaves none of its own."""

import signal

from crossbook.testing import Exchange
from tests.examples.program import Program

ACCOUNT = 7
ARGUMENTS = ("--account", str(ACCOUNT), "--quantity", "0.01", "--spread", "20.00")


def prices(exchange: Exchange) -> list[tuple[str, str]]:
    return sorted((each.side, str(each.price)) for each in exchange.open_orders(ACCOUNT))


def test_the_maker_quotes_around_the_middle_and_cancels_when_interrupted(
    exchange: Exchange,
) -> None:
    exchange.book("BTC-USDT", bids=[("49900.00", "1")], asks=[("50100.00", "1")])
    with Program(exchange, "market_maker", *ARGUMENTS) as program:
        first = [("buy", "49990"), ("sell", "50010")]
        exchange.wait_for(lambda: prices(exchange) == first)
        exchange.book("BTC-USDT", bids=[("49950.00", "1")], asks=[("50150.00", "1")])
        second = [("buy", "50040"), ("sell", "50060")]
        exchange.wait_for(lambda: prices(exchange) == second)
        printed = program.finish(signal.SIGINT)
    assert exchange.open_orders(ACCOUNT) == []
    assert "position 0" in printed
    assert "2 canceled" in printed


def test_the_maker_ends_after_its_time(exchange: Exchange) -> None:
    exchange.book("BTC-USDT", bids=[("49900.00", "1")], asks=[("50100.00", "1")])
    with Program(exchange, "market_maker", *ARGUMENTS, "--seconds", "0.5") as program:
        assert program.finish().endswith(" canceled\n")
    assert exchange.open_orders(ACCOUNT) == []


def test_after_a_purchase_the_maker_quotes_lower_until_an_interrupt(exchange: Exchange) -> None:
    exchange.book("BTC-USDT", bids=[("49900.00", "1")], asks=[("50100.00", "1")])
    with Program(exchange, "market_maker", *ARGUMENTS) as program:
        exchange.wait_for_open_orders(ACCOUNT, 2, timeout_s=30)
        seller = exchange.client(9)
        seller.submit("BTC-USDT", "sell", "0.01", "49990.00", time_in_force="ioc")
        lower = [("buy", "49989"), ("sell", "50009")]
        exchange.wait_for(lambda: prices(exchange) == lower)
        printed = program.finish(signal.SIGINT)
    assert exchange.open_orders(ACCOUNT) == []
    assert "position 0.01" in printed


def test_the_exchange_cancels_the_orders_of_a_killed_maker(exchange: Exchange) -> None:
    exchange.book("BTC-USDT", bids=[("49900.00", "1")], asks=[("50100.00", "1")])
    with Program(exchange, "market_maker", *ARGUMENTS) as program:
        exchange.wait_for_open_orders(ACCOUNT, 2, timeout_s=30)
        program.kill()
    exchange.wait_for(lambda: not exchange.open_orders(ACCOUNT), timeout_s=30)
    assert {each.status for each in exchange.orders(ACCOUNT)} == {"CANCELED"}
