"""Acts at a matcher that answers, refuses, sends something else, or is away."""

import asyncio
from collections import deque
from typing import Any, cast

import pytest
import zmq

from crossbook.common.messages.admin import AdminAct, AdminDone
from crossbook.common.messages.codec import decode_admin_request, decoded, encode
from crossbook.common.messages.commands import DeleteKey
from crossbook.common.messages.events import CommandRejected, KeyDeleted
from crossbook.common.process import sockets
from crossbook.common.types import RejectReason
from crossbook.gateway.keys import matcher_admin
from crossbook.gateway.keys.matcher_admin import MatcherAdmin
from crossbook.gateway.problem import Problem

ACT = DeleteKey(gateway=0, request_seq=0, account=0, instrument=0, key_id="alice-1")
DONE = KeyDeleted(9, 0, 0, "alice-1")


class Socket:
    """The end of a connection to a matcher: `answers` are sent for the next request."""

    def __init__(self, *answers: Any) -> None:
        self.answers = answers
        self.requests: list[AdminAct] = []
        self.waiting: deque[bytes] = deque()
        self.is_away = False

    def send(self, payload: bytes, flags: int = 0) -> None:
        """A request."""
        if self.is_away:
            raise zmq.Again
        request = decoded(decode_admin_request, payload)
        assert isinstance(request, AdminAct)
        self.requests.append(request)
        for answer in self.answers:
            made = answer(request.request_id) if callable(answer) else answer
            self.waiting.append(made if isinstance(made, bytes) else encode(made))

    def recv(self, flags: int = 0, copy: bool = True) -> bytes:
        """The next answer."""
        if not self.waiting:
            raise zmq.Again
        return self.waiting.popleft()


@pytest.fixture(autouse=True)
def no_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in for a socket cannot be polled."""
    monkeypatch.setattr(sockets, "has_more", lambda socket: bool(socket.waiting))


def done(answer: Any = DONE) -> Any:
    return lambda request_id: AdminDone(request_id, answer, 0)


def act(socket: Socket) -> Any:
    return asyncio.run(MatcherAdmin(cast(Any, socket)).act(ACT, "ops"))


def test_an_act_is_answered_and_names_the_key_that_requested_it() -> None:
    socket = Socket(b"nothing", AdminDone(77, DONE, 0), done())
    assert act(socket) == DONE
    assert [(each.command, each.requested_by) for each in socket.requests] == [(ACT, "ops")]


def test_a_refusal_of_the_matcher_is_a_problem_with_its_field() -> None:
    refusal = CommandRejected(
        seq=9,
        gateway=0,
        request_seq=0,
        account=0,
        instrument=0,
        reason=RejectReason.MALFORMED,
        field="key_id",
    )
    with pytest.raises(Problem) as caught:
        act(Socket(done(refusal)))
    assert (caught.value.status, caught.value.detail.field) == (400, "key_id")


def test_without_a_matcher_nothing_was_changed() -> None:
    socket = Socket()
    socket.is_away = True
    with pytest.raises(Problem) as caught:
        act(socket)
    assert (caught.value.status, caught.value.retry_after_s) == (503, 1)


def test_without_an_answer_the_outcome_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matcher_admin, "ANSWER_S", 0.05)
    with pytest.raises(Problem) as caught:
        act(Socket(AdminDone(77, DONE, 0)))
    assert (caught.value.status, caught.value.detail.code) == (504, "OUTCOME_UNKNOWN")


def test_acts_take_turns() -> None:
    async def main() -> list[Any]:
        admin = MatcherAdmin(cast(Any, Socket(done())))
        return await asyncio.gather(*(admin.act(ACT, "ops") for _ in range(5)))

    assert asyncio.run(main()) == [DONE] * 5
