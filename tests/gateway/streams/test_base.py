"""The common behaviour of all streams towards their clients."""

from crossbook.gateway.streams.base import MESSAGES_MAX
from tests.worlds.stream_world import StreamWorld


def test_a_stream_answers_messages_with_an_error_and_closes_a_client_that_goes_on() -> None:
    client = StreamWorld().connect()
    client.pop_messages()
    for _ in range(MESSAGES_MAX):
        client.channel.received(client, '{"op":"subscribe"}')
    assert {message["type"] for message in client.pop_messages()} == {"error"}
    client.channel.received(client, "x")
    assert client.ended == (1008, "this stream accepts no messages")
