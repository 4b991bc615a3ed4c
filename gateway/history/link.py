"""Questions to one recorder, from the caller to the answer. No I/O.

The owner calls `send` and `tick` now and then, and hands the answers to `receive`. Every question
ends: with an answer, or with None when the recorder cannot be reached or does not answer in time,
or when too many questions wait already.
"""

from collections.abc import Callable
from typing import Final

from crossbook.common.messages.codec import decode_history_answer, encode
from crossbook.common.messages.history_queries import HistoryAnswer, HistoryQuestion

QUESTIONS_MAX: Final = 10_000
"""Most questions waiting for an answer."""

ANSWER_NS: Final = 4_000_000_000
"""Nanoseconds after which a question is given up."""

Done = Callable[[HistoryAnswer | None], None]


class HistoryLink:
    """The questions of one gateway to one recorder. `given_up` counts those that ended with None.

    >>> from crossbook.common.messages.history_queries import NotYet, TradesQuestion
    >>> link, answers = HistoryLink(), []
    >>> link.add(lambda request_id: TradesQuestion(request_id, 0, 1), answers.append)
    >>> link.receive(encode(NotYet(1, 0, "starting")))
    >>> answers
    [NotYet(request_id=1, seq=0, text='starting')]
    """

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[Done, int]] = {}
        self._unsent: list[tuple[int, HistoryQuestion]] = []
        self._request_id = 0
        self._now_ns = 0
        self.given_up = 0

    @property
    def waiting(self) -> int:
        """Questions without an answer."""
        return len(self._waiting)

    def add(self, question: Callable[[int], HistoryQuestion], done: Done) -> None:
        """Add the question that `question` makes of a request_id; `done` gets its answer, or
        None."""
        if len(self._waiting) >= QUESTIONS_MAX:
            self.given_up += 1
            done(None)
            return
        self._request_id += 1
        self._waiting[self._request_id] = (done, self._now_ns + ANSWER_NS)
        self._unsent.append((self._request_id, question(self._request_id)))

    def send(self, send_frame: Callable[[bytes], bool]) -> None:
        """Send the questions added since; one that the socket does not accept ends with None."""
        unsent, self._unsent = self._unsent, []
        for request_id, question in unsent:
            if request_id in self._waiting and not send_frame(encode(question)):
                self._end(request_id, None)

    def receive(self, frame: bytes) -> None:
        """Receive one answer; raises what `decode_history_answer` raises."""
        answer: HistoryAnswer = decode_history_answer(frame)
        self._end(answer.request_id, answer)

    def tick(self, now_ns: int) -> None:
        """Let time pass: questions that have waited too long end with None."""
        self._now_ns = now_ns
        for request_id, (_, until_ns) in list(self._waiting.items()):
            if until_ns > now_ns:
                break
            self._end(request_id, None)

    def _end(self, request_id: int, answer: HistoryAnswer | None) -> None:
        self.given_up += answer is None
        waiting = self._waiting.pop(request_id, None)
        if waiting is not None:
            waiting[0](answer)
