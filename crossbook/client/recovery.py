"""Filling a hole in the executions: request the missed ones, and deliver each execution once.

While a hole is being filled, every arriving execution is held: repeated and new executions look
the same on the wire. Each `CaughtUp` settles everything up to its number: those executions are
delivered in the order they happened, without the ones delivered before.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from crossbook.common.messages.entry import Ack, CaughtUp, Execution
from crossbook.common.shards import base_of, shard_of
from crossbook.common.types import ExecutionKind

Key = tuple[int, int, int, int]
"""Identifies an execution: seq, order id, kind, trade id (of a prevention: its index)."""

_FILL: Final = int(ExecutionKind.FILL)
_ANSWER: Final = 0
_ANSWERS: Final = (ExecutionKind.NEW, ExecutionKind.CANCELED, ExecutionKind.AMENDED)


_PREVENTED: Final = int(ExecutionKind.PREVENTED)


def key_of(reply: Execution | Ack) -> Key:
    """The key of an execution; for an `Ack`, one for the execution it stands for."""
    if isinstance(reply, Ack):
        return (reply.seq, reply.order_id, _ANSWER, 0)
    if reply.kind == _PREVENTED:
        # An order may lose lots to several of its own account under one number.
        return (reply.seq, reply.order_id, reply.kind, reply.index)
    return (reply.seq, reply.order_id, reply.kind, reply.trade_id)


class Progress:
    """How far the executions of a session have arrived.

    Everything up to `complete_seq` has arrived; it is -1 at the start. `part` has the executions
    that have arrived of the number after it. `last_seq` is the highest number seen.
    """

    def __init__(self) -> None:
        self.complete_seq = -1
        self.last_seq = 0
        self.part: set[Key] = set()

    def receive(self, seq: int, key: Key | None = None) -> None:
        """An execution or answer of number `seq` has arrived, and so everything before it."""
        if seq > self.last_seq:
            self.last_seq = seq
            self.complete_seq = max(self.complete_seq, seq - 1)
            self.part.clear()
        if key is not None:
            self.part.add(key)

    def complete(self, seq: int) -> None:
        """Everything up to `seq` has arrived."""
        self.last_seq = max(self.last_seq, seq)
        self.complete_seq = max(self.complete_seq, seq)


class Recovery:
    """One hole being filled, from number `from_seq` on; `delivered` has the keys of executions in
    it that were delivered before.

    With `by_hand` settled executions are added to `filled`, which a `catch_up` returns; otherwise
    they are delivered as usual.
    """

    def __init__(self, from_seq: int, delivered: Iterable[Key], by_hand: bool = False) -> None:
        self.from_seq = from_seq
        self.next_seq = from_seq
        self.by_hand = by_hand
        self.target_seq = -1
        self.ping_seq = 0
        self.catch_up_seq = 0
        self.request_at_ns = 0
        self.complete = True
        self.same_history = True
        # Where the events end, if that is before the beginning of the hole; and the text of the
        # gateway's refusal.
        self.ends_at = -1
        self.refusal = ""
        self.given_up = False
        self.under_way = True
        self.held: list[Execution] = []
        self.filled: list[Execution] = []
        self._delivered = set(delivered)

    def request_again(self, at_ns: int = 0) -> None:
        """The requests under way will not be answered."""
        self.ping_seq = self.catch_up_seq = 0
        self.target_seq = -1
        self.request_at_ns = at_ns

    def receive(self, execution: Execution) -> None:
        """Hold an execution, repeated or new, unless it was settled already."""
        if execution.seq >= self.next_seq or execution.seq < self.from_seq:
            self.held.append(execution)

    def answered(self, ack: Ack) -> None:
        """The execution this stands for counts as delivered."""
        self._delivered.add(key_of(ack))

    def caught_up(self, end: CaughtUp) -> list[Execution]:
        """The executions settled by this, each once, in the order they happened."""
        if end.to_seq < self.next_seq - 1:
            self.same_history = False
            self.ends_at = end.to_seq
            return []
        self.complete = self.complete and end.complete
        settled = self._settle(end.to_seq)
        self.next_seq = end.to_seq + 1
        return settled

    @property
    def done(self) -> bool:
        """Whether everything up to the number at its beginning is settled."""
        return not self.same_history or (0 <= self.target_seq < self.next_seq)

    def rest(self) -> list[Execution]:
        """The held executions that lie outside the hole, each once."""
        return self._settle(None)

    def answers_behind(self) -> list[Key]:
        """Keys of the answers that arrived meanwhile and lie behind the hole."""
        return sorted(
            key for key in self._delivered if key[2] == _ANSWER and key[0] >= self.next_seq
        )

    def _settle(self, to_seq: int | None) -> list[Execution]:
        settled: dict[Key, Execution] = {}
        kept: list[Execution] = []
        for execution in self.held:
            if to_seq is not None and not self.from_seq <= execution.seq <= to_seq:
                kept.append(execution)
            elif self._is_news(execution):
                settled.setdefault(key_of(execution), execution)
        self.held = kept
        return sorted(settled.values(), key=_in_order)

    def _is_news(self, execution: Execution) -> bool:
        answer = (execution.seq, execution.order_id, _ANSWER, 0)
        return key_of(execution) not in self._delivered and not (
            execution.kind in _ANSWERS and answer in self._delivered
        )


class Track:
    """The executions a session has received from one shard; `recovery` fills a hole in it.

    `hole_from` is where the last reported hole begins, `hole_part` the part of it that was
    delivered.
    """

    def __init__(self) -> None:
        self.progress = Progress()
        self.recovery: Recovery | None = None
        self.hole_from = 0
        self.hole_part: set[Key] = set()

    def end_recovery(self, recovery: Recovery) -> None:
        """Return to normal, behind what `recovery` has filled."""
        self.recovery = None
        recovery.under_way = False
        if recovery.same_history:
            self.progress.complete(recovery.next_seq - 1)
        elif recovery.ends_at < self.progress.last_seq:
            self.progress = Progress()
            self.progress.complete(base_of(shard_of(recovery.from_seq)))
        for key in recovery.answers_behind():
            self.progress.receive(key[0], key)


class Tracks:
    """One `Track` for each shard that sent something."""

    def __init__(self) -> None:
        self._by_shard = {0: Track()}

    def __iter__(self) -> Iterator[Track]:
        return iter(self._by_shard.values())

    def of(self, seq: int) -> Track:
        """The track of the shard that gave this number."""
        track = self._by_shard.get(shard_of(seq))
        if track is None:
            track = self._by_shard[shard_of(seq)] = Track()
        return track

    @property
    def recovering(self) -> list[tuple[Track, Recovery]]:
        """The tracks with a hole that is being filled."""
        return [(each, each.recovery) for each in self if each.recovery is not None]

    def requested_under(self, request_seq: int) -> tuple[Track, Recovery] | None:
        """The track whose catch-up was requested under this number."""
        for track, recovery in self.recovering:
            if request_seq and request_seq == recovery.catch_up_seq:
                return track, recovery
        return None


def _in_order(execution: Execution) -> tuple[int, ...]:
    """Where an execution stands under its number; of one trade both sides have the same index."""
    kind = execution.kind
    place = 1 if kind == _FILL else 0 if kind in _ANSWERS else 2
    return (
        execution.seq, execution.index, place, execution.trade_id, execution.liquidity,
        execution.order_id,
    )  # fmt: skip
