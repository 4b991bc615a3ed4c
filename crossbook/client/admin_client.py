"""The administrator's client: one request, one answer, over the matcher's admin socket."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

import zmq
from msgspec.structs import replace

from crossbook.client.connection import Keys, keyring_of
from crossbook.client.key_admin import KeyAdmin
from crossbook.common.errors import CrossbookError
from crossbook.common.keys import Key
from crossbook.common.messages.admin import (
    LOCAL,
    Act,
    AdminAcceptTime,
    AdminAct,
    AdminAdvance,
    AdminDone,
    AdminFault,
    AdminInspect,
    AdminKeys,
    AdminListKeys,
    AdminRefused,
    AdminReply,
    AdminRequest,
    AdminTimeAccepted,
    AdminTimeAdvanced,
    AdminView,
)
from crossbook.common.messages.codec import decode_admin_reply, decoded, encode
from crossbook.common.messages.commands import KeyAct
from crossbook.common.messages.events import CommandRejected, Event
from crossbook.common.process import sockets
from crossbook.common.process.address import whereabouts
from crossbook.common.process.keyring import Realm
from crossbook.common.times import duration_ns, parse_time, time_ns_of
from crossbook.errors import (
    ActRefused,
    AdvanceRefused,
    ClientClosed,
    GatewayUnavailable,
    OutcomeUnknown,
)


class AdminClient:
    """Performs acts on the venue, for use by one thread.

        with AdminClient("ipc://data/admin.sock") as admin:
            admin.act(SetInstrumentState(0, 0, 0, 1, InstrumentState.HALTED))

    `api_keys` has the acts on API keys, of shard 0.

    `OutcomeUnknown` means that no answer came: check with `view` before acting again. `keys` is the
    path of the key file of an administrator, for an address that other machines reach.
    """

    def __init__(self, address: str, timeout_s: float = 5.0, keys: Keys | None = None) -> None:
        self.address = address
        self.timeout_s = timeout_s
        self._keyring = keyring_of(keys)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            self._socket = sockets.admin_dealer(self._context, address, self._keyring)
        except BaseException:
            self._context.term()
            raise
        self._request_id = 0
        self.api_keys = KeyAdmin(self.act, self.list_keys, lambda: self.view().time_ns)

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

    def act(self, command: Act, requested_by: str = LOCAL) -> Event:
        """Perform an act; returns the event that answers it. Raises `ActRefused` when the matcher
        refuses.

        It is journaled with `requested_by`, the id of the administrator's key where there is one.
        """
        self._request_id += 1
        reply = self._exchange(AdminAct(self._request_id, command, requested_by))
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

    def list_keys(self) -> list[Key]:
        """Every API key by id, without secrets; of shard 0, the only one with keys."""
        found: list[Key] = []
        while True:
            self._request_id += 1
            after = found[-1].key_id if found else ""
            reply = self._exchange(AdminListKeys(self._request_id, after))
            if not isinstance(reply, AdminKeys):
                raise CrossbookError(
                    f"the matcher at {self.address} answered with {type(reply).__name__}"
                )
            found += reply.keys
            if not reply.more:
                return found

    def accept_time(self) -> AdminTimeAccepted:
        """Make the matcher accept its machine's clock, however far ahead that is."""
        self._request_id += 1
        reply = self._exchange(AdminAcceptTime(self._request_id))
        if not isinstance(reply, AdminTimeAccepted):
            raise CrossbookError(
                f"the matcher at {self.address} answered with {type(reply).__name__}"
            )
        return reply

    def advance(
        self, by: str | timedelta | None = None, *, to: str | datetime | None = None
    ) -> AdminTimeAdvanced:
        """Move the clock of a matcher with `CLOCK=manual` by a duration, or to a point in time.

        A duration is text such as `1d` or `1h30m`, a point in time ISO 8601, UTC unless it names a
        zone. Everything due on the way happens at its own time. Raises `AdvanceRefused` where the
        clock is the machine's, the time is past or too far ahead, and `ValueError` for text that is
        neither.

            admin.advance("1d")
            admin.advance(to="2030-01-02T00:00Z")
        """
        return self.advance_to(_target_ns(self.view().time_ns, by, to))

    def advance_to(self, to_ns: int) -> AdminTimeAdvanced:
        """Move the clock to a time, in as many requests as that needs; raises `AdvanceRefused`."""
        before_ns, batches = 0, 0
        while True:
            self._request_id += 1
            reply = self._exchange(AdminAdvance(self._request_id, to_ns))
            if isinstance(reply, AdminRefused):
                raise AdvanceRefused(reply.field, reply.text)
            if not isinstance(reply, AdminTimeAdvanced):
                raise CrossbookError(
                    f"the matcher at {self.address} answered with {type(reply).__name__}"
                )
            batches += reply.batches
            before_ns = before_ns or reply.before_ns
            if reply.time_ns >= to_ns:
                return replace(reply, before_ns=before_ns, batches=batches)

    def _exchange(self, request: AdminRequest) -> AdminReply:
        if self._socket.closed:
            raise ClientClosed("administrator's client", self.address)
        timeout_ms = int(self.timeout_s * 1000)
        if not self._socket.poll(timeout_ms, zmq.POLLOUT):
            if fault := sockets.handshake_fault(self.address, Realm.ADMIN, self._keyring):
                raise GatewayUnavailable(f"the matcher at {self.address}: {fault}")
            raise GatewayUnavailable(
                f"no matcher can be reached at {self.address}{whereabouts(self.address)}: nothing "
                "was sent. --admin or MATCHER_ADMIN names its socket"
            )
        self._socket.send(encode(request))
        while self._socket.poll(timeout_ms):
            reply: AdminReply = decoded(decode_admin_reply, self._socket.recv())
            if isinstance(reply, AdminFault):
                raise CrossbookError(
                    f"the matcher at {self.address} did not understand: {reply.text}"
                )
            if isinstance(reply, AdminRefused) and reply.field == "key":
                raise CrossbookError(f"the matcher at {self.address}: {reply.text}")
            if reply.request_id == request.request_id:
                return reply
        why = f"the matcher at {self.address} did not answer in {self.timeout_s:g} s"
        if isinstance(request, AdminInspect | AdminListKeys):
            raise GatewayUnavailable(f"{why}; nothing was changed")
        remedy = (
            "crossbook admin status shows the present state; a deposit or withdrawal repeated "
            "under its --transfer-id is made once"
        )
        if isinstance(request, AdminAct) and isinstance(request.command, KeyAct):
            remedy = (
                "crossbook keys list shows the present state; a new secret is lost: "
                "delete the key, or rotate it"
            )
        raise OutcomeUnknown([(request.request_id, "")], why, remedy=remedy)


def advance_all(
    clients: Sequence[AdminClient],
    by: str | timedelta | None = None,
    *,
    to: str | datetime | None = None,
) -> list[AdminTimeAdvanced]:
    """`AdminClient.advance` of the matchers of all shards, to one time: a duration counts from the
    latest of their times, so that a call that failed for one of them may be repeated with `to`.

    Raises `AdvanceRefused` before any clock has moved where one is not manual.
    """
    views = [client.view() for client in clients]
    for shard, view in enumerate(views):
        if not view.is_manual:
            text = f"the matcher of shard {shard} follows the clock of its machine; CLOCK=manual"
            raise AdvanceRefused("clock", f"{text} lets time be moved")
    to_ns = _target_ns(max(view.time_ns for view in views), by, to)
    return [client.advance_to(to_ns) for client in clients]


def new_transfer_id(view: AdminView, asset: str) -> str:
    """An id for a transfer of an asset after this view, which no other transfer of the venue has.

    Transfer ids land in the journal, so there is no chance in them where the clock is manual: two
    runs of a test have the same ones."""
    return f"{view.seq:x}-{asset}" if view.is_manual else uuid.uuid4().hex


def _target_ns(now_ns: int, by: str | timedelta | None, to: str | datetime | None) -> int:
    """The time that a duration from `now_ns` leads to, or that `to` names.

    Raises `ValueError` for text that is neither, and unless exactly one of both is given.
    """
    if by is not None and to is None:
        return now_ns + duration_ns(by)
    if to is None or by is not None:
        raise ValueError("give either a duration or the time to advance to")
    return parse_time(to) if isinstance(to, str) else time_ns_of(to)
