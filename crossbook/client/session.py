"""One order-entry session without its socket: numbers requests, matches answers, logs on.

The owner asks (`ask`), sends what `frames` gives, hands in what arrives (`receive`), calls `tick`
now and then, and reads `drain_outcomes` and `take_executions`. Requests asked before the session
is open wait for it.

When the gateway no longer knows the session it says so request by request. Such a request was
not applied: it is sent again in a new session. One that was sent before it and never answered may
have been applied. With `recover` a new order that has a client order id is sent again too: the
exchange enters it once. Of any other the outcome is unknown, and that is what the owner is told.
With `recover` executions missed are asked for as well (see `crossbook.client.recovery`).
"""

from collections import deque
from collections.abc import Sequence
from itertools import takewhile
from typing import Final

from msgspec.structs import replace

from crossbook.client.pending import Outcome as Outcome
from crossbook.client.pending import PendingRequest, payloads
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
"""Most execution reports kept unread; past it the oldest go, and the owner is told."""

LOGON_RETRY_NS: Final = 1_000_000_000
"""First wait for a `Welcome` before logging on again; doubled each time."""

LOGON_RETRY_MAX_NS: Final = 8_000_000_000
KEEP_ALIVE_NS: Final = 3_000_000_000
"""A session that heard nothing for this long asks whether the gateway still knows it."""

PROBE_NS: Final = 1_000_000_000
"""The same, when answers are awaited."""

TRY_AGAIN_NS: Final = 250_000_000
"""Wait after a `BUSY` before a retried order, or a catch-up, is tried again."""

CATCH_UP_NS: Final = 6_000_000_000
"""Wait for the end of a catch-up before it is asked for again."""

LOGONS_PER_REQUEST: Final = 3
"""How often one request is sent again into a new session before its reject is believed."""


class ClientSession:
    """The state of one account's session with a gateway.

    `token` is zero while no session is open; `refused` is why, when the gateway said no. `losses`
    counts sessions lost, `holes` the gaps in `executions` that were not filled, `missed_from` is
    where the last of these begins (zero: unknown). `stray` keeps answers to requests this object
    was not asked (see `reserve`).
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
        self.executions: deque[Execution] = deque()
        self.stray: deque[Reply] = deque(maxlen=EXECUTIONS_MAX)
        self._last_seq = 0
        self._waiting: dict[int, PendingRequest] = {}
        # In the order sent: what the gateway no longer knew was sent after what it never answered.
        self._sent: dict[int, PendingRequest] = {}
        self._outcomes: list[tuple[int, Outcome]] = []
        self._logon_seq = 0
        self._logon_at_ns = 0
        self._logon_wait_ns = LOGON_RETRY_NS
        self._wants_logon = False
        self._heard_ns = 0
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
        """The highest number seen of every shard heard of."""
        return [track.progress.last_seq for track in self._tracks]

    @property
    def recovering(self) -> bool:
        """Whether missed executions are being asked for; what arrives meanwhile is held."""
        return bool(self._tracks.recovering)

    def catch_up(self, from_seq: int) -> Recovery:
        """Ask for the executions of a shard from its number `from_seq` on; those unread are among
        them.

        `recovering` until they have come; `filled` of what is returned here has them then. Raises
        `ValueError` for what is no sequence number.
        """
        if type(from_seq) is not int or not 0 <= from_seq <= MAX_INT:
            raise ValueError(f"from_seq: {from_seq!r} is not within 0 to {MAX_INT}")
        track = self._tracks.of(from_seq)
        assert track.recovery is None, "one catch-up at a time"
        told = track.hole_part if from_seq == track.hole_from else ()
        track.recovery = recovery = Recovery(max(1, from_seq), told, by_hand=True)
        kept: list[Execution] = []
        for each in self.executions:
            is_told_again = self._tracks.of(each.seq) is track and each.seq >= recovery.from_seq
            (recovery.held if is_told_again else kept).append(each)
        self.executions.clear()
        self.executions.extend(kept)
        return recovery

    def stop_catching_up(self) -> None:
        """Give up filling holes; what was held is handed on."""
        for track, recovery in self._tracks.recovering:
            self._give_up_recovery(track, recovery)

    def claim_missed_from(self) -> int:
        """Where the holes told now begin; the next ones are counted anew."""
        from_seq, self.missed_from = self.missed_from, 0
        return from_seq

    @property
    def outstanding(self) -> int:
        """Requests without an answer."""
        return len(self._waiting) + len(self._sent)

    def reserve(self, count: int) -> int:
        """The first of `count` request numbers nobody else will use."""
        first = self._last_seq + 1
        self._last_seq += count
        return first

    def open(self) -> None:
        """Log on (again); `token` is non-zero once the gateway has answered."""
        self.token = 0
        self.refused = None
        self._wants_logon = True
        self._logon_seq = 0
        self._logon_wait_ns = LOGON_RETRY_NS

    def ask(self, requests: Sequence[Request], deadline_ns: int) -> range:
        """Number `requests` and put them in line; their outcomes carry the numbers returned."""
        if self.outstanding + len(requests) > OUTSTANDING_MAX:
            raise ValueError(f"more than {OUTSTANDING_MAX} requests without an answer")
        first = self.reserve(len(requests))
        numbers = range(first, first + len(requests))
        if not self.outstanding or deadline_ns < self._earliest_ns:
            self._earliest_ns = deadline_ns
        for number, request in zip(numbers, requests, strict=True):
            self._waiting[number] = PendingRequest(
                replace(request, request_seq=number), deadline_ns, own=False
            )
        if not self.token and not self._wants_logon:
            self.open()
        return numbers

    def frames(self, now_ns: int) -> list[bytes]:
        """What to send now. A request given here counts as sent."""
        for _, recovery in self._tracks.recovering:
            self._ask_recovery(recovery, now_ns)
        if not self.token:
            return self._logon_frames(now_ns)
        if not self._waiting:
            return []
        # Requests sent again keep the order they were first asked in.
        numbers = sorted(
            number for number, asked in self._waiting.items() if asked.not_before_ns <= now_ns
        )
        requests = []
        for number in numbers:
            asked = self._waiting.pop(number)
            asked.token = self.token
            self._sent[number] = asked
            requests.append(asked.request)
        token = self.token.to_bytes(TOKEN_BYTES, "big")
        return [token + payload for payload, _ in payloads(requests)]

    def receive(self, frame: bytes, now_ns: int) -> None:
        """Take one frame of the gateway; raises `CodecError` when it is none."""
        self.receive_replies(decoded(decode_replies, frame), now_ns)

    def receive_replies(self, replies: Sequence[Reply], now_ns: int) -> None:
        """Take replies that are decoded already."""
        self._heard_ns = now_ns
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
        """Give up what is past its deadline, and ask for a sign of life after a silence."""
        if self.outstanding and now_ns >= self._earliest_ns:
            self._give_up_late(now_ns)
        silence_ns = now_ns - self._heard_ns
        if self.token and silence_ns >= (PROBE_NS if self._sent else KEEP_ALIVE_NS):
            self._heard_ns = now_ns
            self._ask_own(Ping(0), now_ns + KEEP_ALIVE_NS)

    def drain_outcomes(self) -> list[tuple[int, Outcome]]:
        """Outcomes since the last call, as (request sequence, outcome)."""
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def forget(self, numbers: Sequence[int]) -> None:
        """Nobody waits for these any more; what was not sent will not be."""
        for number in numbers:
            self._waiting.pop(number, None)
            self._sent.pop(number, None)

    def _logon_frames(self, now_ns: int) -> list[bytes]:
        if not self._wants_logon:
            return []
        if self._logon_seq and now_ns < self._logon_at_ns + self._logon_wait_ns:
            return []
        if self._logon_seq:
            self._logon_wait_ns = min(2 * self._logon_wait_ns, LOGON_RETRY_MAX_NS)
        self._logon_at_ns = now_ns
        logon = Logon(self.reserve(1), self.account, self.cancel_on_disconnect)
        self._logon_seq = logon.request_seq
        if not self.recover:
            return [bytes(TOKEN_BYTES) + encode(logon)]
        # Answered in one breath: whatever has a higher number than the `Pong` will be heard.
        ping = Ping(self.reserve(1))
        self._base_ping = ping.request_seq
        return [bytes(TOKEN_BYTES) + encode([logon, ping])]

    def _ask_own(self, request: Ping | CatchUp, deadline_ns: int) -> int:
        """Put a request of our own in line; its number."""
        number = self.reserve(1)
        if not self.outstanding or deadline_ns < self._earliest_ns:
            self._earliest_ns = deadline_ns
        self._waiting[number] = PendingRequest(
            replace(request, request_seq=number), deadline_ns, own=True
        )
        return number

    def _ask_recovery(self, recovery: Recovery, now_ns: int) -> None:
        """Ask for what is missing, unless that is under way."""
        if not self.token:
            if not self._wants_logon and self.refused is None:
                self.open()
        elif not recovery.catch_up_seq and now_ns >= recovery.ask_at_ns:
            if recovery.target_seq < 0:
                recovery.ping_seq = self._ask_own(Ping(0), now_ns + CATCH_UP_NS)
            question = CatchUp(0, recovery.next_seq)
            recovery.catch_up_seq = self._ask_own(question, now_ns + CATCH_UP_NS)

    def _welcome(self, welcome: Welcome) -> None:
        if not welcome.request_seq:
            if welcome.token == self.token:
                self._miss_something()
                self._send_again_what_may_be()
            return
        # Each logon ends the session the one before it opened, so only the last one counts.
        if welcome.request_seq == self._logon_seq:
            self.token = welcome.token
            self.gateway = welcome.gateway
            self._wants_logon = False
            self._logon_seq = 0
            self._logon_wait_ns = LOGON_RETRY_NS

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
            # Of a later shard, ahead of the answer; or logged on before the gateway had reached
            # the matcher: only now has it a base.
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
        number = reject.request_seq
        if number and number == self._logon_seq:
            self._logon_refused(reject)
            return
        if number and number == self._base_ping:
            return
        if reject.seq and self._tracks.of(reject.seq).recovery is None:
            self._tracks.of(reject.seq).progress.receive(reject.seq)
        caught = self._tracks.asked_under(number)
        asked = self._sent.get(number)
        if asked is None:
            self._answered(reject)
        elif reject.reason == RejectReason.NOT_LOGGED_ON:
            self._session_is_gone(asked, reject)
        elif caught is not None:
            self._catch_up_refused(*caught, reject)
        elif reject.reason == RejectReason.BUSY and asked.perhaps_applied:
            # Busy is this attempt only: the one before it may have been applied.
            asked.not_before_ns = self._heard_ns + TRY_AGAIN_NS
            self._waiting[number] = self._sent.pop(number)
        else:
            self._answered(reject)

    def _session_is_gone(self, asked: PendingRequest, reject: Reject) -> None:
        number = reject.request_seq
        if asked.token == self.token:
            self.losses += 1
            self.open()
            self._miss_something()
        self._lose_what_was_sent_before(number)
        del self._sent[number]
        asked.logons += 1
        if asked.own:
            return
        if asked.logons <= LOGONS_PER_REQUEST:
            self._waiting[number] = asked
        elif asked.perhaps_applied:
            self._give_up(number, asked, True, "the session was lost")
        else:
            self._outcomes.append((number, reject))

    def _lose_what_was_sent_before(self, request_seq: int) -> None:
        lost = list(takewhile(lambda seq: seq != request_seq, self._sent))
        for seq in lost:
            asked = self._sent.pop(seq)
            if self.recover and asked.may_be_repeated:
                asked.perhaps_applied = True
                self._waiting[seq] = asked
            else:
                self._give_up(seq, asked, True, "the session was lost")

    def _send_again_what_may_be(self) -> None:
        """Answers may be lost: repeat what the exchange does once however often it is sent."""
        if self.recover:
            for seq in [seq for seq, asked in self._sent.items() if asked.may_be_repeated]:
                asked = self._waiting[seq] = self._sent.pop(seq)
                asked.perhaps_applied = True

    def _miss_something(self) -> None:
        """From here on executions may be missing: see to it, or say so."""
        for track in self._tracks:
            progress = track.progress
            if track.recovery is not None:
                track.recovery.ask_again()
            elif self.recover and progress.complete_seq >= 0:
                track.recovery = Recovery(progress.complete_seq + 1, progress.part)
            else:
                self._tell_hole(track, progress.complete_seq + 1, progress.part)

    def _tell_hole(self, track: Track, from_seq: int, part: set[Key]) -> None:
        self.holes += 1
        self.missed_from = track.hole_from = from_seq
        track.hole_part = set(part)

    def _caught_up(self, end: CaughtUp) -> None:
        caught = self._tracks.asked_under(end.request_seq)
        if caught is None:
            self._answered(end)
            return
        track, recovery = caught
        self._sent.pop(end.request_seq, None)
        recovery.catch_up_seq = 0
        settled = recovery.caught_up(end)
        if recovery.by_hand:
            recovery.filled += settled
        else:
            for execution in settled:
                self._append(execution)
        if recovery.done:
            self._end_recovery(track, recovery)

    def _catch_up_refused(self, track: Track, recovery: Recovery, reject: Reject) -> None:
        del self._sent[reject.request_seq]
        recovery.ask_again(self._heard_ns + TRY_AGAIN_NS)
        if reject.reason != RejectReason.BUSY:
            recovery.refusal = reject.text
            self._give_up_recovery(track, recovery)

    def _give_up_recovery(self, track: Track, recovery: Recovery) -> None:
        recovery.given_up = True
        self._end_recovery(track, recovery)

    def _end_recovery(self, track: Track, recovery: Recovery) -> None:
        """Go on as before, with what came meanwhile."""
        track.end_recovery(recovery)
        whole = recovery.complete and recovery.same_history and not recovery.given_up
        if not whole and not recovery.by_hand:
            from_seq = recovery.next_seq if recovery.given_up else recovery.from_seq
            self._tell_hole(track, from_seq, set())
        for execution in recovery.rest():
            self._keep(execution)

    def _logon_refused(self, reject: Reject) -> None:
        self._wants_logon = False
        self._logon_seq = 0
        for seq, asked in self._waiting.items():
            if asked.perhaps_applied:
                self._give_up(seq, asked, True, "the session was lost")
            elif not asked.own:
                self._outcomes.append((seq, replace(reject, request_seq=seq)))
        self._waiting.clear()
        self.refused = reject
        for _, recovery in self._tracks.recovering:
            recovery.ask_again()

    def _answered(self, reply: Reply) -> None:
        asked = self._sent.pop(reply.request_seq, None)
        if asked is None:
            self.stray.append(reply)
        elif not asked.own:
            self._outcomes.append((reply.request_seq, reply))

    def _give_up_late(self, now_ns: int) -> None:
        for line in (self._waiting, self._sent):
            for seq in [seq for seq, asked in line.items() if asked.deadline_ns <= now_ns]:
                asked = line.pop(seq)
                sent = line is self._sent or asked.perhaps_applied
                why = "no answer in time" if sent else "no session could be opened"
                self._give_up(seq, asked, sent, why)
        left = [asked.deadline_ns for asked in (*self._waiting.values(), *self._sent.values())]
        self._earliest_ns = min(left, default=0)

    def _give_up(self, seq: int, asked: PendingRequest, sent: bool, why: str) -> None:
        caught = self._tracks.asked_under(seq)
        if not asked.own:
            self._outcomes.append((seq, Unanswered(asked.request, sent, why)))
        elif caught is not None:
            caught[1].ask_again()

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
        self.executions.append(execution)
