"""One order-entry session without its socket: it numbers requests, matches answers, logs on.

The owner of a session passes requests to `enqueue`, sends the frames of `frames`, passes arriving
frames to `receive`, calls `tick` at intervals, and reads `drain_outcomes` and `executions`.
Requests made before the session is open wait for it.

A gateway that no longer has the session rejects each request with NOT_LOGGED_ON. Such a request
was not applied, and is sent again in a new session. A request sent earlier that has no answer may
have been applied. With `recover` it is sent again if it is a new order with a client order id,
which the exchange enters once; the outcome of any other is unknown (`Unanswered`). With `recover`
missed executions are requested as well (see `crossbook.client.recovery`).
"""

from collections import deque
from collections.abc import Sequence
from itertools import takewhile
from typing import Final

from msgspec.structs import replace

from crossbook.client.logon import LogonAttempts
from crossbook.client.own_orders import SessionObserver
from crossbook.client.pending import Outcome as Outcome
from crossbook.client.pending import PendingRequest, pause_after, payloads
from crossbook.client.pending import Unanswered as Unanswered
from crossbook.client.recovery import Key, Recovery, Track, Tracks, key_of
from crossbook.common.messages.codec import decode_replies, decoded, encode
from crossbook.common.messages.entry import (
    TOKEN_BYTES,
    Ack,
    CatchUp,
    CaughtUp,
    Execution,
    Logon,
    Ping,
    Pong,
    Reject,
    Reply,
    Request,
    Welcome,
)
from crossbook.common.shards import shard_of
from crossbook.common.types import MAX_INT, RejectReason

OUTSTANDING_MAX: Final = 100_000
"""Most requests without an answer."""

EXECUTIONS_MAX: Final = 100_000
"""Most execution reports kept unread; beyond it the oldest are dropped and counted."""

KEEP_ALIVE_NS: Final = 3_000_000_000
"""Silence after which a session sends a ping, to learn whether the gateway still has it."""

PROBE_NS: Final = 1_000_000_000
"""The same while requests are unanswered."""

CATCH_UP_NS: Final = 6_000_000_000
"""Wait for the end of a catch-up before it is requested again."""

LOGONS_PER_REQUEST: Final = 3
"""How often a request is sent again in a new session before its reject is returned."""


class ClientSession:
    """The state of one account's session with a gateway.

    `token` is zero while no session is open; `refused` is the gateway's reject of a logon.
    `losses` counts lost sessions, `holes` the gaps in `executions` that were not filled;
    `missed_from` is where the last gap begins (zero: unknown). `stray` keeps answers to requests
    that were numbered by `reserve` and sent by the owner itself. `observer` keeps state.
    """

    def __init__(
        self, account: int, recover: bool = True, cancel_on_disconnect: bool = False
    ) -> None:
        self.account = account
        self.cancel_on_disconnect = cancel_on_disconnect
        self.recover = recover
        self.holes = 0
        self.missed_from = 0
        self.token = 0
        self.gateway = 0
        self.losses = 0
        self.executions_dropped = 0
        self.refused: Reject | None = None
        self.observer = SessionObserver()
        self.executions: deque[Execution] = deque()
        self.stray: deque[Reply] = deque(maxlen=EXECUTIONS_MAX)
        self._last_seq = 0
        self._waiting: dict[int, PendingRequest] = {}
        # In the order sent: requests before a rejected one are those that were never answered.
        self._sent: dict[int, PendingRequest] = {}
        self._outcomes: list[tuple[int, Outcome]] = []
        self._logon = LogonAttempts()
        self._received_ns = 0
        self._earliest_ns = 0
        self._base_ping = 0
        self._tracks = Tracks()

    @property
    def last_seq(self) -> int:
        """The highest of the matcher's numbers seen; where there are several shards, see
        `last_seqs`."""
        return max(self.last_seqs)

    @property
    def last_seqs(self) -> list[int]:
        """The highest number seen of every shard that sent one."""
        return [track.progress.last_seq for track in self._tracks]

    @property
    def recovering(self) -> bool:
        """Whether missed executions are being requested; those that arrive meanwhile are held."""
        return bool(self._tracks.recovering)

    def catch_up(self, from_seq: int) -> Recovery:
        """Request the executions of a shard from its number `from_seq` on, the unread ones
        included.

        The session is `recovering` until they have arrived; they are then in `filled` of the
        returned recovery. Raises `ValueError` for what is no sequence number.
        """
        if type(from_seq) is not int or not 0 <= from_seq <= MAX_INT:
            raise ValueError(f"from_seq: {from_seq!r} is not within 0 to {MAX_INT}")
        track = self._tracks.of(from_seq)
        assert track.recovery is None, "one catch-up at a time"
        delivered = track.hole_part if from_seq == track.hole_from else ()
        track.recovery = recovery = Recovery(max(1, from_seq), delivered, by_hand=True)
        kept: list[Execution] = []
        for each in self.executions:
            comes_again = self._tracks.of(each.seq) is track and each.seq >= recovery.from_seq
            (recovery.held if comes_again else kept).append(each)
        self.executions.clear()
        self.executions.extend(kept)
        return recovery

    def stop_catching_up(self) -> None:
        """Stop filling holes; held executions are delivered."""
        for track, recovery in self._tracks.recovering:
            self._give_up_recovery(track, recovery)

    def claim_missed_from(self) -> int:
        """Where the holes reported now begin. Resets `missed_from` for later ones."""
        from_seq, self.missed_from = self.missed_from, 0
        return from_seq

    @property
    def outstanding(self) -> int:
        """Requests without an answer."""
        return len(self._waiting) + len(self._sent)

    def reserve(self, count: int) -> int:
        """Reserve `count` request numbers; returns the first."""
        first = self._last_seq + 1
        self._last_seq += count
        return first

    def open(self) -> None:
        """Log on (again); `token` is non-zero once the gateway has answered."""
        self.token = 0
        self.refused = None
        self._logon.begin()

    def enqueue(self, requests: Sequence[Request], deadline_ns: int) -> range:
        """Number requests and queue them; returns the numbers, which their outcomes carry."""
        if self.outstanding + len(requests) > OUTSTANDING_MAX:
            raise ValueError(f"more than {OUTSTANDING_MAX} requests without an answer")
        first = self.reserve(len(requests))
        request_seqs = range(first, first + len(requests))
        if not self.outstanding or deadline_ns < self._earliest_ns:
            self._earliest_ns = deadline_ns
        for request_seq, request in zip(request_seqs, requests, strict=True):
            self._waiting[request_seq] = PendingRequest(
                replace(request, request_seq=request_seq), deadline_ns, own=False
            )
        if not self.token and not self._logon.pending:
            self.open()
        return request_seqs

    def frames(self, now_ns: int) -> list[bytes]:
        """The frames to send now. A request in one of them counts as sent."""
        for _, recovery in self._tracks.recovering:
            self._request_recovery(recovery, now_ns)
        if not self.token:
            return self._logon_frames(now_ns)
        if not self._waiting:
            return []
        # Requests sent again keep their first order.
        request_seqs = sorted(
            request_seq
            for request_seq, pending in self._waiting.items()
            if pending.not_before_ns <= now_ns
        )
        requests = []
        for request_seq in request_seqs:
            pending = self._waiting.pop(request_seq)
            pending.token = self.token
            self._sent[request_seq] = pending
            requests.append(pending.request)
        token = self.token.to_bytes(TOKEN_BYTES, "big")
        return [token + payload for payload, _ in payloads(requests)]

    def receive(self, frame: bytes, now_ns: int) -> None:
        """Apply one frame of the gateway; raises `CodecError` for bytes that are none."""
        self.receive_replies(decoded(decode_replies, frame), now_ns)

    def receive_replies(self, replies: Sequence[Reply], now_ns: int) -> None:
        """Apply decoded replies."""
        self._received_ns = now_ns
        for reply in replies:
            if type(reply) is Execution:
                self._keep(reply)
            elif type(reply) is Welcome:
                self._welcome(reply)
            elif type(reply) is Ack:
                self._acknowledged(reply)
            elif type(reply) is Reject:
                self._rejected(reply)
            elif type(reply) is Pong:
                self._ponged(reply)
            elif type(reply) is CaughtUp:
                self._caught_up(reply)
            else:
                self._answered(reply)

    def tick(self, now_ns: int) -> None:
        """Give up requests past their deadline, and send a ping after a silence."""
        if self.outstanding and now_ns >= self._earliest_ns:
            self._give_up_late(now_ns)
        silence_ns = now_ns - self._received_ns
        if self.token and silence_ns >= (PROBE_NS if self._sent else KEEP_ALIVE_NS):
            self._received_ns = now_ns
            self._enqueue_own(Ping(0), now_ns + KEEP_ALIVE_NS)

    def drain_outcomes(self) -> list[tuple[int, Outcome]]:
        """Outcomes since the last call, as (request sequence, outcome)."""
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def forget(self, request_seqs: Sequence[int]) -> None:
        """Drop these requests; those not sent yet will not be."""
        for request_seq in request_seqs:
            self._waiting.pop(request_seq, None)
            self._sent.pop(request_seq, None)

    def _logon_frames(self, now_ns: int) -> list[bytes]:
        if not self._logon.due(now_ns):
            return []
        logon = Logon(self.reserve(1), self.account, self.cancel_on_disconnect)
        self._logon.sent(logon.request_seq, now_ns)
        if not self.recover:
            return [bytes(TOKEN_BYTES) + encode(logon)]
        # Both answers come together: all executions after the number in the `Pong` will arrive.
        ping = Ping(self.reserve(1))
        self._base_ping = ping.request_seq
        return [bytes(TOKEN_BYTES) + encode([logon, ping])]

    def _enqueue_own(self, request: Ping | CatchUp, deadline_ns: int) -> int:
        """Queue a request of the session itself; returns its number."""
        request_seq = self.reserve(1)
        if not self.outstanding or deadline_ns < self._earliest_ns:
            self._earliest_ns = deadline_ns
        self._waiting[request_seq] = PendingRequest(
            replace(request, request_seq=request_seq), deadline_ns, own=True
        )
        return request_seq

    def _request_recovery(self, recovery: Recovery, now_ns: int) -> None:
        """Request what is missing, unless a request is under way."""
        if not self.token:
            if not self._logon.pending and self.refused is None:
                self.open()
        elif not recovery.catch_up_seq and now_ns >= recovery.request_at_ns:
            if recovery.target_seq < 0:
                recovery.ping_seq = self._enqueue_own(Ping(0), now_ns + CATCH_UP_NS)
            request = CatchUp(0, recovery.next_seq)
            recovery.catch_up_seq = self._enqueue_own(request, now_ns + CATCH_UP_NS)

    def _welcome(self, welcome: Welcome) -> None:
        if not welcome.request_seq:
            if welcome.token == self.token:
                self._executions_missed()
                self._repeat_unanswered()
            return
        # Each logon ends the session of the one before, so only the last one counts.
        if welcome.request_seq == self._logon.request_seq:
            self.token = welcome.token
            self.gateway = welcome.gateway
            self._logon.end()

    def _acknowledged(self, ack: Ack) -> None:
        track = self._tracks.of(ack.seq)
        if track.recovery is None:
            track.progress.receive(ack.seq, key_of(ack))
        else:
            track.recovery.answered(ack)
        self._answered(ack)

    def _ponged(self, pong: Pong) -> None:
        track = self._tracks.of(pong.seq)
        progress, recovery = track.progress, track.recovery
        if not pong.request_seq:
            # An unsolicited `Pong` gives the base of a later shard, or of the first one where
            # the gateway reached the matcher only after the logon.
            if recovery is None and (shard_of(pong.seq) or not progress.last_seq):
                progress.complete(pong.seq)
            elif recovery is not None and recovery.ping_seq:
                recovery.target_seq = pong.seq
            return
        if pong.request_seq == self._base_ping:
            if progress.complete_seq < 0:
                progress.complete(pong.seq)
            return
        if recovery is None:
            progress.complete(pong.seq)
        elif pong.request_seq == recovery.ping_seq:
            recovery.target_seq = pong.seq
        self._answered(pong)

    def _rejected(self, reject: Reject) -> None:
        request_seq = reject.request_seq
        if request_seq and request_seq == self._logon.request_seq:
            self._logon_refused(reject)
            return
        if request_seq and request_seq == self._base_ping:
            return
        if reject.seq and self._tracks.of(reject.seq).recovery is None:
            self._tracks.of(reject.seq).progress.receive(reject.seq)
        caught = self._tracks.requested_under(request_seq)
        pending = self._sent.get(request_seq)
        if pending is None:
            self._answered(reject)
        elif reject.reason == RejectReason.NOT_LOGGED_ON:
            self._session_is_gone(pending, reject)
        elif caught is not None:
            self._catch_up_refused(*caught, reject)
        elif pending.perhaps_applied and (pause_ns := pause_after(reject)):
            # Only this attempt was refused: the one before it may have been applied.
            pending.not_before_ns = self._received_ns + pause_ns
            self._waiting[request_seq] = self._sent.pop(request_seq)
        else:
            self._answered(reject)

    def _session_is_gone(self, pending: PendingRequest, reject: Reject) -> None:
        request_seq = reject.request_seq
        if pending.token == self.token:
            self.losses += 1
            self.open()
            self._executions_missed()
        self._lose_sent_before(request_seq)
        del self._sent[request_seq]
        pending.logons += 1
        if pending.own:
            return
        if pending.logons <= LOGONS_PER_REQUEST:
            self._waiting[request_seq] = pending
        elif pending.perhaps_applied:
            self._give_up(request_seq, pending, True, "the session was lost")
        else:
            self._outcomes.append((request_seq, reject))

    def _lose_sent_before(self, request_seq: int) -> None:
        lost = list(takewhile(lambda seq: seq != request_seq, self._sent))
        for seq in lost:
            pending = self._sent.pop(seq)
            if self.recover and pending.may_be_repeated:
                pending.perhaps_applied = True
                self._waiting[seq] = pending
            else:
                self._give_up(seq, pending, True, "the session was lost")

    def _repeat_unanswered(self) -> None:
        """Answers may be lost: repeat the requests that are safe to repeat."""
        if self.recover:
            for seq in [seq for seq, pending in self._sent.items() if pending.may_be_repeated]:
                pending = self._waiting[seq] = self._sent.pop(seq)
                pending.perhaps_applied = True

    def _executions_missed(self) -> None:
        """Executions may be missing from here on: request them, or report a hole."""
        for track in self._tracks:
            progress = track.progress
            if track.recovery is not None:
                track.recovery.request_again()
            elif self.recover and progress.complete_seq >= 0:
                track.recovery = Recovery(progress.complete_seq + 1, progress.part)
            else:
                self._report_hole(track, progress.complete_seq + 1, progress.part)

    def _report_hole(self, track: Track, from_seq: int, part: set[Key]) -> None:
        self.holes += 1
        self.observer.missed()
        self.missed_from = track.hole_from = from_seq
        track.hole_part = set(part)

    def _caught_up(self, end: CaughtUp) -> None:
        caught = self._tracks.requested_under(end.request_seq)
        if caught is None:
            self._answered(end)
            return
        track, recovery = caught
        self._sent.pop(end.request_seq, None)
        recovery.catch_up_seq = 0
        settled = recovery.caught_up(end)
        if recovery.by_hand:
            recovery.filled += settled
            for execution in settled:
                self.observer.executed(execution)
        else:
            for execution in settled:
                self._append(execution)
        if recovery.done:
            self._end_recovery(track, recovery)

    def _catch_up_refused(self, track: Track, recovery: Recovery, reject: Reject) -> None:
        del self._sent[reject.request_seq]
        pause_ns = pause_after(reject)
        recovery.request_again(self._received_ns + pause_ns)
        if not pause_ns:
            recovery.refusal = reject.text
            self._give_up_recovery(track, recovery)

    def _give_up_recovery(self, track: Track, recovery: Recovery) -> None:
        recovery.given_up = True
        self._end_recovery(track, recovery)

    def _end_recovery(self, track: Track, recovery: Recovery) -> None:
        """Return to normal, and deliver what arrived meanwhile."""
        track.end_recovery(recovery)
        if not recovery.same_history:
            self.observer.began_anew()
        whole = recovery.complete and recovery.same_history and not recovery.given_up
        if not whole and not recovery.by_hand:
            from_seq = recovery.next_seq if recovery.given_up else recovery.from_seq
            self._report_hole(track, from_seq, set())
        for execution in recovery.rest():
            self._keep(execution)

    def _logon_refused(self, reject: Reject) -> None:
        self._logon.end()
        for seq, pending in self._waiting.items():
            if pending.perhaps_applied:
                self._give_up(seq, pending, True, "the session was lost")
            elif not pending.own:
                self._outcomes.append((seq, replace(reject, request_seq=seq)))
        self._waiting.clear()
        self.refused = reject
        for _, recovery in self._tracks.recovering:
            recovery.request_again()

    def _answered(self, reply: Reply) -> None:
        pending = self._sent.pop(reply.request_seq, None)
        self.observer.answered(reply, None if pending is None else pending.request)
        if pending is None:
            self.stray.append(reply)
        elif not pending.own:
            self._outcomes.append((reply.request_seq, reply))

    def _give_up_late(self, now_ns: int) -> None:
        for queue in (self._waiting, self._sent):
            for seq in [seq for seq, pending in queue.items() if pending.deadline_ns <= now_ns]:
                pending = queue.pop(seq)
                sent = queue is self._sent or pending.perhaps_applied
                why = "no answer in time" if sent else "no session could be opened"
                self._give_up(seq, pending, sent, why)
        left = [pending.deadline_ns for pending in (*self._waiting.values(), *self._sent.values())]
        self._earliest_ns = min(left, default=0)

    def _give_up(self, seq: int, pending: PendingRequest, sent: bool, why: str) -> None:
        caught = self._tracks.requested_under(seq)
        if not pending.own:
            self.observer.missed()
            self._outcomes.append((seq, Unanswered(pending.request, sent, why)))
        elif caught is not None:
            caught[1].request_again()

    def _keep(self, execution: Execution) -> None:
        track = self._tracks.of(execution.seq)
        recovery = track.recovery
        if recovery is None:
            track.progress.receive(execution.seq, key_of(execution))
            self._append(execution)
            return
        recovery.receive(execution)
        if len(recovery.held) > EXECUTIONS_MAX:
            self._give_up_recovery(track, recovery)

    def _append(self, execution: Execution) -> None:
        if len(self.executions) >= EXECUTIONS_MAX:
            dropped = self.executions.popleft()
            self.executions_dropped += 1
            self.missed_from = self.missed_from or dropped.seq
        self.observer.executed(execution)
        self.executions.append(execution)
