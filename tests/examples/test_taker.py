"""The taker pays the limit or less, in slices, and leaves no order."""

import signal

from crossbook.testing import Exchange, Fill
from tests.examples.program import Program

ACCOUNT = 7
BUY = ("buy", "0.3", "50010.00", "--account", str(ACCOUNT), "--slice", "0.2")


def test_the_taker_buys_in_slices_until_the_quantity_is_done(exchange: Exchange) -> None:
    exchange.book("BTC-USDT", asks=[("50000.00", "0.1"), ("50010.00", "1"), ("50020.00", "1")])
    with Program(exchange, "taker", *BUY) as program:
        printed = program.finish()
    assert exchange.fills(ACCOUNT) == [
        Fill("BTC-USDT", "buy", "0.1", "50000.00"),
        Fill("BTC-USDT", "buy", "0.1", "50010.00"),
        Fill("BTC-USDT", "buy", "0.1", "50010.00"),
    ]
    assert exchange.open_orders(ACCOUNT) == []
    assert "0.20000 at 50005.00" in printed
    assert "buy 0.30000 of 0.3 BTC-USDT" in printed


def test_the_taker_waits_for_its_price_and_ends_with_a_rest(exchange: Exchange) -> None:
    exchange.book("BTC-USDT", bids=[("49000.00", "1")], asks=[("50020.00", "1")])
    with Program(exchange, "taker", *BUY, "--seconds", "4") as program:
        exchange.book("BTC-USDT", bids=[("49000.00", "1")], asks=[("50005.00", "0.25")])
        exchange.wait_for_fills(ACCOUNT, 2, timeout_s=30)
        printed = program.finish(status=1)
    assert "buy 0.25000 of 0.3" in printed
    assert exchange.open_orders(ACCOUNT) == []


def test_the_taker_sells_too_and_ends_with_an_interrupt(exchange: Exchange) -> None:
    exchange.book("BTC-USDT", bids=[("49000.00", "0.1")])
    sell = ("sell", "1", "49000.00", "--account", str(ACCOUNT))
    with Program(exchange, "taker", *sell) as program:
        exchange.wait_for_fills(ACCOUNT, 1, timeout_s=30)
        printed = program.finish(signal.SIGINT, status=1)
    assert "sell 0.10000 of 1 BTC-USDT" in printed


def test_an_interrupt_between_an_order_and_its_answer_loses_no_fill(exchange: Exchange) -> None:
    exchange.book("BTC-USDT", bids=[("49000.00", "0.1")])
    exchange.faults.answer_late(1_000, account=ACCOUNT)
    sell = ("sell", "1", "49000.00", "--account", str(ACCOUNT))
    with Program(exchange, "taker", *sell) as program:
        exchange.wait_for_fills(ACCOUNT, 1, timeout_s=30)
        printed = program.finish(signal.SIGINT, status=1)
    assert printed == "sell 0.10000 of 1 BTC-USDT, fees 9.80000000\n"
