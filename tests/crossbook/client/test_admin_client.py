"""The administrator's client without a matcher: its errors name the address."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import zmq

from crossbook.client.admin_client import AdminClient
from crossbook.common.errors import CrossbookError
from crossbook.common.messages.admin import (
    Act,
    AdminAdvance,
    AdminFault,
    AdminRefused,
    AdminReply,
    AdminTimeAdvanced,
    AdminView,
)
from crossbook.common.messages.codec import decode_admin_request, encode
from crossbook.common.messages.commands import MassCancelOrders
from crossbook.common.process import sockets
from crossbook.common.times import DAY_NS, parse_time
from crossbook.errors import AdvanceRefused, ClientClosed, GatewayUnavailable, OutcomeUnknown
from tests.system.exchange import free_ports

ACT: Act = MassCancelOrders(0, 0, 0)


def test_a_socket_that_is_not_there_is_named_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative address means another file in every folder."""
    monkeypatch.chdir(tmp_path)
    with (
        AdminClient("ipc://data/admin.sock", timeout_s=0.05) as admin,
        pytest.raises(GatewayUnavailable) as caught,
    ):
        admin.view()
    text = str(caught.value)
    assert f"ipc://data/admin.sock ({tmp_path}/data/admin.sock does not exist)" in text
    assert "MATCHER_ADMIN" in text


def test_a_file_that_is_no_socket_and_a_socket_without_listener_have_different_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plain").touch()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind("left.sock")
    for name, reason in (("plain", "is no socket"), ("left.sock", "where nothing listens")):
        with (
            AdminClient(f"ipc://{name}", timeout_s=0.05) as admin,
            pytest.raises(GatewayUnavailable, match=reason),
        ):
            admin.act(ACT)


def test_without_an_answer_an_act_is_unknown_and_a_query_is_not() -> None:
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    with zmq.Context() as context, sockets.admin_router(context, address) as mute:
        with AdminClient(address, timeout_s=0.5) as admin:
            with pytest.raises(OutcomeUnknown, match=f"{address}.*--transfer-id"):
                admin.act(ACT)
            with pytest.raises(GatewayUnavailable, match=f"{address}.*nothing was changed"):
                admin.view()
        mute.close(linger=0)


def test_a_closed_administrators_client_raises_closed() -> None:
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    admin = AdminClient(address)
    admin.close()
    admin.close()
    with pytest.raises(ClientClosed, match=address):
        admin.view()
    with pytest.raises(ClientClosed, match=address):
        admin.act(ACT)


def test_the_remedy_of_an_act_is_not_that_of_an_order() -> None:
    error = OutcomeUnknown([(1, "")], "silence", remedy="look at the status")
    assert str(error) == "request 1: silence. look at the status"


def test_an_answer_to_an_earlier_request_is_dropped() -> None:
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    replies: list[AdminReply] = [AdminView(1, 5, [], []), AdminView(2, 6, [], [])]
    with zmq.Context() as context, sockets.admin_router(context, address) as router:
        with AdminClient(address, timeout_s=5.0) as admin:

            def serve() -> None:
                identity, _ = router.recv_multipart()
                for reply in (replies[1], replies[0]):
                    router.send_multipart([identity, encode(reply)])

            thread = threading.Thread(target=serve)
            thread.start()
            assert admin.view() == replies[0]
            thread.join(5)
        router.close(linger=0)


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (AdminView(1, 5, [], []), "answered with AdminView"),
        (AdminFault(0, "no message"), "did not understand: no message"),
    ],
)
def test_an_answer_of_another_kind_is_an_error(reply: AdminReply, text: str) -> None:
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    with zmq.Context() as context, sockets.admin_router(context, address) as router:
        with AdminClient(address, timeout_s=5.0) as admin:

            def serve() -> None:
                identity, _ = router.recv_multipart()
                router.send_multipart([identity, encode(reply)])

            thread = threading.Thread(target=serve)
            thread.start()
            with pytest.raises(CrossbookError, match=f"the matcher at {address} {text}"):
                admin.act(ACT)
            thread.join(5)
        router.close(linger=0)


NOW_NS = parse_time("2030-01-01")
MANUAL = AdminView(
    request_id=1, seq=5, instruments=[], balances=[], time_ns=NOW_NS, clock_ns=NOW_NS,
    is_manual=True,
)  # fmt: skip


@contextmanager
def matcher_that_answers(*replies: AdminReply) -> Iterator[tuple[AdminClient, list[Any]]]:
    """A client, and the requests received. Each is answered by the next of these replies."""
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    requests: list[Any] = []
    with zmq.Context() as context, sockets.admin_router(context, address) as router:

        def serve() -> None:
            for reply in replies:
                identity, request = router.recv_multipart()
                requests.append(decode_admin_request(request))
                router.send_multipart([identity, encode(reply)])

        with AdminClient(address, timeout_s=5.0) as admin:
            thread = threading.Thread(target=serve)
            thread.start()
            yield admin, requests
            thread.join(5)
        router.close(linger=0)


@pytest.mark.parametrize("by", ["1d", timedelta(days=1)])
def test_a_duration_counts_from_the_matchers_time(by: str | timedelta) -> None:
    moved = AdminTimeAdvanced(
        request_id=2, before_ns=NOW_NS, time_ns=NOW_NS + DAY_NS, seq=9, batches=1,
    )  # fmt: skip
    with matcher_that_answers(MANUAL, moved) as (admin, requests):
        assert admin.advance(by) == moved
    assert requests[1:] == [AdminAdvance(2, NOW_NS + DAY_NS)]


@pytest.mark.parametrize("to", ["2030-01-02", datetime(2030, 1, 2, tzinfo=UTC)])
def test_a_point_in_time_is_sent_as_it_is(to: str | datetime) -> None:
    moved = AdminTimeAdvanced(
        request_id=2, before_ns=NOW_NS, time_ns=NOW_NS + DAY_NS, seq=9, batches=1,
    )  # fmt: skip
    with matcher_that_answers(MANUAL, moved) as (admin, requests):
        assert admin.advance(to=to) == moved
    assert requests[1:] == [AdminAdvance(2, NOW_NS + DAY_NS)]


def test_an_advance_goes_on_until_the_time_is_reached() -> None:
    half_ns = NOW_NS + DAY_NS // 2
    first = AdminTimeAdvanced(
        request_id=2, before_ns=NOW_NS, time_ns=half_ns, seq=9, batches=10_000,
    )  # fmt: skip
    second = AdminTimeAdvanced(
        request_id=3, before_ns=half_ns, time_ns=NOW_NS + DAY_NS, seq=12, batches=3,
    )  # fmt: skip
    with matcher_that_answers(MANUAL, first, second) as (admin, requests):
        assert admin.advance("1d") == AdminTimeAdvanced(
            request_id=3, before_ns=NOW_NS, time_ns=NOW_NS + DAY_NS, seq=12, batches=10_003,
        )  # fmt: skip
    assert [each.to_ns for each in requests[1:]] == [NOW_NS + DAY_NS] * 2


def test_a_refused_advance_names_field_and_reason() -> None:
    with (
        matcher_that_answers(MANUAL, AdminRefused(2, "clock", "it is the machine's")) as (admin, _),
        pytest.raises(AdvanceRefused, match="clock: it is the machine's; nothing was changed"),
    ):
        admin.advance("1s")


@pytest.mark.parametrize("given", [{}, {"by": "1d", "to": "2030-01-02"}, {"by": "soon"}])
def test_an_invalid_advance_is_not_sent(given: dict[str, Any]) -> None:
    with (
        matcher_that_answers(MANUAL) as (admin, requests),
        pytest.raises(ValueError, match="duration"),
    ):
        admin.advance(**given)
    assert len(requests) == 1
