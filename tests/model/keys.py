"""The API keys of the obvious matcher: one plain list, searched for every act."""

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

from msgspec.structs import replace

from crossbook.common.keys import Key
from crossbook.common.messages.commands import CreateKey, DeleteKey, RotateKey, SetKeyEnabled
from crossbook.common.messages.events import KeyChanged, KeyDeleted
from crossbook.common.types import RejectReason
from tests.model.market import Market
from tests.model.orders import Refusal

DAY_NS = 86_400 * 10**9
HMAC, RSA, CURVE = 1, 3, 4
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Keys:
    """Every key, in the order of creation."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.all: list[Key] = []
        self.acts: dict[type, Callable[[Any, int], Refusal | None]] = {
            CreateKey: self.create,
            SetKeyEnabled: self.enable,
            RotateKey: self.rotate,
            DeleteKey: self.delete,
        }

    def _named(self, key_id: str) -> Key | None:
        return next((key for key in self.all if key.key_id == key_id), None)

    def _put(self, command: CreateKey | SetKeyEnabled | RotateKey, key: Key) -> None:
        self.all = [key if each.key_id == key.key_id else each for each in self.all]
        if key not in self.all:
            self.all.append(key)
        self.market.events.append(
            KeyChanged(self.market.seq, command.gateway, command.request_seq, key)
        )

    def _has_public_key(self, scheme: int, material: bytes, but: str) -> bool:
        return scheme == CURVE and any(
            material in (key.material, key.previous)
            for key in self.all
            if key.scheme == CURVE and key.key_id != but
        )

    def create(self, command: CreateKey, time_ns: int) -> Refusal | None:
        """Create a key whose id and material no other key has."""
        key = replace(command.key, created_ns=time_ns, previous=b"", previous_until_ns=0)
        if field := self._wrong_field(key):
            return RejectReason.MALFORMED, field
        if command.account != key.account:
            return RejectReason.MALFORMED, "account"
        if self._named(key.key_id) is not None:
            return RejectReason.DUPLICATE_KEY, "key_id"
        if len(self.all) >= 10_000:
            return RejectReason.EXCEEDS_LIMIT, "key_id"
        owned = [each for each in self.all if each.account == key.account]
        if len(owned) >= (20 if key.account else 200):
            return RejectReason.EXCEEDS_LIMIT, "account"
        if 0 < key.expires_ns <= time_ns:
            return RejectReason.TOO_LATE, "expires"
        if self._has_public_key(key.scheme, key.material, key.key_id):
            return RejectReason.DUPLICATE_KEY, "material"
        self._put(command, key)
        return None

    @staticmethod
    def _wrong_material(scheme: int, material: bytes) -> bool:
        if scheme == HMAC:
            printable = all(33 <= byte < 127 for byte in material)
            return not 32 <= len(material) <= 128 or not printable
        if scheme == RSA:
            return not 290 <= len(material) <= 1_024
        return len(material) != 32

    def _wrong_field(self, key: Key) -> str:
        allowed = LETTERS + LETTERS.upper() + "0123456789-_"
        if key.key_id in ("local", "faults") or key.key_id.strip(allowed):
            return "key_id"
        if not 1 <= len(key.key_id) <= 32:
            return "key_id"
        if self._wrong_material(key.scheme, key.material):
            return "material"
        if int(key.scopes) not in range(1, 8):
            return "scopes"
        if key.account < 0 or key.account >= 2**31 or (not key.account and int(key.scopes) != 4):
            return "account"
        if len(key.addresses) > 16 or any(not self._is_network(each) for each in key.addresses):
            return "addresses"
        if not 0 <= key.expires_ns < 2**63:
            return "expires"
        return "label" if len(key.label) > 40 or not key.label.isprintable() else ""

    @staticmethod
    def _is_network(text: str) -> bool:
        try:
            return str(ip_network(text)) == text and "%" not in text
        except ValueError:
            return False

    def enable(self, command: SetKeyEnabled, _: int) -> Refusal | None:
        """Enable or disable a key."""
        key = self._named(command.key_id)
        if key is None:
            return RejectReason.UNKNOWN_KEY, "key_id"
        self._put(command, replace(key, enabled=command.enabled))
        return None

    def rotate(self, command: RotateKey, time_ns: int) -> Refusal | None:
        """Replace the material of a key; the present one may stay valid for a time."""
        key, material = self._named(command.key_id), command.material
        if key is None:
            return RejectReason.UNKNOWN_KEY, "key_id"
        if self._wrong_material(key.scheme, material) or material == key.material:
            return RejectReason.MALFORMED, "material"
        if not 0 <= command.overlap_ns <= 30 * DAY_NS:
            return RejectReason.EXCEEDS_LIMIT, "overlap"
        expires_ns = key.expires_ns if command.expires_ns < 0 else command.expires_ns
        if expires_ns >= 2**63:
            return RejectReason.EXCEEDS_LIMIT, "expires"
        if 0 < expires_ns <= time_ns:
            return RejectReason.TOO_LATE, "expires"
        if self._has_public_key(key.scheme, material, key.key_id):
            return RejectReason.DUPLICATE_KEY, "material"
        rotated = replace(
            key, material=material, expires_ns=expires_ns, previous=b"", previous_until_ns=0
        )
        if command.overlap_ns:
            until_ns = time_ns + command.overlap_ns
            rotated = replace(rotated, previous=key.material, previous_until_ns=until_ns)
        self._put(command, rotated)
        return None

    def delete(self, command: DeleteKey, _: int) -> Refusal | None:
        """Delete a key."""
        key = self._named(command.key_id)
        if key is None:
            return RejectReason.UNKNOWN_KEY, "key_id"
        self.all.remove(key)
        self.market.events.append(
            KeyDeleted(self.market.seq, command.gateway, command.request_seq, command.key_id)
        )
        return None
