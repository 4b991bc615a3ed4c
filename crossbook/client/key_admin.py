"""The administrator's acts on API keys."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from crossbook.client.key_material import (
    NewMaterial,
    new_key_id,
    new_material,
    public_material,
)
from crossbook.common.keys import (
    Key,
    KeyScheme,
    Scope,
    parse_network,
    parse_scopes,
    without_secret,
)
from crossbook.common.messages.commands import (
    CreateKey,
    DeleteKey,
    KeyAct,
    RotateKey,
    SetKeyEnabled,
)
from crossbook.common.messages.events import Event, KeyChanged
from crossbook.common.times import duration_ns, parse_time, time_ns_of

Expiry = str | datetime | timedelta | None
"""When a key expires: a time in ISO 8601, or a duration from now such as `90d`. None: never."""

NEVER: Final = "never"


class NewKey(Struct, frozen=True):
    """A key that was made, without its secret, and the one text that is never shown again: the
    secret of HMAC-SHA256 or the private key. `secret` is empty where a public key was given."""

    key: Key
    secret: str

    def __repr__(self) -> str:
        return f"NewKey(key={self.key!r})"


class KeyAdmin:
    """Creates, lists, disables, enables, rotates and deletes API keys, through an `AdminClient`.

        with AdminClient("ipc://data/admin.sock") as admin:
            made = admin.api_keys.create(account=7, scopes=("read", "trade"), expires="90d")
            print(made.key.key_id, made.secret)

    Every gateway follows a change within a moment. Every method raises `ActRefused` when the
    matcher refuses, and `ValueError` for text that is none. `OutcomeUnknown` means that no answer
    came: `list` shows what is so.
    """

    def __init__(
        self,
        act: Callable[[KeyAct], Event],
        list_keys: Callable[[], list[Key]],
        now_ns: Callable[[], int],
    ) -> None:
        self._act = act
        self._list = list_keys
        self._now_ns = now_ns

    def create(
        self,
        account: int = 0,
        *,
        scopes: Iterable[str] | Scope = Scope.READ | Scope.TRADE,
        scheme: KeyScheme = KeyScheme.HMAC_SHA256,
        public: str | None = None,
        key_id: str | None = None,
        label: str = "",
        addresses: Iterable[str] = (),
        expires: Expiry = None,
        enabled: bool = True,
    ) -> NewKey:
        """A new key for an account; without one a key of scope admin alone.

        `public` is a public key (text, or the name of its file): the exchange then never has a
        secret. Without it a secret or a pair is made here; of a pair only the public key is sent.
        `addresses` are IP addresses and networks that the key may be used from.
        """
        made = _material(scheme, public)
        key = Key(
            new_key_id() if key_id is None else key_id,
            scheme,
            made.material,
            scopes if isinstance(scopes, Scope) else parse_scopes(scopes),
            account,
            tuple(parse_network(each) for each in addresses),
            self._expires_ns(expires),
            enabled,
            label,
        )
        return NewKey(self._changed(CreateKey(0, 0, account, 0, key)), made.secret)

    def list(self) -> list[Key]:
        """Every key by id, without secrets."""
        return self._list()

    def disable(self, key_id: str) -> Key:
        """Let a key no longer be used."""
        return self._changed(SetKeyEnabled(0, 0, 0, 0, key_id, False))

    def enable(self, key_id: str) -> Key:
        """Let a disabled key be used again."""
        return self._changed(SetKeyEnabled(0, 0, 0, 0, key_id, True))

    def rotate(
        self,
        key_id: str,
        *,
        overlap: str | timedelta = "0s",
        public: str | None = None,
        expires: Expiry = None,
    ) -> NewKey:
        """Give a key a new secret or pair under the same id, as `create` makes it.

        The present one counts for `overlap` more. `expires` is a new expiry, `never` removes it,
        and None leaves it.
        """
        found = next((key for key in self.list() if key.key_id == key_id), None)
        # Without the key the matcher refuses whatever it gets.
        scheme = KeyScheme.HMAC_SHA256 if found is None else found.scheme
        made = _material(scheme, public)
        expires_ns = -1 if expires is None else self._expires_ns(expires)
        act = RotateKey(0, 0, 0, 0, key_id, made.material, duration_ns(overlap), expires_ns)
        return NewKey(self._changed(act), made.secret)

    def delete(self, key_id: str) -> None:
        """Remove a key."""
        self._act(DeleteKey(0, 0, 0, 0, key_id))

    def _changed(self, act: CreateKey | SetKeyEnabled | RotateKey) -> Key:
        event = self._act(act)
        assert isinstance(event, KeyChanged), event
        return without_secret(event.key)

    def _expires_ns(self, expires: Expiry) -> int:
        if expires is None or expires == NEVER:
            return 0
        if isinstance(expires, datetime):
            return time_ns_of(expires)
        if isinstance(expires, str) and "-" in expires:
            return parse_time(expires)
        return self._now_ns() + duration_ns(expires)


def _material(scheme: KeyScheme, public: str | None) -> NewMaterial:
    return new_material(scheme) if public is None else public_material(scheme, public)
