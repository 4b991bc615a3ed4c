"""Faults of the face's streams: a connection to them, and one to its WebSocket API.

The rules are those of the native streams. An event of the face has its type and its instrument
under other names, and one connection has the events of many instruments.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol, TypeVar, cast

import msgspec
from msgspec import Struct, field

from crossbook.common.errors import BAD_BYTES
from crossbook.common.faults.face import ServerShutdown
from crossbook.common.faults.market_data import (
    FACE,
    FACE_API,
    StreamConnectionFault,
    StreamFacts,
    StreamFault,
)
from crossbook.common.faults.table import Due, FaultTable
from crossbook.gateway.binance.streams.client import StreamClient
from crossbook.gateway.binance.streams.names import StreamName, parse
from crossbook.gateway.binance.symbols import SymbolTable
from crossbook.gateway.faults.market_stream import (
    FaultyMarketStream,
    LoopTimers,
    StreamMessage,
    parted,
)
from crossbook.gateway.faults.order_stream import payload_of
from crossbook.gateway.web.channel import GOING_AWAY, Channel, Connection

PARTIAL: Final = "partialDepth"

C = TypeVar("C", bound=StreamConnectionFault)

_TYPES: Final = {
    "depth": "depthUpdate",
    "trade": "trade",
    "aggTrade": "aggTrade",
    "bookTicker": "bookTicker",
    "kline": "kline",
    "ticker": "24hrTicker",
    "miniTicker": "24hrMiniTicker",
}
"""Type of the events of each kind of stream; partial books have another one."""

_NO_SEQ: Final = StreamMessage("")


class _Event(Struct):
    """An event, raw or wrapped, as far as it concerns a rule."""

    kind: str = field(name="e", default="")
    symbol: str = field(name="s", default="")
    update_id: int = field(name="u", default=0)
    last_update_id: int = field(name="lastUpdateId", default=0)
    stream: str = ""


_event = msgspec.json.Decoder(_Event).decode
_events = msgspec.json.Decoder(list[_Event]).decode


class Ending(Protocol):
    """A channel of the face that can send that its gateway stops."""

    def opened(self, connection: Connection) -> None:
        """The connection is open."""

    def received(self, connection: Connection, text: str) -> None:
        """One whole text message."""

    def drained(self, connection: Connection) -> None:
        """The connection has room again."""

    def closed(self, connection: Connection) -> None:
        """The connection is gone."""

    def shut_down(self, now_ns: int) -> None:
        """Send that this gateway stops."""


class FaultyFaceConnection(FaultyMarketStream):
    """A connection to the face's WebSocket API, behind the rules of connections. `now_ns` is the
    exchange's time."""

    def __init__(
        self,
        inner: Ending,
        facts: StreamFacts,
        table: FaultTable,
        loop: Callable[[], LoopTimers],
        now_ns: Callable[[], int],
    ) -> None:
        super().__init__(inner, facts, table, loop)
        self._ending = inner
        self._now_ns = now_ns
        # When each rule met this connection, and whether it applies to it.
        self._warned: dict[int, tuple[float, bool]] = {}

    def _send(self, frames: bytes) -> None:
        self._write(frames)

    def _look(self) -> None:
        super()._look()
        for each in self._connection_rules(ServerShutdown):
            now_s = self._loop.time()
            if each.id not in self._warned:
                is_due = self._table.applies(each)
                self._warned[each.id] = now_s, is_due
                if is_due:
                    self._ending.shut_down(self._now_ns())
                continue
            warned_s, is_due = self._warned[each.id]
            if is_due and now_s - warned_s >= each.rule.seconds and self._outer is not None:
                self._outer.close(GOING_AWAY, "the gateway stops: connect again")
                return


class FaultyFaceStream(FaultyFaceConnection):
    """A connection to the face's streams, behind the rules of messages too. User streams by listen
    keys, answers and errors pass."""

    def __init__(
        self,
        inner: StreamClient,
        table: FaultTable,
        loop: Callable[[], LoopTimers],
        now_ns: Callable[[], int],
        symbols: SymbolTable,
    ) -> None:
        super().__init__(inner, StreamFacts(FACE, ""), table, loop, now_ns)
        self._client = inner
        self._symbols = symbols

    def _send(self, frames: bytes) -> None:
        """Apply the faults of whole frames."""
        if not self._table.has(StreamFault):
            self._write(frames)
            self._release()
            return
        for frame in parted(frames):
            facts = self._facts_of(payload_of(frame))
            if facts is None:
                self._write(frame)
            else:
                self._send_data(frame, facts, _NO_SEQ)

    def _send_gap(self, message: StreamMessage) -> None:
        """Send nothing: the protocol has no word for a hole."""

    def _facts_of(self, payload: bytes) -> StreamFacts | None:
        """The facts of an event; None for a message that is none of the market."""
        if payload.startswith(b"["):
            first = next(iter(_events(payload)), _Event())
            return StreamFacts(FACE, "", first.kind)
        try:
            event = _event(payload)
        except BAD_BYTES:
            # An answer or an error.
            return None
        if event.stream:
            meaning = parse(event.stream)
            return None if meaning is None else self._facts_by(meaning)
        if event.kind in _TYPES.values():
            return self._facts_with(event.symbol, event.kind)
        if event.kind:
            return None
        if event.last_update_id:
            return self._facts_with(self._partial_symbol(), PARTIAL)
        return self._facts_with(event.symbol, "bookTicker") if event.update_id else None

    def _facts_by(self, meaning: StreamName) -> StreamFacts:
        kind = PARTIAL if meaning.levels else _TYPES[meaning.kind]
        return self._facts_with(meaning.symbol, kind)

    def _facts_with(self, name: str, kind: str) -> StreamFacts:
        instrument = self._symbols.find(name)
        return StreamFacts(FACE, "" if instrument is None else instrument.symbol, kind)

    def _partial_symbol(self) -> str:
        """The name of the instrument of a raw partial book, which names none; empty where the
        client has those of several."""
        names = {
            meaning.symbol
            for name in self._client.names
            if (meaning := parse(name)) is not None and meaning.levels
        }
        return names.pop() if len(names) == 1 else ""

    def _connection_rules(self, kind: type[C]) -> Iterator[Due[C]]:
        """The rules of a kind that concern this connection, by one of its streams; counts
        nothing."""
        rules = self._table.in_force(kind)
        if not rules:
            return
        meanings = [parse(name) for name in self._client.names]
        facts = [self._facts_with(each.symbol, "") for each in meanings if each is not None]
        for each in rules:
            if any(each.rule.concerns(one) for one in {self._facts, *facts}):
                yield each


def faulty_face_api(
    channel: Channel, table: FaultTable, loop: Callable[[], LoopTimers], now_ns: Callable[[], int]
) -> FaultyFaceConnection:
    """A connection to the face's WebSocket API, behind the rules."""
    facts = StreamFacts(FACE_API, "")
    return FaultyFaceConnection(cast(Any, channel), facts, table, loop, now_ns)
