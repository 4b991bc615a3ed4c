"""One account sends history queries over thousands of connections: queries of other accounts take
turns with them."""

from crossbook.common.messages.codec import decode_history_question
from crossbook.common.messages.history_queries import HistoryAnswer, TradesQuestion
from crossbook.gateway.history.link import SENT_OF_ACCOUNT_MOST, HistoryLink

FLOOD = 4_000


def test_another_question_comes_behind_a_few_of_a_flood() -> None:
    link = HistoryLink()
    answers: list[HistoryAnswer | None] = []
    sent: list[int] = []

    def send(frame: bytes) -> bool:
        sent.append(decode_history_question(frame).request_id)
        return True

    for _ in range(FLOOD):
        link.add(lambda number: TradesQuestion(number, 0, 1), answers.append, account=1)
    link.send(send)
    link.add(lambda number: TradesQuestion(number, 0, 1), answers.append, account=2)
    link.send(send)
    assert sent.index(FLOOD + 1) <= SENT_OF_ACCOUNT_MOST <= 16
    assert not answers
