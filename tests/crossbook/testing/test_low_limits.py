"""An exchange whose accounts and addresses may send little: it starts, is seeded and moves its time
all the same, and the test has all that an account may send."""

import time
from collections.abc import Iterator

import pytest

from crossbook.errors import OrderRejected
from crossbook.testing import Exchange, seeding
from crossbook.testing.http import Http

SYMBOL = "BTC-USDT"
LEVELS = [("49999.00", "1"), ("49998.00", "1"), ("49997.00", "1")]


@pytest.fixture(scope="module")
def limited() -> Iterator[Exchange]:
    with Exchange(
        recorder=False, clock="manual", queries_per_second=1, orders_per_second=1,
        order_queue_size=2,
    ) as exchange:  # fmt: skip
        yield exchange


def test_start_book_and_time_take_no_query_of_the_test(limited: Exchange) -> None:
    limited.book(SYMBOL, bids=LEVELS, asks=[("50001.00", "1")])
    limited.advance("1m")
    path = f"/api/v1/orderbook/{SYMBOL}"
    statuses = [limited.request("GET", path)[0] for _ in range(3)]
    assert statuses == [200, 200, 429]


def test_a_book_of_more_levels_than_an_account_may_send_is_seeded_in_order(
    limited: Exchange,
) -> None:
    limited.book("ETH-USDT", bids=[("10.00", "1"), ("9.00", "1"), ("8.00", "1"), ("7.00", "1")])
    limited.book("ETH-USDT", bids=[("6.00", "1"), ("6.00", "2"), ("5.00", "1")])
    assert limited.book_of("ETH-USDT").bids == [("6", "3"), ("5", "1")]
    orders = limited.client(seeding.HOUSE_ACCOUNT).open_orders("ETH-USDT")
    assert [str(each.quantity) for each in orders] == ["1.0000", "2.0000", "1.0000"]


def test_a_gateway_that_stays_full_is_the_error_of_a_book(
    limited: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeding, "BUSY_S", 0.05)
    with (
        limited.faults.refuse("BUSY", account=seeding.HOUSE_ACCOUNT),
        pytest.raises(OrderRejected, match="BUSY"),
    ):
        limited.book("SOL-USDT", bids=[("10.00", "1")])


def test_a_look_up_of_an_address_that_has_sent_too_much_waits_as_the_answer_says() -> None:
    with Exchange(recorder=False, address_requests_per_second=1) as exchange:
        http = Http(exchange.processes.http_port)
        while http.request("GET", "/health")[0] != 429:
            pass
        began_s = time.monotonic()
        assert http.look_up("/health")[0] == 429
        assert time.monotonic() - began_s >= 1
        assert http.look_up("/health")[0] == 200
        http.close()
