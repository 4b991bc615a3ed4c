"""Metrics of the recorder; docs/reference/metrics.md describes each."""

from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from prometheus_client.metrics_core import Metric

from crossbook.common.process.counters import Buckets
from crossbook.common.process.exposition import Exposition


class WrittenCounts(Protocol):
    """The counts of the loop: `crossbook.recorder.service.Written`."""

    rows: Counter[str]
    transactions: Buckets
    delays: Buckets
    failures: int
    failing: bool
    gaps: int
    held: int
    malformed: int
    forgotten: int


class RecorderLoop(Protocol):
    """The loop that writes."""

    seq: int

    @property
    def written(self) -> WrittenCounts:
        """Its counts."""


class AnswerLoop(Protocol):
    """The loop that answers questions."""

    answers: Counter[str]

    @property
    def waiting(self) -> int:
        """Number of waiting questions."""


class RecorderMetrics(Exposition):
    """The families of a recorder."""

    def __init__(self, recorder: RecorderLoop, answers: AnswerLoop) -> None:
        super().__init__("recorder")
        self._recorder = recorder
        self._answers = answers

    def families(self) -> Iterator[Metric]:
        """All families with their present values."""
        written, answers = self._recorder.written, self._answers
        yield self.gauge("sequence", "Number of the last command recorded", self._recorder.seq)
        yield self.counter("rows", "Rows written, by table", dict(written.rows), "table")
        yield self.seconds("transaction_seconds", "Time of one transaction", written.transactions)
        yield self.seconds(
            "delay_seconds", "From the number of a command to its record", written.delays
        )
        yield self.counter(
            "database_failures", "Attempts at the database that failed", written.failures
        )
        yield self.gauge("database_failing", "1 while the last attempt failed", written.failing)
        yield self.counter("gaps", "Requests for missing events", written.gaps)
        yield self.gauge("held_batches", "Batches waiting behind a gap", written.held)
        yield self.counter("malformed", "Messages that were no batch", written.malformed)
        yield self.counter("forgotten_rows", "Rows removed as too old", written.forgotten)
        yield self.counter("answers", "Answers, by kind", dict(answers.answers), "kind")
        yield self.gauge("waiting_questions", "Questions for later numbers", answers.waiting)
