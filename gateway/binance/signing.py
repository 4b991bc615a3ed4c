"""Signed requests of the Binance-spot face: which key, whether its owner sent the request, and for
which account it acts. No I/O.

The keys are the exchange's own. With `AUTH=off` there are demo keys: the key `demo-7` with the
secret `demo-secret-7` acts for account 7, so that a bot's signatures are checked there too. A
request may be repeated while its timestamp is accepted, as on Binance.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Protocol

from crossbook.common.keys import Key, KeyScheme, Scope, is_drawn
from crossbook.common.signing import RECV_WINDOW_MAX_MS, RECV_WINDOW_MS
from crossbook.common.times import SECOND_NS
from crossbook.common.types import MAX_ACCOUNT
from crossbook.gateway.auth.signatures import is_signed
from crossbook.gateway.binance.parameters import Parameters
from crossbook.gateway.binance.problem import (
    BAD_KEY_FORMAT,
    INVALID_TIMESTAMP,
    MISSING,
    Refusal,
    bad_signature,
    busy,
    illegal,
    missing,
    refusal_of,
    rejected_key,
)
from crossbook.gateway.problem import Problem

KEY_HEADER: Final = b"x-mbx-apikey"
"""The header with the id of a key, in lower case."""

AHEAD_NS: Final = SECOND_NS
"""How far ahead of the exchange's clock the clock of a client may be."""

DEMO_KEY: Final = "demo-"
DEMO_SECRET: Final = "demo-secret-"

AHEAD: Final = "Timestamp for this request was 1000ms ahead of the server's time."
OUTSIDE: Final = "Timestamp for this request is outside of the recvWindow."
WINDOW_RANGE: Final = r"^([0-9]{1,5})(\.[0-9]{1,3})?$"

_DEMO: Final = re.compile(r"demo-([1-9][0-9]{0,9})", re.ASCII)
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_WINDOW: Final = re.compile(r"([0-9]{1,5})(?:\.([0-9]{1,3}))?", re.ASCII)
_US: Final = 1_000
_WINDOW_NS: Final = RECV_WINDOW_MS * 1_000_000
_WINDOW_MAX_US: Final = RECV_WINDOW_MAX_MS * 1_000
_DEMO_KEYS_MAX: Final = 10_000


class KeySource(Protocol):
    """The keys of the exchange: `crossbook.gateway.keys.key_table.KeyTable`, or `DemoKeys`."""

    is_loaded: bool

    def find(self, key_id: str) -> Key | None:
        """The key of this id, usable or not."""


class DemoKeys:
    """A key for every account, with a documented secret.

    >>> DemoKeys().find("demo-7").account, DemoKeys().find("demo-0")
    (7, None)
    """

    is_loaded = True

    def find(self, key_id: str) -> Key | None:
        """The demo key of this id."""
        return _demo_key(key_id)


@lru_cache(_DEMO_KEYS_MAX)
def _demo_key(key_id: str) -> Key | None:
    found = _DEMO.fullmatch(key_id)
    if found is None or int(found[1]) > MAX_ACCOUNT:
        return None
    secret = f"{DEMO_SECRET}{found[1]}".encode()
    scopes = Scope.READ | Scope.TRADE
    return Key(key_id, KeyScheme.HMAC_SHA256, secret, scopes, int(found[1]))


class SignedAccess:
    """Decides for which account a signed request acts; raises `Refusal` where it may not.

    `now_ns` is the clock that clients see by `time`, and timestamps are compared with it. Where
    that clock stands still (`CLOCK=manual`), a timestamp may be that of `wall_ns` as well.
    `exchange_ns` is the time by which keys expire. `admit` raises `Problem` where an address may
    act for no further account. With `ids_are_proof` the id of a key is enough where Binance needs
    no signature; without it only an id that nobody guesses is.
    """

    def __init__(
        self,
        keys: KeySource,
        now_ns: Callable[[], int],
        exchange_ns: Callable[[], int],
        wall_ns: Callable[[], int] | None = None,
        admit: Callable[[str, int], None] | None = None,
        ids_are_proof: bool = False,
    ) -> None:
        self._keys = keys
        self._now_ns = now_ns
        self._exchange_ns = exchange_ns
        self._wall_ns = wall_ns
        self._admit = admit
        self._ids_are_proof = ids_are_proof

    def account(
        self, key_id: str, scope: Scope, peer: str, asked: Parameters, payload: bytes
    ) -> int:
        """The account of the key that has signed `payload`, for a request from the address `peer`.

        A key that does not exist, a timestamp that is not accepted, and a signature of another
        payload are refused in this order; then a key that may not be used for `scope`.
        """
        key = self.key(key_id)
        self.check_time(asked)
        signature = asked.values.get("signature")
        if not signature:
            raise missing("signature")
        if not is_signed(key, payload, signature, self._exchange_ns()):
            raise bad_signature()
        self.check_key(key, scope, peer)
        return key.account

    def holder(
        self, key_id: str, scope: Scope, peer: str, asked: Parameters, payload: bytes
    ) -> int:
        """The account of a key that is named where Binance needs no signature, as for listen keys.

        An id that somebody chose is no secret: its holder signs. A signature is checked where there
        is one.
        """
        is_proof = self._ids_are_proof or (is_drawn(key_id) and "signature" not in asked.values)
        if not is_proof:
            return self.account(key_id, scope, peer, asked, payload)
        key = self.key(key_id)
        self.check_key(key, scope, peer)
        return key.account

    def account_of(self, key_id: str) -> int:
        """The account of the key with this id; zero where there is none."""
        key = self._keys.find(key_id)
        return 0 if key is None else key.account

    def key(self, key_id: str) -> Key:
        """The key of this id."""
        key = self._keys.find(key_id)
        if key is not None:
            return key
        if _KEY.fullmatch(key_id) is None:
            raise Refusal(BAD_KEY_FORMAT, "API-key format invalid.", 401)
        if not self._keys.is_loaded:
            raise busy()
        raise rejected_key()

    def check_key(self, key: Key, scope: Scope, peer: str) -> None:
        """Refuse a key that may not be used for this from an address now."""
        if key.refusal(scope, peer, self._exchange_ns()) is not None or not key.account:
            raise rejected_key()
        if self._admit is not None and scope == Scope.TRADE:
            try:
                self._admit(peer, key.account)
            except Problem as problem:
                raise refusal_of(problem) from None

    def check_time(self, asked: Parameters) -> None:
        """Refuse a request whose parameter `timestamp` is not there, or not accepted now."""
        at_ns = asked.moment_ns("timestamp")
        if at_ns is None:
            raise missing("timestamp")
        window_ns = _window_ns(asked)
        fault = _clock_fault(at_ns, window_ns, self._now_ns())
        if fault and self._wall_ns is not None:
            fault = _clock_fault(at_ns, window_ns, self._wall_ns())
        if fault:
            raise Refusal(INVALID_TIMESTAMP, fault)


def _clock_fault(at_ns: int, window_ns: int, now_ns: int) -> str:
    """Why a timestamp is not accepted; empty where it is. Source: "Timing security" of the Binance
    Spot API documentation."""
    if at_ns >= now_ns + AHEAD_NS:
        return AHEAD
    return OUTSIDE if now_ns - at_ns > window_ns else ""


def _window_ns(asked: Parameters) -> int:
    text = asked.text("recvWindow")
    if text is None:
        return _WINDOW_NS
    found = _WINDOW.fullmatch(text)
    if found is None:
        raise illegal("recvWindow", WINDOW_RANGE)
    window_us = int(found[1]) * 1_000 + int((found[2] or "").ljust(3, "0"))
    if window_us > _WINDOW_MAX_US:
        text = (
            f"'recvWindow' contains unexpected value. Cannot be greater than {RECV_WINDOW_MAX_MS}."
        )
        raise Refusal(MISSING, text)
    return window_us * _US
