"""The common part of every replica: numbered requests, each repeated only after a while."""

from crossbook.common.following.replica import Replica
from crossbook.common.messages.events import EventBatch
from crossbook.common.messages.matcher_queries import ResendRequest


class OneHole(Replica):
    """A replica that requests commands 3 to 5 of incarnation 7."""

    def next_request(self, now_ns: int) -> ResendRequest | None:
        return self._resend_request(7, 3, 5, now_ns)


def request(request_id: int) -> ResendRequest:
    return ResendRequest(request_id=request_id, incarnation=7, from_seq=3, to_seq=5)


def test_the_same_range_is_requested_again_only_after_a_while() -> None:
    replica = OneHole(again_ns=100)
    assert replica.next_request(1_000) == request(1)
    assert replica.next_request(1_099) is None
    assert replica.next_request(1_100) == request(2)


def test_a_request_that_was_not_sent_is_made_again_at_once() -> None:
    replica = OneHole(again_ns=100)
    assert replica.next_request(1_000) == request(1)
    replica.not_sent()
    assert replica.next_request(1_001) == request(2)


def test_batches_before_the_beginning_is_known_are_held() -> None:
    replica = OneHole(again_ns=100)
    replica._follower.receive(
        EventBatch(incarnation=7, first_seq=9, last_seq=9, time_ns=0, events=[])
    )
    assert replica.held == 1
