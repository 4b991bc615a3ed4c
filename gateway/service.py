"""Sockets around the order desk, on uvloop.

The ZeroMQ sockets are driven through their file descriptors, never through `zmq.asyncio`, which
costs several times as much. Such a descriptor is edge-triggered and may fire for any change of
any kind, so whatever fires, all sockets are polled and drained until none has anything.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import zmq
from msgspec import MsgspecError

from common.clock import Clock
from common.codec import decode_events, decode_sync_reply, encode
from common.commands import Command
from common.events import EventBatch
from common.log import logger
from common.sockets import drained, has_more
from common.stream import AskAgain, StreamFollower
from common.sync import Orders, Resend, ResendRequest, ResendTooOld
from gateway.desk import OrderDesk

_NOBLOCK = int(zmq.NOBLOCK)
_MORE_NOBLOCK = int(zmq.SNDMORE | zmq.NOBLOCK)

DRAIN_MAX = 256
"""Most messages taken from one socket before the others get their turn."""

ROUNDS_MAX = 8
"""Rounds of draining before the event loop gets its turn."""

RESEND_AGAIN_NS = 200_000_000
"""Nanoseconds before a resend that was not answered is asked for again."""


class OrderService:
    """Moves frames between clients, desk and matcher until `stop`."""

    def __init__(
        self,
        desk: OrderDesk,
        follower: StreamFollower,
        clients: "zmq.Socket[bytes]",
        commands: "zmq.Socket[bytes]",
        events: "zmq.Socket[bytes]",
        sync: "zmq.Socket[bytes]",
        clock: Clock,
    ) -> None:
        self._desk = desk
        self._follower = follower
        self._clients = clients
        self._commands = commands
        self._events = events
        self._sync = sync
        self._clock = clock
        self._resends = AskAgain(RESEND_AGAIN_NS)
        self._stopped = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._round_is_due = False
        self._poller = zmq.Poller()
        self._takers = {
            clients: self._take_frames,
            events: self._take_events,
            sync: self._take_sync_replies,
        }
        for watched in self._takers:
            self._poller.register(watched, zmq.POLLIN)

    def stop(self) -> None:
        """End `run` after the round in hand."""
        self._stopped.set()

    async def run(self) -> None:
        """Serve until `stop`."""
        for watched in self._takers:
            self._loop.add_reader(watched.fileno(), self._on_ready)
        self._tick()
        await self._stopped.wait()
        for watched in self._takers:
            self._loop.remove_reader(watched.fileno())

    def _on_ready(self) -> None:
        desk = self._desk
        for _ in range(ROUNDS_MAX):
            ready = self._poller.poll(0)
            if not ready:
                return
            for waiting, _ in ready:
                self._takers[waiting]()
            if desk.commands:
                self._send_commands()
            if desk.questions:
                self._send_questions()
            if desk.outbox:
                self._send_replies()
        if not self._round_is_due:
            self._round_is_due = True
            self._loop.call_soon(self._next_round)

    def _next_round(self) -> None:
        self._round_is_due = False
        self._on_ready()

    def _tick(self) -> None:
        """Once a second: give up old queries, find gone clients, and look at every socket in
        case an edge was missed."""
        self._desk.tick()
        if self._loop.time() % 5 < 1:
            self._desk.probe_sessions()
        self._on_ready()
        self._loop.call_later(1.0, self._tick)

    def _take_frames(self) -> None:
        clients = self._clients
        receive = clients.recv
        desk = self._desk
        try:
            for taken in range(DRAIN_MAX):
                if taken == 1 and not has_more(clients):
                    return
                identity = receive(_NOBLOCK)
                frame = receive(_NOBLOCK)
                if clients.getsockopt(zmq.RCVMORE):
                    clients.recv_multipart(_NOBLOCK)
                    desk.refuse_extra_frames(identity)
                else:
                    desk.take_frame(identity, frame)
        except zmq.Again:
            pass

    def _send_commands(self) -> None:
        desk = self._desk
        commands: list[Command] = desk.commands
        desk.commands = []
        try:
            self._commands.send(encode(commands), _NOBLOCK)
        except zmq.Again:
            desk.refuse(commands, "the matcher is not taking commands now")

    def _send_questions(self) -> None:
        desk = self._desk
        questions = desk.questions
        desk.questions = []
        for question in questions:
            try:
                self._sync.send(encode(question), _NOBLOCK)
            except zmq.Again:
                desk.refuse_question(question, "the matcher cannot be reached now")

    def _take_events(self) -> None:
        for payload in drained(self._events, DRAIN_MAX):
            try:
                batch = decode_events(payload)
            except (MsgspecError, UnicodeDecodeError, RecursionError) as error:
                logger().error("malformed_event_batch", reason=str(error))
                continue
            self._follow(batch)

    def _follow(self, batch: EventBatch) -> None:
        """Report what is in order now, and ask for what is missing."""
        follower = self._follower
        self._report(follower.take(batch))
        if follower.restarted:
            logger().warning("matcher_restarted", stream=batch.stream, seq=batch.last_seq)
            self._desk.matcher_restarted()
            self._report(follower.reset(batch.stream, batch.first_seq - 1))
        gap = follower.gap()
        if gap is not None and self._resends.due(gap[:2], self._clock.monotonic_ns()):
            self._ask_resend(*gap)

    def _report(self, batches: Sequence[EventBatch]) -> None:
        for batch in batches:
            self._desk.take_events(batch)

    def _ask_resend(self, stream: int, from_seq: int, to_seq: int) -> None:
        logger().warning("event_gap", from_seq=from_seq, to_seq=to_seq)
        try:
            self._sync.send(encode(ResendRequest(0, stream, from_seq, to_seq)), _NOBLOCK)
        except zmq.Again:
            logger().warning("resend_not_asked", reason="the matcher cannot be reached now")

    def _take_sync_replies(self) -> None:
        for payload in drained(self._sync, DRAIN_MAX):
            try:
                reply: Any = decode_sync_reply(payload)
            except (MsgspecError, UnicodeDecodeError, RecursionError) as error:
                logger().error("malformed_sync_reply", reason=str(error))
                continue
            if isinstance(reply, Orders):
                self._desk.take_answer(reply)
            elif isinstance(reply, Resend):
                for raw in reply.batches:
                    self._follow(decode_events(raw))
            elif isinstance(reply, ResendTooOld):
                logger().error("events_lost", first_seq=reply.first_seq)
                self._report(self._follower.reset(reply.stream, reply.last_seq))

    def _send_replies(self) -> None:
        """Send each address its replies; one that is gone or does not read loses its session."""
        clients = self._clients
        outbox = self._desk.outbox
        for identity, replies in outbox.items():
            try:
                clients.send(identity, _MORE_NOBLOCK)
                clients.send(encode(replies), _NOBLOCK)
            except zmq.ZMQError as error:
                logger().debug("client_gone", reason=error.strerror)
                self._desk.sessions.close_address(identity)
        outbox.clear()
