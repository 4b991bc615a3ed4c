"""The acts of administrators who use HTTP, at the matcher of shard 0.

One act at a time: they are rare, and each is durable when it is answered.
"""

import asyncio
from typing import Final

import zmq

from crossbook.common.errors import BAD_BYTES
from crossbook.common.messages.admin import AdminAct, AdminDone
from crossbook.common.messages.codec import decode_admin_reply, encode
from crossbook.common.messages.commands import KeyAct
from crossbook.common.messages.events import CommandRejected, Event
from crossbook.common.messages.refusal import refusal_text
from crossbook.common.process.log import logger
from crossbook.common.process.sockets import drained
from crossbook.gateway.problem import Problem, refused

ANSWER_S: Final = 5.0
"""Seconds that an act waits for its answer."""

LOOK_S: Final = 0.002
"""Wait between two checks for the answer."""

_DRAIN_MAX: Final = 100
_NOBLOCK: Final = int(zmq.NOBLOCK)


class MatcherAdmin:
    """The administration socket of a matcher, for a gateway."""

    def __init__(self, socket: "zmq.Socket[bytes]") -> None:
        self._socket = socket
        self._request_id = 0
        self._turn = asyncio.Lock()

    async def act(self, command: KeyAct, requested_by: str) -> Event:
        """Perform an act, which is journaled with the id of the key that requested it; returns the
        event that answers it. Raises `Problem`: 503 where nothing was changed, 504 where no answer
        came."""
        async with self._turn:
            self._request_id += 1
            try:
                self._socket.send(
                    encode(AdminAct(self._request_id, command, requested_by)), _NOBLOCK
                )
            except zmq.Again:
                text = "the matcher is away; nothing was changed, try again"
                raise Problem(503, "ADMINISTRATION_UNAVAILABLE", text) from None
            answer = await self._answer()
        if isinstance(answer, CommandRejected):
            raise refused(answer.reason, answer.field, refusal_text(answer, command))
        return answer

    async def _answer(self) -> Event:
        try:
            async with asyncio.timeout(ANSWER_S):
                while True:
                    for payload in drained(self._socket, _DRAIN_MAX):
                        try:
                            reply = decode_admin_reply(payload)
                        except BAD_BYTES as error:
                            logger().error("malformed_admin_reply", reason=str(error))
                            continue
                        if isinstance(reply, AdminDone) and reply.request_id == self._request_id:
                            return reply.answer
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            text = "no answer came in time: list the keys before acting again"
            raise Problem(504, "OUTCOME_UNKNOWN", text) from None
