"""Questions to one recorder, from the caller to the answer. No I/O.

The owner calls `send` and `tick` now and then, and hands the answers to `receive`. Every question
ends: with an answer, or with None when the recorder cannot be reached or does not answer in time,
or when too many questions wait already. A few are at the recorder, and accounts take turns.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from crossbook.common.messages.codec import decode_history_answer, encode
from crossbook.common.messages.history_queries import HistoryAnswer, HistoryQuestion
from crossbook.gateway.orders.lines import Lines

QUESTIONS_MAX: Final = 10_000
"""Most questions waiting for their turn; an account may have as many as it leaves free."""

SENT_MOST: Final = 64
"""Most questions at the recorder, which answers in the order of arrival. Those that wait for a
number not recorded yet are among them."""

SENT_OF_ACCOUNT_MOST: Final = 16
"""Those of one account."""

ANSWER_NS: Final = 4_000_000_000
"""Nanoseconds after which a question is given up."""

Done = Callable[[HistoryAnswer | None], None]


class _Question(Struct, gc=False):
    """A question without an answer."""

    question: HistoryQuestion
    done: Done
    account: int
    until_ns: int
    is_sent: bool = False


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
        self._waiting: dict[int, _Question] = {}
        self._lines: Lines[int] = Lines(QUESTIONS_MAX)
        self._sent = 0
        self._sent_of: Counter[int] = Counter()
        self._full: set[int] = set()
        self._request_id = 0
        self._now_ns = 0
        self.given_up = 0

    @property
    def waiting(self) -> int:
        """Questions without an answer."""
        return len(self._waiting)

    def add(self, question: Callable[[int], HistoryQuestion], done: Done, account: int = 0) -> None:
        """Add the question of an account that `question` makes of a request_id; `done` gets its
        answer, or None."""
        if not self._lines.has_room(account):
            self.given_up += 1
            done(None)
            return
        self._request_id += 1
        until_ns = self._now_ns + ANSWER_NS
        made = _Question(question(self._request_id), done, account, until_ns)
        self._waiting[self._request_id] = made
        self._lines.add(account, self._request_id)

    def send(self, send_frame: Callable[[bytes], bool]) -> None:
        """Send the questions whose turn it is; one that the socket does not accept ends with
        None."""
        while self._sent < SENT_MOST and (number := self._lines.take(self._full)) is not None:
            waiting = self._waiting.get(number)
            if waiting is None:
                continue
            if not send_frame(encode(waiting.question)):
                self._end(number, None)
                continue
            waiting.is_sent = True
            self._sent += 1
            self._sent_of[waiting.account] += 1
            if self._sent_of[waiting.account] >= SENT_OF_ACCOUNT_MOST:
                self._full.add(waiting.account)

    def receive(self, frame: bytes) -> None:
        """Receive one answer; raises what `decode_history_answer` raises."""
        answer: HistoryAnswer = decode_history_answer(frame)
        self._end(answer.request_id, answer)

    def tick(self, now_ns: int) -> None:
        """Let time pass: questions that have waited too long end with None."""
        self._now_ns = now_ns
        for request_id, waiting in list(self._waiting.items()):
            if waiting.until_ns > now_ns:
                break
            self._end(request_id, None)

    def _end(self, request_id: int, answer: HistoryAnswer | None) -> None:
        self.given_up += answer is None
        waiting = self._waiting.pop(request_id, None)
        if waiting is None:
            return
        if waiting.is_sent:
            self._sent -= 1
            self._sent_of[waiting.account] -= 1
            self._full.discard(waiting.account)
            if not self._sent_of[waiting.account]:
                del self._sent_of[waiting.account]
        waiting.done(answer)
