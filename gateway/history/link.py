"""Questions about the past, on their way to the recorder and back. No I/O.

The owner sends what `take_questions` gives, hands `take` what comes back, and calls `tick` now and
then. Every question ends: with an answer, or with None when the recorder cannot be reached, does
not answer in time, or has too many questions waiting already.
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
    """The questions of one gateway, by number. `given_up` counts those that ended with None.

    >>> from crossbook.common.messages.history_queries import NotYet, TradesQuestion
    >>> link, heard = HistoryLink(), []
    >>> link.ask(lambda number: TradesQuestion(number, 0, 1), heard.append)
    >>> link.take(encode(NotYet(1, 0, "starting")))
    >>> heard
    [NotYet(request_id=1, seq=0, text='starting')]
    """

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[Done, int]] = {}
        self._unsent: list[tuple[int, HistoryQuestion]] = []
        self._number = 0
        self._now_ns = 0
        self.given_up = 0

    @property
    def waiting(self) -> int:
        """Questions without an answer."""
        return len(self._waiting)

    def ask(self, question: Callable[[int], HistoryQuestion], done: Done) -> None:
        """Ask `question(request_id)`; `done` hears the answer, or None."""
        if len(self._waiting) >= QUESTIONS_MAX:
            self.given_up += 1
            done(None)
            return
        self._number += 1
        self._waiting[self._number] = (done, self._now_ns + ANSWER_NS)
        self._unsent.append((self._number, question(self._number)))

    def send(self, send: Callable[[bytes], bool]) -> None:
        """Send what was asked; a question that is not taken is over."""
        unsent, self._unsent = self._unsent, []
        for number, question in unsent:
            if number in self._waiting and not send(encode(question)):
                self._end(number, None)

    def take(self, payload: bytes) -> None:
        """Take one answer; raises what `decode_history_answer` raises."""
        answer: HistoryAnswer = decode_history_answer(payload)
        self._end(answer.request_id, answer)

    def tick(self, now_ns: int) -> None:
        """Time has come this far: give up what waits too long."""
        self._now_ns = now_ns
        for number, (_, until_ns) in list(self._waiting.items()):
            if until_ns > now_ns:
                break
            self._end(number, None)

    def _end(self, number: int, answer: HistoryAnswer | None) -> None:
        self.given_up += answer is None
        waiting = self._waiting.pop(number, None)
        if waiting is not None:
            waiting[0](answer)
