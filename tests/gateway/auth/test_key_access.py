"""Signed requests: those that a gateway with `AUTH=on` accepts, and those that it refuses."""

from typing import Any

import pytest
from msgspec.structs import replace

from crossbook.common.keys import Scope
from crossbook.common.signing import RECV_WINDOW_MAX_MS
from crossbook.common.times import SECOND_NS
from crossbook.gateway.auth.access import NOBODY
from crossbook.gateway.auth.key_access import KeyAccess
from crossbook.gateway.keys.key_table import KeyTable
from crossbook.gateway.problem import Problem
from tests.gateway.auth.keyed import ALL, Owner, ed25519_owner, hmac_owner, rsa_owner

NOW_NS = 1_764_500_000 * SECOND_NS
MS = 1_000_000
ORDERS = "/api/v1/orders"


class World:
    """Access with keys, at a time that a test moves."""

    def __init__(self, *owners: Owner, market_data_is_keyed: bool = False) -> None:
        self.keys = KeyTable()
        for owner in owners:
            self.keys.put(owner.key)
        self.wall_ns = self.exchange_ns = NOW_NS - 3_600 * SECOND_NS
        self.access = KeyAccess(
            self.keys, lambda: self.wall_ns, lambda: self.exchange_ns, market_data_is_keyed
        )
        self.wall_ns = self.exchange_ns = NOW_NS

    def send(
        self,
        headers: dict[str, str],
        method: str = "POST",
        target: str = ORDERS,
        body: bytes = b"{}",
        account: int | None = None,
        peer: str = "192.0.2.1",
    ) -> int:
        """The account of a request."""
        path, _, query = target.partition("?")
        scope: dict[str, Any] = {
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": (peer, 40_000),
        }
        return self.access.account(self.access.claim(scope, account), body)

    def refusal(self, headers: dict[str, str], **more: Any) -> tuple[int, str, str | None, str]:
        """Status, code, field and text of the refusal of a request."""
        with pytest.raises(Problem) as caught:
            self.send(headers, **more)
        detail = caught.value.detail
        return caught.value.status, detail.code, detail.field, detail.message


@pytest.mark.parametrize("owner", [hmac_owner(), ed25519_owner(), rsa_owner()])
@pytest.mark.parametrize("digits", [13, 16, 19])
def test_a_signed_request_acts_for_the_account_of_its_key(owner: Owner, digits: int) -> None:
    world = World(owner)
    headers = owner.headers("POST", ORDERS, b"{}", at_ns=NOW_NS, digits=digits)
    assert world.send(headers) == 7
    again = owner.headers("POST", ORDERS, b"{}", at_ns=NOW_NS + MS, digits=digits)
    assert world.send(again, account=7) == 7


def test_every_signed_part_is_checked() -> None:
    owner = hmac_owner()
    world = World(owner)
    headers = owner.headers("POST", f"{ORDERS}?a=1", b"{}", at_ns=NOW_NS)
    as_sent: dict[str, Any] = {"target": f"{ORDERS}?a=1"}
    for changed in (
        {"method": "DELETE"},
        {"target": ORDERS},
        {"target": f"{ORDERS}?a=2"},
        {"target": f"{ORDERS}/batch?a=1"},
        {"body": b"{} "},
        {"body": b""},
    ):
        status, code, field, _ = world.refusal(headers, **(as_sent | changed))
        assert (status, code, field) == (401, "UNAUTHENTICATED", "CROSSBOOK-SIGNATURE")
    for name, value in (
        ("CROSSBOOK-TIMESTAMP", str(NOW_NS + 1)),
        ("CROSSBOOK-RECV-WINDOW", "60000"),
    ):
        assert world.refusal(headers | {name: value}, **as_sent)[:2] == (401, "UNAUTHENTICATED")
    assert world.send(headers, **as_sent) == 7


def test_the_refusal_of_an_incomplete_signature_names_the_missing_part() -> None:
    owner = hmac_owner()
    world = World(owner)
    assert world.refusal({})[:3] == (401, "UNAUTHENTICATED", "CROSSBOOK-KEY")
    headers = owner.headers("POST", ORDERS, b"{}", at_ns=NOW_NS)
    for name in headers:
        left = {each: value for each, value in headers.items() if each != name}
        assert world.refusal(left)[:3] == (401, "UNAUTHENTICATED", name)
        assert world.refusal(headers | {name: ""})[:3] == (401, "UNAUTHENTICATED", name)
    assert world.refusal(headers | {"CROSSBOOK-KEY": "bob-1"}) == (
        401,
        "UNAUTHENTICATED",
        "CROSSBOOK-KEY",
        "there is no key 'bob-1'",
    )


@pytest.mark.parametrize(
    ("behind_ms", "recv_window", "text"),
    [
        (-999, "", None),
        (-1_000, "", "1000 ms ahead of the gateway's clock, at most 1000 are accepted"),
        (5_000, "", None),
        (5_001, "", "5001 ms behind the gateway's clock, at most 5000 are accepted"),
        (101, "100", "101 ms behind the gateway's clock, at most 100 are accepted"),
        (60_000, "60000", None),
        (60_001, "60000", "60001 ms behind the gateway's clock, at most 60000 are accepted"),
    ],
)
def test_a_request_outside_its_window_of_time_is_refused(
    behind_ms: int, recv_window: str, text: str | None
) -> None:
    owner = hmac_owner()
    world = World(owner)
    headers = owner.headers(
        "POST", ORDERS, b"{}", at_ns=NOW_NS - behind_ms * MS, recv_window=recv_window
    )
    if text is None:
        assert world.send(headers) == 7
    else:
        refusal = world.refusal(headers)
        assert refusal == (400, "STALE_REQUEST", "CROSSBOOK-TIMESTAMP", text)


def test_a_request_from_before_the_gateway_started_is_refused() -> None:
    owner = hmac_owner()
    world = World(owner)
    world.access = KeyAccess(world.keys, lambda: world.wall_ns, lambda: world.exchange_ns)
    headers = owner.headers("POST", ORDERS, b"{}", at_ns=NOW_NS - 1)
    assert "before this gateway started" in world.refusal(headers)[3]
    assert world.send(owner.headers("POST", ORDERS, b"{}", at_ns=NOW_NS)) == 7


@pytest.mark.parametrize(
    "timestamp", ["0", "-1", "1764500000", "17645000000000", "1e12", "\uff10" * 13]
)
def test_a_timestamp_has_13_16_or_19_digits(timestamp: str) -> None:
    owner = hmac_owner()
    headers = owner.headers("POST", ORDERS, at_ns=NOW_NS) | {"CROSSBOOK-TIMESTAMP": timestamp}
    assert World(owner).refusal(headers)[:3] == (400, "MALFORMED", "CROSSBOOK-TIMESTAMP")


@pytest.mark.parametrize("window", ["0", "60001", "5.5", "-1", " 5 0"])
def test_a_window_is_a_number_of_milliseconds(window: str) -> None:
    owner = hmac_owner()
    headers = owner.headers("POST", ORDERS, at_ns=NOW_NS, recv_window=window)
    status, code, field, text = World(owner).refusal(headers)
    assert (status, code, field) == (400, "MALFORMED", "CROSSBOOK-RECV-WINDOW")
    assert str(RECV_WINDOW_MAX_MS) in text


@pytest.mark.parametrize("owner", [hmac_owner(), ed25519_owner(), rsa_owner()])
def test_a_request_is_accepted_once(owner: Owner) -> None:
    world = World(owner)
    headers = owner.headers("POST", ORDERS, b"{}", at_ns=NOW_NS)
    assert world.send(headers) == 7
    assert world.refusal(headers)[:2] == (401, "REPLAYED_REQUEST")
    world.wall_ns += 5_000 * MS
    assert world.refusal(headers)[:2] == (401, "REPLAYED_REQUEST")
    world.wall_ns += MS
    assert world.refusal(headers)[:2] == (400, "STALE_REQUEST")


def test_a_copy_with_a_signature_in_other_letters_is_a_copy() -> None:
    owner = hmac_owner()
    world = World(owner)
    headers = owner.headers("POST", ORDERS, b"{}", at_ns=NOW_NS)
    assert world.send(headers) == 7
    other = headers | {"CROSSBOOK-SIGNATURE": headers["CROSSBOOK-SIGNATURE"].upper()}
    assert world.refusal(other)[:2] == (401, "REPLAYED_REQUEST")


def test_a_refused_request_does_not_use_up_its_signature() -> None:
    owner = hmac_owner(scopes=Scope.READ)
    world = World(owner)
    headers = owner.headers("POST", ORDERS, b"{}", at_ns=NOW_NS)
    assert world.refusal(headers)[:2] == (403, "FORBIDDEN")
    world.keys.put(replace(owner.key, scopes=ALL))
    assert world.send(headers) == 7


def test_a_key_cannot_name_the_account_of_another() -> None:
    owner = hmac_owner()
    world = World(owner)
    headers = owner.headers("POST", ORDERS, b"{}", at_ns=NOW_NS)
    assert world.refusal(headers, account=8) == (
        403,
        "FORBIDDEN",
        "X-Account",
        "key alice-1 acts for account 7 and for no other",
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"enabled": False}, "key alice-1 is disabled"),
        ({"expires_ns": NOW_NS}, "key alice-1 expired at 2025-11-30T10:53:20.000Z"),
        ({"addresses": ("10.0.0.0/8",)}, "key alice-1 may not be used from 192.0.2.1"),
        ({"scopes": Scope.READ}, "key alice-1 has scope read, not TRADE"),
    ],
)
def test_the_state_of_a_key_is_shown_to_its_owner_only(change: dict[str, Any], text: str) -> None:
    owner = hmac_owner()
    world = World(owner)
    world.keys.put(replace(owner.key, **change))
    headers = owner.headers("POST", ORDERS, b"{}", at_ns=NOW_NS)
    assert world.refusal(headers) == (403, "FORBIDDEN", "CROSSBOOK-KEY", text)
    forged = headers | {"CROSSBOOK-SIGNATURE": "00" * 32}
    assert world.refusal(forged)[:2] == (401, "UNAUTHENTICATED")


def test_a_key_expires_by_the_time_of_the_exchange() -> None:
    owner = hmac_owner(expires_ns=NOW_NS + 1)
    world = World(owner)
    assert world.send(owner.headers("POST", ORDERS, b"{}", at_ns=NOW_NS)) == 7
    world.exchange_ns += 1
    headers = owner.headers("POST", ORDERS, b"{}", at_ns=NOW_NS + 1)
    assert world.refusal(headers)[:2] == (403, "FORBIDDEN")


def test_public_data_needs_no_key_and_no_signature_is_checked() -> None:
    world = World(hmac_owner())
    ticker: dict[str, Any] = {"method": "GET", "target": "/api/v1/ticker/BTC-USDT", "body": b""}
    assert world.send({}, **ticker) == NOBODY
    assert world.send({"CROSSBOOK-KEY": "", "CROSSBOOK-SIGNATURE": "x"}, **ticker) == NOBODY


def test_metrics_are_for_this_machine_and_for_administrators() -> None:
    owner = hmac_owner(scopes=Scope.ADMIN, account=0)
    world = World(owner)
    metrics: dict[str, Any] = {"method": "GET", "target": "/metrics", "body": b""}
    assert world.send({}, peer="127.0.0.1", **metrics) == NOBODY
    assert world.refusal({}, **metrics)[:2] == (401, "UNAUTHENTICATED")
    assert world.send(owner.headers("GET", "/metrics", at_ns=NOW_NS), **metrics) == 0


def test_a_refusal_shows_no_secret_and_no_signature() -> None:
    owner = hmac_owner()
    world = World(owner)
    headers = owner.headers("POST", ORDERS, b"{}", at_ns=NOW_NS)
    signature = headers["CROSSBOOK-SIGNATURE"]
    texts = [
        str(world.refusal(headers, body=b"")),
        str(world.refusal(headers, account=8)),
        repr(owner.key),
    ]
    for text in texts:
        assert signature not in text
        assert owner.key.material.decode() not in text


def test_a_header_given_twice_is_refused() -> None:
    owner = hmac_owner()
    world = World(owner)
    scope: dict[str, Any] = {
        "method": "GET",
        "path": ORDERS,
        "raw_path": ORDERS.encode(),
        "query_string": b"",
        "headers": [(b"crossbook-key", b"alice-1")] * 2,
        "client": None,
    }
    with pytest.raises(Problem, match="given twice"):
        world.access.claim(scope, None)


def test_the_account_of_a_key_is_read_before_the_signature_is_checked() -> None:
    access = World(hmac_owner()).access
    assert access.named([(b"crossbook-key", b" alice-1 ")], 9) == 7
    assert access.named([(b"crossbook-key", b"bob")], 9) == NOBODY
    assert access.named([], 9) == NOBODY
