"""The link to one matcher: each command applied exactly once, each event received exactly once.

The link stands between the tables of a desk and two connections, of which it sees only frames:

    CommandsInFlight ──┐                  ┌── commands ──> matcher
    QueriesInFlight  ──┼── MatcherLink ───┼── matcher queries, answers
    CatchUps         ──┘        │         └── events <────
    OrderDesk <── events in order

*Commands out.* `send` sends each new command once. When the oldest one has had no answer for a
while, all in flight are sent again, in order; the matcher drops those that it has applied and those
that do not come next. So each is applied once, however often it is sent.

*Events in.* `receive_events` passes each batch on once, in order. Missing batches are requested
from the matcher; when it no longer holds them, every session is sent the sign to catch up, and the
answers among them are lost.

*Incarnations.* A matcher that comes back may have lost what it had not made durable. The link
begins with a request for the matcher's state. It sends another when events of a different
incarnation arrive, and whenever commands are overdue. The state shows one of these:

- another incarnation, or a seq lower than before: all commands in flight are given up, as their
  outcome cannot be known, and the link begins anew;
- a command number above the last one given: another gateway has this id and fences this one;
- the same incarnation, with all its events received: answers that did not arrive are lost.

Time comes as an argument, and whatever is due is sent by `send`: sockets, clock and log are outside
(gateway/orders/matcher_sockets.py).
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from crossbook.common.following.event_follower import EventFollower, RepeatTimer
from crossbook.common.messages.codec import decode_events, decode_matcher_reply, encode
from crossbook.common.messages.commands import Command
from crossbook.common.messages.events import EventBatch, KeyChanged, KeyDeleted
from crossbook.common.messages.matcher_queries import (
    AccountBalances,
    GatewayRequest,
    GatewayState,
    KeyPage,
    Orders,
    Resend,
    ResendRequest,
    ResendTooOld,
)
from crossbook.common.sequence import epoch_of, first_of
from crossbook.common.shards import base_of, shard_of
from crossbook.common.types import RejectReason
from crossbook.gateway.keys.key_follower import KeyFollower
from crossbook.gateway.orders.desk import OrderDesk
from crossbook.gateway.orders.front_desk import Notice

Send = Callable[[bytes], bool]
"""Sends one frame; false when the socket does not accept it now."""

GAP_AGAIN_NS: Final = 200_000_000
STATE_AGAIN_NS: Final = 200_000_000
"""Waits before events, or the matcher's state, are requested again."""

CHUNK_COMMANDS: Final = 1_000
"""Most commands in one message of those sent again; each has less than 200 bytes."""

SILENT_NS: Final = 2_000_000_000
"""Silence after which the matcher, which sends events or a heartbeat at least every HEARTBEAT_MS,
counts as away."""

REQUEST_NS: Final = 50_000_000
"""Longest wait between two checks of what is missing."""

_NOT_ACCEPTING: Final = "the matcher accepts no commands now"
_RESTARTED: Final = "the matcher restarted before it answered; query before sending again"
_ANSWER_LOST: Final = "the matcher's answer was lost; query before sending again"
_TAKEN_OVER: Final = "another gateway with this id has taken over; query before sending again"


class MatcherLink:
    """Sends what the tables of one desk collect, and passes on what the matcher sends.

    Until the matcher's state is known, and while it is in doubt, the desk accepts no commands.
    `fenced` is true once another gateway of the same id has taken over: this one must end. With
    `keys` their table follows the matcher's keys, and no command is accepted before it has them.

    `commands_sent` counts commands sent to the matcher, `commands_again` those of them that were
    sent before, `gaps` requests for missing events, `events_lost` numbers whose events are lost.
    """

    def __init__(
        self,
        desk: OrderDesk,
        gateway: int,
        first_number: int,
        shard: int = 0,
        keys: KeyFollower | None = None,
    ) -> None:
        self._desk = desk
        self._in_flight = desk.in_flight
        self._queries = desk.queries
        self._catch_ups = desk.catch_ups
        self._shard = shard
        self._keys = keys
        if keys is not None:
            desk.listen(KeyChanged, keys.apply)
            desk.listen(KeyDeleted, keys.apply)
        self._has_other_shard = False
        self._gateway = gateway
        self._epoch = epoch_of(first_number) - 1
        self._follower = EventFollower(from_start=True)
        self._gap_request = RepeatTimer(GAP_AGAIN_NS)
        self._state_request = RepeatTimer(STATE_AGAIN_NS)
        self._state_id = 0
        self._seq_at_request = 0
        self._needs_state = True
        self._resend_is_due = False
        self._due_ns = 0
        self._has_received = False
        self._received_ns = 0
        self._notices: list[Notice] = []
        self.fenced = False
        self.commands_sent = 0
        self.commands_again = 0
        self.gaps = 0
        self.events_lost = 0

    @property
    def following(self) -> bool:
        """Whether the matcher's incarnation is known and not in doubt, and this gateway is not
        fenced."""
        return self._in_flight.is_open and not self.fenced

    @property
    def held(self) -> int:
        """Batches that wait for missing ones before them."""
        return self._follower.held

    def gap(self) -> tuple[int, int, int] | None:
        """(incarnation, from seq, to seq) of the events that are missing, if any."""
        return self._follower.gap()

    def is_answered(self, number: int) -> bool:
        """Whether a command that was sent is no longer in flight."""
        return number not in self._in_flight

    def collect_notices(self) -> list[Notice]:
        """Remove and return the events for the log."""
        notices, self._notices = self._notices, []
        return notices

    def receive_events(self, frame: bytes) -> None:
        """Receive one frame of events; raises what `decode_events` raises."""
        self._has_received = True
        self._follow(decode_events(frame))

    def receive_answer(self, frame: bytes, now_ns: int) -> None:
        """Receive the answer to a matcher query; raises what `decode_matcher_reply` raises."""
        answer: Any = decode_matcher_reply(frame)
        if isinstance(answer, Orders | AccountBalances):
            self._queries.receive(answer)
        elif isinstance(answer, GatewayState):
            self._receive_state(answer)
        elif isinstance(answer, KeyPage):
            self._receive_keys(answer)
        elif answer.request_id:
            self._catch_ups.receive(answer, self._follower.incarnation, now_ns)
        elif isinstance(answer, Resend):
            for raw in answer.batches:
                self._follow(decode_events(raw))
        elif isinstance(answer, ResendTooOld):
            self._skip_lost_events(answer)

    def tick(self, now_ns: int) -> None:
        """Let time pass, about ten times a second: overdue commands come due again."""
        if self._has_received:
            self._has_received, self._received_ns = False, now_ns
        self._desk.tick(now_ns, matcher_is_silent=now_ns - self._received_ns > SILENT_NS)
        self._due_ns = 0
        if self._in_flight.is_overdue(now_ns) and self.following:
            self._in_flight.wait_longer(now_ns)
            self._resend_is_due = True
            self._needs_state = True

    def send(self, send_commands: Send, send_query: Send, now_ns: int) -> int:
        """Send what is due; return the number of the last new command sent, or 0.

        New commands that the socket does not accept get `BUSY`; the rest is tried again.
        """
        last_number = 0
        in_flight = self._in_flight
        if in_flight.unsent:
            new = in_flight.collect()
            if in_flight.is_open and not self.fenced and send_commands(encode(new)):
                self.commands_sent += len(new)
                last_number = in_flight.number
            else:
                self._refuse_unsent(new)
        while self._queries.has_unsent:
            # Where the matcher is away all of them are refused.
            for query in self._queries.collect():
                if not send_query(encode(query)):
                    self._queries.refuse(query, "the matcher cannot be reached now")
        if self._resend_is_due:
            self._send_again(send_commands)
        if now_ns >= self._due_ns or self._catch_ups.has_unsent:
            self._request_missing(send_query, now_ns)
        return last_number

    def _refuse_unsent(self, commands: Sequence[Command]) -> None:
        withdrawn = self._in_flight.withdraw(commands)
        self._desk.refuse(withdrawn, RejectReason.BUSY, _NOT_ACCEPTING)

    def _send_again(self, send_commands: Send) -> None:
        """Send all commands in flight again, oldest first, as far as the socket accepts them."""
        self._resend_is_due = False
        waiting = self._in_flight.all()
        sent = 0
        while sent < len(waiting) and send_commands(encode(waiting[sent : sent + CHUNK_COMMANDS])):
            sent += CHUNK_COMMANDS
        if sent:
            count = min(sent, len(waiting))
            self.commands_sent += count
            self.commands_again += count
            self._note("commands_sent_again", count=count)
        else:
            self._in_flight.wait_least()

    def _request_missing(self, send_query: Send, now_ns: int) -> None:
        """Request the matcher's state, missing events and catch-up pages where they are due."""
        self._due_ns = now_ns + REQUEST_NS
        follower = self._follower
        if self._needs_state and self._state_request.due((), now_ns):
            self._state_id += 1
            self._seq_at_request = follower.seq
            if not send_query(encode(GatewayRequest(self._state_id, self._gateway))):
                self._state_request.forget()
        gap = follower.gap()
        if gap is not None and self._gap_request.due(gap[:2], now_ns):
            self.gaps += 1
            self._note("event_gap", from_seq=gap[1], to_seq=gap[2])
            if not send_query(encode(ResendRequest(0, *gap))):
                self._gap_request.forget()
        if self._keys is not None and follower.incarnation and not self.fenced:
            request = self._keys.next_request(now_ns)
            if request is not None and not send_query(encode(request)):
                self._keys.not_sent()
        if self.following:
            for page in self._catch_ups.collect(follower.incarnation, now_ns):
                send_query(encode(page))

    def _receive_keys(self, page: KeyPage) -> None:
        """Load a page of keys; the next one comes due at once."""
        keys, follower = self._keys, self._follower
        if keys is None or page.incarnation != follower.incarnation:
            return
        was_loaded = keys.table.is_loaded
        keys.receive(page)
        self._due_ns = 0
        if keys.table.is_loaded and not was_loaded:
            self._note("keys_loaded", keys=len(keys.table))
            if not (follower.other_incarnation or self.fenced):
                self._in_flight.resume()

    def _follow(self, batch: EventBatch) -> None:
        """Pass on the events that are now in order; a request for missing ones comes due."""
        follower = self._follower
        ready = follower.receive(batch)
        if ready:
            self._pass_on(ready)
        elif follower.other_incarnation and follower.incarnation:
            self._in_flight.suspend("the matcher may have restarted; its state is being checked")
            self._request_state()
        elif follower.gap() is not None:
            self._due_ns = 0

    def _pass_on(self, batches: Sequence[EventBatch]) -> None:
        desk = self._desk
        for batch in batches:
            desk.apply(batch)
        if self._in_flight.is_taken_over:
            self._fence()

    def _request_state(self) -> None:
        self._needs_state = True
        self._due_ns = 0

    def _receive_state(self, state: GatewayState) -> None:
        """Begin, begin anew, or give up the commands whose answers are lost."""
        desk, follower, in_flight = self._desk, self._follower, self._in_flight
        if state.request_id != self._state_id or self.fenced:
            return
        if shard_of(state.seq) != self._shard:
            self._note_other_shard(shard_of(state.seq))
            return
        self._needs_state = False
        for instrument in state.instruments:
            desk.set_instrument(instrument)
        if not follower.incarnation:
            self._begin(state, state.seq)
        elif state.incarnation != follower.incarnation or state.seq < self._seq_at_request:
            self._note("matcher_restarted", incarnation=state.incarnation, seq=state.seq)
            self._give_up(_RESTARTED)
            # All events of another incarnation are new; in one that was cut short, new events have
            # the numbers of others received before.
            is_other = state.incarnation != follower.incarnation
            self._begin(state, base_of(self._shard) if is_other else state.seq)
        elif state.last_request_seq > in_flight.number:
            self._fence()
        else:
            if follower.other_incarnation:
                self._pass_on(follower.reset(follower.incarnation, follower.seq))
                in_flight.resume()
            if follower.seq >= state.seq:
                # Applied, and every event since has been received, but not the answer.
                lost = in_flight.give_up(state.last_request_seq)
                desk.refuse(lost, RejectReason.OUTCOME_UNKNOWN, _ANSWER_LOST)

    def _note_other_shard(self, shard: int) -> None:
        """Log once that the matcher at this address has the instruments of another shard."""
        if not self._has_other_shard:
            self._has_other_shard = True
            self._note("matcher_of_another_shard", wanted=self._shard, found=shard)

    def _begin(self, state: GatewayState, seq: int) -> None:
        """Stand at `seq` of the matcher's incarnation, with numbers above all used before."""
        last_number = self._in_flight.number
        used = max(self._epoch, epoch_of(state.last_request_seq), epoch_of(last_number))
        self._epoch = used + 1
        self._has_received = True
        # Events between an earlier number and the state's come with their own times.
        self._desk.begin(seq, state.time_ns if seq == state.seq else 0)
        self._in_flight.begin(first_of(self._epoch) - 1)
        if self._keys is not None:
            self._keys.begin()
            self._due_ns = 0
            if not self._keys.table.is_loaded:
                self._in_flight.suspend("the API keys have not arrived yet")
        self._note("matcher_reached", incarnation=state.incarnation, seq=state.seq)
        self._pass_on(self._follower.reset(state.incarnation, seq))

    def _skip_lost_events(self, answer: ResendTooOld) -> None:
        """Go on with the first events that the matcher still holds."""
        follower = self._follower
        if answer.incarnation != follower.incarnation:
            self._request_state()
        elif follower.gap() is not None and answer.first_seq > follower.seq + 1:
            self.events_lost += answer.first_seq - 1 - follower.seq
            self._note("events_lost", from_seq=follower.seq + 1, to_seq=answer.first_seq - 1)
            self._desk.announce_gap()
            if self._keys is not None:
                self._keys.request_all()
            self._pass_on(follower.reset(answer.incarnation, answer.first_seq - 1))
            self._request_state()

    def _fence(self) -> None:
        self.fenced = True
        self._note("gateway_taken_over", gateway=self._gateway)
        self._in_flight.suspend("another gateway with this id has taken over")
        self._give_up(_TAKEN_OVER)

    def _give_up(self, text: str) -> None:
        """Refuse all commands: those not sent as such, the others with an unknown outcome."""
        in_flight = self._in_flight
        self._refuse_unsent(in_flight.collect())
        self._desk.refuse_waiting(_NOT_ACCEPTING)
        sent = in_flight.give_up(in_flight.number)
        self._desk.refuse(sent, RejectReason.OUTCOME_UNKNOWN, text)
        self._catch_ups.give_up_all(text)

    def _note(self, event: str, **facts: int) -> None:
        self._notices.append((event, facts))
