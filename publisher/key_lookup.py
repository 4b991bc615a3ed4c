"""The API keys of the venue, requested from the matcher when a handshake needs them.

For a process that decides handshakes of clients and follows no keys: a publisher with a keyed
feed.
"""

from typing import Any, Final

import zmq

from crossbook.common.errors import BAD_BYTES
from crossbook.common.keys import Key, add_by_public
from crossbook.common.messages.codec import decode_matcher_reply, encode
from crossbook.common.messages.matcher_queries import KeyPage, KeysRequest
from crossbook.common.process import sockets
from crossbook.common.process.clock import Clock
from crossbook.common.process.keyring import Keyring
from crossbook.common.process.log import logger

AGE_NS: Final = 1_000_000_000
"""Oldest keys that a handshake is decided by, while the matcher can be reached."""

ANSWER_MS: Final = 300
"""How long one page of keys is waited for."""


class KeyLookup:
    """Keys of scheme `CURVE` by public key, at most `AGE_NS` old.

    `address` is that of the queries of the matcher of shard 0. While that matcher cannot be reached
    no key can change, and the keys of before count. For use by the thread that decides handshakes.
    """

    def __init__(self, context: Any, address: str, keyring: Keyring, clock: Clock) -> None:
        self._context = context
        self._address = address
        self._keyring = keyring
        self._clock = clock
        self._socket: zmq.Socket[bytes] | None = None
        self._by_public: dict[bytes, Key] = {}
        self._was_loaded = False
        self._due_ns = 0
        self._request_id = 0

    def find_curve(self, public: bytes) -> Key | None:
        """The key with this public key, present or previous, as of the last `is_loaded`."""
        return self._by_public.get(public)

    def is_loaded(self) -> bool:
        """Whether there are keys to decide by; requests them where those are old. Waits up to
        `ANSWER_MS` a page."""
        now_ns = self._clock.monotonic_ns()
        if now_ns >= self._due_ns:
            try:
                self._load()
            except BAD_BYTES as error:
                logger().error("malformed_matcher_reply", reason=str(error))
            self._due_ns = self._clock.monotonic_ns() + (AGE_NS if self._was_loaded else 0)
        return self._was_loaded

    def _load(self) -> None:
        """Replace the keys by those of the matcher, where it sends all of one state."""
        found: dict[bytes, Key] = {}
        changed_seq, after_key_id = -1, ""
        while True:
            page = self._page(after_key_id)
            if page is None or changed_seq not in (-1, page.changed_seq):
                return
            changed_seq = page.changed_seq
            for key in page.keys:
                add_by_public(found, key)
            if not page.more or not page.keys:
                break
            after_key_id = page.keys[-1].key_id
        self._by_public = found
        self._was_loaded = True

    def _page(self, after_key_id: str) -> KeyPage | None:
        """One page of keys; None where the matcher does not answer."""
        if self._socket is None:
            self._socket = sockets.matcher_queries_dealer(
                self._context, self._address, self._keyring
            )
        self._request_id += 1
        if not self._socket.poll(ANSWER_MS, zmq.POLLOUT):
            return None
        self._socket.send(encode(KeysRequest(self._request_id, after_key_id)))
        while self._socket.poll(ANSWER_MS):
            reply = decode_matcher_reply(self._socket.recv())
            if isinstance(reply, KeyPage) and reply.request_id == self._request_id:
                return reply
        return None
