"""What the sockets of a process prove, and what they require of their peers.

A key file that every process of the exchange has is the proof that a process belongs to it: the
sockets between hosts admit its holders alone. Clients have key files of their own.
"""

from enum import StrEnum
from pathlib import Path
from typing import Self

from msgspec import Struct

from crossbook.common.errors import ConfigError
from crossbook.common.process.curve import KeyPair, internal_pair, read_key_file


class Realm(StrEnum):
    """Whom a bound socket admits; its ZAP domain."""

    INTERNAL = "internal"
    """Processes of the exchange."""
    ORDERS = "orders"
    """Clients with a key of an account."""
    FEED = "feed"
    """Anyone, or with a keyed feed any client with a key."""
    ADMIN = "admin"
    """Administrators."""


class Keyring(Struct, frozen=True):
    """The CURVE keys of one process.

    `own` is what it proves where it connects to the exchange of `server_public`. `server` is the
    pair of the exchange, which a process has that binds.
    """

    own: KeyPair
    server_public: bytes
    server: KeyPair | None = None
    has_keyed_feed: bool = True

    @classmethod
    def of_exchange(cls, pair: KeyPair, *, has_keyed_feed: bool) -> Self:
        """The keys of a process of the exchange."""
        return cls(internal_pair(pair), pair.public, pair, has_keyed_feed)

    @classmethod
    def of_client(cls, path: Path, setting: str, *, has_keyed_feed: bool = True) -> Self:
        """The keys of a client's key file; raises `ConfigError` naming the setting."""
        held = read_key_file(path, setting)
        if not held.server:
            raise ConfigError(
                f"{setting}: {path} has no server, the public key of the exchange: crossbook keys "
                "curve-client makes a whole file, and crossbook keys curve-server prints that key"
            )
        return cls(held.pair, held.server, None, has_keyed_feed)

    def covers(self, realm: Realm, address: str) -> bool:
        """Whether a socket uses CURVE. Internal and administrator's sockets at a file need none:
        its mode admits the user of the exchange alone."""
        if realm in (Realm.INTERNAL, Realm.ADMIN):
            return address.startswith("tcp://")
        return realm is Realm.ORDERS or self.has_keyed_feed


def is_covered(keyring: Keyring | None, realm: Realm, address: str) -> bool:
    """Whether a socket of a process that may have no keys uses CURVE."""
    return keyring is not None and keyring.covers(realm, address)
