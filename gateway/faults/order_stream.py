"""Faults of `/ws/orders`: a channel between a connection and its order stream."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

import msgspec
from msgspec import Raw, Struct

from crossbook.common.errors import BAD_BYTES
from crossbook.common.faults.order_entry import ExecutionFacts, RequestFacts
from crossbook.common.faults.table import FaultTable
from crossbook.common.shards import shard_of
from crossbook.gateway.api.order_stream import PATH, Failure
from crossbook.gateway.faults.fate import (
    AnswerFate,
    answer_fate,
    execution_fate,
    request_fate,
)
from crossbook.gateway.faults.kept import keep
from crossbook.gateway.faults.refusal import unknown
from crossbook.gateway.web.channel import Channel, Connection, text_frame

HELD_S: Final = 1.0
"""Longest time that an execution waits for the answer that it comes after."""


class _Params(Struct):
    """The parameters that selectors name; `key` is that of a message that signs in."""

    symbol: str | None = None
    client_order_id: str | None = None
    key: str | None = None


class _Request(Struct):
    """A request of a client, as far as it concerns a rule."""

    id: str
    method: str
    params: Raw = Raw(b"{}")


class _ClientMessage(Struct):
    """A message to a client, as far as it concerns a rule."""

    type: str
    id: str | None = None
    account: int = 0
    symbol: str = ""
    seq: int = 0
    seqs: list[int] | None = None


_request = msgspec.json.Decoder(_Request).decode
_params = msgspec.json.Decoder(_Params).decode
_message = msgspec.json.Decoder(_ClientMessage).decode
_encode = msgspec.json.Encoder().encode


class FaultyOrderStream:
    """The channel `inner`, behind the rules of `table`; `key` opened it, where one did."""

    def __init__(self, inner: Channel, table: FaultTable, key: str = "") -> None:
        self.inner = inner
        self._table = table
        self._key = key
        self._account = 0
        self._began: list[int] = []
        self._waiting: dict[str, RequestFacts] = {}
        self._held: list[bytes] = []
        self._outer: Connection | None = None
        self._between: Connection = cast(Connection, None)

    def opened(self, connection: Connection) -> None:
        """The handshake is done."""
        self._outer = connection
        self._between = cast(Connection, Between(connection, self._send))
        self.inner.opened(self._between)

    def received(self, connection: Connection, text: str) -> None:
        """Apply the faults before a request, and hand it on if it is not ended."""
        try:
            request = _request(text)
            params = _params(request.params)
        except BAD_BYTES:
            self.inner.received(self._between, text)
            return
        symbol, client_order_id = params.symbol or "", params.client_order_id or ""
        # A connection whose key is refused is closed.
        self._key = params.key or self._key
        facts = RequestFacts(
            "websocket",
            self._account,
            PATH,
            request.method,
            symbol,
            client_order_id,
            key=self._key,
        )
        fate = request_fate(self._table, facts)
        if fate.refused is not None:
            refused = fate.refused
            failure = text_frame(_encode(Failure(request.id, refused.status, refused.detail)))
            self._later(fate.delay_s, lambda: self._write(failure))
            return
        if fate.is_closed:
            self._later(fate.delay_s, self._abort)
            return
        keep(self._waiting, request.id, facts)
        self._later(fate.delay_s, lambda: self.inner.received(self._between, text))

    def drained(self, connection: Connection) -> None:
        """The connection was full and has room again."""
        self.inner.drained(self._between)

    def closed(self, connection: Connection) -> None:
        """The connection is gone."""
        self._outer = None
        self.inner.closed(self._between)

    def _send(self, frame: bytes) -> None:
        """Apply the faults of a message from the order stream. Executions from before the welcome
        are sent again on request, and pass."""
        message = _message(payload_of(frame))
        if message.type == "welcome":
            self._account = message.account
            self._began = message.seqs or [message.seq]
        if message.type == "execution" and message.seq > self._began[shard_of(message.seq)]:
            self._send_execution(frame, message)
        elif message.id is not None:
            self._send_answer(frame, message.type == "answer", message.id)
        else:
            self._write(frame)

    def _send_answer(self, frame: bytes, is_done: bool, request_id: str) -> None:
        facts = self._waiting.pop(request_id, None)
        fate = AnswerFate() if facts is None else answer_fate(self._table, facts, is_done)
        if fate.is_unknown and facts is not None:
            failure = Failure(request_id, 504, unknown(facts.client_order_id))
            frame = text_frame(_encode(failure))
        self._later(fate.delay_s, lambda: self._write(*[frame] * fate.count))
        self._release()

    def _send_execution(self, frame: bytes, message: _ClientMessage) -> None:
        facts = ExecutionFacts("websocket", self._account, message.symbol, key=self._key)
        fate = execution_fate(self._table, facts, bool(self._waiting))
        if fate.is_closed:
            self._later(fate.delay_s, self._abort)
        elif fate.is_out_of_order:
            self._held.append(frame)
            self._later(HELD_S, self._release)
        elif fate.is_sent:
            self._later(fate.delay_s, lambda: self._write(frame))

    def _release(self) -> None:
        """Send the executions that wait for an answer."""
        held, self._held = self._held, []
        self._write(*held)

    def _later(self, delay_s: float, call: Callable[[], Any]) -> None:
        """Call at once, or after a delay if the connection is open then."""
        if delay_s <= 0:
            call()
            return

        def act() -> None:
            if self._outer is not None:
                call()

        asyncio.get_running_loop().call_later(delay_s, act)

    def _write(self, *frames: bytes) -> None:
        for frame in frames:
            if self._outer is not None:
                self._outer.send(frame)

    def _abort(self) -> None:
        if self._outer is not None:
            self._outer.abort()


class Between:
    """A connection whose messages go to `send`; everything else is that of `connection`."""

    def __init__(self, connection: Connection, send: Callable[[bytes], None]) -> None:
        self._connection = connection
        self.send = send

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def payload_of(frame: bytes) -> bytes:
    """The text in one frame of `text_frame`.

    >>> payload_of(text_frame(b"hello"))
    b'hello'
    """
    return frame[{126: 4, 127: 10}.get(frame[1], 2) :]
