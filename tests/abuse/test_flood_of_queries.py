"""One client sends thousands of queries: a query or order of another account waits for a few of
them. Without turns of accounts an order waited five seconds."""

from crossbook.common.messages.entry import OpenOrders, Query, Reject
from crossbook.common.messages.matcher_queries import Orders
from crossbook.common.types import RejectReason
from crossbook.gateway.orders.queries_in_flight import SENT_MOST
from tests.worlds.desk_world import DeskWorld

FLOODER, OTHER = b"flooder", b"other"


def test_a_query_waits_for_one_query_of_a_flood_and_a_batch_for_a_few() -> None:
    world = DeskWorld()
    flooder, other = world.log_on(FLOODER, 1), world.log_on(OTHER, 2)
    world.send(FLOODER, flooder, *(Query(number) for number in range(1_000)))
    world.send(FLOODER, flooder, *(Query(number) for number in range(1_000, 2_000)))
    world.send(OTHER, other, Query(7))
    table = world.desk.queries
    sent = table.collect()
    assert len(sent) <= SENT_MOST <= 8, "what the matcher does between two batches"
    assert [query.account for query in sent] == [1, 2]
    assert not table.collect()
    for query in sent:
        table.receive(Orders(query.request_id, 1, [], False))
    assert isinstance(world.replies(OTHER)[0], OpenOrders)


def test_a_flood_of_queries_leaves_room_for_the_others_and_each_has_its_answer() -> None:
    world = DeskWorld()
    flooder, other = world.log_on(FLOODER, 1), world.log_on(OTHER, 2)
    for frame in range(12):
        world.send(FLOODER, flooder, *(Query(frame * 1_000 + n) for n in range(1_000)))
    replies = world.replies(FLOODER)
    assert {each.reason for each in replies if isinstance(each, Reject)} == {RejectReason.BUSY}
    world.send(OTHER, other, Query(7))
    assert world.replies(OTHER) == []
    table = world.desk.queries
    while found := table.collect():
        for query in found:
            table.receive(Orders(query.request_id, 1, [], False))
    replies += world.replies(FLOODER)
    assert sorted(each.request_seq for each in replies) == list(range(12_000))
