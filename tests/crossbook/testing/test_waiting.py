"""A wait ends with its event, and explains itself when the event does not come."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from crossbook.testing import Exchange, ExchangeError, Fill, Order

SYMBOL = "SOL-USDT"


@pytest.fixture
def account(venue: Exchange) -> int:
    """An account with money, in a book that has offers."""
    venue.book(SYMBOL, asks=[("100.00", "10")])
    return venue.account(USDT="100000", SOL="100")


@contextmanager
def later(call: Callable[..., object], *arguments: object) -> Iterator[None]:
    """Call in another thread, as a bot does."""
    timer = threading.Timer(0.05, call, arguments)
    timer.start()
    yield
    timer.join()


def test_a_wait_ends_with_the_fill(venue: Exchange, account: int) -> None:
    client = venue.client(account)
    began = time.monotonic()
    with later(client.submit, SYMBOL, "buy", "2", "100.00"):
        assert venue.wait_for_fills(account) == [Fill(SYMBOL, "buy", 2, 100)]
    assert time.monotonic() - began < 3


def test_a_wait_for_trades_and_open_orders_ends_with_them(venue: Exchange, account: int) -> None:
    client = venue.client(account)
    count = len(venue.trades(SYMBOL))
    with later(client.submit, SYMBOL, "buy", "1", "100.00"):
        assert len(venue.wait_for_trades(SYMBOL, count + 1)) == count + 1
    with later(client.submit, SYMBOL, "buy", "1", "90.00"):
        assert venue.wait_for_open_orders(account) == [Order(SYMBOL, "buy", 1, 90)]
    client.mass_cancel()


def test_an_order_is_awaited_by_its_client_order_id(venue: Exchange, account: int) -> None:
    client = venue.client(account)
    client.submit(SYMBOL, "buy", "12", "100.00", client_order_id="mine")
    with later(venue.client(7).submit, SYMBOL, "sell", "2", "100.00"):
        order = venue.wait_until_filled("mine", account)
    assert order == Order(SYMBOL, "buy", 12, 100, status="FILLED", filled=12)
    assert venue.wait_until_filled(order.order_id, account) == order


def test_an_order_that_ends_otherwise_ends_the_wait(venue: Exchange, account: int) -> None:
    client = venue.client(account)
    client.submit(SYMBOL, "buy", "1", "90.00", client_order_id="canceled")
    complaint = r"status='CANCELED'\) ended without being filled"
    with later(client.mass_cancel), pytest.raises(AssertionError, match=complaint):
        venue.wait_until_filled("canceled", account)


def test_a_missing_event_is_named_with_the_last_value_and_the_logs(
    venue: Exchange, account: int
) -> None:
    with pytest.raises(
        ExchangeError, match=r"2 fills of account \d+: not within 0\.05 s"
    ) as raised:
        venue.wait_for_fills(account, 2, timeout_s=0.05)
    assert "--- matcher" in str(raised.value)
    with pytest.raises(ExchangeError, match=r"it flies: not within 0\.05 s; it is 0\n"):
        venue.wait_for(lambda: 0, timeout_s=0.05, what="it flies")


def test_an_assertion_may_be_the_condition(venue: Exchange) -> None:
    calls: list[int] = []

    def third_time() -> bool:
        calls.append(len(calls))
        assert calls == [0, 1, 2]
        return True

    assert venue.wait_for(third_time)
    with pytest.raises(AssertionError, match="assert 3 == 4"):
        venue.wait_for(lambda: _equal(3, 4), timeout_s=0.05)


def _equal(one: int, other: int) -> bool:
    assert one == other
    return True


def test_an_event_ends_a_bare_wait_and_a_heartbeat_does_not(venue: Exchange, account: int) -> None:
    while venue.wait_for_event(0.06):
        pass
    began = time.monotonic()
    assert not venue.wait_for_event(0.2)
    assert time.monotonic() - began >= 0.19
    with later(venue.client(account).submit, SYMBOL, "buy", "1", "90.00"):
        assert venue.wait_for_event(5.0)
    venue.client(account).mass_cancel()
