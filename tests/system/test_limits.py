"""The limits of rates, over every interface of a running gateway."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

import crossbook
from crossbook.common.messages import entry
from crossbook.common.types import RejectReason, Side
from tests.system.exchange import Exchange
from tests.system.session import RawSession

BURST = 6
"""Twice `ORDERS_PER_SECOND` and `QUERIES_PER_SECOND`."""


@pytest.fixture(scope="module")
def exchange() -> Iterator[Exchange]:
    with Exchange(
        GATEWAY_ROLES="orders,api",
        ORDERS_PER_SECOND=str(BURST // 2),
        QUERIES_PER_SECOND=str(BURST // 2),
        CATCH_UPS_PER_MINUTE="1",
    ) as running:
        running.wait_http()
        yield running


def order(session: RawSession) -> entry.New:
    return entry.New(
        request_seq=session.next_seq(),
        symbol="BTC-USDT",
        side=int(Side.BUY),
        quantity="0.001",
        price="10000",
    )


def throttled(replies: list[entry.Reply]) -> list[entry.Reject]:
    return [
        each
        for each in replies
        if isinstance(each, entry.Reject) and each.reason == RejectReason.THROTTLED
    ]


def test_a_frame_of_orders_is_entered_as_far_as_the_bucket_goes(exchange: Exchange) -> None:
    with RawSession(exchange.orders, 11) as flooder, RawSession(exchange.orders, 12) as other:
        replies = flooder.replies_to_all(*(order(flooder) for _ in range(20)))
        refused = throttled(replies)
        # A token may have come meanwhile.
        assert BURST <= 20 - len(refused) <= BURST + 2
        assert all(1 <= each.retry_after_ms <= 334 for each in refused)
        assert isinstance(other.reply_to(order(other)), entry.Ack)
        assert isinstance(flooder.reply_to(entry.MassCancel(flooder.next_seq())), entry.Ack)


def test_queries_and_catch_ups_have_buckets_of_their_own(exchange: Exchange) -> None:
    with RawSession(exchange.orders, 21) as session:
        queries = [entry.Query(session.next_seq()) for _ in range(20)]
        assert throttled(session.replies_to_all(*queries))
        assert isinstance(session.reply_to(order(session)), entry.Ack)
        first, second = (session.reply_to(entry.CatchUp(session.next_seq(), 1)) for _ in range(2))
        assert isinstance(first, entry.CaughtUp)
        assert throttled([second])
        assert isinstance(second, entry.Reject)
        assert second.retry_after_ms > 30_000


def test_the_client_raises_with_the_time_to_wait(exchange: Exchange) -> None:
    with crossbook.Client(exchange.orders, account=31) as client:

        def submit_many() -> None:
            for _ in range(20):
                client.submit("BTC-USDT", "buy", "0.001", "10000")

        with pytest.raises(crossbook.OrderRejected) as caught:
            submit_many()
        assert caught.value.reason is RejectReason.THROTTLED
        assert caught.value.retryable
        assert 0 < caught.value.retry_after_s <= 0.334


def test_http_answers_429_with_the_wait_and_counts_what_it_refused(exchange: Exchange) -> None:
    base = f"http://127.0.0.1:{exchange.api_port}"
    body = {"symbol": "BTC-USDT", "order_type": "limit", "side": "buy",
            "quantity": "0.001", "price": "10000"}  # fmt: skip
    request = urllib.request.Request(
        f"{base}/api/v1/orders",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "X-Account": "41"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 201
        assert answer.headers["RateLimit-Policy"] == f'"orders";q={BURST};w=2'
        assert answer.headers["RateLimit"].startswith('"orders";r=')

    def enter_many() -> None:
        for _ in range(30):
            urllib.request.urlopen(request, timeout=10).close()

    with pytest.raises(urllib.error.HTTPError) as caught:
        enter_many()
    refused = caught.value
    assert (refused.code, refused.headers["Retry-After"]) == (429, "1")
    assert json.loads(refused.read())["error"]["code"] == "THROTTLED"
    with urllib.request.urlopen(f"{base}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    counts = {
        line.split('"')[1]: float(line.split()[-1])
        for line in text.splitlines()
        if line.startswith("crossbook_gateway_throttled_total{")
    }
    assert counts["orders"] >= 1
    assert counts["address"] == 0
