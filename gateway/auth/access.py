"""Who acts through HTTP and WebSockets: anybody for any account (`AUTH=off`), or the owner of an
API key for the account of that key (`AUTH=on`, `crossbook.gateway.auth.key_access`). No I/O.

Every request passes one `Access`: `claim` while its body is unread, `account` with the body. The
difference is made where a gateway is composed; no request looks at the setting.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from msgspec import Struct

from crossbook.common.keys import Scope
from crossbook.common.signing import KEY_HEADER
from crossbook.common.types import RejectReason
from crossbook.gateway.auth.opened_accounts import OpenedAccounts
from crossbook.gateway.auth.scopes import READING
from crossbook.gateway.problem import refused

_KEY_HEADER: Final = KEY_HEADER.lower().encode()

NOBODY: Final = 0
"""The account of a request for public data. No account has this number."""


def key_in(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The key that the headers of a request name; empty where they name none.

    >>> key_in([(b"host", b"127.0.0.1"), (b"crossbook-key", b"desk-1")])
    'desk-1'
    """
    found = next((value for name, value in headers if name == _KEY_HEADER), b"")
    return found.strip(b" \t").decode("latin-1")


class Asked(Struct, frozen=True):
    """The head of a request or handshake, as far as it decides who may send it.

    `target` is path and query as sent, names of `headers` are in lower case, `peer` is the client's
    IP address, `account` is the one that the request names.
    """

    method: str
    target: bytes
    headers: Iterable[tuple[bytes, bytes]]
    peer: str
    account: int | None


class Signed(Struct, frozen=True):
    """What a client sends with a signed request: values of headers, or of a sign-in message."""

    key: str
    timestamp: str
    signature: str
    recv_window: str = ""


class AccessClaim(Struct, frozen=True):
    """A request whose body is still to come. `account` holds where nothing is `signed`."""

    account: int
    scope: Scope = Scope(0)
    asked: Asked | None = None
    signed: Signed | None = None


class Access(Protocol):
    """Decides for which account a request acts; raises `Problem` where it may not."""

    def claim(self, scope: Mapping[str, Any], account: int | None) -> AccessClaim:
        """What the head of an HTTP request claims, which names this account. `scope` is ASGI's. A
        request that cannot be admitted is refused here, before its body is read."""

    def account(self, claim: AccessClaim, body: bytes) -> int:
        """The account, once the body is there."""

    def named(self, headers: Iterable[tuple[bytes, bytes]], account: int | None) -> int:
        """The account of a request that names this one, before anything is checked."""


class AnyAccount:
    """Whoever reaches the gateway acts for the account that a request names, and for `default`
    where it names none. `opened` bounds the accounts of an address, by what `owner_of` returns for
    it."""

    def __init__(
        self,
        default: int,
        opened: OpenedAccounts | None = None,
        owner_of: Callable[[str], str] = str,
    ) -> None:
        self._default = AccessClaim(default)
        self._opened = opened
        self._owner_of = owner_of

    def claim(self, scope: Mapping[str, Any], account: int | None) -> AccessClaim:
        """The account that the request names. Raises `Problem` for a request that may open it, of
        an address with too many."""
        if account is None:
            return self._default
        if self._opened is not None and scope["method"] not in READING:
            self.check((scope.get("client") or ("",))[0], account)
        return AccessClaim(account)

    def check(self, peer: str, account: int) -> None:
        """Raise `Problem` where a client may act for no further account."""
        opened = self._opened
        if opened is not None and not opened.admits(self._owner_of(peer), account):
            raise refused(RejectReason.EXCEEDS_LIMIT, "account", opened.text)

    def account(self, claim: AccessClaim, body: bytes) -> int:
        """The same."""
        return claim.account

    def named(self, headers: Iterable[tuple[bytes, bytes]], account: int | None) -> int:
        """The same."""
        return self._default.account if account is None else account
