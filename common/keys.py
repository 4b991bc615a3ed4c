"""API keys: the proof of who sends a request, what it may do, and for which account.

The matcher of shard 0 numbers and journals every change of a key, and every gateway follows them.
A key of scheme `HMAC_SHA256` holds a secret that its owner shares with the venue. A key of another
scheme holds a public key only.
"""

import re
from collections.abc import Iterable, Iterator
from enum import IntEnum, IntFlag
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from crossbook.common.times import DAY_NS, time_text
from crossbook.common.types import MAX_ACCOUNT, MAX_INT

KEY_ID_MAX: Final = 32
"""Longest id of a key, in characters: letters, digits, `-` and `_`."""

LABEL_MAX: Final = 40
"""Longest label, in characters."""

ADDRESSES_MAX: Final = 16
"""Most networks in the address list of a key."""

KEYS_MAX: Final = 10_000
"""Most keys of a venue."""

KEYS_PER_ACCOUNT_MAX: Final = 20
"""Most keys of one account."""

KEYS_WITHOUT_ACCOUNT_MAX: Final = 200
"""Most keys that have no account: those of administrators."""

OVERLAP_MAX_NS: Final = 30 * DAY_NS
"""Longest time that the material before a rotation still counts."""

SECRET_MIN: Final = 32
"""Shortest HMAC secret, in characters."""

RESERVED_IDS: Final = ("local", "faults")
"""Administrators without a key, as the journal names them: a process that uses the matcher's own
socket, and the fault rules."""

_DRAWN: Final = re.compile(r"k-[0-9a-f]{16}", re.ASCII)
_KEY_ID_CHARACTERS: Final = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
)


class Scope(IntFlag):
    """What a key may do. No scope includes another."""

    READ = 1
    """Orders, fills and balances of its account."""
    TRADE = 2
    """Orders, amends and cancels of its account."""
    ADMIN = 4
    """Acts on the venue: instruments, fees, deposits, keys."""


class KeyScheme(IntEnum):
    """How a key proves its owner, and so what its material is."""

    HMAC_SHA256 = 1
    """The shared secret, as the printable ASCII text that its owner was given."""
    ED25519 = 2
    """The public key, 32 bytes."""
    RSA = 3
    """The public key as DER SubjectPublicKeyInfo."""
    CURVE = 4
    """The public key of ZeroMQ's CURVE, 32 bytes."""


MATERIAL_SIZES: Final = {
    KeyScheme.HMAC_SHA256: (SECRET_MIN, 128),
    KeyScheme.ED25519: (32, 32),
    KeyScheme.RSA: (290, 1_024),
    KeyScheme.CURVE: (32, 32),
}
"""Least and most bytes of material. 290 are those of an RSA key of 2,048 bits less a few."""


class Key(Struct, array_like=True, frozen=True):
    """An API key. `account` is zero only for a key of scope `ADMIN` alone.

    `addresses` are IP networks; an empty list permits every address. `expires_ns` zero means never.
    After a rotation with an overlap the `previous` material counts too, until `previous_until_ns`.

    >>> secret = b"ae3f" * 16
    >>> key = Key("alice-1", KeyScheme.HMAC_SHA256, secret, Scope.READ, 7, ("10.0.0.0/8",))
    >>> key.refusal(Scope.READ, "10.1.2.3", 0) is None
    True
    >>> key.refusal(Scope.READ, "192.0.2.1", 0)
    'key alice-1 may not be used from 192.0.2.1'
    >>> repr(key).count("ae3f")
    0
    """

    key_id: str
    scheme: KeyScheme
    material: bytes
    scopes: Scope
    account: int
    addresses: tuple[str, ...] = ()
    expires_ns: int = 0
    enabled: bool = True
    label: str = ""
    created_ns: int = 0
    previous: bytes = b""
    previous_until_ns: int = 0

    def __repr__(self) -> str:
        return (
            f"Key(key_id={self.key_id!r}, scheme={self.scheme!r}, scopes={self.scopes!r}, "
            f"account={self.account}, addresses={self.addresses!r}, "
            f"expires_ns={self.expires_ns}, enabled={self.enabled}, label={self.label!r}, "
            f"created_ns={self.created_ns})"
        )

    def materials(self, now_ns: int) -> tuple[bytes, ...]:
        """Every material that proves the owner at `now_ns`: the present one, and during the
        overlap of a rotation the previous one."""
        if self.previous and now_ns < self.previous_until_ns:
            return (self.material, self.previous)
        return (self.material,)

    def refusal(self, scope: Scope, address: str, now_ns: int) -> str | None:
        """Why the key may not be used for `scope` from `address` at `now_ns`; None where it may.

        An `address` that is no IP address (a socket of ipc) is in no network.
        """
        if not self.enabled:
            return f"key {self.key_id} is disabled"
        if self.expires_ns and now_ns >= self.expires_ns:
            return f"key {self.key_id} expired at {time_text(self.expires_ns)}"
        if self.addresses and not _is_within(address, self.addresses):
            return f"key {self.key_id} may not be used from {address or 'a local socket'}"
        if missing := scope & ~self.scopes:
            return f"key {self.key_id} has scope {scope_text(self.scopes)}, not {missing.name}"
        return None


def add_by_public(by_public: dict[bytes, Key], key: Key) -> None:
    """Enter a key of scheme `CURVE` under its public keys; a key of another scheme has none.

    A public key belongs to one key at a time: where it is the previous one of a rotation, it gives
    way to the key that has it at present.
    """
    if key.scheme == KeyScheme.CURVE:
        if key.previous:
            by_public.setdefault(key.previous, key)
        by_public[key.material] = key


def without_secret(key: Key) -> Key:
    """The key as it may be shown: the material of a shared secret is left out."""
    if key.scheme == KeyScheme.HMAC_SHA256:
        return replace(key, material=b"", previous=b"")
    return key


def key_facts(key: Key) -> dict[str, Any]:
    """A key as JSON shows it, without a secret: times in ISO 8601, a public key as hexadecimal
    digits, the present one first.

    >>> facts = key_facts(Key("k", KeyScheme.CURVE, b"p" * 32, Scope.TRADE, 7))
    >>> facts["scheme"], facts["scopes"], facts["expires"], facts["public_keys"][0][:4]
    ('curve', 'trade', None, '7070')
    """
    is_secret = key.scheme == KeyScheme.HMAC_SHA256
    public_keys = [] if is_secret else [each.hex() for each in (key.material, key.previous) if each]
    return {
        "key_id": key.key_id,
        "scheme": key.scheme.name.lower(),
        "scopes": scope_text(key.scopes),
        "account": key.account,
        "addresses": list(key.addresses),
        "expires": time_text(key.expires_ns) if key.expires_ns else None,
        "enabled": key.enabled,
        "label": key.label,
        "created": time_text(key.created_ns) if key.created_ns else None,
        "overlap_until": time_text(key.previous_until_ns) if key.previous_until_ns else None,
        "public_keys": public_keys,
    }


def scope_text(scopes: Scope) -> str:
    """The names of scopes in small letters, with commas.

    >>> scope_text(Scope.READ | Scope.TRADE)
    'read,trade'
    """
    return ",".join((each.name or "").lower() for each in Scope if each in scopes)


def parse_scopes(names: Iterable[str]) -> Scope:
    """The scopes of these names; raises `ValueError` for another name or none at all.

    >>> parse_scopes(["read", "trade"]) == Scope.READ | Scope.TRADE
    True
    """
    found = Scope(0)
    for name in names:
        try:
            found |= Scope[name.upper()]
        except KeyError:
            known = ", ".join(each.name.lower() for each in Scope if each.name)
            raise ValueError(f"{name!r} is no scope; the scopes are {known}") from None
    if not found:
        raise ValueError("a key needs at least one scope")
    return found


def parse_network(text: str) -> str:
    """The plain form of an IP address or network; raises `ValueError`.

    >>> parse_network("192.0.2.7"), parse_network("2001:DB8::/32")
    ('192.0.2.7/32', '2001:db8::/32')
    """
    return str(_network(text))


def is_drawn(key_id: str) -> bool:
    """Whether an id has 64 random bits, as those of keys that are made without one: nobody guesses
    it. An id that somebody chose is no secret.

    >>> is_drawn("k-0123456789abcdef"), is_drawn("alice-1")
    (True, False)
    """
    return _DRAWN.fullmatch(key_id) is not None


def key_faults(key: Key) -> Iterator[tuple[str, str]]:
    """Each field of a key that breaks a rule, and why, in the order of the fields.

    >>> key = Key("k", KeyScheme.ED25519, bytes(31), Scope.ADMIN, 0, label="x" * 41)
    >>> for field, why in key_faults(key):
    ...     print(field, why)
    material has 31 bytes, not 32
    label has 41 characters, at most 40 are taken
    """
    if not 0 < len(key.key_id) <= KEY_ID_MAX or not _KEY_ID_CHARACTERS.issuperset(key.key_id):
        yield "key_id", f"{key.key_id[:80]!r} is not 1 to {KEY_ID_MAX} letters, digits, - and _"
    elif key.key_id in RESERVED_IDS:
        yield "key_id", f"{key.key_id!r} names administrators without a key"
    if fault := material_fault(key.scheme, key.material):
        yield "material", fault
    if not 0 < int(key.scopes) < 2 * Scope.ADMIN:
        yield "scopes", f"{int(key.scopes)} is no set of scopes"
    elif not 0 <= key.account <= MAX_ACCOUNT:
        yield "account", f"{key.account} is not within 0 to {MAX_ACCOUNT}"
    elif not key.account and key.scopes != Scope.ADMIN:
        yield "account", f"a key of scope {scope_text(key.scopes)} needs an account"
    if len(key.addresses) > ADDRESSES_MAX:
        yield "addresses", f"has {len(key.addresses)} networks, at most {ADDRESSES_MAX} are taken"
    else:
        for text in key.addresses:
            if not _is_plain(text):
                yield "addresses", f"{text[:80]!r} is no IP network in its plain form"
                break
    if not 0 <= key.expires_ns <= MAX_INT:
        yield "expires", f"{key.expires_ns} is no time"
    if len(key.label) > LABEL_MAX:
        yield "label", f"has {len(key.label)} characters, at most {LABEL_MAX} are taken"
    elif not key.label.isprintable():
        yield "label", f"{key.label!r} has characters that cannot be printed"


def material_fault(scheme: KeyScheme, material: bytes) -> str:
    """Why the material cannot be that of the scheme; the empty text where it can."""
    least, most = MATERIAL_SIZES[scheme]
    if not least <= len(material) <= most:
        sizes = f"{least} to {most}" if least < most else f"{least}"
        return f"has {len(material)} bytes, not {sizes}"
    if scheme == KeyScheme.HMAC_SHA256 and not all(0x21 <= byte <= 0x7E for byte in material):
        return "is not printable ASCII without spaces"
    return ""


def _is_plain(text: str) -> bool:
    try:
        return parse_network(text) == text
    except ValueError:
        return False


def _network(text: str) -> IPv4Network | IPv6Network:
    if "%" in text:
        raise ValueError(f"{text!r} names an interface; give an IP address or network")
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no IP address or network: {error}") from None


@lru_cache(maxsize=4_096)
def _is_within(address: str, addresses: tuple[str, ...]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in _network(text) for text in addresses)
