"""The gateway's link to the matcher: every command applied exactly once, every event heard once.

Bytes of the event stream and of the matcher's answers come in with the time; `send` gives what
is due to the two ways out. Sockets and clocks belong to the service around it.

Commands are numbered densely (see `crossbook.common.sequence`) and kept until their answer is seen
in the event stream. When the oldest has had none for a while, all of them are sent again in order;
the matcher drops what it has applied and whatever does not come next.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from crossbook.common.following.event_follower import AskAgain, EventFollower
from crossbook.common.messages.codec import decode_events, decode_matcher_reply, encode
from crossbook.common.messages.events import EventBatch
from crossbook.common.messages.matcher_queries import (
    AccountBalances,
    GatewayRequest,
    GatewayState,
    Orders,
    Resend,
    ResendRequest,
    ResendTooOld,
)
from crossbook.common.sequence import epoch_of, first_of
from crossbook.common.shards import base_of, shard_of
from crossbook.gateway.orders.desk import OrderDesk

Send = Callable[[bytes], bool]
"""Hands one frame to a socket; false when it does not take it now."""

GAP_AGAIN_NS: Final = 200_000_000
STATE_AGAIN_NS: Final = 200_000_000
"""Waits before events, or the matcher's state, are asked for again."""

RESEND_NS: Final = 300_000_000
"""Wait for the oldest command's answer before sending again; doubled while nothing changes."""

RESEND_MAX_NS: Final = 5_000_000_000
CHUNK_COMMANDS: Final = 1_000
"""Most commands in one message of those sent again; each has less than 200 bytes."""

SILENT_NS: Final = 2_000_000_000
"""Silence after which the matcher, which says at least every HEARTBEAT_MS that it is alive, counts
as away."""

ASK_NS: Final = 50_000_000
"""Longest wait between two looks at what is missing."""

_NOT_TAKING: Final = "the matcher is not taking commands now"
_RESTARTED: Final = "the matcher lost its history before it answered; query before sending again"
_UNHEARD: Final = "the matcher's answer was lost; query before sending again"
_TAKEN_OVER: Final = "another gateway with this id has taken over; query before sending again"


class MatcherLink:
    """Stands between one desk and the matcher.

    It begins by asking the matcher where it stands, as it does again when the event stream turns
    out to be another history; meanwhile the desk takes no commands. `fenced` says that another
    gateway of the same id has taken over: this one must end. `notices` has what is worth a line
    in the log; whoever reads it empties it.

    `commands_sent` counts commands handed to the matcher, `commands_again` those of them that
    were sent before, `gaps` requests for missing events, `events_lost` numbers never heard of.
    """

    def __init__(self, desk: OrderDesk, gateway: int, first_number: int, shard: int = 0) -> None:
        self._desk = desk
        self._shard = shard
        self._has_other_shard = False
        self._gateway = gateway
        self._epoch = epoch_of(first_number) - 1
        self._follower = EventFollower(from_start=True)
        self._ask_gap = AskAgain(GAP_AGAIN_NS)
        self._ask_state = AskAgain(STATE_AGAIN_NS)
        self._state_id = 0
        self._asked_at_seq = 0
        self._wants_state = True
        self._oldest = 0
        self._since_ns = 0
        self._wait_ns = RESEND_NS
        self._again_is_due = False
        self._due_ns = 0
        self._heard = False
        self._heard_ns = 0
        self.fenced = False
        self.commands_sent = 0
        self.commands_again = 0
        self.gaps = 0
        self.events_lost = 0
        self.notices: list[tuple[str, dict[str, int]]] = []

    @property
    def following(self) -> bool:
        """Whether the matcher's incarnation is known, no other has been heard, and it is ours."""
        follower = self._follower
        return follower.incarnation != 0 and follower.other_incarnation == 0 and not self.fenced

    @property
    def held(self) -> int:
        """Batches that wait for something missing before them."""
        return self._follower.held

    def take_events(self, payload: bytes) -> None:
        """Take one frame of the event stream; raises what `decode_events` raises."""
        self._heard = True
        self._follow(decode_events(payload))

    def take_reply(self, payload: bytes, now_ns: int) -> None:
        """Take one answer of the matcher; raises what `decode_matcher_reply` raises."""
        reply: Any = decode_matcher_reply(payload)
        if isinstance(reply, Orders | AccountBalances):
            self._desk.take_answer(reply)
        elif isinstance(reply, GatewayState):
            self._take_state(reply)
        elif reply.request_id:
            self._desk.catch_ups.take(reply, self._follower.incarnation, now_ns)
        elif isinstance(reply, Resend):
            for raw in reply.batches:
                self._follow(decode_events(raw))
        elif isinstance(reply, ResendTooOld):
            self._lose_events(reply)

    def tick(self, now_ns: int) -> None:
        """Call about ten times a second: what has had no answer for long comes due again."""
        self._desk.tick(now_ns)
        if self._heard:
            self._heard, self._heard_ns = False, now_ns
        self._desk.matcher_is_silent = now_ns - self._heard_ns > SILENT_NS
        self._due_ns = 0
        oldest = next(iter(self._desk.in_flight), 0)
        if oldest != self._oldest:
            self._oldest, self._since_ns, self._wait_ns = oldest, now_ns, RESEND_NS
        elif oldest and self.following and now_ns - self._since_ns >= self._wait_ns:
            self._since_ns = now_ns
            self._wait_ns = min(2 * self._wait_ns, RESEND_MAX_NS)
            self._again_is_due = True
            self._wants_state = True

    def send(self, commands: Send, queries: Send, now_ns: int) -> None:
        """Send what is due. New commands that are not taken get `BUSY`; the rest is tried again."""
        desk = self._desk
        new = desk.commands
        if new:
            desk.commands = []
            if not self.following or not commands(encode(new)):
                desk.take_back(new, _NOT_TAKING)
            else:
                self.commands_sent += len(new)
        if desk.questions:
            questions, desk.questions = desk.questions, []
            for question in questions:
                if not queries(encode(question)):
                    desk.refuse_question(question, "the matcher cannot be reached now")
        if self._again_is_due:
            self._send_again(commands)
        if now_ns >= self._due_ns or desk.catch_ups.asking:
            self._ask(queries, now_ns)

    def _send_again(self, commands: Send) -> None:
        """Send all in flight again, oldest first, as far as they are taken."""
        self._again_is_due = False
        waiting = [command for _, _, command in self._desk.in_flight.values()]
        sent = 0
        while sent < len(waiting) and commands(encode(waiting[sent : sent + CHUNK_COMMANDS])):
            sent += CHUNK_COMMANDS
        if sent:
            count = min(sent, len(waiting))
            self.commands_sent += count
            self.commands_again += count
            self._note("commands_sent_again", count=count)
        else:
            # Nobody is there: no reason to wait longer once somebody is.
            self._wait_ns = RESEND_NS

    def _ask(self, queries: Send, now_ns: int) -> None:
        """Ask the matcher for what is missing, at most as often as an answer may take."""
        self._due_ns = now_ns + ASK_NS
        follower = self._follower
        if self._wants_state and self._ask_state.due((), now_ns):
            self._state_id += 1
            self._asked_at_seq = follower.seq
            if not queries(encode(GatewayRequest(self._state_id, self._gateway))):
                self._ask_state.forget()
        gap = follower.gap()
        if gap is not None and self._ask_gap.due(gap[:2], now_ns):
            self.gaps += 1
            self._note("event_gap", from_seq=gap[1], to_seq=gap[2])
            if not queries(encode(ResendRequest(0, *gap))):
                self._ask_gap.forget()
        if self.following:
            for page in self._desk.catch_ups.wanted(follower.incarnation, now_ns):
                queries(encode(page))

    def _follow(self, batch: EventBatch) -> None:
        """Report what is in order now; what is missing comes due."""
        follower = self._follower
        ready = follower.receive(batch)
        if ready:
            self._report(ready)
        elif follower.other_incarnation and follower.incarnation:
            self._desk.suspend("the matcher may have lost its history")
            self._want_state()
        elif follower.gap() is not None:
            self._due_ns = 0

    def _report(self, batches: Sequence[EventBatch]) -> None:
        desk = self._desk
        for batch in batches:
            desk.take_events(batch)
        if desk.taken_over:
            self._fence()

    def _want_state(self) -> None:
        self._wants_state = True
        self._due_ns = 0

    def _take_state(self, state: GatewayState) -> None:
        """The matcher said where it stands: begin, begin anew, or see which answers are lost."""
        desk, follower = self._desk, self._follower
        if state.request_id != self._state_id or self.fenced:
            return
        if shard_of(state.seq) != self._shard:
            self._meet_other_shard(shard_of(state.seq))
            return
        self._wants_state = False
        for instrument in state.instruments:
            desk.learn(instrument)
        if not follower.incarnation:
            self._begin(state, state.seq)
        elif state.incarnation != follower.incarnation or state.seq < self._asked_at_seq:
            self._note("matcher_restarted", stream=state.incarnation, seq=state.seq)
            self._give_up(_RESTARTED)
            # All of another history is news; of one cut short, nothing can be told apart.
            is_other = state.incarnation != follower.incarnation
            self._begin(state, base_of(self._shard) if is_other else state.seq)
        elif state.last_request_seq > desk.number:
            self._fence()
        else:
            if follower.other_incarnation:
                self._report(follower.reset(follower.incarnation, follower.seq))
                desk.resume()
            if follower.seq >= state.seq:
                # Applied, and every event since has been heard, but not the answer.
                desk.lose(state.last_request_seq, _UNHEARD)

    def _meet_other_shard(self, shard: int) -> None:
        """At this address is a matcher of other instruments: go on asking, and tell it once."""
        if not self._has_other_shard:
            self._has_other_shard = True
            self._note("matcher_of_another_shard", wanted=self._shard, found=shard)

    def _begin(self, state: GatewayState, seq: int) -> None:
        """Stand at `seq` of the matcher's incarnation, with numbers above all used before."""
        desk = self._desk
        used = max(self._epoch, epoch_of(state.last_request_seq), epoch_of(desk.number))
        self._epoch = used + 1
        desk.begin(first_of(self._epoch) - 1, seq)
        self._note("matcher_reached", stream=state.incarnation, seq=state.seq)
        self._report(self._follower.reset(state.incarnation, seq))

    def _lose_events(self, reply: ResendTooOld) -> None:
        """The matcher no longer holds what is missing: go on with the first it does."""
        follower = self._follower
        if reply.incarnation != follower.incarnation:
            self._want_state()
        elif follower.gap() is not None and reply.first_seq > follower.seq + 1:
            self.events_lost += reply.first_seq - 1 - follower.seq
            self._note("events_lost", from_seq=follower.seq + 1, to_seq=reply.first_seq - 1)
            self._desk.tell_hole()
            self._report(follower.reset(reply.incarnation, reply.first_seq - 1))
            self._want_state()

    def _fence(self) -> None:
        self.fenced = True
        self._note("gateway_taken_over", gateway=self._gateway)
        self._desk.suspend("another gateway with this id has taken over")
        self._give_up(_TAKEN_OVER)

    def _give_up(self, text: str) -> None:
        """What was handed on has an unknown outcome; what was not is refused."""
        desk = self._desk
        unsent, desk.commands = desk.commands, []
        desk.take_back(unsent, _NOT_TAKING)
        desk.lose(desk.number, text)
        desk.catch_ups.give_up_all(text)

    def _note(self, what: str, **facts: int) -> None:
        self.notices.append((what, facts))
