"""Questions on their way to the recorder: bounded, and each one ends."""

import pytest

from crossbook.common.messages.codec import encode
from crossbook.common.messages.history_queries import HistoryAnswer, NotYet, TradesQuestion
from crossbook.gateway.history import link as history_link
from crossbook.gateway.history.link import ANSWER_NS, HistoryLink


def question(number: int) -> TradesQuestion:
    """Any question."""
    return TradesQuestion(number, 0, 1)


def test_no_more_questions_wait_than_the_limit_and_the_next_one_ends_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history_link, "QUESTIONS_MAX", 2)
    link = HistoryLink()
    heard: list[HistoryAnswer | None] = []
    sent: list[bytes] = []

    def send(frame: bytes) -> bool:
        sent.append(frame)
        return True

    for _ in range(2):
        link.add(question, heard.append)
    assert (heard, link.waiting, link.given_up) == ([], 2, 0)
    link.add(question, heard.append)
    assert (heard, link.waiting, link.given_up) == ([None], 2, 1)
    link.send(send)
    assert sent == [encode(question(1)), encode(question(2))]
    link.receive(encode(NotYet(1, 0, "starting")))
    assert (heard, link.waiting) == ([None, NotYet(1, 0, "starting")], 1)
    link.add(question, heard.append)
    assert (len(heard), link.waiting) == (2, 2)


def test_a_question_is_given_up_when_its_time_is_over_and_not_before() -> None:
    link = HistoryLink()
    heard: list[HistoryAnswer | None] = []
    link.tick(1_000)
    link.add(question, heard.append)
    link.tick(1_000 + ANSWER_NS - 1)
    assert (heard, link.waiting) == ([], 1)
    link.tick(1_000 + ANSWER_NS)
    assert (heard, link.waiting, link.given_up) == ([None], 0, 1)


def test_an_answer_to_no_question_is_nobodys() -> None:
    link = HistoryLink()
    heard: list[HistoryAnswer | None] = []
    link.add(question, heard.append)
    link.receive(encode(NotYet(7, 0, "late")))
    assert (heard, link.waiting) == ([], 1)
