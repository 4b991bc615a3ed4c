"""Trades from before a subscription, of a publisher in the test's process."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec import Raw

from crossbook.client.recent_trades import recent_trades
from crossbook.common.messages.codec import decode_feed_request, encode
from crossbook.common.messages.feed import Range, RangeRequest, TooOld, Trade, Trades, topic
from crossbook.common.sequence import first_of
from crossbook.errors import MarketDataError

MODULE = "crossbook.client.recent_trades"
FIRST = first_of(7)
ADDRESS = "tcp://publisher"
TOPIC = topic("trade", "X")


def trade(trade_id: int) -> Trade:
    return Trade(
        seq=1, trade_id=trade_id, price_ticks=5, quantity_lots=1, aggressor_side=1,
        maker_order_id=2, taker_order_id=3, time_ns=0,
    )  # fmt: skip


class Publisher:
    """Holds messages of one to three trades from number `oldest` on; answers in parts of `most`.

    The first `lost` requests get no answer, and each answer comes behind one to another request.
    """

    def __init__(self, messages: int, oldest: int, most: int, lost: int = 0) -> None:
        ids = iter(range(1, 10**6))
        self.messages = [
            [trade(next(ids)) for _ in range(1 + place % 3)] for place in range(messages)
        ]
        self.oldest, self.most, self.lost = oldest, most, lost
        self.requests: list[RangeRequest] = []
        self.answers: deque[bytes] = deque()
        self.now_s = 100.0

    @property
    def last_seq(self) -> int:
        """The number of the last message."""
        return FIRST + len(self.messages) - 1

    @property
    def held(self) -> list[Trade]:
        """Every trade that it still has."""
        return [each for message in self.messages[self.oldest - FIRST :] for each in message]

    def send(self, frame: bytes) -> None:
        """Answer a request."""
        request = decode_feed_request(frame)
        assert isinstance(request, RangeRequest)
        self.requests.append(request)
        if self.lost:
            self.lost -= 1
            return
        other = TooOld(request.request_id + 7, request.topic, FIRST, FIRST)
        self.answers.extend((encode(other), encode(self._answer(request))))

    def _answer(self, request: RangeRequest) -> Range | TooOld:
        if request.from_seq < self.oldest:
            return TooOld(request.request_id, request.topic, self.oldest, self.last_seq)
        begin = request.from_seq - FIRST
        found = self.messages[begin : min(begin + self.most, request.to_seq - FIRST + 1)]
        payloads = [Raw(encode(Trades("X", each))) for each in found]
        return Range(request.request_id, request.topic, request.from_seq, payloads)

    def poll(self, ms: int) -> int:
        """Whether an answer is there; without one the time passes."""
        assert ms >= 1
        if not self.answers:
            self.now_s += ms / 1_000
        return len(self.answers)

    def recv(self) -> bytes:
        """The next answer."""
        return self.answers.popleft()

    def install(self, monkeypatch: pytest.MonkeyPatch) -> "Publisher":
        """Answer at the address from now on, on a clock of its own."""

        @contextmanager
        def dealer(context: Any, address: str, *_: object) -> Iterator[Publisher]:
            assert address == ADDRESS
            yield self

        monkeypatch.setattr(f"{MODULE}.sockets.snapshots_dealer", dealer)
        monkeypatch.setattr(f"{MODULE}.time.monotonic", lambda: self.now_s)
        return self


@pytest.mark.parametrize("count", [1, 2, 5, 9, 1_000])
@pytest.mark.parametrize(("messages", "oldest"), [(1, 0), (7, 0), (7, 2), (7, 6), (40, 11)])
@pytest.mark.parametrize("most", [1, 3, 100])
def test_the_last_trades_are_found_as_far_back_as_they_are_held(
    monkeypatch: pytest.MonkeyPatch, count: int, messages: int, oldest: int, most: int
) -> None:
    publisher = Publisher(messages, FIRST + oldest, most).install(monkeypatch)
    found = recent_trades(ADDRESS, "X", publisher.last_seq, count, 1.0)
    assert found == publisher.held[-count:]
    requests = publisher.requests
    assert [each.request_id for each in requests] == list(range(1, len(requests) + 1))
    assert {(each.topic, each.to_seq) for each in requests} == {(TOPIC, publisher.last_seq)}
    assert min(each.from_seq for each in requests) >= FIRST


@pytest.mark.parametrize(("last_seq", "count"), [(0, 5), (FIRST, 0)])
def test_without_trades_nothing_is_requested(
    monkeypatch: pytest.MonkeyPatch, last_seq: int, count: int
) -> None:
    publisher = Publisher(1, FIRST, 1).install(monkeypatch)
    assert recent_trades(ADDRESS, "X", last_seq, count, 1.0) == []
    assert publisher.requests == []


def test_a_lost_request_is_sent_again_until_the_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publisher = Publisher(2, FIRST, 9, lost=2).install(monkeypatch)
    assert recent_trades(ADDRESS, "X", publisher.last_seq, 9, 5.0) == publisher.held
    assert publisher.now_s == 102
    publisher = Publisher(2, FIRST, 9, lost=99).install(monkeypatch)
    with pytest.raises(MarketDataError, match="the publisher does not answer"):
        recent_trades(ADDRESS, "X", publisher.last_seq, 9, 2.5)
    assert publisher.now_s == 102.5
    assert len(publisher.requests) == 3


def test_a_range_that_the_publisher_no_longer_holds_ends_the_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The publisher names the requested number as its first, or sends an empty range."""
    publisher = Publisher(3, FIRST, 9).install(monkeypatch)
    answers = [
        TooOld(1, TOPIC, FIRST, FIRST + 2),
        Range(1, TOPIC, FIRST, []),
    ]
    for answer in answers:
        monkeypatch.setattr(publisher, "_answer", lambda _, answer=answer: answer)
        assert recent_trades(ADDRESS, "X", publisher.last_seq, 3, 1.0) == []


def test_bytes_that_are_no_answer_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = Publisher(1, FIRST, 1).install(monkeypatch)
    publisher.answers.append(b"\xc1")
    with pytest.raises(MarketDataError, match="the publisher's answer cannot be read"):
        recent_trades(ADDRESS, "X", publisher.last_seq, 1, 1.0)
