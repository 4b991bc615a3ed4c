"""Requests signed with API keys (`AUTH=on`): which key, whether its owner sent the request, and
whether the key may be used for it. No I/O.

A request is refused before its body is read where the head shows why. The state of a key is shown
to nobody but its owner: it is looked at after the signature.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from crossbook.common.keys import Key, Scope
from crossbook.common.signing import (
    KEY_HEADER,
    RECV_WINDOW_HEADER,
    RECV_WINDOW_MAX_MS,
    RECV_WINDOW_MS,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    signed_text,
)
from crossbook.common.types import RejectReason
from crossbook.gateway.api.identity import HEADER as ACCOUNT_HEADER
from crossbook.gateway.auth.access import NOBODY, AccessClaim, Asked, Signed, key_in
from crossbook.gateway.auth.scopes import METRICS_PATH, scope_needed
from crossbook.gateway.auth.seen_requests import SeenRequests
from crossbook.gateway.auth.signatures import is_signed
from crossbook.gateway.keys.key_table import KeyTable
from crossbook.gateway.problem import Problem, malformed, refused
from crossbook.gateway.web.hosts import is_loopback

AHEAD_MS: Final = 1_000
"""How far ahead of the gateway's clock the clock of a client may be."""

_NS_A_MS: Final = 1_000_000
_HEADERS: Final = {
    name.lower().encode(): name
    for name in (KEY_HEADER, TIMESTAMP_HEADER, RECV_WINDOW_HEADER, SIGNATURE_HEADER)
}
_TIMESTAMP: Final = re.compile(r"[1-9](?:[0-9]{12}|[0-9]{15}|[0-9]{18})", re.ASCII)
_WINDOW: Final = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_NS_BY_DIGITS: Final = {13: _NS_A_MS, 16: 1_000, 19: 1}
_DIGEST_SIZE: Final = 16
_SHOWN: Final = 40
_OF_NOBODY: Final = AccessClaim(NOBODY)


class KeyAccess:
    """Requests that are not for public data are signed with a key of `keys`, and act for its
    account.

    `wall_ns` is the time of the machine, which timestamps are compared with; `exchange_ns` is that
    of the exchange, by which keys expire. A request from before `wall_ns()` at the start is
    refused: another life of this gateway may have received it.
    """

    def __init__(
        self,
        keys: KeyTable,
        wall_ns: Callable[[], int],
        exchange_ns: Callable[[], int],
        market_data_is_keyed: bool = False,
    ) -> None:
        self._keys = keys
        self._wall_ns = wall_ns
        self._exchange_ns = exchange_ns
        self._market_data_is_keyed = market_data_is_keyed
        self._began_ns = wall_ns()
        self._seen = SeenRequests()

    def claim(self, scope: Mapping[str, Any], account: int | None) -> AccessClaim:
        """The key that the request names; its signature waits for the body."""
        method, path = scope["method"], scope["path"]
        needed = scope_needed(method, path, self._market_data_is_keyed)
        peer = (scope.get("client") or ("",))[0]
        if needed is None or (path == METRICS_PATH and is_loopback(peer)):
            return _OF_NOBODY
        headers = scope["headers"]
        signed = signed_in(headers)
        if signed is None:
            text = (
                f"this needs an API key: sign the request, with the headers {KEY_HEADER}, "
                f"{TIMESTAMP_HEADER} and {SIGNATURE_HEADER}"
            )
            raise unauthenticated(text, KEY_HEADER)
        self._key(signed)
        self._until_ns(signed)
        query = scope["query_string"]
        target = scope["raw_path"] + b"?" + query if query else scope["raw_path"]
        return AccessClaim(NOBODY, needed, Asked(method, target, headers, peer, account), signed)

    def account(self, claim: AccessClaim, body: bytes) -> int:
        """The account of the key that has signed the request."""
        if claim.asked is None or claim.signed is None:
            return claim.account
        return self.check(claim.asked, claim.signed, claim.scope, body).account

    def check(self, asked: Asked, signed: Signed, scope: Scope, body: bytes) -> Key:
        """The key that has signed a request and may be used for it."""
        key = self._key(signed)
        until_ns = self._until_ns(signed)
        text = signed_text(
            signed.key, signed.timestamp, signed.recv_window, asked.method, asked.target, body
        )
        if not is_signed(key, text, signed.signature, self._exchange_ns()):
            raise unauthenticated(
                f"the signature does not fit key {key.key_id} and this request: "
                "docs/reference/signing.md has the text to sign",
                SIGNATURE_HEADER,
            )
        self.check_key(key, scope, asked.peer)
        digest = hashlib.blake2b(text, digest_size=_DIGEST_SIZE).digest()
        if not self._seen.is_new(key.key_id, digest, until_ns, self._wall_ns()):
            text_of = "this request was received before: give every request a timestamp of its own"
            raise Problem(401, "REPLAYED_REQUEST", text_of, TIMESTAMP_HEADER)
        if scope != Scope.ADMIN and asked.account not in (None, key.account):
            text_of = f"key {key.key_id} acts for account {key.account} and for no other"
            raise Problem(403, "FORBIDDEN", text_of, ACCOUNT_HEADER)
        return key

    def check_key(self, key: Key, scope: Scope, peer: str) -> None:
        """Raise `Problem` unless a key may be used for a scope from an address now."""
        refusal = key.refusal(scope, peer, self._exchange_ns())
        if refusal is not None:
            raise Problem(403, "FORBIDDEN", refusal, KEY_HEADER)

    def present(self, key: Key) -> Key:
        """A key as it is now; raises `Problem` where it is gone."""
        found = self._keys.find(key.key_id)
        if found is None:
            raise unauthenticated(f"key {key.key_id} is no longer there", KEY_HEADER)
        return found

    def named(self, headers: Iterable[tuple[bytes, bytes]], account: int | None) -> int:
        """The account of the key that the request names; `NOBODY` without one."""
        key = self._keys.find(key_in(headers))
        return NOBODY if key is None else key.account

    def _key(self, signed: Signed) -> Key:
        key = self._keys.find(signed.key)
        if key is None and not self._keys.is_loaded:
            raise refused(RejectReason.BUSY, "", "the API keys have not arrived yet: try again")
        if key is None:
            raise unauthenticated(f"there is no key {signed.key[:_SHOWN]!r}", KEY_HEADER)
        return key

    def _until_ns(self, signed: Signed) -> int:
        """When a request ends to be acceptable, ns; raises `Problem` where it has."""
        if _TIMESTAMP.fullmatch(signed.timestamp) is None:
            text = "is not a time since the Unix epoch in ms, us or ns: 13, 16 or 19 digits"
            raise malformed(TIMESTAMP_HEADER, f"{signed.timestamp[:_SHOWN]!r} {text}")
        at_ns = int(signed.timestamp) * _NS_BY_DIGITS[len(signed.timestamp)]
        window_ms = RECV_WINDOW_MS
        if signed.recv_window:
            is_number = _WINDOW.fullmatch(signed.recv_window) is not None
            window_ms = int(signed.recv_window) if is_number else 0
            if not 0 < window_ms <= RECV_WINDOW_MAX_MS:
                text = f"is not a number of milliseconds from 1 to {RECV_WINDOW_MAX_MS}"
                raise malformed(RECV_WINDOW_HEADER, f"{signed.recv_window[:_SHOWN]!r} {text}")
        now_ns = self._wall_ns()
        ahead_ms = (at_ns - now_ns) // _NS_A_MS
        if ahead_ms >= AHEAD_MS:
            raise _stale(f"{ahead_ms} ms ahead of the gateway's clock, at most {AHEAD_MS} are")
        if -ahead_ms > window_ms:
            raise _stale(f"{-ahead_ms} ms behind the gateway's clock, at most {window_ms} are")
        if at_ns < self._began_ns:
            raise _stale("from before this gateway started: sign again; earlier ones are not")
        return at_ns + window_ms * _NS_A_MS


def signed_in(headers: Iterable[tuple[bytes, bytes]]) -> Signed | None:
    """What the headers of a request say about its signature; None where none names a key. Raises
    `Problem` for half a signature, and for a header that is given twice."""
    found: dict[bytes, str] = {}
    for name, value in headers:
        if name in _HEADERS:
            if name in found:
                raise malformed(_HEADERS[name], "given twice")
            found[name] = value.strip(b" \t").decode("latin-1")
    if not found:
        return None
    for name, shown in _HEADERS.items():
        if not found.get(name) and (shown != RECV_WINDOW_HEADER or name in found):
            raise unauthenticated(f"a signed request has the header {shown}", shown)
    key, timestamp, recv_window, signature = (found.get(name, "") for name in _HEADERS)
    return Signed(key, timestamp, signature, recv_window)


def unauthenticated(text: str, field: str | None = None) -> Problem:
    """The problem of a request whose sender is not known."""
    return Problem(401, "UNAUTHENTICATED", text, field)


def _stale(text: str) -> Problem:
    return refused(RejectReason.STALE_REQUEST, TIMESTAMP_HEADER, f"{text} accepted")
