"""The latest payloads of one topic, held for consumers that missed some."""

from collections import deque
from itertools import islice

Frames = tuple[bytes, bytes, bytes]
"""A feed message as sent: topic, its sequence number, payload."""


class FeedResendBuffer:
    """One topic of the feed: its numbering, and a bounded ring of its latest payloads.

    `base` is the number before the first message. Both limits drop the oldest payloads; the
    latest one is always held.

    >>> topic = FeedResendBuffer("l2.BTC-USDT|", base=100, count_max=2, bytes_max=1_000)
    >>> [topic.append(payload)[1][-1] for payload in (b"a", b"b", b"c")]
    [101, 102, 103]
    >>> topic.first_seq, topic.last_seq, topic.since(102, 103, 1_000)
    (102, 103, [b'b', b'c'])
    """

    def __init__(self, name: str, base: int, count_max: int, bytes_max: int) -> None:
        self.name = name
        self.last_seq = base
        self._base = base
        self._frame = name.encode()
        self._payloads: deque[bytes] = deque()
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._bytes = 0

    @property
    def sent(self) -> int:
        """Messages sent on this topic."""
        return self.last_seq - self._base

    @property
    def first_seq(self) -> int:
        """The oldest number still held; one past the last where none is."""
        return self.last_seq - len(self._payloads) + 1

    def append(self, payload: bytes) -> Frames:
        """Number `payload`, keep it, and return the frames to send. O(1)."""
        payloads = self._payloads
        payloads.append(payload)
        self._bytes += len(payload)
        while len(payloads) > self._count_max or (
            self._bytes > self._bytes_max and len(payloads) > 1
        ):
            self._bytes -= len(payloads.popleft())
        self.last_seq = seq = self.last_seq + 1
        return (self._frame, seq.to_bytes(8, "big"), payload)

    def amend_last(self, payload: bytes) -> None:
        """Keep `payload` in place of the latest one. O(1)."""
        self._bytes += len(payload) - len(self._payloads[-1])
        self._payloads[-1] = payload

    def since(self, from_seq: int, to_seq: int, bytes_max: int) -> list[bytes] | None:
        """Payloads `from_seq`..`to_seq`, cut at the last one sent and at `bytes_max`.

        At least one is returned, or None when `from_seq` is not held. O(count held).
        """
        first_seq = self.first_seq
        if not first_seq <= from_seq <= self.last_seq:
            return None
        found: list[bytes] = []
        size = 0
        for payload in islice(self._payloads, from_seq - first_seq, to_seq - first_seq + 1):
            size += len(payload)
            if found and size > bytes_max:
                break
            found.append(payload)
        return found
