"""Questions to the recorder are bounded in number, and each one ends."""

import pytest

from crossbook.common.messages.codec import decode_history_question, encode
from crossbook.common.messages.history_queries import HistoryAnswer, NotYet, TradesQuestion
from crossbook.gateway.history import link as history_link
from crossbook.gateway.history.link import (
    ANSWER_NS,
    SENT_MOST,
    SENT_OF_ACCOUNT_MOST,
    HistoryLink,
)


def question(request_id: int) -> TradesQuestion:
    """Any question."""
    return TradesQuestion(request_id, 0, 1)


def test_no_more_questions_wait_than_the_limit_and_the_next_one_ends_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history_link, "QUESTIONS_MAX", 3)
    link = HistoryLink()
    answers: list[HistoryAnswer | None] = []
    sent: list[bytes] = []

    def send(frame: bytes) -> bool:
        sent.append(frame)
        return True

    for _ in range(2):
        link.add(question, answers.append)
    assert (answers, link.waiting, link.given_up) == ([], 2, 0)
    link.add(question, answers.append)
    assert (answers, link.waiting, link.given_up) == ([None], 2, 1)
    link.send(send)
    assert sent == [encode(question(1)), encode(question(2))]
    link.receive(encode(NotYet(request_id=1, seq=0, text="starting")))
    assert (answers, link.waiting) == ([None, NotYet(request_id=1, seq=0, text="starting")], 1)
    link.add(question, answers.append)
    assert (len(answers), link.waiting) == (2, 2)


def test_a_question_is_given_up_when_its_time_is_over_and_not_before() -> None:
    link = HistoryLink()
    answers: list[HistoryAnswer | None] = []
    link.tick(1_000)
    link.add(question, answers.append)
    link.tick(1_000 + ANSWER_NS - 1)
    assert (answers, link.waiting) == ([], 1)
    link.tick(1_000 + ANSWER_NS)
    assert (answers, link.waiting, link.given_up) == ([None], 0, 1)


def test_an_answer_without_a_question_is_dropped() -> None:
    link = HistoryLink()
    answers: list[HistoryAnswer | None] = []
    link.add(question, answers.append)
    link.receive(encode(NotYet(request_id=7, seq=0, text="late")))
    assert (answers, link.waiting) == ([], 1)


def test_accounts_take_turns_and_none_has_all_places_at_the_recorder() -> None:
    link = HistoryLink()
    sent: list[int] = []
    answers: list[HistoryAnswer | None] = []

    def send(frame: bytes) -> bool:
        sent.append(decode_history_question(frame).request_id)
        return True

    for _ in range(1_000):
        link.add(question, answers.append, account=7)
    link.add(question, answers.append, account=8)
    link.send(send)
    assert len(sent) == SENT_OF_ACCOUNT_MOST + 1
    assert sent[:3] == [1, 1_001, 2]
    for request_id in (1_001, 1):
        link.receive(encode(NotYet(request_id, 0, "")))
    link.send(send)
    assert sent[-1] == SENT_OF_ACCOUNT_MOST + 1
    for account in range(100, 200):
        link.add(question, answers.append, account)
    link.send(send)
    assert len(sent) - len(answers) == SENT_MOST
    link.tick(ANSWER_NS)
    link.send(send)
    assert (link.waiting, len(answers)) == (0, 1_101)
