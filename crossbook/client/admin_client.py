"""The administrator's client: one request, one answer, over the matcher's admin socket."""

from pathlib import Path
from types import TracebackType
from typing import Self

import zmq

from crossbook.common.errors import CrossbookError
from crossbook.common.messages.admin import (
    Act,
    AdminAcceptTime,
    AdminAct,
    AdminDone,
    AdminFault,
    AdminInspect,
    AdminReply,
    AdminRequest,
    AdminTimeAccepted,
    AdminView,
)
from crossbook.common.messages.codec import decode_admin_reply, decoded, encode
from crossbook.common.messages.events import CommandRejected, Event
from crossbook.common.process import sockets
from crossbook.errors import ActRefused, ClientClosed, GatewayUnavailable, OutcomeUnknown


class AdminClient:
    """Performs acts on the venue, for use by one thread.

        with AdminClient("ipc://data/admin.sock") as admin:
            admin.act(SetInstrumentState(0, 0, 0, 1, InstrumentState.HALTED))

    `OutcomeUnknown` means that no answer came: check with `view` before acting again.
    """

    def __init__(self, address: str, timeout_s: float = 5.0) -> None:
        self.address = address
        self.timeout_s = timeout_s
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            self._socket = sockets.admin_dealer(self._context, address)
        except BaseException:
            self._context.term()
            raise
        self._request_id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close(linger=0)
        self._context.term()

    def act(self, command: Act) -> Event:
        """Perform an act; returns the event that answers it. Raises `ActRefused` when the matcher
        refuses."""
        self._request_id += 1
        reply = self._exchange(AdminAct(self._request_id, command))
        if not isinstance(reply, AdminDone):
            raise CrossbookError(
                f"the matcher at {self.address} answered with {type(reply).__name__}"
            )
        if isinstance(reply.answer, CommandRejected):
            raise ActRefused(reply.answer, command)
        return reply.answer

    def view(self, account: int = 0) -> AdminView:
        """The present state of every instrument, and the balances of an account (zero: the
        venue's)."""
        self._request_id += 1
        reply = self._exchange(AdminInspect(self._request_id, account))
        if not isinstance(reply, AdminView):
            raise CrossbookError(
                f"the matcher at {self.address} answered with {type(reply).__name__}"
            )
        return reply

    def accept_time(self) -> AdminTimeAccepted:
        """Make the matcher accept its machine's clock, however far ahead that is."""
        self._request_id += 1
        reply = self._exchange(AdminAcceptTime(self._request_id))
        if not isinstance(reply, AdminTimeAccepted):
            raise CrossbookError(
                f"the matcher at {self.address} answered with {type(reply).__name__}"
            )
        return reply

    def _exchange(self, request: AdminRequest) -> AdminReply:
        if self._socket.closed:
            raise ClientClosed("administrator's client", self.address)
        timeout_ms = int(self.timeout_s * 1000)
        if not self._socket.poll(timeout_ms, zmq.POLLOUT):
            raise GatewayUnavailable(
                f"no matcher can be reached at {self.address}{_whereabouts(self.address)}: nothing "
                "was sent. --admin or MATCHER_ADMIN names its socket"
            )
        self._socket.send(encode(request))
        while self._socket.poll(timeout_ms):
            reply: AdminReply = decoded(decode_admin_reply, self._socket.recv())
            if isinstance(reply, AdminFault):
                raise CrossbookError(
                    f"the matcher at {self.address} did not understand: {reply.text}"
                )
            if reply.request_id == request.request_id:
                return reply
        why = f"the matcher at {self.address} did not answer in {self.timeout_s:g} s"
        if isinstance(request, AdminInspect):
            raise GatewayUnavailable(f"{why}; nothing was changed")
        remedy = (
            "crossbook admin status shows the present state; a deposit or withdrawal repeated "
            "under its --transfer-id is made once"
        )
        raise OutcomeUnknown([(request.request_id, "")], why, remedy=remedy)


def _whereabouts(address: str) -> str:
    """The file of an ipc address, which may be relative, and what is wrong with it."""
    if not address.startswith("ipc://"):
        return ""
    path = Path(address.removeprefix("ipc://")).absolute()
    if path.is_socket():
        return f" ({path}, where nothing listens)"
    return f" ({path} is no socket)" if path.exists() else f" ({path} does not exist)"
