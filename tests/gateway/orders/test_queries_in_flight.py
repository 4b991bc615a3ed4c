"""The table of queries in flight: each gets one reply."""

import pytest

from crossbook.common.messages.entry import Balance, Balances, Reject
from crossbook.common.messages.matcher_queries import AccountBalances, BalancesRequest
from crossbook.common.types import RejectReason
from crossbook.gateway.orders import queries_in_flight
from crossbook.gateway.orders.outbox import Outbox
from crossbook.gateway.orders.queries_in_flight import QUERY_NS, SENT_MOST, QueriesInFlight
from crossbook.gateway.orders.session import OrderSession

ANN = OrderSession(b"token", 7, b"ann")


def balances(query_id: int) -> BalancesRequest:
    return BalancesRequest(request_id=query_id, account=7)


def test_a_query_is_collected_once_and_answered_once() -> None:
    outbox = Outbox()
    table = QueriesInFlight(outbox)
    table.add(ANN, 5, balances)
    assert table.collect() == [balances(1)]
    assert table.collect() == []
    answer = AccountBalances(
        request_id=1, seq=9, balances=[Balance("BTC", total_units=5, held_units=2)]
    )
    table.receive(answer)
    table.receive(answer)
    assert len(table) == 0
    assert outbox.drain() == {b"ann": [Balances(request_seq=5, seq=9, balances=answer.balances)]}


def test_a_query_that_cannot_be_made_is_not_added() -> None:
    def fail(query_id: int) -> BalancesRequest:
        raise LookupError(query_id)

    table = QueriesInFlight(Outbox())
    with pytest.raises(LookupError, match="1"):
        table.add(ANN, 5, fail)
    assert (len(table), table.collect()) == (0, [])


def test_a_query_that_cannot_be_sent_is_refused() -> None:
    outbox = Outbox()
    table = QueriesInFlight(outbox)
    table.add(ANN, 5, balances)
    table.refuse(balances(1), "away")
    assert outbox.drain() == {
        b"ann": [Reject(request_seq=5, reason=RejectReason.BUSY, field="", text="away")]
    }
    assert outbox.rejects == {RejectReason.BUSY: 1}


def test_only_queries_without_an_answer_for_long_are_refused() -> None:
    outbox = Outbox()
    table = QueriesInFlight(outbox)
    table.add(ANN, 5, balances)
    table.tick(1)
    table.add(ANN, 6, balances)
    table.tick(QUERY_NS)
    [reject] = outbox.drain()[b"ann"]
    assert reject.request_seq == 5
    assert len(table) == 1


def test_an_account_leaves_as_much_room_as_it_fills(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries_in_flight, "QUERIES_MAX", 4)
    table = QueriesInFlight(Outbox())
    for _ in range(2):
        assert table.has_room(7)
        table.add(ANN, 5, balances)
    assert not table.has_room(7)
    assert table.has_room(8)


def test_accounts_take_turns_with_one_query_of_each_at_the_matcher() -> None:
    outbox = Outbox()
    table = QueriesInFlight(outbox)
    for number in range(3):
        table.add(ANN, number, balances)
    others = [OrderSession(b"", account, b"%d" % account) for account in range(10, 20)]
    for session in others:
        table.add(session, 9, balances)
    sent = table.collect()
    assert [query.request_id for query in sent] == [1, 4, 5, 6]
    assert len(sent) == SENT_MOST
    assert (table.has_unsent, table.collect()) == (False, [])
    table.receive(AccountBalances(1, 9, []))
    assert table.has_unsent
    assert [query.request_id for query in table.collect()] == [7]


def test_a_query_given_up_before_its_turn_is_never_sent() -> None:
    outbox = Outbox()
    table = QueriesInFlight(outbox)
    table.add(ANN, 1, balances)
    table.add(ANN, 2, balances)
    assert [query.request_id for query in table.collect()] == [1]
    table.tick(QUERY_NS)
    assert [reject.request_seq for reject in outbox.drain()[b"ann"]] == [1, 2]
    assert table.collect() == []
    table.add(ANN, 3, balances)
    assert [query.request_id for query in table.collect()] == [3]
