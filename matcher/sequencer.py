"""Batches in, batches out: numbers commands, stamps their time, encodes what happened.

Pure: bytes and the time come in as arguments. The service around it sends what `apply` returns,
and only after the journal that explains it is safe.
"""

from msgspec import MsgspecError, Raw

from common.codec import decode_commands, encode
from common.entry import OrderState
from common.events import Event, EventBatch
from common.sync import (
    Books,
    BooksRequest,
    Orders,
    OrdersRequest,
    Resend,
    ResendRequest,
    ResendTooOld,
    SyncReply,
    SyncRequest,
)
from common.types import MAX_INT
from matcher.engine import Engine
from matcher.history import EventHistory

RESEND_BYTES = 4 * 1024 * 1024
"""Most bytes of event batches in one resend answer."""


class Sequencer:
    """One stream of event batches around an engine.

    `stream` names the life of the engine's state. `malformed` counts payloads that were no list
    of commands; they change nothing.
    """

    def __init__(self, engine: Engine, stream: int, history_bytes: int) -> None:
        self._engine = engine
        self._history = EventHistory(history_bytes)
        self._time_ns = 0
        self.stream = stream
        self.malformed = 0

    @property
    def seq(self) -> int:
        """The number of the last command applied."""
        return self._engine.seq

    def apply(self, payloads: list[bytes], now_ns: int) -> bytes | None:
        """Apply every command of these encoded lists, in order, as one batch.

        Returns the encoded `EventBatch`, or None when nothing was applied (repeats, bad bytes).
        The batch's time is `now_ns`, but never earlier than the batch before.
        """
        self._time_ns = time_ns = max(self._time_ns, now_ns)
        apply = self._engine.apply
        first_seq = self._engine.seq + 1
        events: list[Event] = []
        for payload in payloads:
            try:
                commands = decode_commands(payload)
            except (MsgspecError, UnicodeDecodeError, RecursionError):
                self.malformed += 1
                continue
            for command in commands:
                events += apply(command, time_ns)
        last_seq = self._engine.seq
        if last_seq < first_seq:
            return None
        batch = encode(EventBatch(self.stream, first_seq, last_seq, time_ns, events))
        self._history.append(first_seq, last_seq, batch)
        return batch

    def heartbeat(self, now_ns: int) -> bytes:
        """An encoded batch without events that says which number was the last."""
        seq = self._engine.seq
        return encode(EventBatch(self.stream, seq + 1, seq, max(self._time_ns, now_ns), []))

    def answer(self, request: SyncRequest) -> SyncReply:
        """Answer a gateway's or publisher's request from memory."""
        if isinstance(request, ResendRequest):
            return self._resend(request)
        if isinstance(request, BooksRequest):
            return self._books(request)
        return self._orders(request)

    def _resend(self, request: ResendRequest) -> Resend | ResendTooOld:
        history = self._history
        if request.stream == self.stream:
            batches = history.since(request.from_seq, RESEND_BYTES)
            if batches is not None:
                return Resend(request.request_id, self.stream, [Raw(b) for b in batches])
        return ResendTooOld(
            request.request_id, self.stream, history.first_seq, max(history.last_seq, self.seq)
        )

    def _books(self, request: BooksRequest) -> Books:
        engine = self._engine
        books = [engine.book_state(instrument) for instrument in engine.books]
        return Books(request.request_id, self.stream, engine.seq, self._time_ns, books)

    def _orders(self, request: OrdersRequest) -> Orders:
        found: list[OrderState]
        limit = min(max(request.limit, 1), 1_000)
        found, more = self._engine.open_orders(
            request.account,
            request.instrument,
            request.order_id,
            request.client_order_id,
            min(request.after_order_id, MAX_INT),
            limit,
        )
        return Orders(request.request_id, self._engine.seq, found, more)
