"""The connections of a bound socket, and the end of those that take too much.

ZeroMQ bounds a message by its frames and a queue by its messages. A message of endless frames is
bounded by neither, and no frame of it reaches this process. Here the bytes that the kernel has
received from a peer are compared with those that were delivered from it, and the bytes that were
sent to it with those that it has acknowledged. A connection past a bound is shut down; ZeroMQ then
closes it and frees what it held.
"""

import resource
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

import zmq
from msgspec import Struct
from zmq.utils.monitor import parse_monitor_message

from crossbook.common.process.log import logger
from crossbook.common.process.sockets import has_more, monitor_of
from crossbook.common.process.tcp_facts import (
    cut_off,
    facts_of,
    owner_of,
    peer_of,
    unread_in_kernel,
)
from crossbook.common.shedding import to_shed
from crossbook.common.times import SECOND_NS
from crossbook.common.token_buckets import TokenBuckets

SLICE: Final = 128
"""Connections looked at in one `check`. One costs some 4 µs."""

SLICE_OF_WATCH: Final = 16
WATCH_S: Final = 0.005
"""Connections looked at by a `Watch` at once, and the time until the next ones."""

GROWN_KIB: Final = 8_192
"""Growth of the process after which the next `check` looks at every connection."""

FRAME_BYTES: Final = 48
"""Most bytes around one delivered message: lengths, an empty first frame, and CURVE's box."""

HANDSHAKE_BYTES: Final = 2_048
HEARTBEAT_BYTES: Final = 64
"""Bytes a second that a peer may send beside its messages: ZeroMQ's heartbeats have less."""

NOTED_BYTES: Final = 4_096
"""Bytes held above which those that are still the kernel's are subtracted."""

STALLED_NS: Final = SECOND_NS
"""Time without an acknowledgement after which a peer that has something to read is stalled."""

SILENT_MS: Final = 12_000
"""Silence after which a peer is gone that used to send heartbeats."""

BEATS: Final = 3
"""Bytes that belong to no message, so often, are heartbeats."""

UNREAD_NS: Final = 30 * SECOND_NS
"""Time in which a peer that has something to read has to read some of it."""

ENDED_MAX: Final = 4_096
"""Connections that have ended whose identities are noted."""

_CHOSEN_BY_ZEROMQ: Final = b"\0"
_NOBLOCK: Final = int(zmq.NOBLOCK)
KIB: Final = 1024
MIB: Final = 1024 * KIB
_KIB_OF_MAXRSS: Final = 1024 if sys.platform == "darwin" else 1


REASONS: Final = (
    "connections", "connections_of_address", "frames", "held", "held_of_all", "rate_of_address",
    "silent", "unread", "unread_of_all",
)  # fmt: skip
"""Reasons for which a connection is ended."""


class Bounds(Struct, frozen=True, kw_only=True):
    """The most that the connections of one socket may take; bytes, of one and of all.

    `partial` is what may be received of a message that is not complete, `waiting` what may wait in
    complete messages, `unread` what a peer may leave unread. A peer may send empty frames, which
    cost 64 bytes for 2 that are counted here. 65,536 orders, as many as a gateway accepts at once,
    fit into 4 MiB. `of_address_per_s` limits new connections; zero is no limit.
    `queue` is the memory of a full queue of a PUB socket, where bytes are not known by peer.
    """

    connections: int
    of_address: int
    of_address_per_s: int = 0
    partial: int = MIB + 64 * KIB
    partial_of_all: int = 8 * MIB
    waiting: int = 4 * MIB
    waiting_of_all: int = 32 * MIB
    unread: int = 16 * MIB
    unread_of_all: int = 128 * MIB
    queue: int = 0


class Peer:
    """One connection. The owner of the socket adds the bytes delivered from it, with `FRAME_BYTES`
    for each message, to `delivered`, and those sent to it, without, to `sent`. Past `sent_max` the
    owner calls `Connections.look`."""

    __slots__ = (
        "acknowledged", "beats", "delivered", "descriptor", "held", "identity", "is_cut_off",
        "is_gone", "is_stalled", "looked_delivered", "name", "opened_ns", "owner", "read_ns",
        "received", "sent", "sent_max", "short", "unread",
    )  # fmt: skip

    def __init__(
        self, descriptor: int, name: tuple[str, int], now_ns: int, sent_max: int = 0
    ) -> None:
        self.descriptor = descriptor
        self.name = name
        self.owner = owner_of(name[0])
        self.opened_ns = self.read_ns = now_ns
        self.identity = b""
        self.delivered = self.sent = self.acknowledged = 0
        self.held = self.unread = self.received = self.beats = self.looked_delivered = 0
        self.short = 0
        self.sent_max = sent_max
        self.is_cut_off = self.is_gone = self.is_stalled = False


class Connections:
    """The connections of one bound socket.

    Of a socket that `receives` nothing, such as PUB, only the monitor is read, so another thread
    than the socket's may check it: `Watch`. Of others the owner calls `check` about ten times a
    second. It reads ZeroMQ's monitor messages, which queue without limit because a full queue would
    block ZeroMQ's own thread. `by_identity` has the peers of a ROUTER that have sent something,
    `cut_off` counts the connections ended, by reason.

    Connections over ipc are counted and not bounded: only the user of this process has access.
    """

    def __init__(
        self,
        context: Any,
        watched: "zmq.Socket[bytes]",
        bounds: Bounds,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        *,
        receives: bool = True,
    ) -> None:
        self.bounds = bounds
        self.by_identity: dict[bytes, Peer] = {}
        self.cut_off: Counter[str] = Counter()
        self.held = 0
        self.unread = 0
        self.watched = watched
        self._monitor = monitor_of(context, watched)
        self._receives = receives
        self._slice = SLICE if receives else SLICE_OF_WATCH
        self._monotonic_ns = monotonic_ns
        self._now_ns = monotonic_ns()
        self._peers: dict[int, Peer | None] = {}
        self._turns: list[Peer] = []
        self._of_owner: Counter[str] = Counter()
        self._rates = TokenBuckets.of_connections(bounds.of_address_per_s)
        self._gone: list[bytes] = []
        self._peak_kib = _peak_kib()
        self._nobody = Peer(-1, ("", 0), 0, sys.maxsize)
        self._ended = Peer(-1, ("", 0), 0, sys.maxsize)
        self._ended.is_gone = True
        self._ended_identities: dict[bytes, None] = {}

    def __len__(self) -> int:
        """The number of connections."""
        return len(self._peers)

    def meet(self, identity: bytes, frame: zmq.Frame) -> Peer:
        """The peer that sent a frame, from now on under its routing identity; one that `is_gone`
        for a frame that ZeroMQ kept of a connection that has ended."""
        self._read_monitor()
        if identity in self._ended_identities:
            return self._ended
        try:
            peer = self._peers.get(int(frame.get(zmq.SRCFD)))
        except zmq.ZMQError:
            peer = None
        if peer is None:
            return self._nobody
        peer.identity = identity
        self.by_identity[identity] = peer
        return peer

    def take_gone(self) -> list[bytes]:
        """Remove and return the identities whose connection has ended."""
        gone, self._gone = self._gone, []
        return gone

    def check(self) -> bool:
        """Note who came and went, and end the connections past a bound among those looked at: the
        next few, and all of them once the process has grown. Returns whether messages wait."""
        self._now_ns = self._monotonic_ns()
        self._read_monitor()
        waits = self._receives and has_more(self.watched)
        grown_kib = _peak_kib() - self._peak_kib
        if grown_kib >= GROWN_KIB:
            self._peak_kib += grown_kib
            self._look_at_all(waits)
        else:
            if not self._turns:
                self._turns = self._bounded()
            for peer in self._turns[-self._slice :]:
                self._look(peer, waits)
            del self._turns[-self._slice :]
        bounds = self.bounds
        if self.held > (bounds.waiting_of_all if waits else bounds.partial_of_all):
            self._shed_held(waits)
        if self.unread > bounds.unread_of_all:
            self._shed_unread(waits)
        if bounds.queue:
            self._shed_queues()
        return waits

    def look(self, peer: Peer) -> None:
        """Bring one peer up to date, and end its connection past a bound."""
        if peer.descriptor >= 0:
            self._look(peer, waits=True)

    def end(self, peer: Peer, reason: str) -> None:
        """End the connection of a peer for a reason of the owner."""
        if peer.descriptor >= 0:
            self._cut_off(peer, reason)

    def _bounded(self) -> list[Peer]:
        """The connections that are not over ipc; a copy."""
        return [peer for peer in self._peers.values() if peer is not None]

    def _look_at_all(self, waits: bool) -> None:
        for peer in self._bounded():
            self._look(peer, waits)

    def _read_monitor(self) -> None:
        monitor = self._monitor
        while has_more(monitor):
            event = parse_monitor_message(monitor.recv_multipart(_NOBLOCK))
            descriptor = event["value"]
            # A missed end: the descriptor was reused.
            self._forget(descriptor)
            if event["event"] == zmq.EVENT_ACCEPTED:
                self._accept(descriptor)

    def _accept(self, descriptor: int) -> None:
        name = peer_of(descriptor)
        if name is None:
            self._peers[descriptor] = None
            return
        peer = Peer(descriptor, name, self._now_ns, self.bounds.unread)
        self._peers[descriptor] = peer
        self._of_owner[peer.owner] += 1
        if len(self._peers) > self.bounds.connections:
            self._cut_off(peer, "connections")
        elif self._of_owner[peer.owner] > self.bounds.of_address:
            self._cut_off(peer, "connections_of_address")
        elif self._rates is not None and not self._rates.take(peer.owner, 1, self._now_ns):
            self._cut_off(peer, "rate_of_address")

    def _forget(self, descriptor: int) -> None:
        peer = self._peers.pop(descriptor, None)
        if peer is None:
            return
        peer.is_gone = True
        self._note(peer, 0, 0)
        self._of_owner[peer.owner] -= 1
        if not self._of_owner[peer.owner]:
            del self._of_owner[peer.owner]
        if self.by_identity.get(peer.identity) is peer:
            del self.by_identity[peer.identity]
            self._gone.append(peer.identity)
            self._note_ended(peer.identity)

    def _note_ended(self, identity: bytes) -> None:
        """Note an identity that no later connection has: one that ZeroMQ chose."""
        if identity[:1] != _CHOSEN_BY_ZEROMQ:
            return
        self._ended_identities[identity] = None
        if len(self._ended_identities) > ENDED_MAX:
            del self._ended_identities[next(iter(self._ended_identities))]

    def _look(self, peer: Peer, waits: bool) -> None:
        """Bring a peer up to date. Where no message `waits`, all that is complete was delivered,
        and what is held is a part of one."""
        if peer.is_gone or peer.is_cut_off:
            return
        facts = facts_of(peer.descriptor)
        if facts is None:
            return
        silent_ms, acknowledged, received, unsent = facts
        bounds, now_ns = self.bounds, self._now_ns
        if received > peer.received and peer.delivered == peer.looked_delivered:
            peer.beats += 1
        peer.received = received
        # No peer has more delivered than it sent, or has acknowledged more than was sent to it:
        # what the estimates are above that is no credit for later.
        peer.delivered = min(peer.delivered, received)
        peer.sent = max(peer.sent, acknowledged)
        peer.looked_delivered = peer.delivered
        aside = HANDSHAKE_BYTES + HEARTBEAT_BYTES * ((now_ns - peer.opened_ns) // SECOND_NS)
        held = max(0, received - peer.delivered - aside)
        if held > NOTED_BYTES:
            held = max(0, held - unread_in_kernel(peer.descriptor))
        self._note(peer, held, peer.sent - acknowledged)
        if acknowledged > peer.acknowledged or not (peer.unread or unsent):
            peer.read_ns = now_ns
        peer.is_stalled = now_ns - peer.read_ns > STALLED_NS
        peer.acknowledged = acknowledged
        peer.sent_max = acknowledged + bounds.unread
        if held > (bounds.waiting if waits else bounds.partial):
            self._cut_off(peer, "held")
        elif peer.unread > bounds.unread or now_ns - peer.read_ns > UNREAD_NS:
            self._cut_off(peer, "unread")
        elif silent_ms > SILENT_MS and peer.beats >= BEATS:
            self._cut_off(peer, "silent")

    def _note(self, peer: Peer, held: int, unread: int) -> None:
        self.held += held - peer.held
        self.unread += unread - peer.unread
        peer.held, peer.unread = held, unread

    def _shed_held(self, waits: bool) -> None:
        self._look_at_all(waits)
        limit = self.bounds.waiting_of_all if waits else self.bounds.partial_of_all
        for peer in to_shed(self.held - limit, [(peer, peer.held) for peer in self._bounded()]):
            self._cut_off(peer, "held_of_all")

    def _shed_unread(self, waits: bool) -> None:
        self._look_at_all(waits)
        excess = self.unread - self.bounds.unread_of_all
        for peer in to_shed(excess, [(peer, peer.unread) for peer in self._bounded()]):
            self._cut_off(peer, "unread_of_all")

    def _shed_queues(self) -> None:
        """End the connections that have not read for longest, beyond those whose full queues fit
        into what all may leave unread."""
        stalled = [peer for peer in self._bounded() if peer.is_stalled and not peer.is_cut_off]
        excess = len(stalled) - self.bounds.unread_of_all // self.bounds.queue
        if excess > 0:
            stalled.sort(key=lambda peer: peer.read_ns)
            for peer in stalled[:excess]:
                self._cut_off(peer, "unread_of_all")

    def _cut_off(self, peer: Peer, reason: str) -> None:
        if peer.is_cut_off or not cut_off(peer.descriptor, peer.name):
            return
        peer.is_cut_off = True
        self.cut_off[reason] += 1
        logger().debug(
            "peer_cut_off",
            why=reason,
            peer=f"{peer.name[0]}:{peer.name[1]}",
            held=peer.held,
            unread=peer.unread,
        )
        self._note(peer, 0, 0)


class Watch:
    """A thread that checks the connections of a PUB socket. ZeroMQ stores all subscriptions that
    have come inside one send, which takes as long as they come: the thread of the socket cannot
    check meanwhile. `connections` returns the present ones."""

    def __init__(self, connections: Callable[[], Connections]) -> None:
        self._connections = connections
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="connections", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Check no more; call it before the context ends."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(WATCH_S):
            self._connections().check()


def taken_by(sockets: Iterable[Connections]) -> tuple[Counter[str], int, int]:
    """The connections ended, by reason, the bytes held and the bytes unread of several sockets."""
    ended = Counter(dict.fromkeys(REASONS, 0))
    held = unread = 0
    for each in sockets:
        # A copy, because a `Watch` may count meanwhile.
        ended.update(dict(each.cut_off))
        held += each.held
        unread += each.unread
    return ended, held, unread


def _peak_kib() -> int:
    """The most memory that this process has had resident, in KiB. Costs 1 µs."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // _KIB_OF_MAXRSS
