"""The sequencer: numbers and stamps batches of commands, and returns their events encoded.

It uses no socket and no clock: bytes and the time are arguments, files belong to the journal. A
batch that `apply` returns may leave the process, because the journal holds it safely by then.
"""

from collections.abc import Iterator
from typing import Final, Protocol

from msgspec import Raw
from msgspec.structs import replace

from crossbook.common.instruments import name_fault
from crossbook.common.keys import KEY_ID_MAX, without_secret
from crossbook.common.messages.admin import (
    AdminAct,
    AdminDone,
    AdminInspect,
    AdminKeys,
    AdminListKeys,
    AdminView,
)
from crossbook.common.messages.codec import decode_events, encode
from crossbook.common.messages.commands import Act, AddInstrument, Administer, AdvanceTime
from crossbook.common.messages.entry import OrderState
from crossbook.common.messages.events import EventBatch, KeyChanged
from crossbook.common.messages.matcher_queries import (
    AccountBalances,
    BalancesRequest,
    Books,
    BooksRequest,
    GatewayRequest,
    GatewayState,
    KeyPage,
    KeysRequest,
    MatcherQuery,
    MatcherReply,
    Orders,
    OrdersRequest,
    Resend,
    ResendRequest,
    ResendTooOld,
)
from crossbook.common.types import MAX_INT
from crossbook.matcher.batch import EXPIRY, apply_some
from crossbook.matcher.engine import queries
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.engine.keys import keys_page
from crossbook.matcher.journal.record import Record
from crossbook.matcher.journal.segment import Header
from crossbook.matcher.resend_buffer import EventResendBuffer

RESEND_BYTES = 4 * 1024 * 1024
"""Most bytes of event batches in one resend answer."""

BATCH_BYTES_MAX: Final = 512 * 1024 * 1024
"""Largest batch that is sent again: half of what a socket between processes carries. New batches
are far smaller."""

GROUP_STEPS: Final = 256
"""Batches of one advance that share a sync."""

_MOVE: Final = [encode([AdvanceTime(gateway=0)])]


class RecordLog(Protocol):
    """The store of batches: `crossbook.matcher.journal.journal.Journal`; tests replace it."""

    incarnation: int
    last_time_ns: int

    @property
    def first_seq(self) -> int:
        """The first number held; one past the last where nothing is."""

    def append(self, record: Record, *, sync: bool = True) -> None:
        """Write a record; on return it is as safe as the sync policy promises, unless `sync` is
        false: the next one that is synced makes it so."""

    def read(self, from_seq: int) -> Iterator[tuple[Header, Record]]:
        """Records from the one that holds `from_seq` on."""


class Sequencer:
    """Event batches of one incarnation around an engine, each in the journal before it is returned.

    `malformed` counts payloads that were no list of commands; they change nothing. `commands`
    counts those applied, `events` their events, `resent` the resend answers by the
    place of their batches. Payloads that did not fit into a batch wait for the next `apply`.
    """

    def __init__(
        self, engine: Engine, journal: RecordLog, resend_buffer: EventResendBuffer
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._resend_buffer = resend_buffer
        self._time_ns = journal.last_time_ns
        self._waiting: list[bytes] = []
        self.incarnation = journal.incarnation
        self.malformed = 0
        self.commands = 0
        self.events = 0
        self.resent = {"memory": 0, "journal": 0, "gone": 0}

    @property
    def seq(self) -> int:
        """The number of the last command applied."""
        return self._engine.seq

    @property
    def time_ns(self) -> int:
        """The time of the last batch or heartbeat."""
        return self._time_ns

    @property
    def has_more(self) -> bool:
        """Whether payloads, or the rest of an act, wait for the next batch."""
        return bool(self._waiting) or self._engine.unfinished is not None

    def apply(self, payloads: list[bytes], now_ns: int) -> bytes | None:
        """Apply waiting payloads and these, as much of them as one batch may hold, journal it, and
        return its encoded `EventBatch`; the others wait.

        None when nothing was applied (repeats, bad bytes). The batch's time is `now_ns`, but
        never earlier than that of the batch before. Raises `JournalFailed`: then nothing of it
        may leave this process.
        """
        if self._waiting:
            payloads = self._waiting + payloads
        encoded, self._waiting = self._apply(payloads, now_ns)
        return encoded

    def _apply(
        self, payloads: list[bytes], now_ns: int, *, sync: bool = True
    ) -> tuple[bytes | None, list[bytes]]:
        """One batch of these payloads, and those that did not fit. Without `sync` the batch may
        leave once a later one is synced."""
        self._time_ns = time_ns = max(self._time_ns, now_ns)
        applied = apply_some(self._engine, self.incarnation, payloads, time_ns)
        self.malformed += applied.malformed
        self.commands += max(0, applied.last_seq - applied.first_seq + 1)
        self.events += applied.events
        encoded = applied.encoded
        if not encoded:
            return None, applied.rest
        first_seq, last_seq = applied.first_seq, applied.last_seq
        record = Record(first_seq, last_seq, time_ns, applied.payloads, encoded)
        self._journal.append(record, sync=sync)
        self._resend_buffer.append(first_seq, last_seq, encoded)
        return encoded, applied.rest

    def is_due(self, now_ns: int) -> bool:
        """Whether a timer is due: see `let_expire`."""
        return self._engine.next_due_ns <= now_ns

    @property
    def next_due_ns(self) -> int:
        """When the first timer is due."""
        return self._engine.next_due_ns

    def let_expire(self, now_ns: int) -> bytes | None:
        """Run the timers that are due although no command arrived, or as many as one number may
        end, as a batch of its own."""
        return self._apply(EXPIRY, now_ns)[0]

    def advance(self, to_ns: int, steps_max: int) -> Iterator[list[bytes]]:
        """Run every timer up to `to_ns` at its own time, in order, each time as a batch of its own;
        the last batch carries `to_ns`, whether something is due then or not. Stops after
        `steps_max` batches.

        Returns the encoded batches in groups that are in the journal as a whole: a sync a group.
        Raises what `apply` raises.
        """
        group: list[bytes] = []
        for step in range(1, steps_max + 1):
            due_ns = self.next_due_ns
            step_ns, payloads = (due_ns, EXPIRY) if due_ns <= to_ns else (to_ns, _MOVE)
            is_last = step_ns >= to_ns or step == steps_max or len(group) + 1 == GROUP_STEPS
            batch, _ = self._apply(payloads, step_ns, sync=is_last)
            assert batch is not None, "what is due happens, and a move is always applied"
            group.append(batch)
            if is_last:
                yield group
                group = []
            if step_ns >= to_ns:
                return

    def administer(
        self, request: AdminAct | AdminInspect | AdminListKeys, now_ns: int
    ) -> tuple[bytes | None, AdminDone | AdminView | AdminKeys]:
        """Apply an administrator's act or answer a query. While something is due, call
        `let_expire` first.

        Returns the encoded batch, if anything was applied, and the answer, which has no secret.
        Raises what `apply` raises.
        """
        if isinstance(request, AdminInspect):
            return None, queries.admin_view(self._engine, request)
        if isinstance(request, AdminListKeys):
            return None, queries.admin_keys(self._engine, request)
        act = _named(replace(request.command, gateway=0, request_seq=0))
        by = request.requested_by[:KEY_ID_MAX]
        command = Administer(0, 0, act.account, act.instrument, by, act)
        batch, rest = self._apply([encode([command])], now_ns)
        assert not rest, "something is due"
        assert batch is not None, "a command of gateway zero is applied"
        events = [each for each in decode_events(batch).events if each.seq == self.seq]
        answer = events[0]
        if isinstance(answer, KeyChanged):
            answer = replace(answer, key=without_secret(answer.key))
        return batch, AdminDone(request.request_id, answer, len(events) - 1)

    def heartbeat(self, now_ns: int) -> bytes:
        """An encoded batch without events that carries the last number.

        No later batch carries an earlier time: consumers close candles by that of a heartbeat.
        """
        seq = self._engine.seq
        self._time_ns = time_ns = max(self._time_ns, now_ns)
        return encode(EventBatch(self.incarnation, seq + 1, seq, time_ns, []))

    def answer(self, request: MatcherQuery) -> MatcherReply:
        """Answer a gateway's or publisher's request from memory."""
        if isinstance(request, ResendRequest):
            return self._resend(request)
        if isinstance(request, BooksRequest):
            return self._books(request)
        if isinstance(request, GatewayRequest):
            last = self._engine.last_request.get(request.gateway, 0)
            return GatewayState(
                request.request_id,
                request.gateway,
                self.incarnation,
                self.seq,
                last,
                self._engine.instruments,
                self._time_ns,
            )
        if isinstance(request, BalancesRequest):
            found = queries.balances(self._engine, request.account)
            return AccountBalances(request.request_id, self.seq, found)
        if isinstance(request, KeysRequest):
            keys, more = keys_page(self._engine, request.after_key_id)
            changed_seq = self._engine.keys_seq
            return KeyPage(request.request_id, self.incarnation, changed_seq, keys, more)
        return self._orders(request)

    def _resend(self, request: ResendRequest) -> Resend | ResendTooOld:
        if request.incarnation == self.incarnation:
            from_seq, to_seq = request.from_seq, request.to_seq
            batches, place = self._resend_buffer.since(from_seq, RESEND_BYTES, to_seq), "memory"
            if batches is None:
                batches, place = self._journaled(from_seq, to_seq), "journal"
            if any(len(each) > BATCH_BYTES_MAX for each in batches):
                return self._too_large(request)
            if batches:
                self.resent[place] += 1
                return Resend(request.request_id, self.incarnation, [Raw(b) for b in batches])
        self.resent["gone"] += 1
        return ResendTooOld(
            request.request_id, self.incarnation, self._journal.first_seq, self._engine.seq
        )

    def _too_large(self, request: ResendRequest) -> ResendTooOld:
        """The answer where a batch at the beginning of the range is too large to be sent."""
        self.resent["gone"] += 1
        records = (record for _, record in self._journal.read(request.from_seq))
        record = next(each for each in records if len(each.events) > BATCH_BYTES_MAX)
        return ResendTooOld(
            request.request_id, self.incarnation, record.last_seq + 1, self.seq,
            len(record.events),
        )  # fmt: skip

    def _journaled(self, from_seq: int, to_seq: int) -> list[bytes]:
        """Batches read back from disk, from the one that holds `from_seq` to the one that holds
        `to_seq`, at least two as in memory; none where the journal does not hold `from_seq`."""
        if not self._journal.first_seq <= from_seq <= self._engine.seq:
            return []
        found: list[bytes] = []
        size = 0
        for _, record in self._journal.read(from_seq):
            size += len(record.events)
            is_full = len(found) > 1 and size > RESEND_BYTES
            if is_full or (found and record.first_seq > to_seq):
                break
            found.append(record.events)
        return found

    def _books(self, request: BooksRequest) -> Books:
        engine = self._engine
        books = [engine.book_state(instrument) for instrument in engine.books]
        return Books(
            request.request_id,
            self.incarnation,
            engine.seq,
            self._time_ns,
            books,
            engine.instruments,
        )

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


def _named(command: Act) -> Act:
    """The act; an instrument's name that breaks a rule of names is replaced by the empty one.

    The engine refuses only the empty name, because an older journal may hold the others.
    """
    if isinstance(command, AddInstrument) and (fault := name_fault(command.definition)):
        return replace(command, definition=replace(command.definition, **{fault: ""}))
    return command
