"""The messages to the clients of `bench.websocket_crowd`: frames, messages and books.

Most bytes are the same for all clients, so each different piece of them is taken apart once, and
each different message is decoded and applied once, to a copy of the book at its `prev_seq`.
"""

from binascii import crc32
from itertools import pairwise
from operator import itemgetter
from typing import Any, Final

import msgspec

BOOKS_KEPT: Final = 2_000
"""Books, by their seq, against which messages can be checked."""

PIECES_KEPT: Final = 8_000
"""Pieces and messages that are kept before all of them are dropped at once."""

_FINAL: Final = 0x80
_MASKED: Final = 0x80
_TEXT: Final = 1

Fact = tuple[str, int, int, int]
"""Type, seq, prev_seq and ts of a message; control frames have types of their own."""

_CONTROL: Final[dict[int, Fact]] = {8: ("close", 0, 0, 0), 9: ("ping", 0, 0, 0)}


class Piece:
    """Whole frames, and their meaning for a client.

    Those that are `plain` are a chain of `updates` updates from `prev_seq` to `seq`, and best
    prices: a client has nothing to do for them.
    """

    __slots__ = ("facts", "plain", "prev_seq", "seq", "updates")

    def __init__(self, facts: tuple[Fact, ...]) -> None:
        self.facts = facts
        chain = [fact for fact in facts if fact[0] == "l2_update"]
        self.updates = len(chain)
        self.prev_seq, self.seq = (chain[0][2], chain[-1][1]) if chain else (0, 0)
        self.plain = all(fact[0] in ("l2_update", "bbo") for fact in facts) and all(
            before[1] == fact[2] for before, fact in pairwise(chain)
        )


class BooksSeen:
    """Decodes each different message once and checks it against the books known."""

    def __init__(self) -> None:
        self.wrong = 0
        self.unchecked = 0
        self._facts: dict[bytes, Fact] = {}
        self._books: dict[int, tuple[dict[str, str], dict[str, str]]] = {}
        self._pieces: dict[bytes, Piece] = {}
        self._last = (b"", Piece(()))

    def piece(self, data: bytes) -> tuple[Piece, bytes]:
        """The whole frames that bytes begin with, and the bytes after them. Raises `ValueError`
        for bytes that are no frame of this server."""
        last, piece = self._last
        # Comparing is a fifth of the hash, and nearly all clients are sent the same.
        if data == last:
            return piece, b""
        known = self._pieces.get(data)
        if known is None:
            messages, rest = frames(data)
            known = Piece(tuple(self._of_frame(opcode, payload) for opcode, payload in messages))
            if rest:
                return known, rest
            if len(self._pieces) >= PIECES_KEPT:
                self._pieces.clear()
            self._pieces[data] = known
        self._last = (data, known)
        return known, b""

    def fact(self, payload: bytes) -> Fact:
        """The facts of a message that a client needs."""
        fact = self._facts.get(payload)
        if fact is None:
            if len(self._facts) >= PIECES_KEPT:
                self._facts.clear()
            message = msgspec.json.decode(payload)
            fact = (
                message["type"], message.get("seq", 0),
                message.get("prev_seq", 0), message.get("ts", 0),
            )  # fmt: skip
            self._facts[payload] = fact
            if fact[0] in ("snapshot", "l2_update"):
                self._check(message)
        return fact

    def _of_frame(self, opcode: int, payload: bytes) -> Fact:
        if opcode == _TEXT:
            return self.fact(payload)
        if opcode not in _CONTROL:
            raise ValueError(f"a frame with opcode {opcode}")
        return _CONTROL[opcode]

    def _check(self, message: dict[str, Any]) -> None:
        seq = message["seq"]
        bids: dict[str, str] = {}
        asks: dict[str, str] = {}
        if message["type"] == "l2_update":
            known = self._books.get(message["prev_seq"])
            if known is None:
                self.unchecked += 1
                return
            bids, asks = dict(known[0]), dict(known[1])
        for book, changes in ((bids, message["bids"]), (asks, message["asks"])):
            for price, quantity in changes:
                if quantity == "0":
                    book.pop(price, None)
                else:
                    book[price] = quantity
        if checksum(bids, asks) != message["checksum"] or self._books.get(seq, (bids, asks)) != (
            bids,
            asks,
        ):
            self.wrong += 1
        self._books[seq] = (bids, asks)
        if len(self._books) > BOOKS_KEPT:
            del self._books[next(iter(self._books))]


def frames(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Opcode and payload of the whole frames, and the bytes after them. Raises `ValueError` for
    one that is masked or in pieces.

    >>> frames(b"\\x81\\x02hi\\x89\\x00\\x81\\x05wor")
    ([(1, b'hi'), (9, b'')], b'\\x81\\x05wor')
    """
    found, at = [], 0
    while len(data) - at >= 2:
        head, size = data[at], data[at + 1]
        if not head & _FINAL or size & _MASKED:
            raise ValueError(f"a frame that begins with {data[at : at + 2].hex()}")
        begin = at + 2
        if size >= 126:
            # Where part of the length is missing, so is the payload.
            size_bytes = 2 if size == 126 else 8
            size = int.from_bytes(data[begin : begin + size_bytes], "big")
            begin += size_bytes
        if begin + size > len(data):
            break
        at = begin + size
        found.append((head & 0x7F, data[begin:at]))
    return found, data[at:]


def checksum(bids: dict[str, str], asks: dict[str, str]) -> int:
    """Kraken's checksum of the top ten levels a side."""

    def top(book: dict[str, str], reverse: bool) -> list[tuple[int, str, str]]:
        keyed = [(int(price.replace(".", "")), price, lots) for price, lots in book.items()]
        return sorted(keyed, key=itemgetter(0), reverse=reverse)[:10]

    text = "".join(
        price.replace(".", "").lstrip("0") + quantity.replace(".", "").lstrip("0")
        for _, price, quantity in top(asks, False) + top(bids, True)
    )
    return crc32(text.encode())
