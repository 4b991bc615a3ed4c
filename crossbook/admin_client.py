"""The administrator's client: one request, one answer, over the matcher's own socket."""

from types import TracebackType
from typing import Self

import zmq

from common import sockets
from common.admin import Act, AdminAct, AdminDone, AdminFault, AdminInspect, AdminReply, AdminView
from common.codec import decode_admin_reply, decoded, encode
from common.errors import CrossbookError
from common.events import CommandRejected, Event
from crossbook.errors import ActRefused, GatewayUnavailable, OutcomeUnknown


class AdminClient:
    """Acts on the venue, for use by one thread.

        with AdminClient("ipc://data/admin.sock") as admin:
            admin.act(SetInstrumentState(0, 0, 0, 1, InstrumentState.HALTED))

    `OutcomeUnknown` means that no answer came: look before acting again.
    """

    def __init__(self, address: str, timeout_s: float = 5.0) -> None:
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
        self._socket.close(linger=0)
        self._context.term()

    def act(self, command: Act) -> Event:
        """Do it; the event that answers. Raises `ActRefused` when the matcher will not."""
        self._request_id += 1
        reply = self._ask(AdminAct(self._request_id, command))
        if not isinstance(reply, AdminDone):
            raise CrossbookError(f"the matcher answered with {type(reply).__name__}")
        if isinstance(reply.answer, CommandRejected):
            raise ActRefused(reply.answer)
        return reply.answer

    def view(self, account: int = 0) -> AdminView:
        """Every instrument as it stands, and the balances of an account (zero: the venue's)."""
        self._request_id += 1
        reply = self._ask(AdminInspect(self._request_id, account))
        if not isinstance(reply, AdminView):
            raise CrossbookError(f"the matcher answered with {type(reply).__name__}")
        return reply

    def _ask(self, request: AdminAct | AdminInspect) -> AdminReply:
        timeout_ms = int(self.timeout_s * 1000)
        if not self._socket.poll(timeout_ms, zmq.POLLOUT):
            raise GatewayUnavailable("the matcher cannot be reached: nothing was sent", [])
        self._socket.send(encode(request))
        while self._socket.poll(timeout_ms):
            reply: AdminReply = decoded(decode_admin_reply, self._socket.recv())
            if isinstance(reply, AdminFault):
                raise CrossbookError(f"the matcher did not understand: {reply.text}")
            if reply.request_id == request.request_id:
                return reply
        raise OutcomeUnknown([(request.request_id, "")], "the matcher did not answer in time")
