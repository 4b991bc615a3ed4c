"""Access of administrators to the matcher's socket for them, by the keys of its state. No I/O.

Only the matcher of shard 0 has keys. Over a network the socket of another shard admits processes of
the exchange alone.
"""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from crossbook.common.keys import Key, Scope, add_by_public
from crossbook.common.messages.admin import AdminAct, AdminRefused, AdminRequest
from crossbook.common.peer_admission import EXCHANGE, key_of_user


class AdminAccess:
    """Who may act through a socket with keys. `keys` returns those of the matcher's state by id."""

    def __init__(self, keys: Callable[[], Mapping[str, Key]], now_ns: Callable[[], int]) -> None:
        self._keys = keys
        self._now_ns = now_ns

    def find(self, public: bytes) -> Key | None:
        """The key of this public key, present or previous; for another thread. O(keys)."""
        by_public: dict[bytes, Key] = {}
        # A list is made at once, so that no key is added meanwhile.
        for key in list(self._keys().values()):
            add_by_public(by_public, key)
        return by_public.get(public)

    def checked(self, user: str, request: AdminRequest) -> AdminRequest | AdminRefused:
        """The request with the administrator whose connection sent it, or its refusal: a key that
        was disabled keeps its connection. Processes of the exchange act for those they name."""
        if user == EXCHANGE:
            return request
        key = key_of_user(user, self._keys().get, Scope.ADMIN, self._now_ns())
        if isinstance(key, str):
            return AdminRefused(request.request_id, "key", key)
        if isinstance(request, AdminAct):
            return replace(request, requested_by=key.key_id)
        return request
