"""Which peers a socket with keys admits, and the user id that ZeroMQ then gives their messages.

The user id names the key of a connection. ZeroMQ sets it from the handler's answer, so that no peer
chooses its own.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from msgspec.structs import replace

from crossbook.common.keys import Key, Scope

EXCHANGE: Final = "*"
"""User id of the exchange's own processes; no key has such an id."""

ADMITTED: Final = b"200"
LATER: Final = b"300"
"""The peer waits, and is decided again."""
REFUSED: Final = b"400"
"""The peer receives the refusal. ZeroMQ does not connect that socket again."""

_TAG_DIGITS: Final = 16

FindKey = Callable[[bytes], Key | None]
"""The key of a public key of CURVE."""


class Verdict(NamedTuple):
    """The answer to a handshake: its ZAP status, the reason of a refusal, and the user id."""

    status: bytes
    reason: str = ""
    user: str = ""


def user_of(key: Key, public: bytes) -> str:
    """The user id of connections that proved `public` of a key: during the rotation of a key there
    are two.

    >>> from crossbook.common.keys import KeyScheme
    >>> user_of(Key("desk", KeyScheme.CURVE, b"p" * 32, Scope.TRADE, 7), b"p" * 32)
    'desk:7070707070707070'
    """
    return f"{key.key_id}:{_tag(public)}"


def key_of_user(
    user: str, find: Callable[[str], Key | None], scope: Scope, now_ns: int
) -> Key | str:
    """The key that connections of a user id act by, or why they may not act for `scope`.

    `find` returns the key of an id. A connection stays when its key was disabled, has expired or
    was rotated.
    """
    key_id, _, tag = user.rpartition(":")
    key = find(key_id)
    if key is None or not any(_tag(public) == tag for public in key.materials(now_ns)):
        return f"key {key_id} is no longer the one of this connection"
    # The address was checked in the handshake, and does not change.
    return replace(key, addresses=()).refusal(scope, "", now_ns) or key


class PeerAdmission:
    """Decides handshakes for the realms `internal`, `orders`, `feed` and `admin`.

    `internal` is the public key of the exchange's own processes, which every realm admits. Until
    `is_loaded` returns true the keys of clients are not known yet, and they wait.
    """

    def __init__(
        self,
        internal: bytes,
        find: FindKey,
        is_loaded: Callable[[], bool],
        now_ns: Callable[[], int],
    ) -> None:
        self._internal = internal
        self._find = find
        self._is_loaded = is_loaded
        self._now_ns = now_ns

    def decide(self, realm: str, public: bytes, address: str) -> Verdict:
        """The answer to a peer that has proved its public key. O(1)."""
        if public == self._internal:
            return Verdict(ADMITTED, user=EXCHANGE)
        if realm == "internal":
            return Verdict(REFUSED, "no key of a process of this exchange")
        if not self._is_loaded():
            return Verdict(LATER, "the keys of clients are not loaded yet")
        key = self._find(public)
        now_ns = self._now_ns()
        if key is None or public not in key.materials(now_ns):
            return Verdict(REFUSED, "unknown key")
        wanted = Scope.ADMIN if realm == "admin" else Scope(0)
        refusal = key.refusal(wanted, address, now_ns)
        if refusal is None and realm == "orders" and not key.account:
            refusal = f"key {key.key_id} has no account"
        if refusal is not None:
            return Verdict(REFUSED, refusal)
        return Verdict(ADMITTED, user=user_of(key, public))


def _tag(public: bytes) -> str:
    return public.hex()[:_TAG_DIGITS]
