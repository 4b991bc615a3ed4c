"""A frame with thousands of requests for the instruments gets four lists. Without the limit its
answer had 70 times its size."""

from crossbook.common.messages.codec import MAX_REQUESTS, encode
from crossbook.common.messages.entry import Instruments, ListInstruments, Reject
from crossbook.common.types import RejectReason
from tests.worlds.desk_world import DeskWorld

STRANGER, OTHER = b"stranger", b"other"


def test_a_frame_of_requests_for_lists_is_answered_with_four_of_them() -> None:
    world = DeskWorld()
    requests = [ListInstruments(number) for number in range(MAX_REQUESTS)]
    world.send(STRANGER, 0, *requests)
    world.send(OTHER, 0, ListInstruments(7))
    outbox = world.desk.collect_replies()
    replies = outbox[STRANGER]
    assert len(replies) == MAX_REQUESTS, "each request has its answer"
    assert sum(isinstance(reply, Instruments) for reply in replies) == 4
    reasons = {reply.reason for reply in replies if isinstance(reply, Reject)}
    assert reasons == {RejectReason.BUSY}
    assert len(encode(replies)) < 30 * len(encode(requests))
    assert [type(reply) for reply in outbox[OTHER]] == [Instruments]
    world.send(STRANGER, 0, ListInstruments(8))
    assert [type(reply) for reply in world.desk.collect_replies()[STRANGER]] == [Instruments]
