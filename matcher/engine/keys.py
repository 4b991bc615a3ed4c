"""API keys: the acts that change them. Each is validated whole before anything changes.

Only shard 0 has keys. No rule here checks a signature: gateways do, with the keys they follow.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from msgspec.structs import replace

from crossbook.common.keys import (
    KEYS_MAX,
    KEYS_PER_ACCOUNT_MAX,
    KEYS_WITHOUT_ACCOUNT_MAX,
    OVERLAP_MAX_NS,
    Key,
    KeyScheme,
    key_faults,
    material_fault,
)
from crossbook.common.messages.commands import CreateKey, DeleteKey, RotateKey, SetKeyEnabled
from crossbook.common.messages.events import Event, KeyChanged, KeyDeleted
from crossbook.common.shards import shard_of
from crossbook.common.types import MAX_INT, RejectReason
from crossbook.matcher.engine.answers import Fault, rejected
from crossbook.matcher.engine.venue import Venue

PAGE_KEYS: Final = 1_000
"""Most keys of one answer to a query: some megabytes at most."""

_OTHER_SHARD: Final[Fault] = (RejectReason.UNSUPPORTED_COMBINATION, "shard")


def create_key(venue: Venue, command: CreateKey, seq: int, time_ns: int) -> list[Event]:
    """Add a key, created at the time of the command. O(keys)."""
    key = replace(command.key, created_ns=time_ns, previous=b"", previous_until_ns=0)
    fault = _creation_fault(venue, command, key, seq)
    if fault is not None:
        return [rejected(command, seq, fault)]
    return _changed(venue, command, key, seq)


def set_key_enabled(venue: Venue, command: SetKeyEnabled, seq: int, _: int) -> list[Event]:
    """Let a key be used, or no longer."""
    key = _find(venue, command.key_id, seq)
    if not isinstance(key, Key):
        return [rejected(command, seq, key)]
    return _changed(venue, command, replace(key, enabled=command.enabled), seq)


def rotate_key(venue: Venue, command: RotateKey, seq: int, time_ns: int) -> list[Event]:
    """Give a key new material; the present one counts until the overlap has passed. O(keys)."""
    key = _find(venue, command.key_id, seq)
    if not isinstance(key, Key):
        return [rejected(command, seq, key)]
    expires_ns = key.expires_ns if command.expires_ns < 0 else command.expires_ns
    fault: Fault | None = None
    if material_fault(key.scheme, command.material) or command.material == key.material:
        fault = (RejectReason.MALFORMED, "material")
    elif not 0 <= command.overlap_ns <= OVERLAP_MAX_NS:
        fault = (RejectReason.EXCEEDS_LIMIT, "overlap")
    else:
        fault = _expiry_fault(expires_ns, time_ns) or _public_key_fault(
            venue, key.scheme, command.material, key.key_id
        )
    if fault is not None:
        return [rejected(command, seq, fault)]
    overlaps = command.overlap_ns > 0
    rotated = replace(
        key,
        material=command.material,
        expires_ns=expires_ns,
        previous=key.material if overlaps else b"",
        previous_until_ns=time_ns + command.overlap_ns if overlaps else 0,
    )
    return _changed(venue, command, rotated, seq)


def delete_key(venue: Venue, command: DeleteKey, seq: int, _: int) -> list[Event]:
    """Remove a key."""
    key = _find(venue, command.key_id, seq)
    if not isinstance(key, Key):
        return [rejected(command, seq, key)]
    del venue.keys[key.key_id]
    venue.keys_seq = seq
    return [KeyDeleted(seq, command.gateway, command.request_seq, key.key_id)]


RULES: Final[dict[type, Callable[[Venue, Any, int, int], list[Event]]]] = {
    CreateKey: create_key,
    SetKeyEnabled: set_key_enabled,
    RotateKey: rotate_key,
    DeleteKey: delete_key,
}


def keys_page(venue: Venue, after_key_id: str) -> tuple[list[Key], bool]:
    """Keys by id behind `after_key_id`, and whether there are more. O(keys)."""
    ids = sorted(key_id for key_id in venue.keys if key_id > after_key_id)
    return [venue.keys[key_id] for key_id in ids[:PAGE_KEYS]], len(ids) > PAGE_KEYS


def _changed(
    venue: Venue, command: CreateKey | SetKeyEnabled | RotateKey, key: Key, seq: int
) -> list[Event]:
    venue.keys[key.key_id] = key
    venue.keys_seq = seq
    return [KeyChanged(seq, command.gateway, command.request_seq, key)]


def _find(venue: Venue, key_id: str, seq: int) -> Key | Fault:
    if shard_of(seq):
        return _OTHER_SHARD
    return venue.keys.get(key_id) or (RejectReason.UNKNOWN_KEY, "key_id")


def _creation_fault(venue: Venue, command: CreateKey, key: Key, seq: int) -> Fault | None:
    if shard_of(seq):
        return _OTHER_SHARD
    for field, _ in key_faults(key):
        return (RejectReason.MALFORMED, field)
    if command.account != key.account:
        return (RejectReason.MALFORMED, "account")
    if key.key_id in venue.keys:
        return (RejectReason.DUPLICATE_KEY, "key_id")
    if len(venue.keys) >= KEYS_MAX:
        return (RejectReason.EXCEEDS_LIMIT, "key_id")
    most = KEYS_PER_ACCOUNT_MAX if key.account else KEYS_WITHOUT_ACCOUNT_MAX
    if sum(each.account == key.account for each in venue.keys.values()) >= most:
        return (RejectReason.EXCEEDS_LIMIT, "account")
    return _expiry_fault(key.expires_ns, key.created_ns) or _public_key_fault(
        venue, key.scheme, key.material, key.key_id
    )


def _expiry_fault(expires_ns: int, time_ns: int) -> Fault | None:
    if expires_ns > MAX_INT:
        return (RejectReason.EXCEEDS_LIMIT, "expires")
    if expires_ns and expires_ns <= time_ns:
        return (RejectReason.TOO_LATE, "expires")
    return None


def _public_key_fault(
    venue: Venue, scheme: KeyScheme, material: bytes, key_id: str
) -> Fault | None:
    """CURVE finds a key by its public key alone, so two keys may not have the same one."""
    if scheme != KeyScheme.CURVE:
        return None
    for other in _curve_keys(venue):
        if other.key_id != key_id and material in (other.material, other.previous):
            return (RejectReason.DUPLICATE_KEY, "material")
    return None


def _curve_keys(venue: Venue) -> Iterator[Key]:
    return (key for key in venue.keys.values() if key.scheme == KeyScheme.CURVE)
