"""Signed requests: kinds of keys, clock rules, refusals in their order."""

import hmac
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from crossbook.common.keys import Key, KeyScheme, Scope
from crossbook.gateway.auth.access import AnyAccount
from crossbook.gateway.auth.opened_accounts import OpenedAccounts
from crossbook.gateway.binance.parameters import Parameters, payload_of, values_of
from crossbook.gateway.binance.problem import Refusal
from crossbook.gateway.binance.signing import AHEAD, OUTSIDE, DemoKeys, SignedAccess
from crossbook.gateway.keys.key_table import KeyTable

NOW_MS = 1_761_482_096_789
NOW_NS = NOW_MS * 1_000_000
SECRET = b"NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
BOTH = Scope.READ | Scope.TRADE


def table(*keys: Key) -> KeyTable:
    """The keys of an exchange."""
    found = KeyTable()
    for key in keys:
        found.put(key)
    return found


def access(keys: Any = None, now_ns: int = NOW_NS, **more: Any) -> SignedAccess:
    """The check, at a time."""
    return SignedAccess(
        DemoKeys() if keys is None else keys, lambda: now_ns, lambda: now_ns, **more
    )


def account(
    checked: SignedAccess, key: str, query: bytes, body: bytes = b"", scope: Scope = Scope.TRADE
) -> int:
    """The account of a request."""
    asked = Parameters(values_of(query, body))
    return checked.account(key, scope, "192.0.2.7", asked, payload_of(query, body))


def refusal(read: Callable[[], Any]) -> tuple[int, int, str]:
    """Status, code and text of a refusal."""
    with pytest.raises(Refusal) as refused:
        read()
    return refused.value.status, refused.value.code, refused.value.msg


def signed(text: str, secret: bytes = b"demo-secret-7") -> bytes:
    """A query with its HMAC signature."""
    return f"{text}&signature={hmac.new(secret, text.encode(), sha256).hexdigest()}".encode()


STAMPED = f"symbol=BTCUSDT&timestamp={NOW_MS}"


def test_the_documented_example_has_the_documented_signature() -> None:
    # Source: "SIGNED Endpoint Examples for POST /api/v3/order", HMAC keys.
    key = Key("vmPUZE6", KeyScheme.HMAC_SHA256, SECRET, BOTH, 7)
    text = (
        b"symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
        b"&timestamp=1499827319559"
    )
    shown = b"c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
    checked = access(table(key), 1499827319559 * 1_000_000)
    for signature in (shown, shown.upper()):
        assert account(checked, "vmPUZE6", text + b"&signature=" + signature) == 7
        assert account(checked, "vmPUZE6", b"", text + b"&signature=" + signature) == 7
    head, _, tail = text.partition(b"&quantity")
    whole = hmac.new(SECRET, head + b"quantity" + tail, sha256).hexdigest().encode()
    assert account(checked, "vmPUZE6", head, b"quantity" + tail + b"&signature=" + whole) == 7


def test_ed25519_and_rsa_keys_sign_in_base64() -> None:
    own, other = ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)
    public = other.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    keys = table(
        Key("ed", KeyScheme.ED25519, own.public_key().public_bytes_raw(), BOTH, 5),
        Key("rsa", KeyScheme.RSA, public, BOTH, 6),
    )
    text = STAMPED.encode()
    proofs = {
        "ed": own.sign(text),
        "rsa": other.sign(text, padding.PKCS1v15(), SHA256()),
    }
    found = {}
    for key, proof in proofs.items():
        encoded = b64encode(proof).replace(b"+", b"%2B").replace(b"=", b"%3D").replace(b"/", b"%2F")
        found[key] = account(access(keys), key, text + b"&signature=" + encoded)
    crossed = text + b"&signature=" + b64encode(proofs["ed"][::-1]).replace(b"+", b"%2B")
    assert refusal(lambda: account(access(keys), "ed", crossed))[:2] == (400, -1022)
    assert refusal(lambda: account(access(keys), "rsa", crossed))[:2] == (400, -1022)
    assert found == {"ed": 5, "rsa": 6}


def test_a_demo_key_acts_for_the_account_of_its_number() -> None:
    assert account(access(), "demo-7", signed(STAMPED)) == 7
    assert refusal(lambda: account(access(), "demo-8", signed(STAMPED))) == (
        400, -1022, "Signature for this request is not valid.",
    )  # fmt: skip


@pytest.mark.parametrize("key", ["demo-0", "demo-07", "demo-2147483648", "demo-x", "somebody"])
def test_a_key_that_does_not_exist_is_refused(key: str) -> None:
    assert refusal(lambda: account(access(), key, signed(STAMPED))) == (
        401, -2015, "Invalid API-key, IP, or permissions for action.",
    )  # fmt: skip


@pytest.mark.parametrize("key", ["", "no key", "é", "k" * 65])
def test_a_text_that_can_be_no_key_is_refused_as_one(key: str) -> None:
    assert refusal(lambda: account(access(), key, signed(STAMPED))) == (
        401, -2014, "API-key format invalid.",
    )  # fmt: skip


def test_keys_that_have_not_arrived_are_no_refusal_for_good() -> None:
    keys = table()
    keys.is_loaded = False
    assert refusal(lambda: account(access(keys), "desk", signed(STAMPED)))[:2] == (503, -1008)


@pytest.mark.parametrize(
    ("key", "scope"),
    [
        (Key("k", KeyScheme.HMAC_SHA256, SECRET, Scope.READ, 7), Scope.TRADE),
        (Key("k", KeyScheme.HMAC_SHA256, SECRET, BOTH, 7, enabled=False), Scope.READ),
        (Key("k", KeyScheme.HMAC_SHA256, SECRET, BOTH, 7, ("10.0.0.0/8",)), Scope.READ),
        (Key("k", KeyScheme.HMAC_SHA256, SECRET, BOTH, 7, expires_ns=NOW_NS), Scope.READ),
        (Key("k", KeyScheme.HMAC_SHA256, SECRET, Scope.ADMIN, 0), Scope.ADMIN),
    ],
)
def test_a_key_that_may_not_be_used_for_this_is_refused(key: Key, scope: Scope) -> None:
    query = signed(STAMPED, SECRET)
    refused = refusal(lambda: account(access(table(key)), "k", query, scope=scope))
    assert refused[:2] == (401, -2015)
    # Its state is shown to nobody but its owner.
    wrong = signed(STAMPED)
    assert refusal(lambda: account(access(table(key)), "k", wrong, scope=scope))[1] == -1022


def test_a_request_may_be_repeated_inside_its_window() -> None:
    checked = access()
    assert [account(checked, "demo-7", signed(STAMPED)) for _ in range(2)] == [7, 7]


@pytest.mark.parametrize(
    ("offset_us", "window", "fault"),
    [
        (0, None, ""),
        (999_999, None, ""),
        (1_000_000, None, AHEAD),
        (-5_000_000, None, ""),
        (-5_000_001, None, OUTSIDE),
        (-10_000_000, "10000", ""),
        (-60_000_000, "60000", ""),
        (-60_000_001, "60000.000", OUTSIDE),
        (-1_001, "1", OUTSIDE),
        (-6_000_346, "6000.346", ""),
        (-6_000_347, "6000.346", OUTSIDE),
        (-6_000_500, "6000.5", ""),
        (-1, "0", OUTSIDE),
        (0, "0", ""),
    ],
)
def test_a_timestamp_is_compared_with_the_clock_of_the_exchange(
    offset_us: int, window: str | None, fault: str
) -> None:
    more = "" if window is None else f"&recvWindow={window}"
    query = signed(f"timestamp={NOW_MS * 1_000 + offset_us}{more}")
    if not fault:
        assert account(access(), "demo-7", query) == 7
    else:
        assert refusal(lambda: account(access(), "demo-7", query)) == (400, -1021, fault)


def test_milliseconds_are_compared_as_such() -> None:
    assert account(access(), "demo-7", signed(f"timestamp={NOW_MS + 999}")) == 7
    late = signed(f"timestamp={NOW_MS + 1000}")
    assert refusal(lambda: account(access(), "demo-7", late))[2] == AHEAD
    early = signed(f"timestamp={NOW_MS - 5001}")
    assert refusal(lambda: account(access(), "demo-7", early))[2] == OUTSIDE


def test_the_two_texts_are_those_that_clients_look_for() -> None:
    assert AHEAD == "Timestamp for this request was 1000ms ahead of the server's time."
    assert OUTSIDE == "Timestamp for this request is outside of the recvWindow."


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("symbol=BTCUSDT", -1102),
        ("timestamp=now", -1100),
        ("timestamp=", -1105),
        (f"timestamp={NOW_MS}&recvWindow=60000.001", -1102),
        (f"timestamp={NOW_MS}&recvWindow=60001", -1102),
        (f"timestamp={NOW_MS}&recvWindow=1.2345", -1100),
        (f"timestamp={NOW_MS}&recvWindow=-1", -1100),
        (f"timestamp={NOW_MS}&recvWindow=", -1105),
    ],
)
def test_a_timestamp_that_is_none_is_refused(text: str, code: int) -> None:
    assert refusal(lambda: account(access(), "demo-7", signed(text)))[1] == code


def test_a_request_without_a_signature_is_refused() -> None:
    refused = refusal(lambda: account(access(), "demo-7", STAMPED.encode()))
    assert refused[1:] == (
        -1102, "Mandatory parameter 'signature' was not sent, was empty/null, or malformed.",
    )  # fmt: skip


def test_where_the_exchange_stands_still_a_client_may_go_by_either_clock() -> None:
    still = access(None, NOW_NS - 10**15, wall_ns=lambda: NOW_NS)
    assert account(still, "demo-7", signed(STAMPED)) == 7
    assert account(still, "demo-7", signed(f"timestamp={NOW_MS - 10**9}")) == 7
    assert refusal(lambda: account(still, "demo-7", signed(f"timestamp={NOW_MS - 10**8}")))[1] == (
        -1021
    )


def test_an_address_may_act_for_so_many_accounts_only() -> None:
    opened = AnyAccount(1, OpenedAccounts(most=1))
    checked = access(admit=opened.check)
    assert account(checked, "demo-7", signed(STAMPED)) == 7
    query = signed(STAMPED, b"demo-secret-8")
    assert account(checked, "demo-8", query, scope=Scope.READ) == 8
    refused = refusal(lambda: account(checked, "demo-8", query))
    assert refused[:2] == (400, -1013)
