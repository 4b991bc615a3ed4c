"""Listen keys: the older way to a user stream, which some clients still go. No I/O.

A key opens the stream of one account to whoever has it. It lives for an hour after it was made or
renewed. This gateway keeps its own keys: a client opens the stream where it got the key.
"""

import secrets
import string
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from crossbook.common.times import SECOND_NS
from crossbook.gateway.binance.problem import INVALID_LISTEN_KEY, Refusal, busy

LIFE_NS: Final = 60 * 60 * SECOND_NS

KEYS_MAX: Final = 10_000
"""Most keys of one gateway."""

LENGTH: Final = 64
"""Characters of a key, of which each has nearly six bits."""

_LETTERS: Final = string.ascii_letters + string.digits


class _Living(Struct):
    """A key that is alive until a time."""

    text: str
    account: int
    until_ns: int


def drawn_key() -> str:
    """A key that nobody can guess."""
    return "".join(secrets.choice(_LETTERS) for _ in range(LENGTH))


class ListenKeys:
    """The listen keys of this gateway, at most one for each account.

    `on_open` is called with a key and its account before the key is given out, `on_end` when it
    expires or is closed.

    >>> keys = ListenKeys(lambda: "k" * 64)
    >>> key = keys.open(7, now_ns=0)
    >>> keys.account(key, now_ns=1), keys.account("other", now_ns=1)
    (7, None)
    """

    def __init__(
        self,
        draw: Callable[[], str] = drawn_key,
        on_end: Callable[[str, int], None] | None = None,
    ) -> None:
        self._draw = draw
        self.on_end = on_end
        self.on_open: Callable[[str, int], Awaitable[None]] | None = None
        self._by_account: dict[int, _Living] = {}
        self._by_text: dict[str, _Living] = {}

    def __len__(self) -> int:
        """The number of living keys."""
        return len(self._by_text)

    def open(self, account: int, now_ns: int) -> str:
        """The key of an account: a new one, or the living one for another hour. Raises `Refusal`
        where there are too many."""
        self.expire(now_ns)
        living = self._by_account.get(account)
        if living is None:
            if len(self._by_text) >= KEYS_MAX:
                raise busy()
            living = _Living(self._draw(), account, 0)
            self._by_account[account] = self._by_text[living.text] = living
        self._renew(living, now_ns)
        return living.text

    def renew(self, text: str, account: int, now_ns: int) -> None:
        """Let a key of the account live for another hour. Raises `Refusal` -1125."""
        self._renew(self._own(text, account, now_ns), now_ns)

    def close(self, text: str, account: int, now_ns: int) -> None:
        """End a key of the account. Raises `Refusal` -1125."""
        self._end(self._own(text, account, now_ns))

    def account(self, text: str, now_ns: int) -> int | None:
        """The account of a living key; None for any other text."""
        self.expire(now_ns)
        living = self._by_text.get(text)
        return None if living is None else living.account

    def living(self) -> list[tuple[str, int]]:
        """Each key with its account; the first one ends next."""
        return [(living.text, living.account) for living in self._by_text.values()]

    def end(self, text: str) -> None:
        """End a living key before its hour is over."""
        self._end(self._by_text[text])

    def expire(self, now_ns: int) -> None:
        """End the keys whose hour is over. O(keys that end)."""
        while self._by_text:
            first = next(iter(self._by_text.values()))
            if first.until_ns > now_ns:
                return
            self._end(first)

    def _own(self, text: str, account: int, now_ns: int) -> _Living:
        self.expire(now_ns)
        living = self._by_text.get(text)
        if living is None or living.account != account:
            raise Refusal(INVALID_LISTEN_KEY, "This listenKey does not exist.")
        return living

    def _renew(self, living: _Living, now_ns: int) -> None:
        living.until_ns = now_ns + LIFE_NS
        # Last in the order of entry: the first key is the one that ends next.
        self._by_text[living.text] = self._by_text.pop(living.text)

    def _end(self, living: _Living) -> None:
        del self._by_text[living.text], self._by_account[living.account]
        if self.on_end is not None:
            self.on_end(living.text, living.account)
