"""The rules of a process over its socket: added, listed, removed, refused; and bytes that are no
request."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import zmq

from crossbook.common.errors import ConfigError
from crossbook.common.faults.order_entry import Delay, NoAnswer, RequestFacts, RequestFault
from crossbook.common.faults.table import FaultTableError, NotHere
from crossbook.common.faults.venue import ProcessKilled
from crossbook.common.messages.codec import encode
from crossbook.common.messages.faults import (
    AddFault,
    FaultTableState,
    ListFaults,
    RemoveFaults,
    decode_fault_state,
)
from crossbook.common.process import sockets
from crossbook.common.process.fault_server import FaultServer, faults_address, serve_faults
from crossbook.common.types import RejectReason

Exchange = Callable[[Any], FaultTableState]
ANSWER_MS = 10_000


@pytest.fixture(name="context")
def fixture_context() -> Iterator[Any]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield context
    context.destroy(linger=0)


@pytest.fixture(name="server")
def fixture_server(context: Any, tmp_path: Path) -> Iterator[FaultServer]:
    server = serve_faults(context, tmp_path, "publisher", 1)
    yield server
    server.stop()


@pytest.fixture(name="exchange")
def fixture_exchange(context: Any, tmp_path: Path, server: FaultServer) -> Exchange:
    """Sends a request, and returns its answer."""
    client = sockets.faults_dealer(context, faults_address(tmp_path, "publisher"))

    def exchange(request: Any) -> FaultTableState:
        client.send(request if isinstance(request, bytes) else encode(request))
        assert client.poll(ANSWER_MS)
        return decode_fault_state(client.recv())

    return exchange


def test_a_rule_is_in_force_once_it_is_answered(exchange: Exchange, server: FaultServer) -> None:
    rule = Delay(milliseconds=5, account=7)
    state = exchange(AddFault(1, 4, rule))
    assert (state.request_id, state.refusal) == (1, "")
    facts = RequestFacts("zeromq", 7)
    assert [each.rule for each in server.table.due(RequestFault, facts)] == [rule]
    listed = exchange(ListFaults(2))
    assert [(each.id, each.process, each.rule, each.applied) for each in listed.states] == [
        (4, "publisher-1", rule, 1)
    ]


def test_rules_are_removed_one_by_one_or_all_at_once(exchange: Exchange) -> None:
    for number in (3, 5, 8):
        exchange(AddFault(1, number, NoAnswer()))
    assert exchange(RemoveFaults(2, 5)).removed == 1
    assert exchange(RemoveFaults(2, 5)).removed == 0
    state = exchange(RemoveFaults(3, 0))
    assert (state.removed, state.states) == (2, [])


def test_a_change_is_answered_once_it_is_settled(exchange: Exchange, server: FaultServer) -> None:
    settled: list[int] = []
    server.settle = lambda: settled.append(len(server.table))
    exchange(AddFault(1, 3, NoAnswer()))
    exchange(AddFault(2, 4, NoAnswer()))
    exchange(ListFaults(3))
    exchange(RemoveFaults(4, 0))
    assert settled == [1, 2, 0]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotHere("symbol: there is no instrument 'X'"), RejectReason.UNKNOWN_SYMBOL),
        (FaultTableError("the book is crossed"), RejectReason.UNSUPPORTED_COMBINATION),
    ],
)
def test_a_rule_that_cannot_be_settled_is_refused_and_removed(
    exchange: Exchange, server: FaultServer, error: FaultTableError, reason: RejectReason
) -> None:
    def settle() -> None:
        raise error

    server.settle = settle
    state = exchange(AddFault(1, 3, NoAnswer()))
    assert (state.refusal, state.reason, state.states) == (str(error), reason, [])


def test_an_effect_that_cannot_be_undone_is_named_until_it_is(
    exchange: Exchange, server: FaultServer
) -> None:
    exchange(AddFault(1, 3, NoAnswer()))

    def settle() -> None:
        raise FaultTableError("the matcher does not answer")

    server.settle = settle
    state = exchange(RemoveFaults(2, 0))
    assert (state.removed, state.refusal) == (1, "the matcher does not answer")
    server.settle = lambda: None
    assert exchange(RemoveFaults(3, 0)).refusal == ""


def test_an_id_that_is_taken_is_refused(exchange: Exchange) -> None:
    exchange(AddFault(1, 3, NoAnswer()))
    state = exchange(AddFault(2, 3, NoAnswer()))
    assert state.refusal == "rule 3 is in force already"
    assert len(state.states) == 1


def test_bytes_that_are_no_request_have_no_answer(exchange: Exchange, tmp_path: Path) -> None:
    with zmq.Context() as context:
        client = sockets.faults_dealer(context, faults_address(tmp_path, "publisher"))
        client.send(b"\xc1")
        assert exchange(ListFaults(7)).request_id == 7
        client.close()


def test_a_second_process_of_the_same_folder_is_refused(
    context: Any, tmp_path: Path, server: FaultServer
) -> None:
    with pytest.raises(ConfigError, match=r"DATA_DIR: cannot bind .*faults-publisher\.sock"):
        serve_faults(context, tmp_path, "publisher", 1)


def test_a_server_that_stopped_kills_no_process(
    context: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = Event()
    monkeypatch.setattr("crossbook.common.process.fault_server.kill_this_process", killed.set)
    monkeypatch.setattr("crossbook.common.process.fault_server.ANSWER_S", 0.2)
    server = serve_faults(context, tmp_path / "own", "publisher", 0)
    server.answer(AddFault(1, 4, ProcessKilled(process="publisher")))
    server.stop()
    assert not killed.wait(0.4)
