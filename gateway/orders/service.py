"""Sockets around the order desk and its lines to the matchers, on uvloop.

The ZeroMQ sockets are driven through their file descriptors, never through `zmq.asyncio`, which
costs several times as much. Such a descriptor is edge-triggered and may fire for any change of
any kind, so whatever fires, all sockets are polled and drained until none has anything.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import zmq

from crossbook.common.messages.codec import encode
from crossbook.common.process.clock import Clock
from crossbook.common.process.counters import Buckets
from crossbook.common.process.log import logger
from crossbook.common.process.sockets import has_more, send_frame
from crossbook.gateway.orders.front_desk import FrontDesk
from crossbook.gateway.orders.local_sessions import LOCAL_PREFIX, LocalSessions
from crossbook.gateway.orders.matcher_sockets import DRAIN_MAX, MatcherLine

_NOBLOCK = int(zmq.NOBLOCK)
_MORE_NOBLOCK = int(zmq.SNDMORE | zmq.NOBLOCK)

TAKE_BYTES: Final = 16 * 1024
"""About how many bytes of frames are taken from clients, some 500 orders, before they are sent on:
the matcher begins with them while the next are translated."""

ROUNDS_MAX: Final = 8
"""Rounds of draining before the event loop gets its turn."""

REPLIES_MAX: Final = 1_000
"""Most replies in one frame."""

TICK_S: Final = 0.1
PROBE_TICKS: Final = 50
"""Ticks between two probes for sessions whose client is gone."""


class OrderService:
    """Moves frames between clients, desk and matchers until `stop`, or until another gateway has
    taken over.

    `clients` is the socket of ZeroMQ clients, or None where only clients inside this process are
    served: `local` has their sessions in either case.

    `replies` counts what clients were told, `clients_dropped` those that were gone or did not
    read. `answer_times` is what the lines were given.
    """

    def __init__(
        self,
        desk: FrontDesk,
        lines: Sequence[MatcherLine],
        clients: "zmq.Socket[bytes] | None",
        clock: Clock,
        answer_times: Buckets,
    ) -> None:
        self._desk = desk
        self._lines = lines
        self._catch_ups = [line.desk.catch_ups for line in lines]
        self._clients = clients
        self._clock = clock
        self.local = LocalSessions(desk, self.wake)
        self._stopped = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._round_is_due = False
        self._ticks = 0
        self.replies = 0
        self.clients_dropped = 0
        self.answer_times = answer_times
        self._poller = zmq.Poller()
        self._takers = {socket: take for line in lines for socket, take in line.takers.items()}
        if clients is not None:
            self._takers[clients] = self._take_frames
        for watched in self._takers:
            self._poller.register(watched, zmq.POLLIN)

    @property
    def in_flight(self) -> int:
        """Commands without an answer."""
        return sum(len(line.desk.in_flight) for line in self._lines)

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
        self._end_sessions()

    def wake(self) -> None:
        """Have a round soon: the desk was given something outside of one. What is given in one
        turn of the loop leaves together."""
        if not self._round_is_due:
            self._round_is_due = True
            self._loop.call_soon(self._next_round)

    def _end_sessions(self) -> None:
        """Every connection ends with this process; what its account wished for then is sent."""
        self._desk.sessions.close_all()
        for line in self._lines:
            line.link.tick(self._clock.monotonic_ns())
            line.send()

    def _on_ready(self) -> None:
        sessions = self._desk.sessions.by_token
        for _ in range(ROUNDS_MAX):
            ready = self._poller.poll(0)
            if not ready and not any(each.working for each in self._catch_ups):
                return
            for waiting, _ in ready:
                self._takers[waiting]()
            for catch_ups in self._catch_ups:
                if catch_ups.working:
                    catch_ups.work(sessions)
            self._send()
        self.wake()

    def _next_round(self) -> None:
        self._round_is_due = False
        if not self._stopped.is_set():
            self._send()
            self._on_ready()

    def _send(self) -> None:
        """Send what the round has brought."""
        for line in self._lines:
            line.send()
            if line.link.fenced:
                self.stop()
        if self._desk.outbox:
            self._desk.gather()
            self._send_replies()

    def _tick(self) -> None:
        """Let time pass for the link, find gone clients, and look at every socket in case an
        edge was missed."""
        if self._stopped.is_set():
            return
        self._ticks += 1
        for line in self._lines:
            line.link.tick(self._clock.monotonic_ns())
        if self._ticks % PROBE_TICKS == 0:
            self._desk.probe_sessions()
        notices, self._desk.notices = self._desk.notices, []
        for what, facts in notices:
            logger().warning(what, **facts)
        self._send()
        self._on_ready()
        self._loop.call_later(TICK_S, self._tick)

    def _take_frames(self) -> None:
        clients = self._clients
        assert clients is not None, "frames without a socket"
        receive, take_frame = clients.recv, self._desk.take_frame
        room = TAKE_BYTES
        try:
            for taken in range(DRAIN_MAX):
                if room <= 0 or (taken == 1 and not has_more(clients)):
                    return
                identity = receive(_NOBLOCK)
                # Not copied, it says for less whether there is another frame.
                last = receive(_NOBLOCK, False)
                frame = last.bytes
                room -= len(frame)
                if last.more:
                    clients.recv_multipart(_NOBLOCK)
                    self._desk.refuse_extra_frames(identity)
                else:
                    take_frame(identity, frame)
        except zmq.Again:
            pass

    def _send_replies(self) -> None:
        """Send each address its replies; one that is gone or does not read loses its session."""
        clients = self._clients
        outbox = self._desk.outbox
        # Emptied first: a local client that hears its answer may ask again at once.
        waiting = list(outbox.items())
        outbox.clear()
        for identity, replies in waiting:
            self.replies += len(replies)
            if identity.startswith(LOCAL_PREFIX):
                self.local.deliver(identity, replies)
                continue
            assert clients is not None, "a client without a socket"
            try:
                if len(replies) <= REPLIES_MAX:
                    send_frame(clients, identity, _MORE_NOBLOCK)
                    send_frame(clients, encode(replies), _NOBLOCK)
                    continue
                for start in range(0, len(replies), REPLIES_MAX):
                    send_frame(clients, identity, _MORE_NOBLOCK)
                    send_frame(clients, encode(replies[start : start + REPLIES_MAX]), _NOBLOCK)
            except zmq.ZMQError as error:
                logger().debug("client_gone", reason=error.strerror)
                self.clients_dropped += 1
                self._desk.sessions.close_address(identity)
