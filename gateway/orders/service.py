"""The event loop of order entry: frames between clients, desk and matchers, on uvloop.

The ZeroMQ sockets are driven through their file descriptors, never through `zmq.asyncio`, which
costs several times as much. Such a descriptor is edge-triggered and may fire for any change of
any kind, so whichever fires, all sockets are polled and drained until none has anything.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import zmq

from crossbook.common.messages.codec import encode
from crossbook.common.messages.entry import TOKEN_BYTES, Reply
from crossbook.common.process.connections import FRAME_BYTES, Connections, Peer
from crossbook.common.process.counters import Buckets
from crossbook.common.process.crash_points import reached
from crossbook.common.process.log import logger
from crossbook.common.process.sockets import has_more, send_frame
from crossbook.gateway.orders.front_desk import FrontDesk
from crossbook.gateway.orders.local_sessions import LOCAL_PREFIX, LocalSessions
from crossbook.gateway.orders.matcher_sockets import DRAIN_MAX, MatcherSockets

_NOBLOCK = int(zmq.NOBLOCK)
_MORE_NOBLOCK = int(zmq.SNDMORE | zmq.NOBLOCK)

RECEIVE_BYTES: Final = 16 * 1024
"""About how many bytes of clients' frames, some 500 orders, are received before their commands are
sent: the matcher begins with them while the next are translated."""

SHORTEST: Final = TOKEN_BYTES + 1
"""Bytes of the shortest frame that has a request."""

SHORT_MAX: Final = 1_000
"""Most shorter frames of a connection; each is refused."""

ROUNDS_MAX: Final = 8
"""Rounds of draining before the event loop gets its turn."""

REPLIES_MAX: Final = 1_000
"""Most replies in one frame."""

TICK_S: Final = 0.1
REACH_S: Final = 0.002
"""The tick while a matcher is still to be reached: orders are refused until then."""

PROBE_TICKS: Final = 600
"""Ticks in which every session is probed once, in case the end of its connection was missed."""

FRAMES_MAX: Final = 512
"""Frames of a message beyond which its connection is ended; a message of two or more is refused."""


class OrderService:
    """Moves frames until `stop`, or until another gateway has taken over.

    `connections` are those of ZeroMQ clients, with their socket, or None where only clients inside
    this process are served: `local` has their sessions in either case.

    `replies` counts the replies sent to clients, `clients_dropped` clients that were gone or did
    not read. `answer_times` are those that the matchers' sockets add to.
    """

    def __init__(
        self,
        desk: FrontDesk,
        matchers: Sequence[MatcherSockets],
        connections: Connections | None,
        answer_times: Buckets,
    ) -> None:
        self._desk = desk
        self._matchers = matchers
        self.connections = connections
        self._clients = None if connections is None else connections.watched
        self.local = LocalSessions(desk, self.wake)
        self._stopped = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._round_is_due = False
        self._ticks = 0
        self.replies = 0
        self.clients_dropped = 0
        self.answer_times = answer_times
        self._poller = zmq.Poller()
        self._receivers = {
            socket: receive for matcher in matchers for socket, receive in matcher.receivers.items()
        }
        if self._clients is not None:
            self._receivers[self._clients] = self._receive_frames
        for socket in self._receivers:
            self._poller.register(socket, zmq.POLLIN)

    def stop(self) -> None:
        """End `run` after the round in hand."""
        self._stopped.set()

    async def run(self) -> None:
        """Serve until `stop`."""
        for socket in self._receivers:
            self._loop.add_reader(socket.fileno(), self._on_ready)
        self._tick()
        await self._stopped.wait()
        for socket in self._receivers:
            self._loop.remove_reader(socket.fileno())
        self._end_sessions()

    def wake(self) -> None:
        """Have a round soon, for requests that the desk received outside of one. Those of one turn
        of the loop are sent together."""
        if not self._round_is_due:
            self._round_is_due = True
            self._loop.call_soon(self._next_round)

    def _end_sessions(self) -> None:
        """End every connection with this process, and send the cancels that this causes."""
        self._desk.sessions.close_all()
        for matcher in self._matchers:
            matcher.tick()
            matcher.send()

    def _on_ready(self) -> None:
        desk, receivers = self._desk, self._receivers
        for _ in range(ROUNDS_MAX):
            ready = self._poller.poll(0)
            if not ready and not desk.has_work:
                return
            for socket, _ in ready:
                receivers[socket]()
            desk.work()
            self._send()
        self.wake()

    def _next_round(self) -> None:
        self._round_is_due = False
        if not self._stopped.is_set():
            self._send()
            self._on_ready()

    def _send(self) -> None:
        """Send everything that the round has brought."""
        for matcher in self._matchers:
            matcher.send()
            if matcher.link.fenced:
                self.stop()
        if self._desk.outbox:
            self._send_replies()

    def _tick(self) -> None:
        """Let time pass for the links, find clients that are gone, and look at every socket in
        case an edge was missed."""
        if self._stopped.is_set():
            return
        self._ticks += 1
        for matcher in self._matchers:
            matcher.tick()
        self._desk.probe_sessions(PROBE_TICKS)
        for event, facts in self._desk.collect_notices():
            logger().warning(event, **facts)
        self._send()
        self._on_ready()
        if self.connections is not None:
            self._check_connections(self.connections)
        has_all = all(matcher.link.following for matcher in self._matchers)
        self._loop.call_later(TICK_S if has_all else REACH_S, self._tick)

    def _check_connections(self, connections: Connections) -> None:
        """End the connections that take too much, and probe the sessions of those that ended."""
        if connections.check():
            # Looking may have used up an edge of the descriptor.
            self.wake()
        for identity in connections.take_gone():
            self._desk.outbox.extend(identity, ())
            self.wake()

    def _receive_frames(self) -> None:
        clients, connections = self._clients, self.connections
        assert clients is not None, "frames without a socket"
        assert connections is not None, "a socket without connections"
        receive, receive_frame = clients.recv, self._desk.receive_frame
        peers = connections.by_identity
        room = RECEIVE_BYTES
        try:
            for count in range(DRAIN_MAX):
                if room <= 0 or (count == 1 and not has_more(clients)):
                    return
                identity = receive(_NOBLOCK)
                # Without a copy it costs less to see whether there is another frame.
                last = receive(_NOBLOCK, False)
                frame = last.bytes
                room -= len(frame)
                peer = peers.get(identity) or connections.meet(identity, last)
                peer.delivered += len(frame) + FRAME_BYTES
                if len(frame) < SHORTEST:
                    self._note_short(peer)
                if last.more:
                    self._receive_extra_frames(clients, peer)
                    self._desk.refuse_extra_frames(identity)
                elif not peer.is_gone or self._desk.has_session(frame):
                    receive_frame(identity, frame, last)
        except zmq.Again:
            pass

    def _send_frame(self, clients: "zmq.Socket[bytes]", identity: bytes, frame: bytes) -> None:
        """Send one frame; raises `ZMQError` for a client that is gone or does not read."""
        send_frame(clients, identity, _MORE_NOBLOCK)
        send_frame(clients, frame, _NOBLOCK)
        connections = self.connections
        assert connections is not None, "a client without connections"
        peer = connections.by_identity.get(identity)
        if peer is not None:
            peer.sent += len(frame)
            if peer.sent > peer.sent_max:
                connections.look(peer)

    def _note_short(self, peer: Peer) -> None:
        """End a connection with very many frames that can be no request: they cost far more memory
        than the bytes that are counted."""
        assert self.connections is not None, "a peer without connections"
        peer.short += 1
        if peer.short > SHORT_MAX:
            self.connections.end(peer, "frames")

    def _receive_extra_frames(self, clients: "zmq.Socket[bytes]", peer: Peer) -> None:
        """Drop the other frames of a message; a peer that sent very many is disconnected."""
        assert self.connections is not None, "a peer without connections"
        frames = 1
        more = True
        while more:
            extra = clients.recv(_NOBLOCK, False)
            peer.delivered += len(extra) + FRAME_BYTES
            frames += 1
            more = extra.more
        if frames > FRAMES_MAX:
            self.connections.end(peer, "frames")

    def _send_replies(self) -> None:
        """Send each address its replies; one that is gone or does not read loses its session.
        Sessions of one account that receive the same get one encoding of it."""
        reached("gateway.reported")
        clients = self._clients
        before: Sequence[Reply] = ()
        frames: list[bytes] = []
        for identity, replies in self._desk.collect_replies().items():
            self.replies += len(replies)
            if identity.startswith(LOCAL_PREFIX):
                self.local.deliver(identity, replies)
                continue
            assert clients is not None, "a client without a socket"
            if replies != before:
                before, frames = replies, _encoded(replies)
            try:
                for frame in frames:
                    self._send_frame(clients, identity, frame)
            except zmq.ZMQError as error:
                logger().debug("client_gone", reason=error.strerror)
                self.clients_dropped += 1
                self._desk.sessions.close_address(identity)


def _encoded(replies: Sequence[Reply]) -> list[bytes]:
    """The frames that carry these replies, in order."""
    if len(replies) <= REPLIES_MAX:
        return [encode(replies)]
    starts = range(0, len(replies), REPLIES_MAX)
    return [encode(replies[start : start + REPLIES_MAX]) for start in starts]
