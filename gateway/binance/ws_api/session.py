"""Who a connection of the WebSocket API acts for.

A request may be signed by a key of its own. After `session.logon` the key of the session stands for
the key and the signature that a request does not have.
"""

from typing import Any

from crossbook.common.keys import Scope
from crossbook.gateway.auth.access import NOBODY
from crossbook.gateway.binance.parameters import Parameters
from crossbook.gateway.binance.problem import missing, rejected_key
from crossbook.gateway.binance.routes import Route, Security
from crossbook.gateway.binance.signing import SignedAccess

_SIGNATURE = "signature"
_KEY = "apiKey"


class ApiSession:
    """The key that a connection from the address `peer` has logged on with; empty without one."""

    def __init__(self, access: SignedAccess, signed: set[Security], peer: str) -> None:
        self._access = access
        self._signed = signed
        self._peer = peer
        self.key_id = ""
        self.since_ns = 0

    def log_on(self, asked: Parameters, payload: bytes, now_ns: int) -> None:
        """Take the key of a signed request; raises `Refusal`."""
        key_id = asked.needed(_KEY)
        self._access.account(key_id, Scope.READ, self._peer, asked, payload)
        self.key_id, self.since_ns = key_id, now_ns

    def log_out(self) -> None:
        """Act for nobody again."""
        self.key_id, self.since_ns = "", 0

    def account(self, route: Route, asked: Parameters, payload: bytes) -> int:
        """The account that a request acts for; raises `Refusal`."""
        if route.security in self._signed:
            return self.signed(route.scope, asked, payload)
        if route.security != Security.KEY:
            return NOBODY
        key_id = asked.values.get(_KEY) or self.key_id
        if self.key_id and key_id == self.key_id:
            return self._of_key(key_id, route.scope)
        return self._access.holder(key_id, route.scope, self._peer, asked, payload)

    def signed(self, scope: Scope, asked: Parameters, payload: bytes) -> int:
        """The account of a request that its signature or the session stands for; raises
        `Refusal`."""
        values = asked.values
        if (
            self.key_id
            and _SIGNATURE not in values
            and values.get(_KEY, self.key_id) == self.key_id
        ):
            if "timestamp" in values:
                self._access.check_time(asked)
            return self._of_key(self.key_id, scope)
        if not values.get(_KEY):
            raise missing(_KEY)
        return self._access.account(values[_KEY], scope, self._peer, asked, payload)

    def own(self) -> int:
        """The account of the session; raises `Refusal` before a logon."""
        if not self.key_id:
            raise rejected_key()
        return self._of_key(self.key_id, Scope.READ)

    def check(self, key_id: str) -> None:
        """Raise `Refusal` where a key may be used no longer."""
        self._of_key(key_id, Scope.READ)

    def status(self, asked: Parameters, connected_ns: int, now_ns: int) -> dict[str, Any]:
        """The document of the session."""
        return {
            "apiKey": self.key_id or None,
            "authorizedSince": asked.time(self.since_ns) if self.key_id else None,
            "connectedSince": asked.time(connected_ns),
            "serverTime": asked.time(now_ns),
        }

    def _of_key(self, key_id: str, scope: Scope) -> int:
        key = self._access.key(key_id)
        self._access.check_key(key, scope, self._peer)
        return key.account
