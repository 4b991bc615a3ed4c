"""Candles and trades from before the publisher began, requested from the recorder.

The recorder may be away, behind or absent; the publisher does not wait for it. Time is an argument
(of any clock that never steps back); messages are decoded.
"""

from enum import Enum
from typing import Final

from msgspec import Struct

from crossbook.common.messages.history_queries import (
    HistoryAnswer,
    HistoryReject,
    MarketQuestion,
    MarketRecord,
    NotYet,
)
from crossbook.publisher.feed import Feed
from crossbook.publisher.statistics import MarketStatistics

ALONE_NS: Final = 10_000_000_000
"""Time for which candles and ticker wait for a recorder that does not answer."""

UNSENT_AGAIN_NS: Final = 20_000_000
"""Time until a question that could not be sent is sent again."""

UNANSWERED_AGAIN_NS: Final = 2_000_000_000
"""Time until a question without an answer is sent again."""

UNUSABLE_AGAIN_NS: Final = 10_000_000_000
"""Time until the next question after an answer that a repetition cannot improve."""

QUESTIONS_MAX: Final = 8
"""Most questions at once: each answer holds up to a day of minutes."""


class Finding(Enum):
    """Outcomes of a question about an instrument's past."""

    LOADED = "loaded"
    ALONE = "alone"
    OTHER_HISTORY = "other_history"
    REFUSED = "refused"


class Note(Struct, frozen=True):
    """A line for the log."""

    finding: Finding
    symbols: list[str]
    text: str = ""


class _PastQuestion:
    """The open question about one instrument's past."""

    __slots__ = ("due_ns", "min_seq", "record", "request_id", "statistics")

    def __init__(self, statistics: MarketStatistics, now_ns: int) -> None:
        self.statistics = statistics
        self.due_ns = now_ns
        self.min_seq = 0
        self.request_id = 0
        # An answer ahead of the feed's last number.
        self.record: MarketRecord | None = None


class Backfill:
    """Requests the past of every instrument of `feed` that lacks it; `feed` runs without it
    meanwhile.

    The owner calls `next_questions` every round, after `Feed.publish`, sends them, and passes
    answers to `receive`. A round costs one comparison once every past is known.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._loads = 0
        self._questions: dict[int, _PastQuestion] = {}
        self._alone_at_ns = 0
        self._request_id = 0
        self._notes: list[Note] = []

    def drain_notes(self) -> list[Note]:
        """The lines for the log since the last call."""
        notes, self._notes = self._notes, []
        return notes

    def next_questions(self, now_ns: int) -> list[MarketQuestion]:
        """Questions to send now; they count as sent."""
        if self._loads != self._feed.loads:
            self._start(now_ns)
        if not self._questions:
            return []
        self._seed(now_ns)
        if self._alone_at_ns and now_ns >= self._alone_at_ns:
            self._begin_alone()
        waiting = sum(question.request_id != 0 for question in self._questions.values())
        questions: list[MarketQuestion] = []
        for instrument, question in self._questions.items():
            if question.due_ns <= now_ns and (question.request_id or waiting < QUESTIONS_MAX):
                waiting += not question.request_id
                questions.append(self._question(instrument, question, now_ns))
        return questions

    def not_sent(self, questions: list[MarketQuestion], now_ns: int) -> None:
        """These could not be sent: the recorder is absent, or its queue full."""
        for sent in questions:
            question = self._questions[sent.instrument]
            question.request_id = 0
            question.due_ns = now_ns + UNSENT_AGAIN_NS

    def receive(self, answer: HistoryAnswer, now_ns: int) -> None:
        """Apply an answer of the recorder; an answer to no open question is dropped."""
        if isinstance(answer, MarketRecord):
            question = self._questions.get(answer.instrument)
            if question is not None and answer.seq >= question.min_seq and question.request_id:
                question.record = answer
                self._seed(now_ns)
        elif isinstance(answer, NotYet | HistoryReject):
            for question in self._questions.values():
                if question.request_id == answer.request_id:
                    self._refused(question, answer, now_ns)

    def _start(self, now_ns: int) -> None:
        """The feed was loaded: earlier questions are void."""
        self._loads = self._feed.loads
        self._questions = {
            instrument: _PastQuestion(market.statistics, now_ns)
            for instrument, market in self._feed.markets.items()
            if not market.statistics.whole
        }
        self._alone_at_ns = now_ns + ALONE_NS

    def _question(self, instrument: int, question: _PastQuestion, now_ns: int) -> MarketQuestion:
        if not question.request_id or not question.statistics.holding:
            question.statistics.hold()
            question.min_seq = self._feed.seq
            question.record = None
        self._request_id += 1
        question.request_id = self._request_id
        question.due_ns = now_ns + UNANSWERED_AGAIN_NS
        return MarketQuestion(question.request_id, question.min_seq, instrument)

    def _seed(self, now_ns: int) -> None:
        """Apply the answers whose number the feed has reached."""
        loaded: list[str] = []
        for instrument, question in list(self._questions.items()):
            record, statistics = question.record, question.statistics
            if record is None or record.seq > self._feed.seq:
                continue
            question.record = None
            other = record.incarnation not in (0, self._feed.incarnation)
            if not statistics.holding:
                # Too many trades since the question: a new one is made.
                continue
            if other or not statistics.seed(record):
                question.request_id = 0
                question.due_ns = now_ns + UNUSABLE_AGAIN_NS
                self._notes.append(Note(Finding.OTHER_HISTORY, [statistics.symbol]))
                continue
            del self._questions[instrument]
            self._feed.past_is_known(instrument)
            loaded.append(statistics.symbol)
        if loaded:
            self._notes.append(Note(Finding.LOADED, loaded))

    def _begin_alone(self) -> None:
        self._alone_at_ns = 0
        alone = []
        for instrument, question in self._questions.items():
            if not question.statistics.known:
                question.statistics.begin()
                self._feed.past_is_known(instrument)
                alone.append(question.statistics)
        if alone:
            self._notes.append(Note(Finding.ALONE, [each.symbol for each in alone]))

    def _refused(
        self, question: _PastQuestion, answer: NotYet | HistoryReject, now_ns: int
    ) -> None:
        if isinstance(answer, NotYet):
            # Trades stay held: the question is repeated until the recorder has reached its number.
            question.due_ns = now_ns + UNSENT_AGAIN_NS
            return
        question.request_id = 0
        question.due_ns = now_ns + UNUSABLE_AGAIN_NS
        self._notes.append(Note(Finding.REFUSED, [question.statistics.symbol], answer.text))
