"""The event batches sent last, kept in memory for consumers that missed some."""

from bisect import bisect_right


class EventResendBuffer:
    """Encoded event batches in sequence order, bounded by their total size.

    >>> resend_buffer = EventResendBuffer(max_bytes=10)
    >>> resend_buffer.append(1, 3, b"first")
    >>> resend_buffer.append(4, 4, b"second")
    >>> resend_buffer.first_seq, resend_buffer.since(4, 100)
    (4, [b'second'])
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._first_seqs: list[int] = []
        self._payloads: list[bytes] = []
        # Entries before this index are dropped; they leave the lists half a list at a time, so
        # that dropping costs O(1) a batch.
        self._start = 0
        self.last_seq = 0

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._bytes

    @property
    def first_seq(self) -> int:
        """The first sequence number still held; one past the last where nothing is."""
        if self._start == len(self._first_seqs):
            return self.last_seq + 1
        return self._first_seqs[self._start]

    def append(self, first_seq: int, last_seq: int, payload: bytes) -> None:
        """Keep one batch, dropping the oldest ones over the size limit."""
        self._first_seqs.append(first_seq)
        self._payloads.append(payload)
        self.last_seq = last_seq
        self._bytes += len(payload)
        while self._bytes > self._max_bytes:
            self._bytes -= len(self._payloads[self._start])
            self._payloads[self._start] = b""
            self._start += 1
        if self._start * 2 > len(self._payloads) and self._start > 1_000:
            del self._first_seqs[: self._start]
            del self._payloads[: self._start]
            self._start = 0

    def since(self, from_seq: int, max_bytes: int, to_seq: int | None = None) -> list[bytes] | None:
        """Batches from the one holding `from_seq` to the one holding `to_seq`, the last one without
        it, up to `max_bytes` but at least two: a consumer that requests its last number again, as
        the recorder does, needs the next one.

        None when that one is no longer held or was never sent. O(log batches + result).
        """
        if not self.first_seq <= from_seq <= self.last_seq:
            return None
        index = bisect_right(self._first_seqs, from_seq) - 1
        end = index + 100_000
        if to_seq is not None:
            end = max(index + 1, min(end, bisect_right(self._first_seqs, to_seq)))
        found: list[bytes] = []
        size = 0
        for payload in self._payloads[index:end]:
            size += len(payload)
            if len(found) > 1 and size > max_bytes:
                break
            found.append(payload)
        return found
