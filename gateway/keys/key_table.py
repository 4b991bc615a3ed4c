"""The API keys of the venue, as a gateway knows them."""

from collections.abc import Iterable

from crossbook.common.keys import Key, add_by_public


class KeyTable:
    """Keys by id, and those of ZeroMQ's CURVE by their public keys too.

    `version` rises with each change, so that what was derived from the keys can be made again.
    `is_loaded` is false until the matcher's keys have arrived: a key that is not found may exist.

    >>> from crossbook.common.keys import KeyScheme, Scope
    >>> table = KeyTable()
    >>> table.put(Key("desk", KeyScheme.CURVE, b"p" * 32, Scope.TRADE, 7))
    >>> table.find_curve(b"p" * 32) is table.find("desk"), table.version
    (True, 1)
    """

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}
        self._curve: dict[bytes, Key] = {}
        self.version = 0
        self.is_loaded = True

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, key_id: str) -> Key | None:
        """The key of this id, usable or not: see `Key.refusal`. O(1)."""
        return self._keys.get(key_id)

    def find_curve(self, public: bytes) -> Key | None:
        """The key of scheme `CURVE` with this public key, present or previous. O(1).

        After a rotation the previous one counts until a time: see `Key.materials`.
        """
        return self._curve.get(public)

    def all(self) -> list[Key]:
        """All keys, in the order of their ids."""
        return [self._keys[key_id] for key_id in sorted(self._keys)]

    def put(self, key: Key) -> None:
        """Add a key, or replace the one of its id."""
        self._forget(key.key_id)
        self._add(key)
        self.version += 1

    def remove(self, key_id: str) -> None:
        """Remove the key of this id, if there is one."""
        if self._forget(key_id):
            self.version += 1

    def replace(self, keys: Iterable[Key]) -> None:
        """Hold these keys and no others; nothing changes where they are those held."""
        wanted = {key.key_id: key for key in keys}
        if wanted == self._keys:
            return
        self._keys.clear()
        self._curve.clear()
        for key in wanted.values():
            self._add(key)
        self.version += 1

    def _add(self, key: Key) -> None:
        self._keys[key.key_id] = key
        add_by_public(self._curve, key)

    def _forget(self, key_id: str) -> bool:
        key = self._keys.pop(key_id, None)
        if key is None:
            return False
        for public in (key.material, key.previous):
            if self._curve.get(public) is key:
                del self._curve[public]
        return True
