"""The administrator's client without a matcher: its errors name the address."""

import socket
import threading
from pathlib import Path

import pytest
import zmq

from crossbook.client.admin_client import AdminClient
from crossbook.common.errors import CrossbookError
from crossbook.common.messages.admin import Act, AdminFault, AdminReply, AdminView
from crossbook.common.messages.codec import encode
from crossbook.common.messages.commands import MassCancelOrders
from crossbook.common.process import sockets
from crossbook.errors import ClientClosed, GatewayUnavailable, OutcomeUnknown
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


def test_a_matcher_that_does_not_answer_leaves_an_act_unknown_and_a_question_not() -> None:
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


def test_an_answer_to_an_earlier_request_is_passed_over() -> None:
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
