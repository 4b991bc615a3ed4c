"""The signed requests of each key that a gateway has received, while a copy could be accepted.

A copy has the timestamp and the `recv_window` of the original, so both end to be acceptable at the
same moment, and the original is forgotten then.
"""

from typing import Final

from crossbook.common.times import SECOND_NS

SEEN_MAX: Final = 100_000
"""Most requests of one key that are remembered, some 10 MB."""


class _SeenOfKey:
    """The requests of one key, by the second in which they end to be acceptable. `floor_s`: those
    of this second and earlier ones are no longer remembered, and none is accepted."""

    __slots__ = ("by_second", "count", "floor_s")

    def __init__(self) -> None:
        self.by_second: dict[int, set[bytes]] = {}
        self.count = 0
        self.floor_s = 0

    def forget(self, second: int) -> None:
        """Forget the requests of a second."""
        self.count -= len(self.by_second.pop(second))


class SeenRequests:
    """Tells a request that was received before from a new one; bounded for each key.

    A key with more than `most` requests that are still acceptable loses its oldest ones, and
    requests as old as those are refused from then on: memory is never traded for a replay.

    >>> seen = SeenRequests()
    >>> [seen.is_new("alice-1", b"digest", 5_000_000_000, now_ns=0) for _ in range(2)]
    [True, False]
    """

    def __init__(self, most: int = SEEN_MAX) -> None:
        self._most = most
        self._keys: dict[str, _SeenOfKey] = {}
        self._swept_s = 0

    def __len__(self) -> int:
        return sum(each.count for each in self._keys.values())

    def is_new(self, key_id: str, digest: bytes, until_ns: int, now_ns: int) -> bool:
        """Remember a request, by a digest of what was signed, that is acceptable until `until_ns`.
        False where it was received before, and where too much was received since to know. O(1),
        and O(keys) once a second."""
        now_s = now_ns // SECOND_NS
        if now_s != self._swept_s:
            self._sweep(now_s)
        seen = self._keys.get(key_id)
        if seen is None:
            seen = self._keys[key_id] = _SeenOfKey()
        second = until_ns // SECOND_NS
        if second <= seen.floor_s:
            return False
        digests = seen.by_second.setdefault(second, set())
        if digest in digests:
            return False
        digests.add(digest)
        seen.count += 1
        if seen.count > self._most:
            seen.floor_s = min(seen.by_second)
            seen.forget(seen.floor_s)
        return True

    def _sweep(self, now_s: int) -> None:
        """Forget what no copy can follow any more."""
        self._swept_s = now_s
        for key_id, seen in list(self._keys.items()):
            for second in [each for each in seen.by_second if each < now_s]:
                seen.forget(second)
            if not seen.by_second and seen.floor_s < now_s:
                del self._keys[key_id]
