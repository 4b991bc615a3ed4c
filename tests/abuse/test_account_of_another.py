"""A keyed exchange serves no request with another account's number, with headers captured from
another request, or with a key that may only read; none of them enters an order."""

from collections.abc import Iterator

import msgspec
import pytest

from crossbook.common.keys import Scope
from crossbook.gateway.auth.scopes import scope_needed
from crossbook.request_signer import RequestSigner
from tests.system.keyed import KeyedExchange

ORDER = {"symbol": "BTC-USD", "order_type": "limit", "side": "buy", "quantity": "1.0",
         "price": "50000.00"}  # fmt: skip
CAPTURED = 100
REFUSED = (400, 401)
"""Statuses of refused copies. A copy that has become too old on its way gets 400."""


@pytest.fixture(scope="module", name="venue")
def fixture_venue() -> Iterator[KeyedExchange]:
    with KeyedExchange() as exchange:
        yield exchange


class Captured:
    """Signs every request with the headers of one earlier request."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._headers = headers

    def headers(self, method: str, target: str, body: bytes = b"") -> dict[str, str]:
        """The earlier headers."""
        return self._headers


def test_every_operation_refuses_a_request_without_a_key_for_it(venue: KeyedExchange) -> None:
    alice = venue.add_key("alice", 7)
    reader = venue.add_key("reader", 7, Scope.READ)
    captured = Captured(alice.headers("GET", "/api/v1/account"))
    paths = venue.send(None, "GET", "/openapi.json")[1]["paths"]
    tried = 0
    for path, methods in paths.items():
        target = path.replace("{order_id}", "ORD-0000000001").replace("{symbol}", "BTC-USD")
        for method in map(str.upper, methods):
            scope = scope_needed(method, target)
            if scope is None or target == "/metrics":
                continue
            tried += 1
            body: dict[str, str] | None = {} if method in ("POST", "PATCH") else None
            assert venue.send(None, method, target, body)[0] == 401, target
            assert venue.send(RequestSigner("alice", "x" * 64), method, target, body)[0] == 401
            if (method, target) != ("GET", "/api/v1/account"):
                assert venue.send(captured, method, target, body)[0] in REFUSED, target
            if scope == Scope.TRADE:
                assert venue.send(reader, method, target, body)[0] == 403, target
    assert tried > 12
    assert venue.send(alice, "GET", "/api/v1/account")[0] == 200


def test_captured_orders_are_entered_once(venue: KeyedExchange) -> None:
    bob = venue.add_key("bob", 8)
    payload = msgspec.json.encode(ORDER)
    captured: list[Captured] = []
    for _ in range(CAPTURED):
        captured.append(Captured(bob.headers("POST", "/api/v1/orders", payload)))
        assert venue.send(captured[-1], "POST", "/api/v1/orders", ORDER)[0] == 201
    for each in captured:
        assert venue.send(each, "POST", "/api/v1/orders", ORDER)[0] in REFUSED
    assert venue.send(bob, "DELETE", "/api/v1/orders")[1]["count"] == CAPTURED
