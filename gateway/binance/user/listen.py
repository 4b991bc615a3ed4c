"""User streams by listen keys: a key is the name of a stream beside those of the market.

Whoever names a living key at `/ws/<key>`, at `/stream?streams=<key>` or in a SUBSCRIBE receives the
events of its account, until the key ends. The account is followed while the key lives, so that
nothing is missing after the handshake.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from crossbook.gateway.binance.listen_keys import ListenKeys
from crossbook.gateway.binance.problem import Refusal
from crossbook.gateway.binance.streams.client import StreamClient
from crossbook.gateway.binance.streams.message import in_form, unit_of
from crossbook.gateway.binance.user.events import UserEvent, listen_key_expired
from crossbook.gateway.binance.user.streams import UserStreams
from crossbook.gateway.web.channel import TRY_AGAIN_LATER, text_frame

TOO_SLOW: Final = "too slow: connect again"


class _Listener:
    """A client of one key."""

    __slots__ = ("account", "client", "key", "key_id")

    def __init__(self, client: StreamClient, key: str, account: int) -> None:
        self.client = client
        self.key = key
        self.account = account
        # The text of a listen key is a secret, and names no key of the account.
        self.key_id = ""

    def send_events(self, events: Iterable[UserEvent]) -> None:
        """Send what has happened, in the client's form."""
        client = self.client
        unit_ns = unit_of(client.form)
        for event in events:
            if client.full:
                client.lose(TOO_SLOW)
                return
            document = in_form(self.key, event.payload(unit_ns), client.form)
            client.send(text_frame(document))

    def lose(self, reason: str) -> None:
        """Close the connection: events are missing."""
        self.client.lose(reason)


class ListenStreams:
    """The clients of all listen keys. `now_ns` is the exchange's time, by which keys end."""

    def __init__(self, keys: ListenKeys, streams: UserStreams, now_ns: Callable[[], int]) -> None:
        self._keys = keys
        self._streams = streams
        self._now_ns = now_ns
        self._listeners: dict[str, dict[StreamClient, _Listener]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        keys.on_open, keys.on_end = self._hold, self._end

    def __len__(self) -> int:
        """The number of subscriptions to keys."""
        return sum(len(listeners) for listeners in self._listeners.values())

    def subscribe(self, client: StreamClient, name: str) -> None:
        """Send a client the events of a key's account; nothing comes of any other name."""
        account = self._keys.account(name, self._now_ns())
        if account is None:
            return
        listener = _Listener(client, name, account)
        self._listeners.setdefault(name, {})[client] = listener
        if self._streams.join(account, listener):
            return
        task = asyncio.get_running_loop().create_task(self._begin(listener))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def unsubscribe(self, client: StreamClient, name: str) -> None:
        """Send a client nothing more of a key."""
        listeners = self._listeners.get(name, {})
        listener = listeners.pop(client, None)
        if listener is None:
            return
        if not listeners:
            del self._listeners[name]
        self._streams.unsubscribe(listener.account, listener)

    def beat(self) -> None:
        """Let a second pass: keys that have had their hour end."""
        self._keys.expire(self._now_ns())

    async def _hold(self, key: str, account: int) -> None:
        """Follow an account that gets a key. Where that is not possible now, its first client waits
        for it."""
        with suppress(Refusal):
            await self._streams.hold(account)
        if self._keys.account(key, self._now_ns()) is None:
            # It was closed meanwhile.
            self._streams.release(account)

    async def _begin(self, listener: _Listener) -> None:
        try:
            await self._streams.subscribe(listener.account, listener, lambda: None)
        except Refusal as refusal:
            listener.client.close(TRY_AGAIN_LATER, refusal.msg)
            return
        if self._listeners.get(listener.key, {}).get(listener.client) is not listener:
            # It was ended while the account's open orders were read.
            self._streams.unsubscribe(listener.account, listener)

    def _end(self, key: str, account: int) -> None:
        """A key has expired or was closed."""
        event = listen_key_expired(key, self._now_ns())
        for listener in self._listeners.pop(key, {}).values():
            self._streams.unsubscribe(account, listener)
            listener.send_events((event,))
        self._streams.release(account)
