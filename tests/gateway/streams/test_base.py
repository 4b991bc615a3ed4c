"""The common behaviour of all streams towards their clients, and their pace."""

from crossbook.gateway.streams.base import MESSAGES_MAX, StreamPace
from tests.worlds.stream_world import StreamWorld


def test_a_stream_answers_messages_with_an_error_and_closes_a_client_that_goes_on() -> None:
    client = StreamWorld().connect()
    client.pop_messages()
    for _ in range(MESSAGES_MAX):
        client.channel.received(client, '{"op":"subscribe"}')
    assert {message["type"] for message in client.pop_messages()} == {"error"}
    client.channel.received(client, "x")
    assert client.ended == (1008, "this stream accepts no messages")


def test_unused_time_does_not_accumulate_in_a_pace() -> None:
    pace = StreamPace(least_ns=0, most_ns=1 << 62, factor=5, slack_ns=5_000)
    for at in range(0, 1_000_000, 1_000):
        pace.sent(at, 900)
    assert pace.free_ns <= 1_000_000 + 5 * 900
