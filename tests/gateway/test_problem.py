"""Problems: their statuses, and the times to wait."""

from crossbook.common.types import RejectReason
from crossbook.gateway.problem import Problem, refused, throttled


def test_a_throttled_request_names_the_whole_seconds_to_wait() -> None:
    waits = [throttled("slower", milliseconds).retry_after_s for milliseconds in (1, 1_000, 1_001)]
    assert waits == [1, 1, 2]
    assert throttled("slower", 1).status == 429


def test_a_refusal_for_now_names_a_wait_and_any_other_none() -> None:
    assert refused(RejectReason.BUSY, "", "full").retry_after_s == 1
    assert Problem(429, "THROTTLED", "slower").retry_after_s == 1
    assert refused(RejectReason.BAD_TICK, "price", "").retry_after_s is None
