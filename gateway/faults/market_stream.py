"""Faults of one connection to a stream of market data.

Between the stream and its connection: every frame is parted into its messages, and each passes the
rules. Statuses, resyncs and errors are left alone; a heartbeat has a kind of its own.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from crossbook.common.faults.market_data import (
    StreamConnectionFault,
    StreamDelay,
    StreamDisconnect,
    StreamDrop,
    StreamDuplicate,
    StreamFacts,
    StreamFault,
    StreamGap,
    StreamHeartbeatStopped,
    StreamReorder,
    StreamStandstill,
    StreamWrongChecksum,
)
from crossbook.common.faults.table import Due, FaultTable
from crossbook.common.faults.venue import InstrumentRemoved
from crossbook.gateway.faults.order_stream import Between, payload_of
from crossbook.gateway.streams.book import BookStream
from crossbook.gateway.web.channel import GOING_AWAY, Channel, Connection, text_frame

HELD_S: Final = 1.0
"""How long a message waits for the one that is to overtake it."""

LOOK_S: Final = 0.05
"""Wait between two looks for disconnections that are due."""

C = TypeVar("C", bound=StreamConnectionFault)

NATIVE: Final = ("market-data", "trades", "candles", "ticker")
"""The native streams below `/ws/`."""

_DATA: Final = {"snapshot", "l2_update", "bbo", "trade", "candle", "ticker", "state"}
_encode = msgspec.json.Encoder().encode
_values = msgspec.json.Decoder(dict[str, Any]).decode


class LoopTimers(Protocol):
    """The timers of an event loop."""

    def time(self) -> float:
        """Seconds of the loop's clock."""

    def call_later(self, delay: float, callback: Callable[..., Any]) -> Any:
        """Call later; the handle can be cancelled."""


class StreamMessage(Struct):
    """A message of a stream, as far as it concerns a rule."""

    type: str
    seq: int = 0
    trade_id: int = 0
    interval: str = ""


_message = msgspec.json.Decoder(StreamMessage).decode


class FaultyMarketStream:
    """The stream `inner` of `facts`, behind the rules of `table`, for one connection."""

    def __init__(
        self, inner: Channel, facts: StreamFacts, table: FaultTable, loop: Callable[[], LoopTimers]
    ) -> None:
        self.inner = inner
        self._facts = facts
        self._table = table
        self._outer: Connection | None = None
        self._between: Any = None
        self._held: list[bytes] = []
        self._seq = 0
        # Facts of the message that was the first to be held back.
        self._still: StreamFacts | None = None
        self._began_s: dict[int, float] = {}
        self._running_loop = loop
        self._looking: Any = None

    def opened(self, connection: Connection) -> None:
        """The handshake is done."""
        self._loop = self._running_loop()
        self._outer = connection
        self._between = Between(connection, self._send)
        self.inner.opened(self._between)
        self._look()

    def received(self, connection: Connection, text: str) -> None:
        """One whole text message."""
        self.inner.received(self._between, text)

    def drained(self, connection: Connection) -> None:
        """The connection was full and has room again."""
        self.inner.drained(self._between)

    def closed(self, connection: Connection) -> None:
        """The connection is gone."""
        self._outer = None
        if self._looking is not None:
            self._looking.cancel()
        self.inner.closed(self._between)

    def _send(self, frames: bytes) -> None:
        """Apply the faults of whole frames from the stream."""
        for frame in parted(frames):
            message = _message(payload_of(frame))
            if message.type in _DATA:
                facts = StreamFacts(self._facts.stream, self._facts.symbol, message.type)
                self._send_data(frame, facts, message)
            elif message.type == "heartbeat":
                self._send_heartbeat(frame)
            else:
                self._write(frame)

    def _send_data(self, frame: bytes, facts: StreamFacts, message: StreamMessage) -> None:
        delay_s, frames, is_held = 0.0, [frame], False
        for each in self._table.due(StreamFault, facts):
            rule = each.rule
            if isinstance(rule, StreamDelay):
                delay_s += each.draw_delay_s()
            elif isinstance(rule, StreamDuplicate):
                frames += frames[:1]
            elif isinstance(rule, StreamReorder):
                is_held = not self._held
            elif isinstance(rule, StreamWrongChecksum):
                frames = [_with_wrong_checksum(frame)] * len(frames)
            elif isinstance(rule, StreamGap):
                self._send_gap(message)
                return
            elif isinstance(rule, StreamStandstill):
                self._still = self._still or facts
                return
            else:
                assert isinstance(rule, StreamDrop)
                return
        self._still = None
        self._seq = max(self._seq, message.seq)
        if delay_s:
            self._loop.call_later(delay_s, partial(self._write, *frames))
        elif is_held:
            self._held = frames
            self._loop.call_later(HELD_S, self._release)
        else:
            self._write(*frames)
            self._release()

    def _send_heartbeat(self, frame: bytes) -> None:
        for each in self._connection_rules(StreamHeartbeatStopped):
            if self._table.applies(each):
                return
        if self._still is not None and self._table.may_concern(StreamStandstill, self._still):
            frame = text_frame(_encode({**_values(payload_of(frame)), "seq": self._seq}))
        self._write(frame)

    def _connection_rules(self, kind: type[C]) -> Iterator[Due[C]]:
        """The rules of a kind that concern this connection; counts nothing."""
        for each in self._table.in_force(kind):
            if each.rule.concerns(self._facts):
                yield each

    def _send_gap(self, message: StreamMessage) -> None:
        """Send what the stream sends where it has to leave out a message."""
        fields: dict[str, Any] = {"type": "resync", "symbol": self._facts.symbol}
        if message.trade_id:
            fields["from_trade_id"] = message.trade_id + 1
        elif message.interval:
            fields["interval"] = message.interval
        frame = text_frame(_encode(fields))
        if isinstance(self.inner, BookStream):
            book = self.inner.book
            position, snapshot = book.snapshot()
            frame += snapshot + (book.since(position) or b"")
            self._seq = book.seq
        self._write(frame)

    def _look(self) -> None:
        """End the connection where a rule has its time come."""
        self._looking = self._loop.call_later(LOOK_S, self._look)
        if self._outer is not None and self._table.may_concern(InstrumentRemoved, self._facts):
            self._outer.close(GOING_AWAY, "the instrument is gone")
            return
        for each in self._connection_rules(StreamDisconnect):
            began_s = self._began_s.setdefault(each.id, self._loop.time())
            if self._loop.time() - began_s < each.rule.seconds - LOOK_S / 2:
                continue
            self._began_s[each.id] = self._loop.time()
            if self._table.applies(each) and self._outer is not None:
                self._outer.abort()
                return

    def _release(self) -> None:
        """Send the messages that wait for another one."""
        held, self._held = self._held, []
        self._write(*held)

    def _write(self, *frames: bytes) -> None:
        if self._outer is not None:
            for frame in frames:
                self._outer.send(frame)


def parted(frames: bytes) -> Iterator[bytes]:
    """Each frame of several.

    >>> list(parted(text_frame(b"a") + text_frame(b"bc")))
    [b'\\x81\\x01a', b'\\x81\\x02bc']
    """
    at = 0
    while at < len(frames):
        size, head = frames[at + 1], 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, head = int.from_bytes(frames[at + 2 : at + 2 + width], "big"), 2 + width
        yield frames[at : at + head + size]
        at += head + size


def faulty_stream(
    channel: Channel, path: str, table: FaultTable, loop: Callable[[], LoopTimers]
) -> Channel:
    """The channel of a stream, behind the rules. Another path is left alone."""
    stream, _, symbol = unquote(path).removeprefix("/ws/").partition("/")
    if stream not in NATIVE:
        return channel
    return FaultyMarketStream(channel, StreamFacts(stream, symbol), table, loop)


def _with_wrong_checksum(frame: bytes) -> bytes:
    values = _values(payload_of(frame))
    return text_frame(_encode({**values, "checksum": values["checksum"] ^ 1}))
