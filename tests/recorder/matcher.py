"""A matcher under random commands, and the record that a plain reader makes of its events."""

from random import Random

from crossbook.common.following.candles import SECOND_NS
from crossbook.common.messages.codec import decode_events, encode
from crossbook.common.messages.commands import AdvanceTime, Command
from crossbook.common.messages.events import EventBatch
from crossbook.common.messages.matcher_queries import (
    Books,
    BooksRequest,
    BookState,
    MatcherReply,
    ResendRequest,
)
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import RecordLog, Sequencer
from tests.properties.generator import StepGenerator
from tests.properties.market import INSTRUMENTS, rules_of, venue
from tests.recorder.naive import NaiveRecord
from tests.worlds.forgetful_log import ForgetfulLog

INCARNATION = 7
BEGIN_NS = 1_760_000_000 * SECOND_NS


class RecordedMatcher:
    """The real engine and sequencer; `record` is what they and the reference model agree on."""

    def __init__(self, seed: int, log: RecordLog | None = None) -> None:
        self.generator = StepGenerator(seed, lambda: self.now_ns)
        self.record = NaiveRecord(INSTRUMENTS)
        self.batches: list[EventBatch] = []
        self.now_ns = BEGIN_NS
        self._sequencer = Sequencer(
            venue(Engine, rules_of(seed)),
            log or ForgetfulLog(INCARNATION),
            EventResendBuffer(max_bytes=10**9),
        )
        self._steps = self.generator.steps(10**9)
        self._chance = Random(seed)

    @property
    def seq(self) -> int:
        """The number of the last command applied."""
        return self._sequencer.seq

    def apply(self, count: int) -> EventBatch | None:
        """The batch of `count` more commands, some time after the previous one. Where acts go on,
        and the matcher sends several batches, they are joined."""
        self.now_ns += self._chance.choice((1, 10**6, SECOND_NS // 3, 40 * SECOND_NS))
        commands: list[Command] = []
        expected = []
        for _ in range(count):
            _, command, events = next(self._steps)
            commands.append(command)
            expected += events
            self.record.read(events, self.now_ns)
        batch = None
        payloads = [encode(commands)]
        while payloads or self._sequencer.has_more:
            encoded = self._sequencer.apply(payloads, self.now_ns)
            payloads = []
            if encoded is not None:
                part = decode_events(encoded)
                batch = part if batch is None else _joined(batch, part)
        # Acts that no further command has met.
        reference = self.generator.reference
        while reference.market.rest is not None:
            more = reference.apply(AdvanceTime(), self.now_ns)
            expected += more
            self.record.read(more, self.now_ns)
        if batch is None:
            return None
        assert batch.events == expected, "the engine differs from the reference model"
        self.batches.append(batch)
        return batch

    def books(self) -> list[BookState]:
        """All books as the engine has them."""
        reply = self._sequencer.answer(BooksRequest(1))
        assert isinstance(reply, Books)
        return reply.books

    def heartbeat(self) -> EventBatch:
        """The message that an idle matcher sends."""
        return decode_events(self._sequencer.heartbeat(self.now_ns))

    def answer(self, request: ResendRequest) -> MatcherReply:
        """The matcher's answer to a resend request."""
        return self._sequencer.answer(request)


def _joined(earlier: EventBatch, later: EventBatch) -> EventBatch:
    return EventBatch(
        incarnation=earlier.incarnation,
        first_seq=earlier.first_seq,
        last_seq=later.last_seq,
        time_ns=later.time_ns,
        events=[*earlier.events, *later.events],
    )
