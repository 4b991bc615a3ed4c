"""The pace of a stream."""

from crossbook.gateway.streams.pace import StreamPace


def test_unused_time_does_not_accumulate_in_a_pace() -> None:
    pace = StreamPace(least_ns=0, most_ns=1 << 62, factor=5, slack_ns=5_000)
    for at in range(0, 1_000_000, 1_000):
        pace.sent(at, 900)
    assert pace.free_ns <= 1_000_000 + 5 * 900
